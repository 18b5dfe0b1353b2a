package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"portico/adapter/store"
)

func testCollaborations(t *testing.T, b Backend) {
	t.Run("RowsAndUniqueness", func(t *testing.T) { collabRows(t, b) })
	t.Run("SharedCommits", func(t *testing.T) { collabShared(t, b) })
	t.Run("Due", func(t *testing.T) { collabDue(t, b) })
}

func newCollab(org int64, name string, now time.Time) store.Collaboration {
	return store.Collaboration{
		Org: org, Identifier: store.NewUUID(), UUID4: store.NewUUID(), Name: name, NameKey: name, ShortName: name, Description: "d",
		Tags: []string{"a"}, Status: "active", Active: now, Stamp: store.Stamp{Created: now, CreatedBy: "x", Updated: now, UpdatedBy: "y"},
	}
}

func putOrg(t *testing.T, s *store.Store, short string) store.Org {
	t.Helper()
	o := store.Org{Identifier: store.NewUUID(), UUID4: store.NewUUID(), ShortName: short, Name: short, Settings: store.OrgSettings{Units: []string{"N"}}}
	must(t, s.Collab(t.Context(), "org", func(ctx context.Context, c *store.CollabTx) error { o.ID = 0; return c.PutOrg(ctx, &o) }))
	return o
}

func collabRows(t *testing.T, b Backend) {
	clock := NewClock()
	s := b.Fresh(t).Open(t, func(o *store.Options) { o.Clock = clock.Now })
	org, ctx := putOrg(t, s, "acme"), t.Context()
	var made store.Collaboration
	must(t, s.Collab(ctx, "make", func(ctx context.Context, c *store.CollabTx) error {
		made = newCollab(org.ID, "one", clock.Now())
		if err := c.PutCollaboration(ctx, &made); err != nil {
			return err
		}
		m := store.Member{Collab: made.ID, UID: 7, Role: "admin", Status: "active"}
		if err := c.PutMember(ctx, &m); err != nil {
			return err
		}
		g := store.CollabGroup{Collab: made.ID, Identifier: store.NewUUID(), Name: "g", NameKey: "g", ShortName: "g", AutoProvision: true}
		if err := c.PutGroup(ctx, &g); err != nil {
			return err
		}
		_, err := c.AddGroupMember(ctx, g.ID, m.ID)
		return err
	}))
	err := s.Collab(ctx, "again", func(ctx context.Context, c *store.CollabTx) error {
		double := newCollab(org.ID, "one", clock.Now())
		return c.PutCollaboration(ctx, &double)
	})
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("a double name: %v", err)
	}
	read := func() (n int, err error) {
		err = s.CollabRead(ctx, "read", func(ctx context.Context, c *store.CollabTx) error {
			got, err := c.Collaboration(ctx, store.CollabKey{Org: org.ID, ShortName: "one"})
			if err != nil {
				return err
			}
			members, err := c.GroupMembers(ctx, got.ID)
			n = len(members)
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", made) {
				t.Errorf("got %+v, want %+v", got, made)
			}
			return err
		})
		return n, err
	}
	if n, err := read(); err != nil || n != 1 {
		t.Errorf("%d groups, %v", n, err)
	}
	must(t, s.Collab(ctx, "delete", func(ctx context.Context, c *store.CollabTx) error { return c.DeleteCollaboration(ctx, made) }))
	if _, err := read(); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
}

// collabShared: one call that fails, or panics, leaves those beside it alone.
func collabShared(t *testing.T, b Backend) {
	s := b.Fresh(t).Open(t)
	org := putOrg(t, s, "acme")
	failed := errors.New("no")
	parallel(t, 60, func(i int) error {
		err := s.Collab(t.Context(), "make", func(ctx context.Context, c *store.CollabTx) error {
			o := newCollab(org.ID, fmt.Sprint("n", i), time.Unix(1, 0))
			if err := c.PutCollaboration(ctx, &o); err != nil {
				return err
			}
			if err := c.Note(ctx, store.Record{Text: o.Name}); err != nil || i%3 != 0 {
				return err
			}
			return failed
		})
		if i%3 == 0 && !errors.Is(err, failed) || i%3 != 0 && err != nil {
			return fmt.Errorf("got %w", err)
		}
		return nil
	})
	must(t, s.CollabRead(t.Context(), "count", func(ctx context.Context, c *store.CollabTx) error {
		n, err := c.CountCollaborations(ctx, store.CollabKey{Org: org.ID})
		if n != 40 {
			t.Errorf("%d collaborations, want 40", n)
		}
		return err
	}))
	if v, err := s.Verify(t.Context()); err != nil || v.Records != 40 {
		t.Errorf("security log %+v, %v", v, err)
	}
}

func collabDue(t *testing.T, b Backend) {
	clock := NewClock()
	s := b.Fresh(t).Open(t, func(o *store.Options) { o.Clock = clock.Now })
	org := putOrg(t, s, "acme")
	must(t, s.Collab(t.Context(), "due", func(ctx context.Context, c *store.CollabTx) error {
		o := newCollab(org.ID, "one", clock.Now())
		o.Expires = clock.Now().Add(time.Hour)
		if err := c.PutCollaboration(ctx, &o); err != nil {
			return err
		}
		for _, unwarned := range []bool{true, false} {
			due, err := c.DueCollaborations(ctx, clock.Now().Add(2*time.Hour), unwarned, 10)
			if err != nil || len(due) != 1 {
				return fmt.Errorf("%d due: %w", len(due), err)
			}
			if due, err = c.DueCollaborations(ctx, clock.Now(), unwarned, 10); err != nil || len(due) != 0 {
				return fmt.Errorf("%d due too early: %w", len(due), err)
			}
		}
		for want := range []bool{true, false} {
			ended, err := c.EndCollaboration(ctx, o.ID, "expired")
			if err != nil || ended != (want == 0) {
				return fmt.Errorf("ended %v: %w", ended, err)
			}
		}
		return nil
	}))
}
