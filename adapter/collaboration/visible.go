package collaboration

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"portico/adapter"
	"portico/adapter/store"
	"portico/directory"
)

// shownFor is how long what was read for other APIs is good though nothing has
// changed: memberships run out by themselves.
const shownFor = 5 * time.Second

// shown keeps what the other APIs see, for a while.
type shown struct {
	changes atomic.Uint64
	mu      sync.Mutex
	groups  *adapter.LocalGroups
	seen    uint64
	at      time.Time
}

// LocalGroups gives the active collaborations and their groups as groups, with
// their active members. What is written to a directory is a group there already,
// and left out. Error: Unavailable.
func (s *Collaborations) LocalGroups(ctx context.Context) (*adapter.LocalGroups, error) {
	changes, now := s.shown.changes.Load(), s.now()
	s.shown.mu.Lock()
	defer s.shown.mu.Unlock()
	if s.shown.groups != nil && s.store.Live() && s.shown.seen == changes && now.Sub(s.shown.at) < shownFor {
		return s.shown.groups, nil
	}
	all := &adapter.LocalGroups{ByID: map[string]*adapter.LocalGroup{}, Of: map[int64][]*adapter.LocalGroup{}}
	err := s.read(ctx, "collaborations", func(ctx context.Context, c *store.CollabTx) error {
		orgs, err := c.Orgs(ctx)
		if err != nil {
			return err
		}
		written, err := c.WrittenEntries(ctx)
		if err != nil {
			return err
		}
		for _, org := range orgs {
			if err := showOrg(ctx, c, org, written, now, all); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all.List, func(x, y *adapter.LocalGroup) int { return strings.Compare(x.Entry.ID.Stable, y.Entry.ID.Stable) })
	for _, g := range all.List {
		for _, uid := range g.People {
			all.Of[uid] = append(all.Of[uid], g)
		}
	}
	s.shown.groups, s.shown.seen, s.shown.at = all, changes, now
	return all, nil
}

// showOrg adds what an organisation shows.
func showOrg(ctx context.Context, c *store.CollabTx, org store.Org, written map[[2]int64]bool, now time.Time, all *adapter.LocalGroups) error {
	rows, err := readOrg(ctx, c, org, func(ctx context.Context, c *store.CollabTx, org store.Org, _ []store.Collaboration) ([]Member, error) {
		return c.MembersOfOrg(ctx, org.ID)
	})
	if err != nil {
		return err
	}
	add := func(identifier, urn, text string, stamp store.Stamp, people []int64) {
		g := &adapter.LocalGroup{People: people, Entry: &adapter.Entry{
			ID: adapter.ID{Directory: adapter.LocalDirectory, Stable: identifier}, Kind: adapter.KindGroup, Name: urn,
			Attributes: adapter.Attributes{directory.AttrName: {urn}, directory.AttrDescription: {text}, adapter.AttrURN: {urn}},
			Created:    stamp.Created, Modified: stamp.Updated, Version: strconv.FormatInt(stamp.Updated.UnixMicro(), 36),
		}}
		all.List = append(all.List, g)
		all.ByID[identifier] = g
	}
	for _, v := range rows.views(org.ShortName) {
		if collabStatus(&v.Collaboration, now) != Active {
			continue
		}
		byID, people := map[int64]int64{}, []int64{}
		for i := range v.Memberships {
			if m := &v.Memberships[i]; memberStatus(m, now) == Active {
				byID[m.ID] = m.UID
				people = append(people, m.UID)
			}
		}
		if !written[[2]int64{v.ID, 0}] {
			add(v.Identifier, v.URN(), v.Description, v.Stamp, people)
		}
		for _, g := range v.Groups {
			if written[[2]int64{v.ID, g.ID}] {
				continue
			}
			var in []int64
			for _, member := range g.Members {
				if uid, ok := byID[member]; ok {
					in = append(in, uid)
				}
			}
			add(g.Identifier, g.URN, g.Description, v.Stamp, in)
		}
	}
	return nil
}
