package adapter

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"portico/directory"
)

// LocalDirectory stands for the directory of groups that are in none, such as
// collaborations. No configured directory can have this name.
const LocalDirectory = "@local"

// AttrURN is the attribute of a local group that names it in the whole installation.
const AttrURN = "urn"

// LocalGroup is a group that is in no directory, with the numeric ids of its people.
type LocalGroup struct {
	Entry  *Entry // in LocalDirectory
	People []int64
}

// LocalGroups is all local groups at one moment. It is shared: do not change it.
type LocalGroups struct {
	List []*LocalGroup // in order of their stable ids
	ByID map[string]*LocalGroup
	Of   map[int64][]*LocalGroup // by numeric id of a person
}

// GroupSource has groups that are in no directory.
type GroupSource interface {
	LocalGroups(ctx context.Context) (*LocalGroups, error)
}

// ShowGroups makes the adapter show the groups of a source beside those of the
// directories. Call it before anything else uses the adapter.
func (a *Adapter) ShowGroups(source GroupSource) { a.source = source }

// localGroups gives the groups of the source, none without one.
func (a *Adapter) localGroups(ctx context.Context) (*LocalGroups, error) {
	if a.source == nil {
		return &LocalGroups{}, nil
	}
	return a.source.LocalGroups(ctx)
}

// localGroup finds one local group. Error: NotFound "group".
func (a *Adapter) localGroup(ctx context.Context, id ID) (*LocalGroup, error) {
	all, err := a.localGroups(ctx)
	if err != nil {
		return nil, err
	}
	if g, ok := all.ByID[id.Stable]; ok {
		return g, nil
	}
	return nil, notFound("group")
}

func entriesOf(groups []*LocalGroup) []*directory.Entry {
	list := make([]*directory.Entry, len(groups))
	for i, g := range groups {
		list[i] = g.Entry
	}
	return list
}

// withLocal adds the local groups that fit to groups of the directories, up to a limit.
func (a *Adapter) withLocal(ctx context.Context, entries []*directory.Entry, limit int, fits func(*LocalGroup) bool) ([]*directory.Entry, error) {
	all, err := a.localGroups(ctx)
	if err != nil || len(all.List) == 0 {
		return entries, err
	}
	entries = slices.Clip(entries)
	for _, g := range all.List {
		if limit > 0 && len(entries) >= limit {
			break
		}
		if fits(g) {
			entries = append(entries, g.Entry)
		}
	}
	return entries, nil
}

