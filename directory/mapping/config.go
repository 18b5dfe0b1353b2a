package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Config says how the entries of one directory are read. All of it comes from the
// preset and the configuration; DNs and filters are checked by New.
type Config struct {
	Directory string // configured name, becomes directory.ID.Directory
	Suffix    string // "branch" makes the login name "jdoe@branch"; "" for none

	BaseDN    string // everything that is read lies below it
	UserBase  string // "": BaseDN
	GroupBase string // "": BaseDN

	UserFilter      string // RFC 4515
	GroupFilter     string
	ContainerFilter string // "": organizational units, organizations, domains, ...

	// Attributes by Portico's name; of the LDAP names the first that has a value
	// wins. UserAttributes must map directory.AttrUsername, GroupAttributes
	// directory.AttrName. Entries of "manager" and "owner" are DNs.
	UserAttributes  map[string][]string
	GroupAttributes map[string][]string

	MemberAttributes     []string // hold DNs: member, uniqueMember
	MemberNameAttributes []string // hold login names: memberUid; read where no DN is there

	// PrimaryGroup is "sid" where each person is a member of a group that does not
	// list him: the one whose objectSid is the domain's with the person's
	// primaryGroupID at its end (Active Directory). "": there is no such thing.
	PrimaryGroup string `json:",omitempty"`

	// PlaceholderMembers are DNs that stand in groups which must not be empty.
	// They are hidden, like a group's own DN.
	PlaceholderMembers []string

	StableID       []string       // the first that has a value wins
	StableIDFormat StableIDFormat // "": FormatUUID

	Created, Modified, Version string // attribute names, "" for none

	Signals     []string // LDAP attributes behind the account state; nil: DefaultSignals(StatusRules)
	StatusRules string   // see State

	// DisabledAttribute marks an account as disabled by the value DisabledValue,
	// where the server has no way of its own; "" for none.
	DisabledAttribute, DisabledValue string
}

// StableIDFormat is the way in which a server spells its permanent ids.
type StableIDFormat string

// The three formats of permanent ids, and their text in directory.ID.Stable.
const (
	// FormatUUID: text, e.g. entryUUID and ipaUniqueID; kept in lower case.
	FormatUUID StableIDFormat = "uuid"
	// FormatGUID: sixteen bytes, the first three fields little-endian
	// (objectGUID); kept as 8-4-4-4-12 hexadecimal digits.
	FormatGUID StableIDFormat = "guid"
	// FormatNSUniqueID: text of 8-8-8-8 hexadecimal digits (nsUniqueId).
	FormatNSUniqueID StableIDFormat = "nsuniqueid"
)

// DefaultContainerFilter finds what usually has entries below it.
const DefaultContainerFilter = "(|(objectClass=organizationalUnit)(objectClass=organization)(objectClass=dcObject)" +
	"(objectClass=domain)(objectClass=container)(objectClass=nsContainer)(objectClass=locality)(objectClass=country)" +
	"(objectClass=builtinDomain))"

// isCredential tells of attributes that are never read, whatever a configuration
// says. The name is lower-case.
func isCredential(name string) bool {
	switch name {
	case "userpassword", "unicodepwd", "ntpwdhash", "lmpwdhash", "sambantpassword", "sambalmpassword", "sambapasswordhistory",
		"dbcspwd", "supplementalcredentials", "pwdhistory", "ntpwdhistory", "lmpwdhistory", "passwordhistory", "krbprincipalkey", "krbmkey", "ipanthash",
		"authpassword", "ms-mcs-admpwd", "mslaps-password", "mslaps-encryptedpassword", "unixuserpassword",
		"msds-managedpassword", "ipatokenotpkey":
		return true
	}
	return false
}

// Fault is one thing that is wrong with a Config.
type Fault struct {
	Field string // name of the Config field
	Text  string
}

// Error gives "Field: text".
func (f *Fault) Error() string { return f.Field + ": " + f.Text }

func fault(field, format string, args ...any) error {
	return &Fault{Field: field, Text: fmt.Sprintf(format, args...)}
}

// check finds everything that is wrong with names in the configuration; filters
// and DNs are checked where they are compiled.
func (c *Config) check() error {
	var errs []error
	if c.Directory == "" {
		errs = append(errs, fault("Directory", "must not be empty"))
	}
	if strings.ContainsAny(c.Suffix, "@ \t") {
		errs = append(errs, fault("Suffix", "must not hold '@' or spaces"))
	}
	if len(c.UserAttributes["username"]) == 0 {
		errs = append(errs, fault("UserAttributes", "no LDAP attribute for \"username\""))
	}
	if len(c.GroupAttributes["name"]) == 0 {
		errs = append(errs, fault("GroupAttributes", "no LDAP attribute for \"name\""))
	}
	if len(c.StableID) == 0 {
		errs = append(errs, fault("StableID", "must name an attribute"))
	}
	if c.PrimaryGroup != "" && c.PrimaryGroup != PrimarySID {
		errs = append(errs, fault("PrimaryGroup", "%q is neither empty nor sid", c.PrimaryGroup))
	}
	switch c.StableIDFormat {
	case "", FormatUUID, FormatGUID, FormatNSUniqueID:
	default:
		errs = append(errs, fault("StableIDFormat", "%q is none of uuid, guid, nsuniqueid", c.StableIDFormat))
	}
	if c.StatusRules != "" && !slices.Contains(RuleNames(), c.StatusRules) {
		errs = append(errs, fault("StatusRules", "%q is none of %s", c.StatusRules, strings.Join(RuleNames(), ", ")))
	}
	for field, names := range c.attributeLists() {
		for _, name := range names {
			if err := checkAttribute(name); err != nil {
				errs = append(errs, fault(field, "%v", err))
			}
		}
	}
	return errors.Join(errs...)
}

// attributeLists are all lists of LDAP attribute names, by the field they stand in.
func (c *Config) attributeLists() map[string][]string {
	lists := map[string][]string{
		"MemberAttributes": c.MemberAttributes, "MemberNameAttributes": c.MemberNameAttributes,
		"StableID": c.StableID, "Signals": c.Signals,
	}
	for field, name := range map[string]string{
		"Created": c.Created, "Modified": c.Modified, "Version": c.Version, "DisabledAttribute": c.DisabledAttribute,
	} {
		if name != "" {
			lists[field] = []string{name}
		}
	}
	for field, mapped := range map[string]map[string][]string{"UserAttributes": c.UserAttributes, "GroupAttributes": c.GroupAttributes} {
		for name, names := range mapped {
			lists[field+"."+name] = names
		}
	}
	return lists
}

func checkAttribute(name string) error {
	if name == "" || len(name) > 128 {
		return fmt.Errorf("%q is not an attribute name", name)
	}
	for i := 0; i < len(name); i++ {
		if !isNameByte(name[i]) && name[i] != ';' {
			return fmt.Errorf("%q is not an attribute name", name)
		}
	}
	if isCredential(base(lower(name))) {
		return fmt.Errorf("%q holds credentials and is never read", name)
	}
	return nil
}

// base cuts attribute options off a name.
func base(name string) string {
	name, _, _ = strings.Cut(name, ";")
	return name
}

// mapVersion changes whenever entries are mapped in another way than before, so
// that feeds read everything again.
const mapVersion = 1

// Fingerprint changes with everything that decides which entries are seen and how
// they are read.
func (m *Mapper) Fingerprint() string {
	raw, err := json.Marshal(m.cfg) // maps are sorted by key
	if err != nil {                 // strings, slices and maps of them only
		return ""
	}
	sum := sha256.Sum256(append(raw, mapVersion))
	return hex.EncodeToString(sum[:16])
}
