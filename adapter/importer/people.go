package importer

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"portico/adapter"
	"portico/adapter/store"
	"portico/directory"
)

// fate is what became of an account.
type fate struct {
	outcomes []store.Outcome
	refused  string // why nothing of it was taken over
}

// people matches the accounts to the directory and takes over who was found.
func (r *run) people(ctx context.Context) error {
	fates := make([]fate, len(r.data.accounts))
	if err := r.match(ctx, fates); err != nil {
		return err
	}
	r.doubles(fates)
	err := r.parallel(ctx, "people", workers(), func(ctx context.Context, i int) (err error) {
		a := r.data.accounts[i]
		if a.deleted || fates[i].refused != "" {
			return nil
		}
		fates[i].outcomes, err = r.Target.TakeOverPerson(ctx, a.ForeignPerson, r.rehearse())
		if err != nil {
			fates[i].refused, err = why(err)
		}
		return err
	})
	if err != nil {
		return err
	}
	held, err := r.held(ctx)
	if err != nil {
		return err
	}
	for i, a := range r.data.accounts {
		r.tell(a, fates[i], held[a.UID])
	}
	r.tellOrphans()
	return nil
}

// parallel calls do for each account, n at a time.
func (r *run) parallel(ctx context.Context, step string, n int, do func(ctx context.Context, i int) error) error {
	var done atomic.Int64
	var telling sync.Mutex
	work, limited := errgroup.WithContext(ctx)
	work.SetLimit(n)
	for i := range r.data.accounts {
		if limited.Err() != nil {
			break
		}
		work.Go(func() error {
			if err := limited.Err(); err != nil {
				return err
			}
			err := do(limited, i)
			telling.Lock()
			defer telling.Unlock()
			r.opts.Progress(step, int(done.Add(1)), len(r.data.accounts))
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// match looks the user names up. A directory that does not answer ends the
// import: nobody counts as absent because of it.
func (r *run) match(ctx context.Context, fates []fate) error {
	return r.parallel(ctx, "looking people up", matchers, func(ctx context.Context, i int) (err error) {
		a := r.data.accounts[i]
		if a.deleted {
			return nil
		}
		var login string
		a.Person, login, err = r.Target.MatchPerson(ctx, a.Username)
		if err != nil {
			fates[i].refused, err = why(err)
			return err
		}
		a.Username = login
		return nil
	})
}

// doubles refuses all accounts but the first of one person.
func (r *run) doubles(fates []fate) {
	first := map[directory.ID]int64{}
	for i, a := range r.data.accounts {
		if a.deleted || fates[i].refused != "" {
			continue
		}
		if uid, ok := first[a.Person]; ok {
			fates[i].refused = fmt.Sprintf("this is the same person as number %d", uid)
			continue
		}
		first[a.Person] = a.UID
	}
}

// held tells who has the numbers of the accounts here.
func (r *run) held(ctx context.Context) (map[int64]store.Subject, error) {
	uids := make([]int64, len(r.data.accounts))
	for i, a := range r.data.accounts {
		uids[i] = a.UID
	}
	return r.Store.SubjectsByUID(ctx, store.KindPerson, uids)
}

// tell puts the fate of an account into the report.
func (r *run) tell(a *account, f fate, holder store.Subject) {
	owned := r.owned(a)
	switch {
	case a.deleted:
		r.report.Deleted++
		if holder.Stable != "" {
			r.report.problem("people", a.UID, a.Username, fmt.Sprintf(
				"the account was deleted there, but its number belongs to %s (%s) here", holder.Name, holder.Directory))
		}
		return
	case f.refused != "":
		if holder.Stable != "" && (holder.Directory != a.Person.Directory || holder.Stable != a.Person.Stable) && a.Person.IsZero() {
			f.refused += fmt.Sprintf("; the number belongs to %s (%s) here", holder.Name, holder.Directory)
		}
		r.report.problem("people", a.UID, a.Username, f.refused)
		r.report.count("people", store.TakenNot, 1)
		for what, n := range owned {
			r.report.count(what, store.TakenNot, n)
		}
		return
	}
	r.taken[a.UID] = true
	person := Person{UID: a.UID, Username: a.Username, New: map[string]int{}}
	for _, o := range f.outcomes {
		what := heading(o.Item)
		r.report.count(what, o.Result, 1)
		switch {
		case o.Result == store.TakenNow:
			person.New[o.Item]++
		case o.Result == store.TakenNot:
			r.report.problem(what, o.ID, a.Username, o.Reason)
		}
		if o.Item == "uid" {
			person.Was = o.Was
		}
	}
	if a.dropped > 0 {
		r.report.count("notifications", store.TakenNot, a.dropped)
		r.report.problem("notifications", 0, a.Username,
			fmt.Sprintf("%d are more than the %d that are kept for a person", a.dropped, store.MaxNotifications))
	}
	if len(person.New) > 0 {
		r.report.People = append(r.report.People, person)
	}
}

// owned counts what an account has, for the report.
func (r *run) owned(a *account) map[string]int {
	owned := map[string]int{
		heading("permission"): len(a.Permissions), heading("app password"): len(a.AppPasswords),
		heading("mobile code"): len(a.MobileCodes), heading("notification"): len(a.Notifications) + a.dropped,
	}
	if a.TOTP != "" {
		owned[heading("totp")] = 1
	}
	if a.PIN != "" {
		owned[heading("pin")] = 1
	}
	if a.Status != int(adapter.StatusNormal) {
		owned[heading("status")] = 1
	}
	return owned
}

// tellOrphans counts rows that name no account.
func (r *run) tellOrphans() {
	for _, item := range []string{"permission", "app password", "mobile code", "notification"} {
		if n := r.data.orphans[item]; n > 0 {
			r.report.count(heading(item), store.TakenNot, n)
			r.report.problem(heading(item), 0, "", fmt.Sprintf("%d rows name an account or a code that does not exist", n))
		}
	}
}
