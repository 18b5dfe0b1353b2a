package mirror

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"portico/directory"
)

// Password policies are no entries of the mirror, but a password that is too old
// must not look fresh while LDAP is down. They are kept under what they were
// asked by, in the table of single facts.

func policyKey(rank int, dn string) string { return "policy/" + strconv.Itoa(rank) + "/" + dn }

// KeepPolicy keeps a password policy of a directory under a DN; nil forgets it.
func (m *Mirror) KeepPolicy(ctx context.Context, dir, dn string, p *directory.Policy) error {
	rank, err := m.rank(dir)
	if err != nil {
		return err
	}
	return m.update(ctx, func(t *tx) error {
		if p == nil {
			return t.exec("DELETE FROM meta WHERE name=?", policyKey(rank, dn))
		}
		text, err := json.Marshal(p)
		if err != nil {
			return fmt.Errorf("mirror: password policy: %w", err)
		}
		return t.exec("INSERT OR REPLACE INTO meta(name, value) VALUES(?, ?)", policyKey(rank, dn), string(text))
	})
}

// Policy gives a password policy that was kept. Errors: directory.ErrNotFound,
// ErrCorrupt.
func (m *Mirror) Policy(ctx context.Context, dir, dn string) (directory.Policy, error) {
	var p directory.Policy
	rank, err := m.rank(dir)
	if err != nil {
		return p, err
	}
	var text string
	if err := m.row(ctx, "SELECT value FROM meta WHERE name=?", []any{policyKey(rank, dn)}, &text); err != nil {
		return p, err
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return directory.Policy{}, m.checked(fmt.Errorf("%w: password policy: %w", ErrCorrupt, err))
	}
	return p, nil
}
