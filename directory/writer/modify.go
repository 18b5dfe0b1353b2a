package writer

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/client"
	"portico/directory/mapping"
)

// retries bounds how often a change is tried again because somebody else changed
// the same entry in between.
const retries = 5

// Modify changes an entry. Steps that were done are undone when a later one
// fails. Errors: *directory.WriteError.
func (w *Writer) Modify(ctx context.Context, known *directory.Entry, c Edit) (*Result, error) {
	defer w.locks.Take(known.ID.Stable)()
	for try := 0; ; try++ {
		now, err := w.find(ctx, known)
		if err != nil {
			return nil, err
		}
		result, err := w.change(ctx, known, now, c)
		if errors.Is(err, errRaced) {
			if try < retries {
				continue
			}
			return nil, fail(directory.WriteStale, "", "%s is changed by others all the time", now.DN)
		}
		return result, err
	}
}

// errRaced: the entry is not any more what it was when it was read.
var errRaced = errors.New("changed by somebody else meanwhile")

// step is something that was done and can be undone.
type step struct {
	name string
	undo func(context.Context) error
}

// run is one change of one entry under way.
type run struct {
	w     *Writer
	kind  directory.Kind
	known *directory.Entry
	now   *ldap.Entry // before the change
	dn    string      // where the entry is
	done  []step
}

func (w *Writer) change(ctx context.Context, known *directory.Entry, now *ldap.Entry, c Edit) (*Result, error) {
	if c.IfVersion != "" && w.m.VersionOf(now) != c.IfVersion {
		return nil, fail(directory.WriteStale, "", "%s has another version", now.DN)
	}
	r := &run{w: w, kind: known.Kind, known: known, now: now, dn: now.DN}
	edit, err := w.enc.Diff(known.Kind, now, c.Change, c.References)
	if err != nil {
		return nil, err
	}
	lock, unlock, err := r.lockSteps(ctx, c)
	if err != nil {
		return nil, err
	}
	edit.Changes = append(edit.Changes, lock...)
	style := w.enc.StyleOf(now.GetEqualFoldAttributeValues("objectClass"))
	add, remove, err := r.memberChanges(ctx, style, c)
	if err != nil {
		return nil, err
	}
	result := &Result{Changed: edit.Attributes}
	err = r.write(ctx, edit, c, unlock, func(ctx context.Context) (err error) {
		if len(add)+len(remove) == 0 {
			return nil
		}
		t := target{dn: r.dn, style: style, stable: known.ID.Stable}
		if edit.Empty() {
			t.version = c.IfVersion
		}
		result.Added, result.Removed, err = w.changeMembers(ctx, t, add, remove)
		return err
	})
	if err != nil {
		return nil, r.undo(ctx, err)
	}
	if edit.RDN != "" {
		w.moveReferences(ctx, now.DN, r.dn, r.name(), edit.Name)
	}
	if c.Disabled != nil && len(lock)+len(unlock) > 0 {
		result.Changed = append(result.Changed, "disabled")
	}
	if c.Password != nil {
		result.Changed = append(result.Changed, "password")
	}
	if len(result.Added)+len(result.Removed) > 0 {
		result.Changed = append(result.Changed, "members")
	}
	if result.Entry, err = w.readBack(ctx, known.Kind, r.dn, false); err != nil {
		return nil, err
	}
	if result.Entry == nil {
		return nil, fail(directory.WriteNotFound, "", "%s is not an entry of its kind any more", r.dn)
	}
	if known.Kind == directory.KindGroup {
		result.Entry.MembersByName = style.ByName
	}
	return result, nil
}

// name is the login name of a person as it was, for groups that name people.
func (r *run) name() string {
	if r.kind != directory.KindPerson {
		return ""
	}
	return r.known.Name
}

// lockSteps are the changes that disable the account, which come first, or that
// enable it, which come last.
func (r *run) lockSteps(ctx context.Context, c Edit) (first, last []ldap.Change, err error) {
	if c.Disabled == nil || r.kind != directory.KindPerson {
		return nil, nil, nil
	}
	changes, err := r.w.lockChanges(ctx, r.now, *c.Disabled)
	if *c.Disabled || c.Password == nil {
		return changes, nil, err
	}
	return nil, changes, err
}

