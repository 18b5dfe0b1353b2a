package feed

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"portico/directory"
	"portico/directory/mapping"
)

// memStore is a read model in memory that keeps the rules of the real one: links
// resolve when their target arrives, follow it through renames, and fall when it
// goes; the rename of a container renames what is below.
type memStore struct {
	mu      sync.Mutex
	rows    map[string]*memRow
	byKey   map[string]string          // DN key to stable id
	waiting map[string]map[string]bool // DN key to the ids of those who wait for it
	cookie  string
	refresh *memRefresh
	refused string

	applies, upserts, deletes int
	guard                     bool // refuse large sweeps
	lowest                    int  // fewest rows ever seen since watch
	failNext                  error
}

type memRow struct {
	e       *directory.Entry
	key     string
	members []memLink
	manager []memLink
}

// memLink points to a row, or waits for the DN key.
type memLink struct{ target, key string }

func newMemStore() *memStore {
	return &memStore{rows: map[string]*memRow{}, byKey: map[string]string{}, waiting: map[string]map[string]bool{}, guard: true}
}

func (s *memStore) Cookie(context.Context, string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cookie, nil
}

func (s *memStore) Apply(ctx context.Context, _ string, b Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failNext != nil {
		err := s.failNext
		s.failNext = nil
		return err
	}
	s.applies++
	for _, id := range b.Deletes {
		s.remove(id)
		if s.refresh != nil {
			s.refresh.touched[id] = true
		}
	}
	for _, e := range b.Upserts {
		s.upsert(e)
		if s.refresh != nil {
			s.refresh.touched[e.ID.Stable] = true
		}
	}
	if b.Cookie != nil {
		s.cookie = *b.Cookie
	}
	return nil
}

func (s *memStore) Known(_ context.Context, _, stable string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if row := s.rows[stable]; row != nil {
		return row.key, nil // as renames of containers above have left it
	}
	return "", nil
}

func (s *memStore) Referrers(_ context.Context, _, stable string) (list []string, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to := func(l memLink) bool { return l.target == stable }
	for id, row := range s.rows {
		if slices.ContainsFunc(row.members, to) || slices.ContainsFunc(row.manager, to) {
			list = append(list, id)
		}
	}
	return list, nil
}

func (s *memStore) upsert(e *directory.Entry) {
	s.upserts++
	id := e.ID.Stable
	key, err := mapping.DNKey(e.DN)
	if err != nil {
		panic(err)
	}
	row := s.rows[id]
	if row == nil {
		row = &memRow{}
		s.rows[id] = row
	} else if row.key != key {
		s.moveBelow(row.key, key)
		if s.byKey[row.key] == id {
			delete(s.byKey, row.key)
		}
	}
	row.e, row.key = e, key
	s.byKey[key] = id
	row.members, row.manager = nil, s.links(id, e.Attributes[directory.AttrManager])
	if !e.MembersByName {
		row.members = s.links(id, e.Members)
	}
	s.heal(key, id)
}

func (s *memStore) links(from string, dns []string) []memLink {
	var list []memLink
	for _, dn := range dns {
		key, err := mapping.DNKey(dn)
		if err != nil {
			continue
		}
		target := s.byKey[key]
		if target == "" {
			if s.waiting[key] == nil {
				s.waiting[key] = map[string]bool{}
			}
			s.waiting[key][from] = true
		}
		list = append(list, memLink{target: target, key: key})
	}
	return list
}

func (s *memStore) heal(key, id string) {
	for from := range s.waiting[key] {
		row := s.rows[from]
		if row == nil {
			continue
		}
		for _, list := range [][]memLink{row.members, row.manager} {
			for i := range list {
				if list[i].target == "" && list[i].key == key {
					list[i].target = id
				}
			}
		}
	}
	delete(s.waiting, key)
}

func (s *memStore) moveBelow(old, new string) {
	for id, row := range s.rows {
		if row.key != old && mapping.Under(row.key, old) {
			delete(s.byKey, row.key)
			row.key = strings.TrimSuffix(row.key, old) + new
			s.byKey[row.key] = id
			s.heal(row.key, id)
		}
	}
}

func (s *memStore) remove(id string) {
	row := s.rows[id]
	if row == nil {
		return
	}
	s.deletes++
	delete(s.rows, id)
	if s.byKey[row.key] == id {
		delete(s.byKey, row.key)
	}
	gone := func(l memLink) bool { return l.target == id }
	for _, row := range s.rows {
		row.members = slices.DeleteFunc(row.members, gone)
		row.manager = slices.DeleteFunc(row.manager, gone)
	}
	s.lowest = min(s.lowest, len(s.rows))
}

// memRefresh is a full read beside the content.
type memRefresh struct {
	s       *memStore
	seen    map[string]bool
	touched map[string]bool
	before  int
	ended   bool
}

