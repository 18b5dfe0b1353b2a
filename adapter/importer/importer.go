// Package importer takes over the database of an AccountHub installation: the
// numeric ids that clients keep, second factors, PINs, keys, permissions and
// what else LDAP cannot hold. It owns the reading of that database (MariaDB or
// MySQL, never written to), the order of the steps, and the report.
//
// What a value means here is decided by package adapter, how it is stored by
// package store. Passwords are not taken over: the directory has them.
package importer

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"portico/adapter"
	"portico/adapter/store"
	"portico/directory"
)

const (
	foreign = "accounthub" // names the other system in the store
	// maxNumber is the largest number that is taken over: numbers given out later
	// start above, and there must be some.
	maxNumber = 2_000_000_000
	// matchers is how many people are looked up in the directory at a time.
	matchers = 8
)

// Target is the adapter, as far as an import needs it.
type Target interface {
	MatchPerson(ctx context.Context, username string) (directory.ID, string, error)
	TakeOverPerson(ctx context.Context, p adapter.ForeignPerson, rehearse bool) ([]store.Outcome, error)
	TakeOverPermission(ctx context.Context, code, description string, rehearse bool) (store.Result, error)
	TakeOverKey(ctx context.Context, value, level, label string, rehearse bool) (store.Result, error)
}

// Groups finds directory groups.
type Groups interface {
	// GroupsByName gives the groups of that name, letter case aside, of the first
	// directory that has any.
	GroupsByName(ctx context.Context, name string) ([]*directory.Entry, error)
}

// Options say how an import is done.
type Options struct {
	DSN   string // mysql://user:password@host:port/database, see ParseDSN
	Apply bool   // false: report only, store nothing
	Log   bool   // take the log of sign-ins over as well
	// Zone is the time zone of the other installation's timestamps.
	Zone *time.Location
	// Progress is told of each step from time to time; may be nil.
	Progress func(step string, done, total int)
}

// Deps are the parts that an import works on.
type Deps struct {
	Target Target
	Store  *store.Store
	Groups Groups
	Now    func() time.Time
}

// run is one import under way.
type run struct {
	Deps
	opts   Options
	source *source
	data   *content
	report *Report
	taken  map[int64]bool // numbers of the people that are here now, or would be
}

// Run reads the other database and stores what is new. It may be stopped at any
// time and run again: each person is taken over as a whole or not at all, and
// nothing is taken over twice. An error means that the rest was not looked at.
func Run(ctx context.Context, opts Options, deps Deps) (*Report, error) {
	if opts.Zone == nil {
		opts.Zone = time.UTC
	}
	if opts.Progress == nil {
		opts.Progress = func(string, int, int) {}
	}
	source, err := open(ctx, opts.DSN)
	if err != nil {
		return nil, err
	}
	defer source.close()
	r := &run{Deps: deps, opts: opts, source: source, taken: map[int64]bool{}}
	r.report = &Report{Applied: opts.Apply, Timezone: opts.Zone.String(), Missing: source.missing()}
	opts.Progress("reading the database", 0, 0)
	if r.data, err = r.read(ctx); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{
		r.reserve, r.permissions, r.people, r.managers, r.groups, r.keys, r.log,
	} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("the import stopped: %w; what was stored until then stays, run it again to go on", err)
		}
	}
	r.report.finish()
	return r.report, nil
}

// rehearse tells whether nothing may be stored.
func (r *run) rehearse() bool { return !r.opts.Apply }

// workers is how many people are stored at a time: their PINs cost processor time.
func workers() int { return max(1, min(8, runtime.GOMAXPROCS(0))) }

// reserve keeps the numbers of the other installation from being given out, all
// of them: those of deleted accounts and of people who are not here as well.
func (r *run) reserve(ctx context.Context) error {
	for _, kind := range []struct {
		kind store.Kind
		last int64
		to   *int64
	}{
		{store.KindPerson, r.data.lastUID, &r.report.FirstUID},
		{store.KindGroup, r.data.lastGID, &r.report.FirstGID},
	} {
		*kind.to = kind.last + 1
		if r.rehearse() || kind.last == 0 {
			continue
		}
		if err := r.Store.ReserveAbove(ctx, kind.kind, kind.last); err != nil {
			return err
		}
	}
	return nil
}

// why is the reason for skipping one thing; an error is a failure of the import.
func why(err error) (string, error) {
	if reason := adapter.WhyNot(err); reason != "" {
		return reason, nil
	}
	return "", err
}
