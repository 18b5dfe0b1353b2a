package writer

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/mapping"
)

// Create makes an entry and gives it as the server has it then. When a later
// step fails (a password that the policy refuses), the entry is taken away again.
// Errors: *directory.WriteError.
func (w *Writer) Create(ctx context.Context, n NewEntry) (*Result, error) {
	d, err := w.enc.Draft(n.NewEntry, n.References)
	if err != nil {
		return nil, err
	}
	if err := w.completeDraft(ctx, d, n); err != nil {
		return nil, err
	}
	var rest []string
	if n.Kind == directory.KindGroup {
		rest = w.draftMembers(d, n.Members)
	}
	defer w.locks.Take(lower(d.DN))()
	for tries := 0; ; tries++ {
		if err := w.numberDraft(ctx, d); err != nil {
			return nil, err
		}
		err = w.add(ctx, d)
		if directory.WriteFaultOf(err) == directory.WriteExists && tries == 0 && w.otherCommonName(ctx, d, n.Name) {
			continue
		}
		break
	}
	if err != nil {
		return nil, err
	}
	undo := func(err error) error { return w.takeBack(ctx, d.DN, err) }
	if err := w.begun(ctx, d, n, len(rest) > 0); err != nil {
		return nil, undo(err)
	}
	if len(rest) > 0 {
		style := w.enc.StyleOf(w.enc.GroupClasses())
		if _, _, err := w.changeMembers(ctx, target{dn: d.DN, style: style}, rest, nil); err != nil {
			return nil, undo(err)
		}
	}
	if n.Kind == directory.KindPerson {
		if err := w.openAccount(ctx, d, n); err != nil {
			return nil, undo(err)
		}
		if err := w.numberIsUnique(ctx, d); err != nil {
			return nil, undo(err)
		}
	}
	entry, err := w.readBack(ctx, n.Kind, d.DN, true)
	if err != nil {
		return nil, err
	}
	if entry == nil {
		return nil, undo(fail(directory.WriteMisconfigured, "",
			"the new entry %s does not match the filter of its kind: correct the object classes under write, or the filter", d.DN))
	}
	return &Result{Entry: entry, Whole: true}, nil
}

// begun tells the caller which entry is there and not complete yet.
func (w *Writer) begun(ctx context.Context, d *mapping.Draft, n NewEntry, more bool) error {
	if n.Begun == nil || !more && n.Password == "" {
		return nil
	}
	e, err := w.read(ctx, d.DN)
	if err != nil {
		return err
	}
	if err := n.Begun(ctx, directory.ID{Directory: w.cfg.Directory, Stable: w.m.Stable(e)}); err != nil {
		return &directory.WriteError{Fault: directory.WriteUnavailable, Detail: "note the new entry", Err: err}
	}
	return nil
}

func lower(s string) string { return strings.ToLower(s) }

// completeDraft adds what the kind of server wants.
func (w *Writer) completeDraft(ctx context.Context, d *mapping.Draft, n NewEntry) error {
	if n.Kind != directory.KindPerson {
		return nil
	}
	if w.cfg.ActiveDirectory {
		if n.Password == "" && !n.Disabled {
			return fail(directory.WriteInvalid, "password", "Active Directory enables no account without a password")
		}
		d.Set("userAccountControl", strconv.Itoa(normalAccount|accountDisable))
		return nil
	}
	if n.Disabled {
		return w.lockDraft(ctx, d)
	}
	return nil
}

// defaultChunk is how many members one request carries at the most.
const defaultChunk = 1000

// draftMembers puts the first members into a new group, or what stands in for
// them, and gives the others.
func (w *Writer) draftMembers(d *mapping.Draft, members []Ref) (rest []string) {
	style := w.enc.StyleOf(w.enc.GroupClasses())
	list := style.Values(refs(members))
	if len(list) == 0 {
		if style.NeedsOne {
			d.Set(style.Attribute, style.Placeholder)
		}
		return nil
	}
	first := list[:min(w.cfg.Chunk, len(list))]
	d.Set(style.Attribute, first...)
	return list[len(first):]
}

// add makes the entry of a draft.
func (w *Writer) add(ctx context.Context, d *mapping.Draft) error {
	req := d.Request()
	err := w.surely(ctx, "add "+d.DN, func(ctx context.Context) error { return w.ldap.Add(ctx, req) },
		func(ctx context.Context) (bool, error) { return w.isThere(ctx, req) })
	if code(err) == ldap.LDAPResultNoSuchObject {
		return fail(directory.WriteMisconfigured, "", "the container of %s is not there: create it, or correct write", d.DN)
	}
	return w.explain(d.Kind, "add "+d.DN, err)
}