// localPeople gives the entries of a local group's people who are in a directory.
func (a *Adapter) localPeople(ctx context.Context, g *LocalGroup) ([]*directory.Entry, error) {
	list := make([]*directory.Entry, 0, len(g.People))
	for _, uid := range g.People {
		e, err := a.entry(ctx, ByUID(uid))
		if err != nil {
			if k := KindOf(err); k == NotFound || k == Ambiguous {
				continue
			}
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// localMark begins a position within the local groups of a list.
const localMark = LocalDirectory + ":"

// withLocalPage gives one page of entries of the directories; for groups, the local ones
// that fit follow after the last of theirs, in the same order.
func (a *Adapter) withLocalPage(ctx context.Context, q ListQuery, ask func(ListQuery) (EntryPage, error)) (EntryPage, error) {
	if q.Kind != KindGroup || a.source == nil || q.Directory != "" && q.Directory != LocalDirectory {
		return ask(q)
	}
	local, err := a.fittingLocal(ctx, q)
	if err != nil {
		return EntryPage{}, err
	}
	from, inLocal := 0, false
	if text, ok := strings.CutPrefix(q.After, localMark); ok {
		if from, err = strconv.Atoi(text); err != nil || from < 0 {
			return EntryPage{}, &Error{Kind: Invalid, Field: "cursor", Text: "this position is none"}
		}
		inLocal = true
	}
	var page EntryPage
	limit := q.Limit
	if limit == 0 {
		limit = 10_000
	}
	switch {
	case q.Directory == LocalDirectory:
		from += q.Offset
	case inLocal:
		total := q
		total.After, total.Offset, total.Limit = "", 0, -1
		if q.Total {
			if page, err = ask(total); err != nil {
				return page, err
			}
		}
	default:
		counted := q
		counted.Total = q.Total || q.Offset > 0
		if page, err = ask(counted); err != nil || page.Next != "" {
			page.Total += len(local)
			return page, err
		}
		if q.Offset > page.Total {
			from = q.Offset - page.Total
		}
	}
	page.Total += len(local)
	if limit < 0 {
		return page, nil
	}
	from = min(from, len(local))
	to := min(len(local), from+limit-len(page.Entries))
	page.Entries = append(slices.Clip(page.Entries), local[from:to]...)
	if to < len(local) {
		page.Next = localMark + strconv.Itoa(to)
	}
	return page, nil
}

// fittingLocal is the local groups that a query is about, in its order.
func (a *Adapter) fittingLocal(ctx context.Context, q ListQuery) ([]*directory.Entry, error) {
	all, err := a.localGroups(ctx)
	if err != nil {
		return nil, err
	}
	var list []*directory.Entry
	for _, g := range all.List {
		ask := func(p *Predicate) bool { return p.Attribute == directory.AttrMember && a.holds(ctx, g, p) }
		if q.Where.Match(g.Entry, ask) && (q.Keep == nil || q.Keep(g.Entry)) {
			list = append(list, g.Entry)
		}
	}
	if q.SortBy != "" && q.SortBy != directory.AttrID {
		slices.SortStableFunc(list, func(x, y *directory.Entry) int {
			return strings.Compare(directory.FoldName(sortValue(x, q.SortBy)), directory.FoldName(sortValue(y, q.SortBy)))
		})
	}
	if q.Descending {
		slices.Reverse(list)
	}
	return list, nil
}

func sortValue(e *directory.Entry, attribute string) string {
	switch attribute {
	case directory.AttrName:
		return e.Name
	case directory.AttrCreated:
		return strconv.FormatInt(e.Created.UnixMicro(), 10)
	case directory.AttrModified:
		return strconv.FormatInt(e.Modified.UnixMicro(), 10)
	}
	return e.Attributes.First(attribute)
}

// holds answers a predicate about the members of a local group.
func (a *Adapter) holds(ctx context.Context, g *LocalGroup, p *Predicate) bool {
	if p.Op == OpPresent {
		return len(g.People) > 0
	}
	people, err := a.localPeople(ctx, g)
	return err == nil && slices.ContainsFunc(people, func(e *directory.Entry) bool {
		return p.Op == OpEqual && strings.EqualFold(e.ID.Stable, p.Value)
	})
}

func (a *Adapter) eachLocalMember(ctx context.Context, group ID, each func(Reference) error) error {
	g, err := a.localGroup(ctx, group)
	if err != nil {
		return err
	}
	people, err := a.localPeople(ctx, g)
	if err != nil {
		return err
	}
	for _, e := range people {
		if err := each(Reference{ID: e.ID, Kind: e.Kind}); err != nil {
			return err
		}
	}
	return nil
}

// addLocalOf adds the local groups of people to what the directories say.
func (a *Adapter) addLocalOf(ctx context.Context, people []ID, groups map[ID][]*Entry) error {
	all, err := a.localGroups(ctx)
	if err != nil || len(all.List) == 0 {
		return err
	}
	for _, id := range people {
		uid, err := a.uidOf(ctx, ByID(id))
		if err != nil {
			if k := KindOf(err); k == NotFound || k == Ambiguous {
				continue
			}
			return err
		}
		if of := all.Of[uid]; len(of) > 0 {
			groups[id] = append(slices.Clip(groups[id]), entriesOf(of)...)
		}
	}
	return nil
}
