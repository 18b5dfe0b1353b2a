package collaboration

import (
	"context"

	"portico/adapter/store"
)

// Memberships that are kept: of how many collaborations, and of how large ones.
const (
	keptRosters = 4096
	keptMembers = 200
	// askSingly is up to how many collaborations are read one by one.
	askSingly = 20
)

// forget drops what a change has made old.
func (s *Collaborations) forget(c store.Change) {
	switch {
	case c.All:
		s.rosters.Purge()
	case c.Table == store.TableCollaborations && c.ID != 0:
		s.rosters.Drop(c.ID)
	}
}

// membersOf gives the memberships of an organisation's collaborations, in their
// order. What has not changed is not read again. The ticket of the cache was taken
// before the transaction began.
func (s *Collaborations) membersOf(ctx context.Context, c *store.CollabTx, org store.Org, collabs []store.Collaboration, ticket uint64) ([]Member, error) {
	if !s.store.Live() {
		return c.MembersOfOrg(ctx, org.ID)
	}
	lists, missing, total := make([][]Member, len(collabs)), []int(nil), 0
	for i := range collabs {
		list, ok := s.rosters.Get(collabs[i].ID)
		if !ok {
			missing = append(missing, i)
		}
		lists[i] = list
		total += len(list)
	}
	keep := func(collab int64, list []Member) {
		if len(list) <= keptMembers {
			s.rosters.Keep(ticket, collab, list)
		}
	}
	if len(missing) > askSingly {
		all, err := c.MembersOfOrg(ctx, org.ID)
		if err != nil {
			return nil, err
		}
		rest := all
		for i := range collabs {
			n := 0
			for n < len(rest) && rest[n].Collab == collabs[i].ID {
				n++
			}
			keep(collabs[i].ID, append([]Member{}, rest[:n]...))
			rest = rest[n:]
		}
		return all, nil
	}
	for _, i := range missing {
		list, err := c.Members(ctx, collabs[i].ID)
		if err != nil {
			return nil, err
		}
		keep(collabs[i].ID, list)
		lists[i] = list
		total += len(list)
	}
	all := make([]Member, 0, total) // a copy: statuses are written into it
	for _, list := range lists {
		all = append(all, list...)
	}
	return all, nil
}