func (s *memStore) BeginRefresh(ctx context.Context, _ string) (Refresh, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refresh != nil {
		s.refresh.ended = true
	}
	s.refresh = &memRefresh{s: s, seen: map[string]bool{}, touched: map[string]bool{}, before: len(s.rows)}
	return s.refresh, nil
}

var errEnded = errors.New("refresh has ended")

func (r *memRefresh) Upsert(ctx context.Context, entries []*directory.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.ended {
		return errEnded
	}
	for _, e := range entries {
		if !r.touched[e.ID.Stable] {
			r.s.upsert(e)
		}
		r.seen[e.ID.Stable] = true
	}
	return nil
}

func (r *memRefresh) Present(ctx context.Context, stable []string) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.ended {
		return errEnded
	}
	for _, id := range stable {
		r.seen[id] = true
	}
	return ctx.Err()
}

func (r *memRefresh) Complete(ctx context.Context, cookie string) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.ended {
		return 0, errEnded
	}
	r.ended, r.s.refresh = true, nil
	var sweep []string
	for id := range r.s.rows {
		if !r.seen[id] && !r.touched[id] {
			sweep = append(sweep, id)
		}
	}
	slices.Sort(sweep)
	digest := strings.Join(sweep, " ")
	if r.s.guard && len(sweep) > 10 && len(sweep)*5 > r.before && r.s.refused != digest {
		r.s.refused = digest
		return 0, &SweepError{Gone: len(sweep), Of: r.before}
	}
	r.s.refused = ""
	for _, id := range sweep {
		r.s.remove(id)
	}
	r.s.cookie = cookie
	return len(sweep), nil
}

func (r *memRefresh) Abort() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.ended = true
	if r.s.refresh == r {
		r.s.refresh = nil
	}
}

// flat is an entry in a form that compares with the directory's own view.
type flat struct {
	Key, Name, Version string
	Kind               directory.Kind
	Attributes         map[string]string
	Signals            map[string]string
	Members, Managers  []string // stable ids
	Names              []string // memberUid
}

func (s *memStore) dump() map[string]flat {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]flat{}
	for id, row := range s.rows {
		out[id] = s.withPrimary(row, flatten(row, row.key))
	}
	return out
}

// withPrimary adds the people whose primary group a group is.
func (s *memStore) withPrimary(group *memRow, f flat) flat {
	if group.e.Kind != directory.KindGroup || group.e.PrimaryGroup == "" {
		return f
	}
	for id, row := range s.rows {
		if row.e.Kind == directory.KindPerson && row.e.PrimaryGroup == group.e.PrimaryGroup {
			f.Members = append(f.Members, id)
		}
	}
	slices.Sort(f.Members)
	f.Members = slices.Compact(f.Members)
	return f
}

func flatten(row *memRow, key string) flat {
	f := flat{
		Key: key, Name: row.e.Name, Version: row.e.Version, Kind: row.e.Kind, Attributes: map[string]string{}, Signals: map[string]string{},
		Members: targets(row.members), Managers: targets(row.manager),
	}
	for name, values := range row.e.Attributes {
		if name != directory.AttrManager && name != directory.AttrOwner {
			f.Attributes[name] = strings.Join(slices.Sorted(slices.Values(values)), "|")
		}
	}
	for name, values := range row.e.Signals {
		f.Signals[name] = strings.Join(slices.Sorted(slices.Values(values)), "|")
	}
	if row.e.MembersByName {
		f.Names = slices.Sorted(slices.Values(row.e.Members))
	}
	return f
}

func targets(list []memLink) []string {
	set := map[string]bool{}
	for _, l := range list {
		if l.target != "" {
			set[l.target] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// counters gives how often the store was written.
func (s *memStore) counters() (applies, upserts, deletes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.applies, s.upserts, s.deletes
}

// watch begins to note the fewest rows; least gives them.
func (s *memStore) watch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lowest = len(s.rows)
}

func (s *memStore) least() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lowest
}

// byName finds entries by name.
func (s *memStore) byName(name string) []*directory.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*directory.Entry
	for _, row := range s.rows {
		if row.e.Name == name {
			list = append(list, row.e)
		}
	}
	return list
}

func (s *memStore) setCookie(change func(p position) position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cookie = change(readPosition(s.cookie)).text()
}

// sink is a store that keeps nothing.
type sink struct{}

func newSink() Store { return sink{} }

func (sink) Apply(context.Context, string, Batch) error                  { return nil }
func (sink) Known(context.Context, string, string) (string, error)       { return "", nil }
func (sink) Referrers(context.Context, string, string) ([]string, error) { return nil, nil }
func (sink) Cookie(context.Context, string) (string, error)              { return "", nil }
func (sink) BeginRefresh(context.Context, string) (Refresh, error)       { return sink{}, nil }
func (sink) Upsert(context.Context, []*directory.Entry) error            { return nil }
func (sink) Present(context.Context, []string) error                     { return nil }
func (sink) Complete(context.Context, string) (deleted int, err error)   { return 0, nil }
func (sink) Abort()                                                      {}
