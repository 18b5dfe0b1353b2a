package writer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/mapping"
)

// read reads an entry with all that is mapped, members aside. WriteNotFound where
// the DN is nobody's.
func (w *Writer) read(ctx context.Context, dn string) (*ldap.Entry, error) {
	result, err := w.ldap.Search(ctx, w.m.ReadBack(dn, false))
	switch {
	case code(err) == ldap.LDAPResultNoSuchObject, err == nil && len(result.Entries) == 0:
		return nil, &directory.WriteError{Fault: directory.WriteNotFound, Detail: dn}
	case err != nil:
		return nil, w.explain(0, "read "+dn, err)
	}
	return result.Entries[0], nil
}

// find reads the entry of an identity: where it was last known to be, else where
// the server says that it is now.
func (w *Writer) find(ctx context.Context, known *directory.Entry) (*ldap.Entry, error) {
	e, err := w.read(ctx, known.DN)
	if err == nil && w.m.Stable(e) == known.ID.Stable {
		return e, nil
	}
	if err != nil && directory.WriteFaultOf(err) != directory.WriteNotFound {
		return nil, err
	}
	req, err := w.m.ByStableID(known.ID.Stable)
	if err != nil {
		return nil, &directory.WriteError{Fault: directory.WriteNotFound, Detail: known.ID.String(), Err: err}
	}
	req.Attributes = w.m.Plain()
	result, err := w.ldap.Search(ctx, req)
	switch {
	case err != nil && code(err) != ldap.LDAPResultNoSuchObject:
		return nil, w.explain(known.Kind, "find "+known.ID.String(), err)
	case err != nil || len(result.Entries) != 1:
		return nil, &directory.WriteError{Fault: directory.WriteNotFound, Detail: known.ID.String()}
	}
	return result.Entries[0], nil
}

// readBack reads an entry that was just written and maps it; nil for one that is
// not of that kind by the configuration. The write is done: that it cannot be read
// leaves its outcome unknown to the caller only.
func (w *Writer) readBack(ctx context.Context, kind directory.Kind, dn string, members bool) (*directory.Entry, error) {
	var result *ldap.SearchResult
	err := w.patiently(ctx, func() (err error) {
		result, err = w.ldap.Search(ctx, w.m.ReadBack(dn, members))
		return err
	})
	if err == nil && len(result.Entries) != 1 {
		err = fmt.Errorf("%s is not there", dn)
	}
	if err != nil {
		return nil, &directory.WriteError{Fault: directory.WriteUnknown, Detail: "written, but it cannot be read: " + dn, Err: err}
	}
	e, err := w.entry(kind, result.Entries[0], members)
	if err == nil && e != nil && !members && kind == directory.KindGroup {
		e.Version, err = w.groupVersion(ctx, result.Entries[0])
	}
	return e, err
}

// groupVersion is the version of a group that was read without its members. Where
// the server gives none it depends on them.
func (w *Writer) groupVersion(ctx context.Context, e *ldap.Entry) (string, error) {
	if w.m.Gives(e) {
		return w.m.VersionOf(e), nil
	}
	result, err := w.ldap.Search(ctx, w.m.ReadBack(e.DN, true))
	switch {
	case err != nil:
		return "", w.explain(directory.KindGroup, "read "+e.DN, err)
	case len(result.Entries) != 1:
		return "", &directory.WriteError{Fault: directory.WriteNotFound, Detail: e.DN}
	}
	return w.m.VersionOf(result.Entries[0]), nil
}

// unchanged makes sure that an entry still has the version that a change is bound
// to; with "" it is bound to none.
func (w *Writer) unchanged(ctx context.Context, kind directory.Kind, now *ldap.Entry, ifVersion string) error {
	if ifVersion == "" {
		return nil
	}
	version := w.m.VersionOf(now)
	if kind == directory.KindGroup {
		var err error
		if version, err = w.groupVersion(ctx, now); err != nil {
			return err
		}
	}
	if version != ifVersion {
		return fail(directory.WriteStale, "", "%s has another version", now.DN)
	}
	return nil
}

func (w *Writer) entry(kind directory.Kind, raw *ldap.Entry, members bool) (*directory.Entry, error) {
	e, err := w.m.Entry(raw)
	if errors.Is(err, mapping.ErrRanged) && members {
		return nil, fail(directory.WriteUnknown, "", "written, but the server gives only part of %s", raw.DN)
	}
	if err != nil {
		return nil, &directory.WriteError{Fault: directory.WriteUnknown, Detail: "written, but it cannot be read", Err: err}
	}
	if e == nil || e.Kind != kind {
		return nil, nil
	}
	return e, nil
}

// splitDN cuts the first part off a DN that a server or this package spelled.
func splitDN(dn string) (rdn, parent string, err error) {
	for i := 0; i < len(dn); i++ {
		switch dn[i] {
		case '\\':
			i++
		case ',':
			return dn[:i], strings.TrimLeft(dn[i+1:], " "), nil
		}
	}
	if _, err := mapping.DNKey(dn); err != nil {
		return "", "", err
	}
	return dn, "", nil
}

// same tells whether two DNs are equal in any spelling.
func same(a, b string) bool {
	if a == b {
		return true
	}
	x, err := mapping.DNKey(a)
	if err != nil {
		return false
	}
	y, err := mapping.DNKey(b)
	return err == nil && x == y
}
