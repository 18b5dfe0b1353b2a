package population

import (
	"context"
	"errors"
	"fmt"

	"portico/directory"
)

// PasswordWriter changes passwords in one directory (package client).
type PasswordWriter interface {
	ChangePassword(ctx context.Context, change directory.PasswordChange) error
}

var errNoPasswordWriter = errors.New("passwords cannot be changed in this directory")

// ChangePassword changes a person's password, proven by the old one, and reads
// the entry again. Errors: *directory.PasswordError, directory.ErrUnavailable.
func (p *Population) ChangePassword(ctx context.Context, person *directory.Entry, oldPassword, newPassword string) error {
	m := p.byName[person.ID.Directory]
	if m == nil || m.Passwords == nil {
		return fmt.Errorf("%w: %w", directory.ErrUnavailable, errNoPasswordWriter)
	}
	if !m.Feed.Live() {
		// The DN may belong to somebody else by now.
		fresh, err := p.refresh(ctx, m, person.ID)
		if errors.Is(err, directory.ErrNotFound) {
			return &directory.PasswordError{Fault: directory.PasswordOldWrong, Detail: "the entry is gone"}
		}
		if err != nil {
			return fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
		}
		person = fresh
	}
	err := m.Passwords.ChangePassword(ctx, directory.PasswordChange{
		DN: person.DN, Old: oldPassword, New: newPassword,
		ActiveDirectory: m.StatusRules == "activedirectory",
	})
	if err != nil {
		return err
	}
	if _, err := p.refresh(ctx, m, person.ID); err != nil {
		p.log.WarnContext(ctx, "a password was changed; the entry cannot be read again yet",
			"directory", m.Name, "dn", person.DN, "error", err)
	}
	return nil
}
