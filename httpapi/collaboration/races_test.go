package collaboration

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"portico/adapter"
	collab "portico/adapter/collaboration"
	"portico/adapter/store"
)

// twoProcesses are two houses on one database.
func twoProcesses(t *testing.T, url string) []*house {
	t.Helper()
	dir := t.TempDir()
	c := &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	first := &house{t: t, clock: c, keys: map[string]string{}}
	first.open(url, dir)
	first.furnish()
	second := &house{t: t, clock: c, keys: first.keys}
	second.open(url, dir)
	return []*house{first, second}
}

// atOnce runs do n times at the same time, by turns on both processes.
func atOnce(houses []*house, n int, do func(h *house, i int) error) []error {
	errs := make([]error, n)
	begin := make(chan struct{})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-begin
			errs[i] = do(houses[i%len(houses)], i)
		})
	}
	close(begin)
	group.Wait()
	return errs
}

func count(t *testing.T, errs []error, allowed adapter.ErrorKind) (good int) {
	t.Helper()
	for _, err := range errs {
		switch {
		case err == nil:
			good++
		case adapter.KindOf(err) != allowed:
			t.Errorf("error %v", err)
		}
	}
	return good
}

func newSolar(h *house, admins ...string) (*collab.View, error) {
	return h.collabs.Create(h.t.Context(), h.caller("K-ACME"), collab.NewCollaboration{
		Name: "Solar", Description: "Sun", ShortName: "solar", Administrators: admins,
	})
}

func (h *house) caller(key string) *collab.Caller {
	h.t.Helper()
	c, err := h.collabs.Enter(h.t.Context(), h.keys[key], adapter.Client{Address: "192.0.2.1"})
	must(h.t, err)
	return c
}

// TestAbuse_D12_AcceptedByManyAtOnce: one membership comes of it.
func TestAbuse_D12_AcceptedByManyAtOnce(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		houses := twoProcesses(t, url)
		h := houses[0]
		v, err := newSolar(h)
		must(t, err)
		_, err = h.collabs.Invite(t.Context(), h.caller("K-ACME"), collab.Bulk{ShortName: "solar", Emails: []string{"x@example.org"}})
		must(t, err)
		token, err := h.letters.token("x@example.org")
		must(t, err)
		// Half of them are bob, half are cyd: whoever is first.
		errs := atOnce(houses, 16, func(h *house, i int) error {
			_, err := h.collabs.Accept(t.Context(), token, int64(2+i/8), adapter.Client{})
			return err
		})
		if good := count(t, errs, adapter.Conflict); good != 1 {
			t.Errorf("%d accepted", good)
		}
		got, err := h.collabs.Get(t.Context(), h.caller("K-ACME"), v.Identifier)
		must(t, err)
		if len(got.Memberships) != 1 {
			t.Errorf("%d memberships", len(got.Memberships))
		}
	})
}

// TestOneIdempotencyKeyAtOnce: one collaboration, the same answer for all.
func TestOneIdempotencyKeyAtOnce(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		houses := twoProcesses(t, url)
		ids := make([]string, 12)
		errs := atOnce(houses, 12, func(h *house, i int) error {
			c := h.caller("K-ACME")
			c.Once, c.Fingerprint = "request-1", []byte("same")
			v, err := h.collabs.Create(t.Context(), c, collab.NewCollaboration{Name: "Once", Description: "d", Administrators: []string{"n@example.org"}})
			if err == nil {
				ids[i] = v.Identifier
			}
			return err
		})
		if good := count(t, errs, adapter.Conflict); good != 12 {
			t.Fatalf("%d answered: %v", good, errs)
		}
		for _, id := range ids {
			if id != ids[0] {
				t.Errorf("answers differ: %v", ids)
			}
		}
		c := houses[0].caller("K-ACME")
		c.Once, c.Fingerprint = "request-1", []byte("other")
		if _, err := newSolar(houses[0]); err != nil {
			t.Error(err)
		}
		_, err := houses[0].collabs.Create(t.Context(), c, collab.NewCollaboration{Name: "Other", Description: "d"})
		if adapter.KindOf(err) != adapter.Conflict {
			t.Errorf("another request: %v", err)
		}
		mails, err := houses[0].adapter.ListMail(t.Context(), "", 100)
		must(t, err)
		if len(mails) != 1 {
			t.Errorf("%d mails", len(mails))
		}
	})
}