// write does the steps in their order: the name, the values, the members, the
// password, and what enables the account.
func (r *run) write(ctx context.Context, edit *mapping.Edit, c Edit, unlock []ldap.Change, members func(context.Context) error) error {
	if edit.RDN != "" {
		if err := r.rename(ctx, edit.RDN, c.IfVersion); err != nil {
			return err
		}
	}
	if len(edit.Changes) > 0 {
		version := c.IfVersion
		if edit.RDN != "" {
			version = "" // the rename was made on condition, and changed it
		}
		if err := r.modify(ctx, edit.Changes, version); err != nil {
			return err
		}
	}
	if err := members(ctx); err != nil {
		return err
	}
	if c.Password != nil {
		if err := r.w.setPassword(ctx, r.dn, *c.Password); err != nil {
			return err
		}
		stays := r.w.locked(r.now)
		if c.Disabled != nil {
			stays = *c.Disabled
		}
		if stays { // some servers lift the lock when the password is set
			if err := r.w.relock(ctx, r.dn, true); err != nil {
				return err
			}
		}
	}
	if len(unlock) > 0 {
		return r.w.relock(ctx, r.dn, false)
	}
	return nil
}

// modify changes values, and can put the old ones back.
func (r *run) modify(ctx context.Context, changes []ldap.Change, version string) error {
	assertion, err := r.w.assertion(ctx, r.known.ID.Stable, version)
	if err != nil {
		return err
	}
	err = r.w.modify(ctx, r.kind, r.dn, changes, assertion)
	if fault := directory.WriteFaultOf(err); err != nil {
		if fault == directory.WriteStale && version == "" {
			return errRaced
		}
		return err
	}
	r.done = append(r.done, step{"values", func(ctx context.Context) error {
		return r.w.modify(ctx, r.kind, r.dn, inverse(r.now, changes), nil)
	}})
	return nil
}

// inverse are the changes that put the old values back.
func inverse(old *ldap.Entry, changes []ldap.Change) []ldap.Change {
	var back []ldap.Change
	var names []string
	for _, c := range changes {
		name := strings.ToLower(c.Modification.Type)
		if slices.Contains(names, name) {
			continue
		}
		names = append(names, name)
		back = append(back, ldap.Change{
			Operation:    ldap.ReplaceAttribute,
			Modification: ldap.PartialAttribute{Type: c.Modification.Type, Vals: old.GetEqualFoldAttributeValues(name)},
		})
	}
	return back
}

// assertion is the control that ties a write to an identity and a version, nil
// where the server does not offer it: there, the comparison before the write and
// the lock of this process have to do.
func (w *Writer) assertion(ctx context.Context, stable, version string) ([]ldap.Control, error) {
	features, err := w.ldap.Features(ctx)
	if err != nil {
		return nil, w.explain(0, "ask what the server offers", err)
	}
	if !features.Assertion {
		return nil, nil
	}
	if !w.m.Versioned() {
		version = ""
	}
	control, err := client.Assert(w.m.Assertion(stable, version))
	if err != nil {
		return nil, &directory.WriteError{Fault: directory.WriteFailed, Err: err}
	}
	return []ldap.Control{control}, nil
}

// modify sends one modify request. A value that cannot be compared is replaced
// together with the others of its attribute.
func (w *Writer) modify(ctx context.Context, kind directory.Kind, dn string, changes []ldap.Change, controls []ldap.Control) error {
	req := ldap.NewModifyRequest(dn, controls)
	req.Changes = changes
	err := w.surely(ctx, "modify "+dn, func(ctx context.Context) error { _, err := w.ldap.Modify(ctx, req); return err },
		func(ctx context.Context) (bool, error) { return w.holds(ctx, dn, changes) })
	return w.explain(kind, "modify "+dn, err)
}

// holds tells whether an entry shows what changes would have made of it.
func (w *Writer) holds(ctx context.Context, dn string, changes []ldap.Change) (bool, error) {
	names := make([]string, 0, len(changes))
	for _, c := range changes {
		names = append(names, c.Modification.Type)
	}
	result, err := w.ldap.Search(ctx, ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", names, nil))
	if err != nil || len(result.Entries) != 1 {
		return false, err
	}
	for _, c := range changes {
		have := result.Entries[0].GetEqualFoldAttributeValues(c.Modification.Type)
		all := func(v string) bool {
			return slices.ContainsFunc(have, func(h string) bool { return h == v || same(h, v) })
		}
		switch c.Operation {
		case ldap.AddAttribute:
			if slices.ContainsFunc(c.Modification.Vals, func(v string) bool { return !all(v) }) {
				return false, nil
			}
		case ldap.DeleteAttribute:
			if slices.ContainsFunc(c.Modification.Vals, all) {
				return false, nil
			}
		default:
			if len(have) != len(c.Modification.Vals) || slices.ContainsFunc(c.Modification.Vals, func(v string) bool { return !all(v) }) {
				return false, nil
			}
		}
	}
	return true, nil
}

// rename gives the entry another first part of its DN.
func (r *run) rename(ctx context.Context, rdn, version string) error {
	_, parent, err := splitDN(r.dn)
	if err != nil {
		return fail(directory.WriteFailed, "", "%v", err)
	}
	fresh := rdn + "," + parent
	controls, err := r.w.assertion(ctx, r.known.ID.Stable, version)
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