// isThere tells whether an entry is the one that a request would have made: a
// different one of that name is somebody else's.
func (w *Writer) isThere(ctx context.Context, req *ldap.AddRequest) (bool, error) {
	names := make([]string, 0, len(req.Attributes))
	for _, a := range req.Attributes {
		names = append(names, a.Type)
	}
	result, err := w.ldap.Search(ctx, ldap.NewSearchRequest(req.DN, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", names, nil))
	switch {
	case code(err) == ldap.LDAPResultNoSuchObject:
		return false, nil
	case err != nil || len(result.Entries) != 1:
		return false, err
	}
	for _, a := range req.Attributes {
		have := result.Entries[0].GetEqualFoldAttributeValues(a.Type)
		for _, v := range a.Vals {
			if !slices.ContainsFunc(have, func(h string) bool { return strings.EqualFold(h, v) }) && !mapping.LooksLikeDN(v) {
				return false, fail(directory.WriteExists, "", "%s is there, with other values", req.DN)
			}
		}
	}
	return true, nil
}

// openAccount sets the password and makes the account usable, or sees to it that
// it stays disabled: some servers enable an account whose password is set.
func (w *Writer) openAccount(ctx context.Context, d *mapping.Draft, n NewEntry) error {
	if n.Password != "" {
		if err := w.setPassword(ctx, d.DN, n.Password); err != nil {
			return err
		}
	}
	switch {
	case w.cfg.ActiveDirectory && !n.Disabled:
		return w.relock(ctx, d.DN, false)
	case n.Disabled && n.Password != "":
		return w.relock(ctx, d.DN, true)
	}
	return nil
}

// relock reads an account's state and makes it disabled or enabled.
func (w *Writer) relock(ctx context.Context, dn string, disabled bool) error {
	now, err := w.read(ctx, dn)
	if err != nil {
		return err
	}
	changes, err := w.lockChanges(ctx, now, disabled)
	if err != nil || len(changes) == 0 {
		return err
	}
	return w.modify(ctx, directory.KindPerson, dn, changes, nil)
}

// otherCommonName gives the entry another name where the one it has is taken by
// somebody with another login name, as it happens where people are named by cn.
func (w *Writer) otherCommonName(ctx context.Context, d *mapping.Draft, login string) bool {
	if d.Kind != directory.KindPerson || w.enc.NamedByRDN(d.Kind) || !strings.EqualFold(w.enc.RDNAttribute(d.Kind), "cn") {
		return false
	}
	req, err := w.m.PersonByUsername(w.m.Login(login))
	if err != nil {
		return false
	}
	result, err := w.ldap.Search(ctx, req)
	if err != nil || len(result.Entries) > 0 {
		return false
	}
	name := d.First("cn") + " (" + login + ")"
	rdn, err := w.enc.RDN(d.Kind, name)
	if err != nil {
		return false
	}
	_, parent, err := splitDN(d.DN)
	if err != nil {
		return false
	}
	d.Set("cn", name)
	d.DN = rdn + "," + parent
	return true
}

// takeBack deletes an entry whose making failed half-way, and gives the reason.
func (w *Writer) takeBack(ctx context.Context, dn string, why error) error {
	if f := directory.WriteFaultOf(why); f == directory.WriteUnknown {
		return why
	}
	err := w.surely(ctx, "delete "+dn, func(ctx context.Context) error { return w.ldap.Delete(ctx, ldap.NewDelRequest(dn, nil)) },
		func(ctx context.Context) (bool, error) { return w.isGone(ctx, dn) })
	if err == nil || code(err) == ldap.LDAPResultNoSuchObject {
		return why
	}
	w.log.ErrorContext(ctx, "a new entry is not complete and could not be deleted again; delete it", "dn", dn, "error", err, "because", why)
	if e, ok := errors.AsType[*directory.WriteError](why); ok {
		return &directory.WriteError{Fault: directory.WriteUnknown, Attribute: e.Attribute, Detail: dn + " is half made", Err: why}
	}
	return why
}

func (w *Writer) isGone(ctx context.Context, dn string) (bool, error) {
	_, err := w.ldap.Search(ctx, ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", []string{"1.1"}, nil))
	if code(err) == ldap.LDAPResultNoSuchObject {
		return true, nil
	}
	return false, err
}
