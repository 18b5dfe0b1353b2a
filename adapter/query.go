package adapter

import (
	"context"
	"errors"
	"slices"
	"time"

	"portico/directory"
)

// What lists may be asked for, re-exported for the APIs: see the package
// directory for the meaning of each.
type (
	Kind       = directory.Kind
	Predicate  = directory.Predicate
	Operator   = directory.Operator
	ListQuery  = directory.ListQuery
	Entry      = directory.Entry
	ID         = directory.ID
	Attributes = directory.Attributes
	Reference  = directory.Reference
)

// Nodes and operators of predicates.
const (
	NodeAnd, NodeOr, NodeNot  = directory.NodeAnd, directory.NodeOr, directory.NodeNot
	NodeCompare, NodeOneValue = directory.NodeCompare, directory.NodeOneValue
	OpEqual, OpNotEqual       = directory.OpEqual, directory.OpNotEqual
	OpContains, OpStarts      = directory.OpContains, directory.OpStarts
	OpEnds, OpPresent         = directory.OpEnds, directory.OpPresent
	OpGreater, OpGreaterEqual = directory.OpGreater, directory.OpGreaterEqual
	OpLess, OpLessEqual       = directory.OpLess, directory.OpLessEqual
	KindPerson, KindGroup     = directory.KindPerson, directory.KindGroup
)

// Queries answers lists of any kind out of the read model of the directories
// (package population). A Directory that does not do it offers no lists.
type Queries interface {
	List(ctx context.Context, q directory.ListQuery) (directory.Page, error)
	EntriesByID(ctx context.Context, ids []directory.ID) ([]*directory.Entry, error)
	GroupsOfMany(ctx context.Context, people []directory.ID) (map[directory.ID][]*directory.Entry, error)
	ManagersOfMany(ctx context.Context, people []directory.ID) (map[directory.ID][]*directory.Entry, error)
	Active(person *directory.Entry) directory.Activity
}

// MemberIDs reads the members of groups without their content.
type MemberIDs interface {
	MemberIDs(ctx context.Context, group directory.ID, limit int, after string) ([]directory.Reference, string, error)
	CountMemberIDs(ctx context.Context, group directory.ID) (int, error)
	AreMembers(ctx context.Context, group directory.ID, ids []directory.ID) (map[directory.ID]bool, error)
}

// EntryPage is a part of a list of people or groups, straight from the
// directory: without numeric ids, which cost a look into the database.
type EntryPage struct {
	Entries []*Entry
	Next    string // for ListQuery.After; "" at the end
	Total   int    // with ListQuery.Total
}

// PeoplePage is a part of a list of people, in the order of the query.
type PeoplePage struct {
	People []*Person
	Next   string
	Total  int
}

// GroupsPage is a part of a list of groups, in the order of the query.
type GroupsPage struct {
	Groups []*Group
	Next   string
	Total  int
}

// Entries gives one page of entries; q.Kind says which. Errors: Invalid "filter"
// (a predicate that cannot be asked), "cursor" (a position that is not one of
// this order), "scan" (more would have to be looked through than q.ScanLimit),
// Unavailable until the directory was read to the end once.
func (a *Adapter) Entries(ctx context.Context, q ListQuery) (EntryPage, error) {
	queries, ok := a.dir.(Queries)
	if !ok {
		return EntryPage{}, &Error{Kind: Unavailable, Text: "this directory offers no lists"}
	}
	return a.withLocalPage(ctx, q, func(q ListQuery) (EntryPage, error) {
		page, err := queries.List(ctx, q)
		if err != nil {
			return EntryPage{}, fromQuery(err)
		}
		return EntryPage(page), nil
	})
}

func fromQuery(err error) error {
	switch {
	case errors.Is(err, directory.ErrPredicate):
		return &Error{Kind: Invalid, Field: "filter", Text: err.Error(), Cause: err}
	case errors.Is(err, directory.ErrPosition):
		return &Error{Kind: Invalid, Field: "cursor", Text: err.Error(), Cause: err}
	case errors.Is(err, directory.ErrScan):
		return &Error{Kind: Invalid, Field: "scan", Text: err.Error(), Cause: err}
	}
	return fromDirectory(err, "user")
}

// ListPeople gives one page of people. Errors as of Entries.
func (a *Adapter) ListPeople(ctx context.Context, q ListQuery) (PeoplePage, error) {
	q.Kind = directory.KindPerson
	page, err := a.Entries(ctx, q)
	if err != nil {
		return PeoplePage{}, err
	}
	people, err := a.people(ctx, page.Entries)
	return PeoplePage{People: people, Next: page.Next, Total: page.Total}, err
}

// ListGroups gives one page of groups. Errors as of Entries.
func (a *Adapter) ListGroups(ctx context.Context, q ListQuery) (GroupsPage, error) {
	q.Kind = directory.KindGroup
	page, err := a.Entries(ctx, q)
	if err != nil {
		return GroupsPage{}, err
	}
	groups, err := a.groupsInOrder(ctx, page.Entries)
	return GroupsPage{Groups: groups, Next: page.Next, Total: page.Total}, err
}