// TestOneNameAtOnce: names and short names stay unique; made ones get numbers.
func TestOneNameAtOnce(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		houses := twoProcesses(t, url)
		errs := atOnce(houses, 10, func(h *house, _ int) error { _, err := newSolar(h); return err })
		if good := count(t, errs, adapter.Invalid); good != 1 {
			t.Errorf("%d made", good)
		}
		errs = atOnce(houses, 5, func(h *house, i int) error {
			_, err := h.collabs.Create(t.Context(), h.caller("K-ACME"), collab.NewCollaboration{Name: fmt.Sprint("Moon", i, "x"[:i%2]), Description: "d", ShortName: ""})
			return err
		})
		if good := count(t, errs, adapter.Invalid); good != 5 {
			t.Errorf("%d made: %v", good, errs)
		}
	})
}

// TestJobsAtOnce: reminders and warnings go out once, ends are noted once.
func TestJobsAtOnce(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		houses := twoProcesses(t, url)
		h := houses[0]
		ctx, caller := t.Context(), h.caller("K-ACME")
		end := h.clock.Now().AddDate(0, 0, 40)
		_, err := h.collabs.Create(ctx, caller, collab.NewCollaboration{Name: "Solar", Description: "d", ShortName: "solar", Administrator: "2", Expires: end})
		must(t, err)
		_, err = h.collabs.Create(ctx, caller, collab.NewCollaboration{Name: "Idle", Description: "d", ShortName: "idle", Administrator: "2"})
		must(t, err)
		_, err = h.collabs.Invite(ctx, caller, collab.Bulk{ShortName: "solar", Emails: []string{"c@example.org"}, MemberEnds: h.clock.Now().AddDate(0, 0, 30)})
		must(t, err)
		_, err = h.collabs.Invite(ctx, caller, collab.Bulk{ShortName: "idle", Emails: []string{"r@example.org"}})
		must(t, err)
		token, err := h.letters.token("c@example.org")
		must(t, err)
		_, err = h.collabs.Accept(ctx, token, 3, adapter.Client{})
		must(t, err)
		begin := h.clock.Now()
		for _, step := range []struct {
			days  int
			mails int // all together
			shows string
		}{
			{9, 2, "active active"},   // two invitations
			{10, 3, "active active"},  // five days are left: a reminder
			{15, 3, "active active"},  // the invitation ran out
			{16, 4, "active active"},  // a member leaves in 14 days
			{31, 4, "active active"},  // has left
			{36, 5, "active active"},  // a collaboration ends in 5 days
			{41, 5, "expired active"}, // ended
			{131, 5, "active"},        // deleted 90 days after
			{356, 6, "active"},        // nothing happened for 355 days
			{361, 6, "suspended"},     // 360
			{460, 6, ""},              // deleted
		} {
			h.clock.set(begin.AddDate(0, 0, step.days))
			atOnce(houses, 4, func(h *house, _ int) error { h.collabs.RunJobs(ctx); return nil })
			mails, err := h.store.ListMail(ctx, "", 100)
			must(t, err)
			view, err := h.collabs.Organisation(ctx, caller, collab.Filter{})
			must(t, err)
			shows := ""
			for _, c := range view.Collaborations {
				if shows != "" {
					shows += " "
				}
				shows += c.Status
			}
			if len(mails) != step.mails || shows != step.shows {
				t.Errorf("day %d: %d mails, want %d; %q, want %q", step.days, len(mails), step.mails, shows, step.shows)
			}
		}
		records, err := h.store.ListRecords(ctx, store.RecordFilter{Types: []int{int(adapter.EventCollabEnded)}})
		must(t, err)
		if len(records) != 4 {
			t.Errorf("%d ends in the security log", len(records))
		}
	})
}

// TestAbuse_D08_KeyEndsWhileItIsUsed: the last look is in the transaction.
func TestAbuse_D08_KeyEndsWhileItIsUsed(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		h := newHouse(t, url)
		caller := h.caller("K-ACME")
		v, err := newSolar(h)
		must(t, err)
		must(t, h.adapter.RevokeKey(t.Context(), caller.KeyID))
		_, err = h.collabs.Create(t.Context(), caller, collab.NewCollaboration{Name: "After", Description: "d"})
		if adapter.KindOf(err) != adapter.Unauthenticated {
			t.Errorf("create: %v", err)
		}
		if err := h.collabs.Delete(t.Context(), caller, v.Identifier); adapter.KindOf(err) != adapter.Unauthenticated {
			t.Errorf("delete: %v", err)
		}
	})
}
