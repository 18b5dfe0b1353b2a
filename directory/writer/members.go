package writer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/client"
	"portico/directory/mapping"
)

// target is a group whose members change.
type target struct {
	dn    string
	style mapping.MemberStyle
}

// askEach is up to how many values are asked for one by one. For more, all
// members are read.
const askEach = 64

// memberChanges are the values to be added and removed, each once.
func (r *run) memberChanges(ctx context.Context, style mapping.MemberStyle, c Edit) (add, remove []string, err error) {
	if r.kind != directory.KindGroup {
		return nil, nil, nil
	}
	if c.Replace == nil {
		add, remove = style.Values(refs(c.Add)), style.Values(refs(c.Remove))
		return add, slices.DeleteFunc(remove, func(v string) bool { return slices.Contains(add, v) }), nil
	}
	stored, err := r.w.members(ctx, r.dn, style)
	if err != nil {
		return nil, nil, err
	}
	want := style.Values(refs(*c.Replace))
	wanted, have := r.w.keys(style, want), r.w.keys(style, stored)
	for i, v := range want {
		if _, there := have[r.w.key(style, v)]; !there {
			add = append(add, want[i])
		}
	}
	for _, v := range stored {
		if _, stays := wanted[r.w.key(style, v)]; !stays && c.Visible != nil && c.Visible(v, style.ByName) {
			remove = append(remove, v)
		}
	}
	return add, remove, nil
}

func refs(list []Ref) []mapping.Ref {
	out := make([]mapping.Ref, len(list))
	for i, r := range list {
		out[i] = mapping.Ref(r)
	}
	return out
}

// key makes stored members comparable.
func (w *Writer) key(style mapping.MemberStyle, value string) string {
	if style.ByName {
		return directory.FoldName(value)
	}
	if key, err := mapping.DNKey(mapping.CutUniqueID(value)); err == nil {
		return key
	}
	return value
}

func (w *Writer) keys(style mapping.MemberStyle, values []string) map[string]struct{} {
	m := make(map[string]struct{}, len(values))
	for _, v := range values {
		m[w.key(style, v)] = struct{}{}
	}
	return m
}

// members reads all members of a group, in ranges where the server gives no more
// at once.
func (w *Writer) members(ctx context.Context, dn string, style mapping.MemberStyle) ([]string, error) {
	var all []string
	for attribute := style.Attribute; ; {
		result, err := w.ldap.Search(ctx, ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
			"(objectClass=*)", []string{attribute}, nil))
		if err != nil {
			return nil, w.explain(directory.KindGroup, "read the members of "+dn, err)
		}
		if len(result.Entries) != 1 {
			return nil, &directory.WriteError{Fault: directory.WriteNotFound, Detail: dn}
		}
		more := ""
		for _, a := range result.Entries[0].Attributes {
			name, options, _ := strings.Cut(strings.ToLower(a.Name), ";")
			if name != strings.ToLower(style.Attribute) {
				continue
			}
			all = append(all, a.Values...)
			if _, end, ranged := strings.Cut(options, "range="); ranged && !strings.HasSuffix(end, "-*") {
				more = fmt.Sprintf("%s;range=%d-*", style.Attribute, len(all))
			}
		}
		if more == "" || more == attribute {
			return all, nil
		}
		attribute = more
	}
}

// changeMembers adds and removes values, in requests of at most 1,000 each, and
// gives those that really came and went. Values that are there, or not there,
// already are no error. When a later request fails, the earlier ones are undone.
func (w *Writer) changeMembers(ctx context.Context, t target, add, remove []string) (added, removed []string, err error) {
	for len(add)+len(remove) > 0 {
		some := add[:min(w.cfg.Chunk, len(add))]
		less := remove[:min(w.cfg.Chunk-len(some), len(remove))]
		came, went, err := w.oneChunk(ctx, t, some, less)
		if err != nil {
			if len(added)+len(removed) > 0 {
				err = w.undoMembers(ctx, t, added, removed, err)
			}
			return nil, nil, err
		}
		added, removed = append(added, came...), append(removed, went...)
		add, remove = add[len(some):], remove[len(less):]
	}
	return added, removed, nil
}

func (w *Writer) undoMembers(ctx context.Context, t target, added, removed []string, why error) error {
	for len(added)+len(removed) > 0 {
		back, out := removed[:min(w.cfg.Chunk, len(removed))], added[:min(w.cfg.Chunk, len(added))]
		if _, _, err := w.oneChunk(ctx, t, back, out); err != nil {
			w.log.ErrorContext(ctx, "a change of members failed half-way and cannot be taken back; look at the group",
				"dn", t.dn, "error", err, "because", why)
			return &directory.WriteError{Fault: directory.WriteUnknown, Detail: "half changed: " + t.dn, Err: why}
		}
		removed, added = removed[len(back):], added[len(out):]
	}
	return why
}

