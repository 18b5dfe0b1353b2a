package testenv

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/go-ldap/ldap/v3"
)

// Admin returns a connection over TLS that is bound as the domain's administrator and closed when the test ends.
func (s *SambaServer) Admin(t testing.TB) *ldap.Conn {
	t.Helper()
	conn, err := s.DialAdmin()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// DialAdmin returns a connection over TLS that is bound as the domain's administrator; the caller closes it.
func (s *SambaServer) DialAdmin() (*ldap.Conn, error) {
	conn, err := s.dialTLS()
	if err != nil {
		return nil, err
	}
	if err := conn.Bind(s.AdminDN, s.AdminPassword); err != nil {
		return nil, fmt.Errorf("bind to the test server as administrator: %w", errors.Join(err, conn.Close()))
	}
	return conn, nil
}

// dialTLS connects to the TLS port. A certificate that the test brought along may be a faulty one: it is taken for the
// name that it has, at a time when it was good.
func (s *SambaServer) dialTLS() (*ldap.Conn, error) {
	trust := &tls.Config{RootCAs: s.CA.Pool(), ServerName: "localhost", MinVersion: tls.VersionTLS12}
	if given := s.options.ServerCertificate; given != nil && given.TLS.Leaf != nil {
		leaf := given.TLS.Leaf
		trust.RootCAs.AddCert(leaf)
		trust.Time = func() time.Time { return leaf.NotBefore.Add(time.Second) }
		if len(leaf.DNSNames) > 0 {
			trust.ServerName = leaf.DNSNames[0]
		}
	}
	conn, err := ldap.DialURL(s.LDAPSURL(), ldap.DialWithTLSConfig(trust))
	if err != nil {
		return nil, fmt.Errorf("connect to the test server: %w", err)
	}
	conn.SetTimeout(startPatience)
	return conn, nil
}

// Add adds whole entries over LDAP as the administrator; see LDAPServer.Add for the form. For the password of a user
// write "clearPassword: secret", which becomes unicodePwd; a user without userAccountControl is made an enabled one.
func (s *SambaServer) Add(ldif string) error {
	entries, err := parseLDIF(ldif)
	if err != nil {
		return err
	}
	conn, err := s.DialAdmin()
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, entry := range entries {
		if err := conn.Add(asADUser(entry)); err != nil {
			return fmt.Errorf("add %s: %w", entry.DN, err)
		}
	}
	return nil
}

// asADUser fills in what an enabled user needs.
func asADUser(entry *ldap.AddRequest) *ldap.AddRequest {
	password, control := -1, false
	for i, a := range entry.Attributes {
		switch a.Type {
		case "clearPassword":
			password = i
		case "userAccountControl":
			control = true
		}
	}
	if password >= 0 {
		a := &entry.Attributes[password]
		a.Type, a.Vals = "unicodePwd", []string{UnicodePassword(a.Vals[0])}
		if !control {
			entry.Attribute("userAccountControl", []string{"512"})
		}
	}
	return entry
}

// UnicodePassword is the value of unicodePwd for a password: in double quotes, UTF-16, little-endian.
func UnicodePassword(password string) string {
	var value []byte
	for _, unit := range utf16.Encode([]rune(`"` + password + `"`)) {
		value = append(value, byte(unit), byte(unit>>8))
	}
	return string(value)
}

// SetPasswordAgo sets the password of a user, by sAMAccountName, as if it had been done some time ago, such as "60 days
// ago": the only way to an expired password, because nobody may write the time of its last change.
func (s *SambaServer) SetPasswordAgo(user, password, ago string) error {
	return run(context.Background(), nil, s.layout.faketime, append([]string{ago, s.layout.tool},
		s.onFiles("user", "setpassword", user, "--newpassword="+password)...)...)
}

// SetPolicy changes the domain's password policy by options of "samba-tool domain passwordsettings set", such as
// "--account-lockout-threshold=3" and "--account-lockout-duration=1" (minutes).
func (s *SambaServer) SetPolicy(options ...string) error {
	return s.Tool(append([]string{"domain", "passwordsettings", "set"}, options...)...)
}

// Tool runs samba-tool on the server's files, which works whether the server runs or not.
func (s *SambaServer) Tool(args ...string) error {
	return run(context.Background(), nil, s.layout.tool, s.onFiles(args...)...)
}

func (s *SambaServer) onFiles(args ...string) []string {
	return append(args, "-s", s.folder.file("smb.conf"), "-H", s.folder.file("private/sam.ldb"))
}

// restoreScript gives the domain controller another invocation id, as restoring it from a backup does.
const restoreScript = `
import sys, ldb, uuid
from samba.samdb import SamDB
from samba.param import LoadParm
from samba.auth import system_session
from samba.ndr import ndr_pack
from samba.dcerpc import misc
conf, sam = sys.argv[1:3]
lp = LoadParm(); lp.load(conf)
db = SamDB(url=sam, session_info=system_session(), lp=lp)
change = ldb.Message(ldb.Dn(db, db.get_dsServiceName()))
change["id"] = ldb.MessageElement(ndr_pack(misc.GUID(str(uuid.uuid4()))), ldb.FLAG_MOD_REPLACE, "invocationId")
db.modify(change, ["relax:0"])
`

// Reincarnate stops the server, gives it another invocation id, as a restore from a backup does, and starts it again.
func (s *SambaServer) Reincarnate() error {
	s.Stop()
	err := run(context.Background(), nil, s.layout.python, "-c", restoreScript, s.folder.file("smb.conf"), s.folder.file("private/sam.ldb"))
	if err != nil {
		return err
	}
	return s.Start(context.Background())
}
