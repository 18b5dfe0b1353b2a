package feed

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/mapping"
)

// Active Directory keeps references by identity and shows them as DNs. Who is
// renamed where Portico does not look (outside the base, or outside the filters)
// leaves DNs in the store that mean nobody. So whenever somebody comes to a DN,
// those who refer to it in the store are read again: the DN may have meant another
// object. And when somebody comes who was there before and was not seen, those who
// refer to him in the directory are read again too.

// A read is no snapshot: what changed while it ran may have been renamed between
// the reading of it and of those who refer to it. So everybody in the look after
// such a read counts as somebody who was not seen before.

// More than so many entries to be read again are a reason to read everything. Of
// those that changed while a read ran, the rest is left to the next reconciliation.
const (
	maxReread  = 500
	maxOverlap = 20_000
)

// arrivals are the entries of one look that came to the DN that they have now.
type arrivals struct {
	looked map[string]bool // ids that the look has read
	came   []string        // ids
	old    []string        // DNs of those that are new to the store and not to the directory
	uneasy []string        // DNs of those that may have been renamed while the last read ran
}

// afterRead finds out whether something changed while a read ran.
func (a *ad) afterRead(ctx context.Context) error {
	now, err := a.ask(ctx)
	a.overlap = now.highest > a.mark.highest
	return err
}

// note looks whether an entry came to its DN. created tells that it was made after
// the last look.
func (a *ad) note(ctx context.Context, e *directory.Entry, created bool) error {
	a.came.looked[e.ID.Stable] = true
	if e.Kind == directory.KindContainer {
		return nil
	}
	dn, err := a.store.Known(ctx, a.cfg.Directory, e.ID.Stable)
	if err != nil {
		return fmt.Errorf("ask the store for an entry: %w", err)
	}
	if a.overlap && len(a.came.uneasy) < maxOverlap {
		a.came.uneasy = append(a.came.uneasy, e.DN)
	}
	if dn != "" && sameDN(dn, e.DN) && !a.overlap {
		return nil
	}
	a.came.came = append(a.came.came, e.ID.Stable)
	if dn == "" && !created && !a.overlap {
		a.came.old = append(a.came.old, e.DN)
	}
	return nil
}

func sameDN(a, b string) bool {
	if a == b {
		return true
	}
	one, err := mapping.DNKey(a)
	if err != nil {
		return false
	}
	other, err := mapping.DNKey(b)
	return err == nil && one == other
}

// welcome reads again what refers to the entries that came.
func (a *ad) welcome(ctx context.Context) error {
	again := map[string]bool{}
	for _, id := range a.came.came {
		list, err := a.store.Referrers(ctx, a.cfg.Directory, id)
		if err != nil {
			return fmt.Errorf("ask the store who refers to an entry: %w", err)
		}
		for _, from := range list {
			again[from] = !a.came.looked[from]
		}
	}
	if len(a.came.old) > maxReread {
		a.full.Store(true)
		return nil
	}
	for _, dn := range append(a.came.old, a.came.uneasy...) {
		err := a.conn.SearchPaged(ctx, a.referring(dn), a.cfg.PageSize, func(found *ldap.Entry) error {
			if id := a.m.Stable(found); id != "" {
				again[id] = !a.came.looked[id]
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("look for references to %q: %w", dn, err)
		}
	}
	if len(again) > maxReread && len(a.came.uneasy) == 0 {
		a.full.Store(true)
		return nil
	}
	for id, unread := range again {
		if !unread {
			continue
		}
		if err := a.reread(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// referring finds what refers to a DN.
func (a *ad) referring(dn string) *ldap.SearchRequest {
	req := a.m.All(0)
	value := "=" + ldap.EscapeFilter(dn) + ")"
	var filter strings.Builder
	filter.WriteString("(|")
	for _, name := range a.m.ReferenceAttributes() {
		filter.WriteString("(" + name + value)
	}
	filter.WriteString(")")
	req.Filter = filter.String()
	req.Attributes = a.m.StableIDAttributes()
	return req
}

// reread writes an entry as it is now; one that is gone comes with its number.
func (a *ad) reread(ctx context.Context, id string) error {
	req, err := a.m.ByStableID(id)
	if err != nil {
		return fmt.Errorf("read an entry again: %w", err)
	}
	res, err := a.conn.Search(ctx, req)
	if err != nil {
		return fmt.Errorf("read an entry again: %w", err)
	}
	for _, e := range res.Entries {
		entry, err := a.mapped(ctx, e)
		if err != nil {
			return err
		}
		if entry != nil {
			if err := a.apply(ctx, Batch{Upserts: []*directory.Entry{entry}}); err != nil {
				return err
			}
		}
	}
	return nil
}