// PersonEntry gives the entry of one person; by id or login name, a person that
// the read model does not know is asked of LDAP once. Errors: NotFound "user",
// Ambiguous, Unavailable.
func (a *Adapter) PersonEntry(ctx context.Context, key PersonKey) (*Entry, error) {
	return a.entry(ctx, key)
}

// GroupEntry gives the entry of one group by permanent identity; one that the read
// model does not know is asked of LDAP once. Errors: NotFound "group", Unavailable.
func (a *Adapter) GroupEntry(ctx context.Context, id ID) (*Entry, error) {
	if id.Directory == LocalDirectory {
		g, err := a.localGroup(ctx, id)
		if err != nil {
			return nil, err
		}
		return g.Entry, nil
	}
	e, err := a.dir.GroupByID(ctx, id)
	return e, fromDirectory(err, "group")
}

// Active tells whether an account may be used as far as administrators decide:
// what directory.AttrActive of a predicate asks.
func (a *Adapter) Active(person *Entry, now time.Time) bool {
	queries, ok := a.dir.(Queries)
	return ok && queries.Active(person).At(now)
}

// EntriesByID gives the visible people and the groups with those ids, 10,000 at
// most, in their order. Who is not known is left out.
func (a *Adapter) EntriesByID(ctx context.Context, ids []ID) ([]*Entry, error) {
	queries, ok := a.dir.(Queries)
	if !ok {
		return nil, &Error{Kind: Unavailable, Text: "this directory offers no lists"}
	}
	entries, err := queries.EntriesByID(ctx, ids)
	if err != nil || a.source == nil {
		return entries, fromDirectory(err, "user")
	}
	local, err := a.localGroups(ctx)
	for _, id := range ids {
		if g := local.ByID[id.Stable]; err == nil && id.Directory == LocalDirectory && g != nil {
			entries = append(slices.Clip(entries), g.Entry)
		}
	}
	return entries, err
}

// GroupsOfMany gives the direct groups of many people, 10,000 at most, in one
// query: what a page of people needs. Who is in no group is left out.
func (a *Adapter) GroupsOfMany(ctx context.Context, people []ID) (map[ID][]*Entry, error) {
	queries, ok := a.dir.(Queries)
	if !ok {
		return nil, &Error{Kind: Unavailable, Text: "this directory offers no lists"}
	}
	groups, err := queries.GroupsOfMany(ctx, people)
	if err != nil || a.source == nil {
		return groups, fromDirectory(err, "user")
	}
	return groups, a.addLocalOf(ctx, people, groups)
}

// ManagersOfMany gives the managers that many people name in the directory,
// 10,000 at most, in one query. Who has none is left out.
func (a *Adapter) ManagersOfMany(ctx context.Context, people []ID) (map[ID][]*Entry, error) {
	queries, ok := a.dir.(Queries)
	if !ok {
		return nil, &Error{Kind: Unavailable, Text: "this directory offers no lists"}
	}
	managers, err := queries.ManagersOfMany(ctx, people)
	return managers, fromDirectory(err, "user")
}

// membersAtOnce is how many members are read between two calls of EachMember.
const membersAtOnce = 5000

// EachMember names the direct members of a group, people and groups, to each,
// until it answers an error, which is passed on. A group of any size takes the
// memory of 5,000. Errors: NotFound "group", Unavailable.
func (a *Adapter) EachMember(ctx context.Context, group ID, each func(Reference) error) error {
	if group.Directory == LocalDirectory {
		return a.eachLocalMember(ctx, group, each)
	}
	members, ok := a.dir.(MemberIDs)
	if !ok {
		return &Error{Kind: Unavailable, Text: "this directory offers no lists"}
	}
	for after := ""; ; {
		page, next, err := members.MemberIDs(ctx, group, membersAtOnce, after)
		if err != nil {
			return fromDirectory(err, "group")
		}
		for _, m := range page {
			if err := each(m); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// CountMembers is the number of direct members of a group, people and groups.
// Errors: NotFound "group", Unavailable.
func (a *Adapter) CountMembers(ctx context.Context, group ID) (int, error) {
	if group.Directory == LocalDirectory {
		n := 0
		err := a.eachLocalMember(ctx, group, func(Reference) error { n++; return nil })
		return n, err
	}
	members, ok := a.dir.(MemberIDs)
	if !ok {
		return 0, &Error{Kind: Unavailable, Text: "this directory offers no lists"}
	}
	n, err := members.CountMemberIDs(ctx, group)
	return n, fromDirectory(err, "group")
}

// AreMembers tells which of the people and groups, 10,000 at most, are direct
// members of a group, however large it is. Errors: NotFound "group", Unavailable.
func (a *Adapter) AreMembers(ctx context.Context, group ID, ids []ID) (map[ID]bool, error) {
	if group.Directory == LocalDirectory {
		is := map[ID]bool{}
		err := a.eachLocalMember(ctx, group, func(r Reference) error {
			if slices.Contains(ids, r.ID) {
				is[r.ID] = true
			}
			return nil
		})
		return is, err
	}
	members, ok := a.dir.(MemberIDs)
	if !ok {
		return nil, &Error{Kind: Unavailable, Text: "this directory offers no lists"}
	}
	is, err := members.AreMembers(ctx, group, ids)
	return is, fromDirectory(err, "group")
}
