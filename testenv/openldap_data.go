package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

// relaxRules is OpenLDAP's control that lets an administrator write what only the server writes otherwise.
const relaxRules = "1.3.6.1.4.1.4203.666.5.12"

// errLDIF says that a text is not plain LDIF of whole entries.
var errLDIF = errors.New("not LDIF of whole entries")

// Admin returns a connection that is bound as the root DN and closed when the test ends.
func (s *LDAPServer) Admin(t testing.TB) *ldap.Conn {
	t.Helper()
	conn, err := s.DialAdmin()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// DialAdmin returns a connection over the unix socket that is bound as the root DN; the caller closes it.
func (s *LDAPServer) DialAdmin() (*ldap.Conn, error) {
	conn, err := ldap.DialURL(s.SocketURL())
	if err != nil {
		return nil, fmt.Errorf("connect to the test server: %w", err)
	}
	if err := conn.Bind(s.AdminDN, s.AdminPassword); err != nil {
		return nil, fmt.Errorf("bind to the test server as administrator: %w", errors.Join(err, conn.Close()))
	}
	return conn, nil
}

// Load adds entries by slapadd, which is fast. The server is stopped for it and started again if it ran. The entries are
// taken as they are, with operational attributes if the LDIF has any; overlays do not see them.
func (s *LDAPServer) Load(ldif io.Reader) error {
	ran := false
	s.withProcess(func(*process) { ran = true })
	s.Stop()
	if err := s.slapadd(context.Background(), ldif); err != nil {
		return err
	}
	if !ran {
		return nil
	}
	return s.Start(context.Background())
}

// Add adds whole entries over LDAP as the administrator, so that the overlays see them. The LDIF must be plain: entries
// with "name: value" and "name:: base64" lines, folded lines and comments; no change records.
func (s *LDAPServer) Add(ldif string) error {
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

// SetOperational replaces an attribute that only the server writes otherwise, such as pwdChangedTime or
// pwdAccountLockedTime; with no values it is removed. As any change does, it sets modifyTimestamp.
func (s *LDAPServer) SetOperational(dn, attribute string, values ...string) error {
	conn, err := s.DialAdmin()
	if err != nil {
		return err
	}
	defer conn.Close()
	change := ldap.NewModifyRequest(dn, []ldap.Control{ldap.NewControlString(relaxRules, true, "")})
	change.Replace(attribute, values)
	if err := conn.Modify(change); err != nil {
		return fmt.Errorf("set %s of %s: %w", attribute, dn, err)
	}
	return nil
}

// SetPolicy replaces values of the default password policy; an empty value removes the attribute.
func (s *LDAPServer) SetPolicy(values map[string]string) error {
	conn, err := s.DialAdmin()
	if err != nil {
		return err
	}
	defer conn.Close()
	change := ldap.NewModifyRequest(s.PolicyDN, nil)
	for name, value := range values {
		if value == "" {
			change.Replace(name, nil)
			continue
		}
		change.Replace(name, []string{value})
	}
	if err := conn.Modify(change); err != nil {
		return fmt.Errorf("change the password policy: %w", err)
	}
	return nil
}

// parseLDIF reads whole entries. Values of one attribute stay in their order.
func parseLDIF(text string) ([]*ldap.AddRequest, error) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\n ", "") // folded lines
	var entries []*ldap.AddRequest
	for block := range strings.SplitSeq(text, "\n\n") {
		entry, err := parseEntry(block)
		if err != nil {
			return nil, err
		}
		if entry != nil {
			entries = append(entries, entry)
		}
	}
	return entries, nil
}

// parseEntry reads one entry; nil if the block holds nothing but comments.
func parseEntry(block string) (*ldap.AddRequest, error) {
	var entry *ldap.AddRequest
	place := map[string]int{}
	for line := range strings.SplitSeq(block, "\n") {
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "version:") {
			continue
		}
		name, value, err := parseLine(line)
		switch {
		case err != nil:
			return nil, err
		case strings.EqualFold(name, "changetype"):
			return nil, fmt.Errorf("%w: change record", errLDIF)
		case strings.EqualFold(name, "dn") && entry == nil:
			entry = ldap.NewAddRequest(value, nil)
		case entry == nil:
			return nil, fmt.Errorf("%w: %q before any dn", errLDIF, name)
		default:
			at, known := place[strings.ToLower(name)]
			if !known {
				place[strings.ToLower(name)] = len(entry.Attributes)
				entry.Attribute(name, []string{value})
				continue
			}
			entry.Attributes[at].Vals = append(entry.Attributes[at].Vals, value)
		}
	}
	return entry, nil
}
