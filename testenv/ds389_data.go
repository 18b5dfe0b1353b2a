package testenv

import (
	"errors"
	"fmt"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

// ds389BaseLDIF is what every server has below the suffix.
const ds389BaseLDIF = `
dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=com
objectClass: organizationalUnit
ou: groups

dn: cn=portico,dc=example,dc=com
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: portico
userPassword: portico-service
`

// allow lets the service account do everything below the suffix, and take as long as it wants.
func (s *DS389Server) allow() error {
	conn, err := s.DialAdmin()
	if err != nil {
		return err
	}
	defer conn.Close()
	aci := ldap.NewModifyRequest(s.BaseDN, nil)
	aci.Add("aci", []string{
		`(targetattr="*")(version 3.0; acl "Portico"; allow (all) userdn="ldap:///` + s.ServiceDN + `";)`,
		`(targetattr="userPassword")(version 3.0; acl "own password"; allow (write) userdn="ldap:///self";)`,
	})
	limits := ldap.NewModifyRequest(s.ServiceDN, nil)
	for _, name := range []string{"nsSizeLimit", "nsLookThroughLimit", "nsTimeLimit", "nsIdleTimeout"} {
		limits.Replace(name, []string{"-1"})
	}
	if err := errors.Join(conn.Modify(aci), conn.Modify(limits)); err != nil {
		return fmt.Errorf("rights of the service account: %w", err)
	}
	return nil
}

// fill adds what the options ask for after the first start.
func (s *DS389Server) fill() error {
	if s.options.ServiceSizeLimit > 0 {
		limit := fmt.Sprint(s.options.ServiceSizeLimit)
		if err := errors.Join(s.Set(s.ServiceDN, "nsSizeLimit", limit), s.Set(s.ServiceDN, "nsLookThroughLimit")); err != nil {
			return err
		}
	}
	if s.options.FreeIPA {
		if err := s.Add(freeIPALDIF); err != nil {
			return err
		}
	}
	if s.options.LDIF != "" {
		return s.Add(s.options.LDIF)
	}
	return nil
}

// Admin returns a connection that is bound as the Directory Manager and closed when the test ends.
func (s *DS389Server) Admin(t testing.TB) *ldap.Conn {
	t.Helper()
	conn, err := s.DialAdmin()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// DialAdmin returns a connection over the unix socket that is bound as the Directory Manager; the caller closes it.
func (s *DS389Server) DialAdmin() (*ldap.Conn, error) {
	conn, err := ldap.DialURL(s.SocketURL())
	if err != nil {
		return nil, fmt.Errorf("connect to the test server: %w", err)
	}
	if err := conn.Bind(s.AdminDN, s.AdminPassword); err != nil {
		return nil, fmt.Errorf("bind to the test server as Directory Manager: %w", errors.Join(err, conn.Close()))
	}
	return conn, nil
}

// Add adds whole entries over LDAP as the Directory Manager, so that the plug-ins see them. The LDIF must be plain:
// entries with "name: value" and "name:: base64" lines, folded lines and comments; no change records.
func (s *DS389Server) Add(ldif string) error {
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
		if err := conn.Add(entry); err != nil {
			return fmt.Errorf("add %s: %w", entry.DN, err)
		}
	}
	return nil
}

// Set replaces an attribute as the Directory Manager, who may write what the server writes otherwise, such as
// accountUnlockTime or passwordExpirationTime; with no values it is removed. The DN may be one of the configuration:
// Set("cn=config", "passwordLockout", "on").
func (s *DS389Server) Set(dn, attribute string, values ...string) error {
	conn, err := s.DialAdmin()
	if err != nil {
		return err
	}
	defer conn.Close()
	change := ldap.NewModifyRequest(dn, nil)
	change.Replace(attribute, values)
	if err := conn.Modify(change); err != nil {
		return fmt.Errorf("set %s of %s: %w", attribute, dn, err)
	}
	return nil
}
