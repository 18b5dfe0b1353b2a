package adapter

import (
	"context"
	"errors"
	"strconv"

	"portico/adapter/store"
	"portico/directory"
)

// personNumber and groupNumber are the two kinds of numeric id.
const (
	personNumber = store.KindPerson
	groupNumber  = store.KindGroup
)

type numberKey struct {
	kind   store.Kind
	number int64
}

// numbersOf gives the numeric ids of entries, in their order. Those that have
// none yet get one, all in one transaction.
func (a *Adapter) numbersOf(ctx context.Context, kind store.Kind, entries []*directory.Entry) ([]int64, error) {
	numbers := make([]int64, len(entries))
	var missing []int
	for i, e := range entries {
		n, ok := a.numbers.Get(e.ID)
		if !ok {
			missing = append(missing, i)
		}
		numbers[i] = n
	}
	if len(missing) == 0 {
		return numbers, nil
	}
	subjects := make([]store.Subject, len(missing))
	for j, i := range missing {
		e := entries[i]
		subjects[j] = store.Subject{Directory: e.ID.Directory, Stable: e.ID.Stable, Name: nameOf(e)}
	}
	ticket := a.numbers.Begin()
	found, err := a.store.UIDs(ctx, kind, subjects)
	if err != nil {
		return nil, fromStore(err, "id")
	}
	for j, i := range missing {
		numbers[i] = found[j]
		a.numbers.Keep(ticket, entries[i].ID, found[j])
	}
	return numbers, nil
}

func nameOf(e *directory.Entry) string {
	if e.Login != "" {
		return e.Login
	}
	return e.Name
}

// identity finds what a numeric id was given to.
func (a *Adapter) identity(ctx context.Context, kind store.Kind, number int64) (directory.ID, error) {
	return a.owners.Load(numberKey{kind, number}, func() (directory.ID, error) {
		sub, err := a.store.SubjectByUID(ctx, kind, number)
		if errors.Is(err, store.ErrNotFound) {
			what := "user"
			if kind == groupNumber {
				what = "group"
			}
			return directory.ID{}, notFound(what)
		}
		return directory.ID{Directory: sub.Directory, Stable: sub.Stable}, fromStore(err, "id")
	})
}

// local gives what the store holds about a person.
func (a *Adapter) local(ctx context.Context, uid int64) (store.Local, error) {
	read := func() (store.Local, error) {
		l, err := a.store.Local(ctx, uid)
		return l, fromStore(err, "user")
	}
	if !a.store.Live() {
		return read()
	}
	return a.locals.Load(uid, read)
}

// localsOf is local for many, in their order.
func (a *Adapter) localsOf(ctx context.Context, uids []int64) ([]store.Local, error) {
	locals := make([]store.Local, len(uids))
	missing := uids
	if a.store.Live() {
		missing = nil
		for i, uid := range uids {
			l, ok := a.locals.Get(uid)
			if !ok {
				missing = append(missing, uid)
			}
			locals[i] = l
		}
	}
	if len(missing) == 0 {
		return locals, nil
	}
	ticket := a.locals.Begin()
	found, err := a.store.Locals(ctx, missing)
	if err != nil {
		return nil, fromStore(err, "user")
	}
	for i, uid := range uids {
		if l, ok := found[uid]; ok {
			locals[i] = l
		}
	}
	if len(missing) <= maxKeptLocals && a.store.Live() {
		for _, uid := range missing {
			a.locals.Keep(ticket, uid, found[uid])
		}
	}
	return locals, nil
}

// maxKeptLocals is how many people may come into the cache by one request: a
// list of everybody must not push out those who are asked for.
const maxKeptLocals = 200

// failures, fail and succeeded keep the count of wrong passwords of an account.
// It is shared by all processes and survives a restart.

func (a *Adapter) failures(ctx context.Context, uid int64) (int, error) {
	read := func() (store.Failures, error) {
		f, err := a.store.Failures(ctx, passwordBucket(uid))
		return f, fromStore(err, "user")
	}
	load := func() (store.Failures, error) { return a.guesses.Load(uid, read) }
	if !a.store.Live() {
		load = read
	}
	f, err := load()
	if err != nil {
		return 0, err
	}
	if a.now().Sub(f.Last) >= a.cfg.FailureWindow {
		return 0, nil
	}
	return f.Count, nil
}

func (a *Adapter) fail(ctx context.Context, bucket string) error {
	if a.cfg.FailureLimit < 0 {
		return nil
	}
	_, err := a.store.Fail(ctx, bucket, a.cfg.FailureWindow)
	return fromStore(err, "user")
}

func (a *Adapter) succeeded(ctx context.Context, uid int64) error {
	if a.cfg.FailureLimit < 0 {
		return nil
	}
	if n, err := a.failures(ctx, uid); err != nil || n == 0 {
		return err
	}
	err := a.store.Clear(ctx, passwordBucket(uid))
	return fromStore(err, "user")
}

func passwordBucket(uid int64) string { return "password/" + strconv.FormatInt(uid, 10) }

func nobodyBucket(name string) string { return "nobody/" + name }

// storeChanged forgets what a change in the store touches. It is called for
// changes of this process and of others.
func (a *Adapter) storeChanged(c store.Change) {
	a.personalChanged(c)
	a.teamwork.changed(c)
	switch {
	case c.All:
		a.locals.Purge()
		a.keys.Purge()
		a.extras.Purge()
		a.guesses.Purge()
		a.owners.Purge()
		a.numbers.Purge()
	case c.Table == store.TableIDs, c.Table == store.TableGroupIDs:
		a.owners.Purge() // an importer took an id over: the one before it is not named
		a.numbers.Purge()
	case c.Table == store.TableExtras:
		a.extras.Purge()
	case c.Table == store.TableKeys:
		a.keys.Purge()
	case c.Table == store.TableFailures:
		a.guesses.Purge()
	case c.Table == store.TableLocals:
		a.locals.Drop(c.ID)
	}
}

// fromStore turns the errors of the store into kinds.
func fromStore(err error, what string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		return notFound(what)
	case errors.Is(err, store.ErrConflict):
		return &Error{Kind: Conflict, Field: what, Cause: err}
	case errors.Is(err, store.ErrInvalid):
		return &Error{Kind: Invalid, Field: what, Cause: err}
	default:
		return &Error{Kind: Internal, Field: what, Cause: err}
	}
}
