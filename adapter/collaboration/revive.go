package collaboration

import (
	"context"
	"slices"
	"strings"
	"time"

	"portico/adapter"
	"portico/adapter/store"
)

// Revival changes how long a collaboration lives.
type Revival struct {
	Expires    *time.Time // nil: stays; zero: never
	Reactivate bool       // an expired or suspended one becomes active
}

// Revive changes the expiry of a collaboration, or makes it active again. A new
// expiry ahead, or none, makes an expired one active. Errors: NotFound, Denied;
// Invalid "expiry_date" when it lies behind, also the one that stays.
func (s *Collaborations) Revive(ctx context.Context, caller *Caller, identifier string, change Revival) (*View, error) {
	var v View
	err := s.change(ctx, caller, identifier, func(ctx context.Context, c *store.CollabTx, org store.Org, collab *store.Collaboration) error {
		now := s.now()
		was := collabStatus(collab, now)
		if change.Expires != nil {
			ends, err := s.collabEnd(*change.Expires)
			if err != nil {
				return err
			}
			collab.Expires, collab.Warned = ends, time.Time{}
		}
		again := change.Reactivate || was == Expired && change.Expires != nil
		if again && was != Active {
			if !collab.Expires.IsZero() && !collab.Expires.After(now) {
				return invalid("expiry_date", "the collaboration ran out; give a new expiry_date as well")
			}
			collab.Status, collab.Ended, collab.Warned = Active, time.Time{}, time.Time{}
		}
		if err := s.active(ctx, c, collab, caller.By()); err != nil {
			return err
		}
		if err := c.Touched(ctx, collab.ID); err != nil {
			return err
		}
		until := "never"
		if !collab.Expires.IsZero() {
			until = collab.Expires.Format(time.DateOnly)
		}
		text := "collaboration " + org.ShortName + ":" + collab.ShortName + " is " + collabStatus(collab, now) + ", ends " + until
		if err := c.Note(ctx, caller.record(adapter.EventCollabChanged, 0, text)); err != nil {
			return err
		}
		var err error
		v, err = s.load(ctx, c, org, *collab)
		return err
	})
	if err == nil {
		_, err = s.withPeople(ctx, &v)
	}
	return &v, err
}

// FindCollaboration gives the identifier of the collaboration ORG:SHORT_NAME, for
// commands. Error: NotFound "collaboration".
func (s *Collaborations) FindCollaboration(ctx context.Context, urn string) (org, identifier string, err error) {
	org, short, ok := strings.Cut(urn, ":")
	if !ok || org == "" || short == "" {
		return "", "", invalid("collaboration", "write a collaboration as ORGANISATION:SHORT_NAME")
	}
	err = s.read(ctx, "collaboration", func(ctx context.Context, c *store.CollabTx) error {
		o, err := c.Org(ctx, org)
		if err != nil {
			return err
		}
		found, err := c.Collaboration(ctx, store.CollabKey{Org: o.ID, ShortName: short})
		identifier = found.Identifier
		return err
	})
	if adapter.KindOf(err) == adapter.NotFound && err != nil {
		err = notFound("collaboration")
	}
	return org, identifier, err
}

// Reattach lets a collaboration be written to the directory again whose entry an
// administrator deleted, or whose name was somebody else's. Error: NotFound.
func (s *Collaborations) Reattach(ctx context.Context, caller *Caller, identifier string) error {
	return s.change(ctx, caller, identifier, func(ctx context.Context, c *store.CollabTx, org store.Org, collab *store.Collaboration) error {
		entries, err := c.Entries(ctx, collab.ID)
		if err != nil {
			return err
		}
		for _, e := range slices.Backward(entries) {
			if !e.Detached && e.Retry.IsZero() {
				continue
			}
			// Begun anew, so that nobody counts as removed by an administrator.
			if err := c.DeleteEntry(ctx, e.ID); err != nil {
				return err
			}
		}
		if err := c.Touched(ctx, collab.ID); err != nil {
			return err
		}
		return c.Note(ctx, caller.record(adapter.EventCollabChanged, 0, "collaboration "+org.ShortName+":"+collab.ShortName+" is written to the directory again"))
	})
}