// oneChunk is one request, repeated with what is missing when the server finds
// fault with values that are there, or not there, already.
func (w *Writer) oneChunk(ctx context.Context, t target, add, remove []string) (added, removed []string, err error) {
	placeholder := false // the placeholder has to come in
	for range retries {
		if len(add)+len(remove) == 0 {
			return nil, nil, nil
		}
		req, err := w.memberRequest(ctx, t, add, remove, placeholder)
		if err != nil {
			return nil, nil, err
		}
		err = w.surely(ctx, "change the members of "+t.dn,
			func(ctx context.Context) error { _, err := w.ldap.Modify(ctx, req); return err },
			func(ctx context.Context) (bool, error) { return w.membersAre(ctx, t, add, remove) })
		switch c := code(err); {
		case err == nil:
			return add, remove, nil
		case c == ldap.LDAPResultObjectClassViolation && t.style.NeedsOne && len(remove) > 0 && !placeholder:
			placeholder = true
			continue
		case c == ldap.LDAPResultAttributeOrValueExists, c == ldap.LDAPResultNoSuchAttribute, c == ldap.LDAPResultEntryAlreadyExists,
			c == ldap.LDAPResultUnwillingToPerform:
			before := len(add) + len(remove)
			if add, remove, err = w.missing(ctx, t, add, remove); err != nil {
				return nil, nil, err
			}
			if c == ldap.LDAPResultUnwillingToPerform && len(add)+len(remove) == before {
				return nil, nil, fail(directory.WriteInvalid, "members", "%s: 53: the server does not let these members change (a primary group?)", t.dn)
			}
		case c == ldap.LDAPResultNoSuchObject && len(add) > 0 && w.exists(ctx, t.dn):
			return nil, nil, fail(directory.WriteInvalid, "members", "a member is not there any more")
		default:
			return nil, nil, w.explain(directory.KindGroup, "change the members of "+t.dn, err)
		}
	}
	return nil, nil, fail(directory.WriteStale, "", "%s is changed by others all the time", t.dn)
}

func (w *Writer) exists(ctx context.Context, dn string) bool {
	gone, err := w.isGone(ctx, dn)
	return err == nil && !gone
}

// memberRequest makes the request for one chunk. What stands in an empty group
// goes out as the first real member comes in.
//
// It carries no assertion: OpenLDAP's overlay memberof holds an assertion against
// the members as well, and then leaves their memberOf as it was.
func (w *Writer) memberRequest(ctx context.Context, t target, add, remove []string, placeholder bool) (*ldap.ModifyRequest, error) {
	var controls []ldap.Control
	if w.cfg.ActiveDirectory {
		if features, err := w.ldap.Features(ctx); err == nil && features.Permissive {
			controls = append(controls, client.Permissive())
		}
	}
	req := ldap.NewModifyRequest(t.dn, controls)
	if t.style.NeedsOne && len(add) > 0 && !placeholder {
		there, err := w.has(ctx, t, t.style.Placeholder)
		if err != nil {
			return nil, err
		}
		if there && !slices.Contains(remove, t.style.Placeholder) {
			remove = append(slices.Clone(remove), t.style.Placeholder)
		}
	}
	if placeholder {
		add = append(slices.Clone(add), t.style.Placeholder)
	}
	if len(add) > 0 {
		req.Add(t.style.Attribute, add)
	}
	if len(remove) > 0 {
		req.Delete(t.style.Attribute, remove)
	}
	return req, nil
}

// has asks whether a group has one value, without reading the others.
func (w *Writer) has(ctx context.Context, t target, value string) (bool, error) {
	result, err := w.ldap.Search(ctx, mapping.Holds(t.dn, t.style.Attribute, value))
	if err != nil {
		return false, w.explain(directory.KindGroup, "look into "+t.dn, err)
	}
	return len(result.Entries) == 1, nil
}

// missing gives what of a chunk is still to be done.
func (w *Writer) missing(ctx context.Context, t target, add, remove []string) (stillAdd, stillRemove []string, err error) {
	there, err := w.presence(ctx, t, append(slices.Clone(add), remove...))
	if err != nil {
		return nil, nil, err
	}
	for _, v := range add {
		if !there(v) {
			stillAdd = append(stillAdd, v)
		}
	}
	for _, v := range remove {
		if there(v) {
			stillRemove = append(stillRemove, v)
		}
	}
	return stillAdd, stillRemove, nil
}

// presence tells which of some values a group has.
func (w *Writer) presence(ctx context.Context, t target, values []string) (func(string) bool, error) {
	found := map[string]struct{}{}
	if len(values) > askEach {
		all, err := w.members(ctx, t.dn, t.style)
		if err != nil {
			return nil, err
		}
		found = w.keys(t.style, all)
	} else {
		for _, v := range values {
			there, err := w.has(ctx, t, v)
			if err != nil {
				return nil, err
			}
			if there {
				found[w.key(t.style, v)] = struct{}{}
			}
		}
	}
	return func(v string) bool { _, there := found[w.key(t.style, v)]; return there }, nil
}

// membersAre tells whether a chunk was carried out.
func (w *Writer) membersAre(ctx context.Context, t target, add, remove []string) (bool, error) {
	stillAdd, stillRemove, err := w.missing(ctx, t, add, remove)
	var e *directory.WriteError
	if errors.As(err, &e) && e.Fault == directory.WriteNotFound {
		return false, nil
	}
	return len(stillAdd)+len(stillRemove) == 0, err
}
