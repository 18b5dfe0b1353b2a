package writer

import (
	"context"
	"slices"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/mapping"
)

// reference is one value of another entry that names an entry.
type reference struct {
	dn        string
	classes   []string
	attribute string
	value     string
	member    bool
}

// referencesTo finds what names an entry by its DN or, in groups of login names,
// by its name. The values are as the holders spell them.
func (w *Writer) referencesTo(ctx context.Context, dn, name string) ([]reference, error) {
	req, attributes := w.enc.ReferencesTo(dn, name)
	var holders []*ldap.Entry
	err := w.ldap.SearchPaged(ctx, req, pageSize, func(e *ldap.Entry) error {
		holders = append(holders, e)
		return nil
	})
	if err != nil {
		return nil, w.explain(0, "find references to "+dn, err)
	}
	var found []reference
	for _, e := range holders {
		style := w.enc.StyleOf(e.GetEqualFoldAttributeValues("objectClass"))
		add := func(attribute, value string) error {
			there, err := w.has(ctx, target{dn: e.DN, style: mapping.MemberStyle{Attribute: attribute}}, value)
			if err == nil && there {
				found = append(found, reference{
					dn: e.DN, classes: e.GetEqualFoldAttributeValues("objectClass"), attribute: attribute, value: value,
					member: attribute == style.Attribute,
				})
			}
			return err
		}
		for _, attribute := range attributes {
			if err := add(attribute, dn); err != nil {
				return nil, err
			}
		}
		if name == "" {
			continue
		}
		for _, attribute := range w.enc.MemberNameAttributes() {
			if err := add(attribute, name); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// moveReferences has what named an entry before its rename name it now. The
// server may do the same at the same time. The entry has its new name in any case:
// what cannot be changed is for the log.
func (w *Writer) moveReferences(ctx context.Context, oldDN, newDN, oldName, newName string) {
	if w.cfg.ServerKeepsReferences {
		return
	}
	err := w.patiently(ctx, func() error { return w.MoveReferences(ctx, oldDN, newDN, oldName, newName) })
	if err != nil {
		w.log.ErrorContext(ctx, "an entry was renamed, and references to it could not all be changed", "from", oldDN, "to", newDN, "error", err)
	}
}

// MoveReferences changes what names an entry by its old DN or login name. It may
// be repeated. Errors: *directory.WriteError.
func (w *Writer) MoveReferences(ctx context.Context, oldDN, newDN, oldName, newName string) error {
	found, err := w.referencesTo(ctx, oldDN, oldName)
	if err != nil {
		return err
	}
	var first error
	for _, ref := range found {
		fresh := newDN
		if ref.value == oldName {
			fresh = newName
		}
		if fresh == "" {
			continue
		}
		if err := w.moveReference(ctx, ref, fresh); err != nil && first == nil {
			first = err
		}
	}
	if len(found) > 0 {
		w.log.InfoContext(ctx, "references to a renamed entry changed", "from", oldDN, "to", newDN, "references", len(found))
	}
	return first
}

func (w *Writer) moveReference(ctx context.Context, ref reference, fresh string) error {
	style := mapping.MemberStyle{Attribute: ref.attribute}
	_, _, err := w.changeMembers(ctx, target{dn: ref.dn, style: style}, []string{fresh}, []string{ref.value})
	if directory.WriteFaultOf(err) == directory.WriteNotFound {
		return nil
	}
	return err
}

// dropReferences takes away what names an entry that is about to go, and gives
// what was taken.
func (w *Writer) dropReferences(ctx context.Context, dn, name string) (dropped []reference, err error) {
	if w.cfg.ServerKeepsReferences {
		return nil, nil
	}
	found, err := w.referencesTo(ctx, dn, name)
	if err != nil {
		return nil, err
	}
	for _, ref := range found {
		_, removed, err := w.changeMembers(ctx, target{dn: ref.dn, style: w.styleOf(ref)}, nil, []string{ref.value})
		if directory.WriteFaultOf(err) == directory.WriteNotFound && err != nil {
			continue
		}
		if err != nil {
			return dropped, err
		}
		if len(removed) > 0 {
			dropped = append(dropped, ref)
		}
	}
	return dropped, nil
}

func (w *Writer) styleOf(ref reference) mapping.MemberStyle {
	if ref.member {
		return w.enc.StyleOf(ref.classes)
	}
	return mapping.MemberStyle{Attribute: ref.attribute}
}

// restoreReferences puts back what dropReferences took.
func (w *Writer) restoreReferences(ctx context.Context, dropped []reference) {
	for _, ref := range slices.Backward(dropped) {
		if _, _, err := w.changeMembers(ctx, target{dn: ref.dn, style: w.styleOf(ref)}, []string{ref.value}, nil); err != nil {
			w.log.ErrorContext(ctx, "an entry could not be deleted, and a reference to it could not be put back",
				"dn", ref.dn, "attribute", ref.attribute, "reference", ref.value, "error", err)
		}
	}
}

// Delete removes an entry, the references to it first. Errors:
// *directory.WriteError; WriteNotFound for one that is not there.
func (w *Writer) Delete(ctx context.Context, known *directory.Entry, ifVersion string) error {
	defer w.locks.Take(known.ID.Stable)()
	now, err := w.find(ctx, known)
	if err != nil {
		return err
	}
	if err := w.unchanged(ctx, known.Kind, now, ifVersion); err != nil {
		return err
	}
	name := ""
	if known.Kind == directory.KindPerson {
		name = known.Name
	}
	dropped, err := w.dropReferences(ctx, now.DN, name)
	if err == nil {
		err = w.deleteEntry(ctx, now.DN, known, ifVersion)
	}
	if err == nil {
		return nil
	}
	if directory.WriteFaultOf(err) != directory.WriteUnknown {
		w.restoreReferences(ctx, dropped)
	}
	return err
}

func (w *Writer) deleteEntry(ctx context.Context, dn string, known *directory.Entry, version string) error {
	controls, err := w.movingAssertion(ctx, known, version)
	if err != nil {
		return err
	}
	req := ldap.NewDelRequest(dn, controls)
	err = w.surely(ctx, "delete "+dn, func(ctx context.Context) error { return w.ldap.Delete(ctx, req) },
		func(ctx context.Context) (bool, error) { return w.isGone(ctx, dn) })
	if code(err) == ldap.LDAPResultNoSuchObject {
		return nil // somebody else was faster
	}
	return w.explain(known.Kind, "delete "+dn, err)
}
