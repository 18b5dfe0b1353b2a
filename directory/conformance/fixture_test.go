package conformance

import (
	"context"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"portico/configs"
	"portico/directory"
)

// fixture is one running server of one kind, with what the suite must know of it.
// A test function makes one and hands it to run.
type fixture struct {
	// config is the directory as an administrator would write it: preset, URLs,
	// account, base DN. The suite sets the base DN of each case.
	config configs.Directory
	life   lifecycle
	addr   string // host and port without TLS, for proxies; "": the suite uses none

	// each makes a server for one case; nil: all cases share this one.
	each func(t *testing.T) *fixture

	// admin is a bound connection that may write everything; the suite closes it.
	admin func() (*ldap.Conn, error)

	layout layout
	traits traits
	states []accountState
	// writing is how it is written to through the population; nil: it is not.
	writing *writing
}

// lifecycle ends and starts the server on the same address with the same data.
type lifecycle interface {
	Kill() // as a crash
	Stop() // as an administrator does
	Start(ctx context.Context) error
}

// layout says where entries are and how they are written.
type layout struct {
	// root is the DN below which each case makes its own base.
	root string
	// prepare makes the base of a case and what the preset expects below it, and
	// gives the DNs under which people and groups are to be added. It may change
	// the configuration of the case.
	prepare func(t testing.TB, admin *ldap.Conn, base string, d *configs.Directory) (people, groups string)
	// person is a whole person with a password; attributes are by Portico's names
	// "mail", "manager", "description" and so on as attribute gives them.
	person func(dn, login, password string) *ldap.AddRequest
	group  func(dn, name string) *ldap.AddRequest
	// container is something that people may hang below: ou=NAME or the like.
	container func(dn, name string) *ldap.AddRequest

	personRDN    string // "uid"
	groupRDN     string // "cn"
	groupName    string // the attribute of a group's name where that is not the one in the RDN
	containerRDN string // "ou"

	// member holds a group's members; names tells that they are login names.
	member string
	names  bool
	// placeholder tells that a group must not be empty: the suite then puts the
	// group's own DN in, which must be hidden.
	placeholder bool
}

// traits say which cases apply.
type traits struct {
	syncrepl     bool // changes come at once; else the feed polls
	reconciles   bool // a resume is followed by a full reconciliation
	nested       bool // groups may hold groups
	dangling     bool // members and managers need not exist
	managers     bool // people have a manager attribute
	noMail       bool // people have no mail address
	sevenBit     bool // login names must be ASCII
	twoUIDs      bool // two entries of one login name can be there
	refint       bool // the server itself corrects references of people who go or are renamed
	silentRefint bool // it does so without an event
	failedBinds  int  // how many wrong passwords lock an account; 0: never
	unlock       func(dn string) error
	sizeLimit    func(t testing.TB, entries int) // a size limit for the service account; 0 lifts it
	foreign      []string                        // cookies that are of another server, damaged, or old
	trim         func(t testing.TB)              // loses the server's log of changes
}

// accountState is one state that the server can bring an account into, and what
// must come of it.
type accountState struct {
	name string
	// prepare brings the person into the state. It may make policies.
	prepare func(t testing.TB, dn, password string)

	want      string // of disabled, locked, period, change, expired; "+" between two; "" for normal
	attribute string // that explain names; "" where nothing is to be named
	value     string // its value; "" for any

	right directory.Verdict // of a bind with the right password
	wrong directory.Verdict // of a bind with a wrong one
	proof bool              // the verdict on the right password says that it was right
	// silent tells that the bind knows nothing of the state (the server does not
	// enforce it): right and wrong are not looked at.
	silent bool
	// passes tells that time ends the state: after wait the account is normal
	// although no event came.
	passes bool
}
