package adapter

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"portico/adapter/store"
	"portico/directory"
	"portico/internal/cache"
)

// Lists reads the whole population in pages, and finds entries by what need not
// be unique.
type Lists interface { //nolint:interfacebloat // reads of one kind, over one source
	// Revision grows with every change in the population.
	Revision() uint64
	Page(ctx context.Context, kind directory.Kind, after string, limit int) (list []*directory.Entry, next string, err error)
	GroupsByName(ctx context.Context, name string) ([]*directory.Entry, error)
	PeopleByMail(ctx context.Context, address string) ([]*directory.Entry, error)
	// Known gives the people with these identities that are there; nil in the place
	// of one that is not.
	Known(ctx context.Context, ids []directory.ID) ([]*directory.Entry, error)
	Teams
}

// Teams reads who leads a group and what people are in it.
type Teams interface {
	OwnersOf(ctx context.Context, group directory.ID) ([]*directory.Entry, error)
	TitlesIn(ctx context.Context, group *directory.Entry) func(person *directory.Entry) (title string, ok bool)
}

const (
	// snapshotAge is how long a list is used at the most: account states change by
	// the mere passing of time, which no feed announces.
	snapshotAge = time.Second
	// snapshotTime bounds the making of one.
	snapshotTime = time.Minute
	listPage     = 2000 // entries read at once
)

// version says what a list was made from.
type version struct{ directory, store uint64 }

// snapshot holds a list that costs much to make, until something changes or a
// second has passed. Who asks meanwhile waits for the one that makes it.
type snapshot[T any] struct {
	mu    sync.Mutex
	made  bool
	at    time.Time
	of    version
	value T
}

func (s *snapshot[T]) load(ctx context.Context, of version, now time.Time, age time.Duration, read func(context.Context) (T, error)) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made && s.of == of && (age < 0 || now.Sub(s.at) < age && !now.Before(s.at)) {
		return s.value, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), snapshotTime)
	defer cancel()
	value, err := read(ctx)
	if err != nil {
		var zero T
		return zero, err
	}
	s.made, s.of, s.at, s.value = true, of, now, value
	return value, nil
}

// teamwork is the part of the adapter that serves members, teams and users.
type teamwork struct {
	memberList snapshot[*MemberList]
	teamList   snapshot[*TeamList]
	overlay    snapshot[map[titleKey]string]
	keyCount   snapshot[int]
	numbered   snapshot[struct{}] // everybody has a numeric id
	slugged    snapshot[struct{}] // every group has a slug
	roleList   snapshot[[]Role]
	slugs      *cache.Cache[int64, store.Slug]      // by gid
	places     *cache.Cache[directory.ID, places]   // of people in teams
	failed     *cache.Cache[string, store.Failures] // by bucket, of members and personal keys

	givenKeys atomic.Pointer[[]ConfiguredKey] // instead of the configured ones; nil: none were set

	localChanges, titleChanges, keyChanges atomic.Uint64
}

func newTeamwork(size int) teamwork {
	return teamwork{
		slugs:  cache.New[int64, store.Slug](size),
		places: cache.New[directory.ID, places](size),
		failed: cache.New[string, store.Failures](size),
	}
}

func (w *teamwork) changed(c store.Change) {
	if c.All || c.Table == store.TableFailures {
		w.failed.Purge()
	}
	if c.All {
		w.slugs.Purge()
	} else if c.Table == store.TableSlugs {
		w.slugs.Drop(c.ID)
	}
	if c.All || c.Table == store.TableLocals || c.Table == store.TableIDs {
		w.localChanges.Add(1)
	}
	if c.All || c.Table == store.TableTitles {
		w.titleChanges.Add(1)
	}
	if c.All || c.Table == store.TableKeys {
		w.keyChanges.Add(1)
	}
}

// version is what a list made now would be made from. changes of the store count
// only while those of other processes are heard.
func (a *Adapter) version(changes *atomic.Uint64) version {
	v := version{store: changes.Load()}
	if a.lists != nil {
		v.directory = a.lists.Revision()
	}
	return v
}

// lasting is the age up to which a snapshot may be used.
func (a *Adapter) lasting(age time.Duration) time.Duration {
	if !a.store.Live() {
		return 0
	}
	return age
}

// everybody calls do with all people, or all groups, page by page.
func (a *Adapter) everybody(ctx context.Context, kind directory.Kind, do func([]*directory.Entry) error) error {
	if a.lists == nil {
		return &Error{Kind: Unavailable, Field: kind.String(), Text: "lists are not available"}
	}
	after := ""
	for {
		page, next, err := a.lists.Page(ctx, kind, after, listPage)
		if err != nil {
			return fromDirectory(err, kind.String())
		}
		if err := do(page); err != nil || next == "" {
			return err
		}
		after = next
	}
}
