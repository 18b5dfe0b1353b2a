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
	if err := w.unchanged(ctx, known.Kind, now, c.IfVersion); err != nil {
		return nil, err
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
		result.Added, result.Removed, err = w.changeMembers(ctx, target{dn: r.dn, style: style}, add, remove)
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
	err = r.w.modifyRaw(ctx, r.dn, changes, assertion)
	if code(err) == ldap.LDAPResultInappropriateMatching {
		// Values that the server cannot compare are replaced with the others of their attribute.
		changes = wholly(r.now, changes)
		err = r.w.modifyRaw(ctx, r.dn, changes, assertion)
	}
	if code(err) == ldap.LDAPResultNoSuchAttribute || code(err) == ldap.LDAPResultAttributeOrValueExists {
		if now, readErr := r.w.read(ctx, r.dn); readErr == nil && r.w.differs(r.now, now, changes) {
			return errRaced
		}
	}
	err = r.w.explain(r.kind, "modify "+r.dn, err)
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
	control, err := client.Assert(w.m.Assertion(stable, version))
	if err != nil {
		return nil, &directory.WriteError{Fault: directory.WriteFailed, Err: err}
	}
	return []ldap.Control{control}, nil
}

// movingAssertion is assertion for renames and deletions. Only for people, and
// only where somebody asks for a version: overlays of OpenLDAP that follow a name
// to other entries (memberof) hold the assertion against those as well.
func (w *Writer) movingAssertion(ctx context.Context, known *directory.Entry, version string) ([]ldap.Control, error) {
	if known.Kind != directory.KindPerson || version == "" {
		return nil, nil
	}
	return w.assertion(ctx, known.ID.Stable, version)
}

// wholly gives changes that replace all values of their attributes.
func wholly(old *ldap.Entry, changes []ldap.Change) []ldap.Change {
	var names []string
	final := map[string][]string{}
	for _, c := range changes {
		name := c.Modification.Type
		values, seen := final[name]
		if !seen {
			names = append(names, name)
			values = slices.Clone(old.GetEqualFoldAttributeValues(name))
		}
		switch c.Operation {
		case ldap.AddAttribute:
			values = append(values, c.Modification.Vals...)
		case ldap.DeleteAttribute:
			values = slices.DeleteFunc(values, func(v string) bool { return slices.Contains(c.Modification.Vals, v) })
		default:
			values = c.Modification.Vals
		}
		final[name] = values
	}
	out := make([]ldap.Change, len(names))
	for i, name := range names {
		out[i] = ldap.Change{Operation: ldap.ReplaceAttribute, Modification: ldap.PartialAttribute{Type: name, Vals: final[name]}}
	}
	return out
}

// differs tells whether somebody else has changed one of the attributes that
// changes are about.
func (w *Writer) differs(before, now *ldap.Entry, changes []ldap.Change) bool {
	return slices.ContainsFunc(changes, func(c ldap.Change) bool {
		name := c.Modification.Type
		return !slices.Equal(before.GetEqualFoldAttributeValues(name), now.GetEqualFoldAttributeValues(name))
	})
}

// modify sends one modify request.
func (w *Writer) modify(ctx context.Context, kind directory.Kind, dn string, changes []ldap.Change, controls []ldap.Control) error {
	return w.explain(kind, "modify "+dn, w.modifyRaw(ctx, dn, changes, controls))
}

func (w *Writer) modifyRaw(ctx context.Context, dn string, changes []ldap.Change, controls []ldap.Control) error {
	req := ldap.NewModifyRequest(dn, controls)
	req.Changes = changes
	return w.surely(ctx, "modify "+dn, func(ctx context.Context) error { _, err := w.ldap.Modify(ctx, req); return err },
		func(ctx context.Context) (bool, error) { return w.holds(ctx, dn, changes) })
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
