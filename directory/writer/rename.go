package writer

import (
	"context"
	"errors"
	"slices"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// rename gives the entry another first part of its DN.
func (r *run) rename(ctx context.Context, rdn, version string) error {
	_, parent, err := splitDN(r.dn)
	if err != nil {
		return fail(directory.WriteFailed, "", "%v", err)
	}
	fresh := rdn + "," + parent
	controls, err := r.w.movingAssertion(ctx, r.known, version)
	if err != nil {
		return err
	}
	if err := r.moveTo(ctx, rdn, fresh, controls); err != nil {
		return err
	}
	oldRDN, _, err := splitDN(r.dn)
	if err != nil {
		return fail(directory.WriteFailed, "", "%v", err)
	}
	old := r.dn
	r.dn = fresh
	r.done = append(r.done, step{"name", func(ctx context.Context) error {
		err := r.moveTo(ctx, oldRDN, old, nil)
		if err == nil {
			r.dn = old
		}
		return err
	}})
	return nil
}

func (r *run) moveTo(ctx context.Context, rdn, fresh string, controls []ldap.Control) error {
	req := ldap.NewModifyDNWithControlsRequest(r.dn, rdn, true, "", controls)
	err := r.w.surely(ctx, "rename "+r.dn, func(ctx context.Context) error { return r.w.ldap.ModifyDN(ctx, req) },
		func(ctx context.Context) (bool, error) {
			e, err := r.w.read(ctx, fresh)
			if err != nil {
				if directory.WriteFaultOf(err) == directory.WriteNotFound {
					return false, nil
				}
				return false, err
			}
			return r.w.m.Stable(e) == r.known.ID.Stable, nil
		})
	return r.w.explain(r.kind, "rename "+r.dn+" to "+rdn, err)
}

// undo takes back the steps that were done, the last first, and gives the reason.
// What cannot be taken back is for an administrator.
func (r *run) undo(ctx context.Context, why error) error {
	if len(r.done) == 0 || directory.WriteFaultOf(why) == directory.WriteUnknown {
		return why
	}
	for _, s := range slices.Backward(r.done) {
		if err := s.undo(ctx); err != nil {
			r.w.log.ErrorContext(ctx, "a change failed half-way and cannot be taken back; look at the entry", "step", s.name,
				"dn_before", r.now.DN, "dn_now", r.dn, "error", err, "because", why)
			return &directory.WriteError{Fault: directory.WriteUnknown, Detail: "half changed: " + r.dn, Err: why}
		}
	}
	return why
}

// setPassword sets a password as an administrator does. After a lost answer a
// bind tells whether it is set.
func (w *Writer) setPassword(ctx context.Context, dn, password string) error {
	err := w.surely(ctx, "set the password of "+dn,
		func(ctx context.Context) error { return w.ldap.SetPassword(ctx, dn, password, w.cfg.ActiveDirectory) },
		func(ctx context.Context) (bool, error) {
			switch v := w.ldap.Bind(ctx, dn, password); v.Verdict {
			case directory.VerdictUnavailable, directory.VerdictMisconfigured:
				return false, errors.New(v.Detail)
			case directory.VerdictWrong, directory.VerdictLocked:
				return false, nil
			default:
				return v.PasswordRight || v.SignedIn(), nil
			}
		})
	return w.explain(directory.KindPerson, "set the password of "+dn, err)
}
