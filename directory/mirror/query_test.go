package mirror

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"portico/directory"
)

// What random entries and random predicates are made of.
var (
	queryWords = []string{
		"Ann", "ann", "ANN", "Ánn", "A\u0301nn", "Straße", "STRASSE", "ſtraße", "ΟΔΥΣΣΕΥΣ", "Οδυσσευς", "İl", "il", " ann ", "a", "nn",
		"100%", "b_b", "*", "'", `"`, "Kelvin \u212a", "Kelvin k", "😀", "\U0010ffff", strings.Repeat("long ", 60) + "a", strings.Repeat("long ", 60) + "b",
		"bob@x.org", "Bob@X.org", "all@x.org",
	}
	queryTimes      = []time.Time{{}, time.Unix(0, 0).UTC(), time.Unix(1700000000, 5).UTC(), time.Unix(1700000000, 6).UTC(), time.Unix(1800000000, 0).UTC()}
	queryAttributes = []string{
		directory.AttrID, directory.AttrDirectory, directory.AttrLogin, directory.AttrUsername, directory.AttrName, directory.AttrGivenName,
		directory.AttrFamilyName, directory.AttrMail, directory.AttrCreated, directory.AttrModified, directory.AttrActive, "title", "unknown",
		directory.AttrMember, directory.AttrGroup, directory.AttrManager, directory.AttrOwner,
	}
	queryNow = time.Unix(1750000000, 0)
)

// testActivity reads the signals of random entries.
func testActivity(rules string, e *directory.Entry) directory.Activity {
	var a directory.Activity
	switch rules + e.Signals.First("state") {
	case "rdisabled":
		a.Never = true
	case "rfuture":
		a.From = queryNow.Add(time.Second)
	case "rpast":
		a.Until = queryNow
	case "rspan":
		a.From, a.Until = queryNow, queryNow.Add(1)
	}
	return a
}

// decorate gives an entry attributes to ask for.
func (h *harness) decorate(e *directory.Entry) {
	words := func(name string, most int) []string {
		return rapid.SliceOfN(rapid.SampledFrom(queryWords), 0, most).Draw(h.t, name)
	}
	for _, name := range []string{directory.AttrGivenName, directory.AttrFamilyName, "title"} {
		if v := words(name, 2); len(v) > 0 {
			if e.Attributes == nil {
				e.Attributes = directory.Attributes{}
			}
			e.Attributes[name] = v
		}
	}
	e.Created, e.Modified = rapid.SampledFrom(queryTimes).Draw(h.t, "created"), rapid.SampledFrom(queryTimes).Draw(h.t, "modified")
	if s := rapid.SampledFrom([]string{"", "disabled", "future", "past", "span"}).Draw(h.t, "state"); s != "" && e.Kind == directory.KindPerson {
		e.Signals = directory.Attributes{"state": {s}}
	}
}

func (h *harness) predicate(depth int) *directory.Predicate {
	kind := rapid.IntRange(0, 9).Draw(h.t, "node")
	if depth == 0 {
		kind = 9
	}
	some := func() (of []*directory.Predicate) {
		for range rapid.IntRange(0, 3).Draw(h.t, "parts") {
			of = append(of, h.predicate(depth-1))
		}
		return of
	}
	switch kind {
	case 0, 1:
		return directory.And(some()...)
	case 2, 3:
		return directory.Or(some()...)
	case 4:
		return directory.Not(h.predicate(depth - 1))
	case 5:
		return directory.OneValue(rapid.SampledFrom([]string{directory.AttrMail, "title"}).Draw(h.t, "list"), h.inner(2))
	}
	return h.leaf(rapid.SampledFrom(queryAttributes).Draw(h.t, "attribute"))
}

func (h *harness) inner(depth int) *directory.Predicate {
	switch kind := rapid.IntRange(0, 4).Draw(h.t, "inner"); {
	case kind == 0 && depth > 0:
		return directory.And(h.inner(depth-1), h.inner(depth-1))
	case kind == 1 && depth > 0:
		return directory.Or(h.inner(depth-1), h.inner(depth-1))
	case kind == 2 && depth > 0:
		return directory.Not(h.inner(depth - 1))
	case kind == 3:
		p := directory.Compare(directory.AttrPosition, directory.OpLess, fmt.Sprint(rapid.IntRange(-1, 2).Draw(h.t, "place")))
		p.Op = rapid.SampledFrom([]directory.Operator{directory.OpEqual, directory.OpGreater, directory.OpLessEqual, directory.OpPresent}).Draw(h.t, "op")
		return p
	}
	return h.leaf(directory.AttrValue)
}

func (h *harness) leaf(attribute string) *directory.Predicate {
	op := directory.Operator(rapid.IntRange(int(directory.OpEqual), int(directory.OpPresent)).Draw(h.t, "op"))
	few := rapid.SampledFrom([]directory.Operator{directory.OpEqual, directory.OpNotEqual, directory.OpPresent})
	p := &directory.Predicate{Node: directory.NodeCompare, Attribute: attribute, Op: op}
	switch {
	case directory.IsReference(attribute):
		p.Op, p.Nested = few.Draw(h.t, "op"), rapid.Bool().Draw(h.t, "nested")
		p.Ref = directory.ID{
			Directory: rapid.SampledFrom([]string{"corp", "branch", "third", "", "no"}).Draw(h.t, "dir"),
			Stable:    fmt.Sprintf("s%02d", rapid.IntRange(0, 12).Draw(h.t, "ref")),
		}
	case attribute == directory.AttrActive:
		p.Op, p.Value = few.Draw(h.t, "op"), rapid.SampledFrom([]string{"true", "false"}).Draw(h.t, "bool")
	case attribute == directory.AttrCreated || attribute == directory.AttrModified:
		p.Time = rapid.SampledFrom(queryTimes[1:]).Draw(h.t, "time")
		if op == directory.OpContains || op == directory.OpStarts || op == directory.OpEnds {
			p.Op = directory.OpGreaterEqual
		}
	default:
		pool := append(append([]string{"", "corp", "BRANCH", "s01", "S0", "0"}, modelNames...), queryWords...)
		p.Value, p.Exact = rapid.SampledFrom(pool).Draw(h.t, "value"), rapid.Bool().Draw(h.t, "exact")
	}
	return p
}

// ask answers for the model what entries cannot answer themselves.
func (h *harness) ask(e *modelEntry, p *directory.Predicate) bool {
	if p.Attribute == directory.AttrActive {
		active := fmt.Sprint(testActivity(h.options.Directories[e.rank].StatusRules, &e.e).At(queryNow))
		return p.Op == directory.OpPresent || (p.Op == directory.OpEqual) == (active == p.Value)
	}
	values := make(map[*modelEntry]bool)
	switch p.Attribute {
	case directory.AttrMember:
		if e.e.Kind == directory.KindGroup {
			values = h.model.inside(e, p.Nested)
		}
	case directory.AttrGroup:
		for _, g := range h.model.entries {
			if g.e.Kind == directory.KindGroup && h.model.inside(g, p.Nested)[e] {
				values[g] = true
			}
		}
	case directory.AttrManager:
		for _, b := range h.model.targets(e, relManager) {
			values[b] = b.e.Kind == directory.KindPerson
		}
	}
	absent, equal, other := true, false, false
	for v, counts := range values {
		if !counts || v.e.Kind == directory.KindContainer || !h.model.visible(v) {
			continue
		}
		absent = false
		if v.e.ID.Stable == p.Ref.Stable && (p.Ref.Directory == "" || p.Ref.Directory == v.e.ID.Directory) {
			equal = true
		} else {
			other = true
		}
	}
	switch p.Op {
	case directory.OpEqual:
		return equal
	case directory.OpNotEqual:
		return absent || other
	}
	return !absent
}

// waitListed waits for the indexes that a first load leaves for later.
func waitListed(t interface{ Fatal(args ...any) }, m *Mirror) {
	for began := time.Now(); !m.listed.Load(); time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("the indexes of lists are not built")
		}
	}
}

// compareQueries asks random predicates in random orders (SC-081).
func (h *harness) compareQueries(ctx context.Context) {
	waitListed(h.t, h.m)
	for range 6 {
		q := Query{
			Kind: rapid.SampledFrom([]directory.Kind{directory.KindPerson, directory.KindGroup}).Draw(h.t, "kind"), Now: queryNow, Total: true,
			Where: h.predicate(3), SortBy: rapid.SampledFrom(append([]string{""}, queryAttributes[:10]...)).Draw(h.t, "sort"),
			Exact: rapid.Bool().Draw(h.t, "exact"), Descending: rapid.Bool().Draw(h.t, "down"), Limit: rapid.IntRange(1, 4).Draw(h.t, "limit"),
		}
		if rapid.Bool().Draw(h.t, "keep") {
			q.Keep = func(e *directory.Entry) bool { return e.ID.Stable != "s03" }
			q.KeepKey = rapid.SampledFrom([]string{"", "not 3"}).Draw(h.t, "keepkey")
		}
		h.m.fewest = rapid.SampledFrom([]float64{-1, 2000}).Draw(h.t, "few")
		h.m.listed.Store(rapid.Bool().Draw(h.t, "listed"))
		var all []*directory.Entry
		for _, e := range h.model.entries {
			if e.e.Kind == q.Kind && h.model.visible(e) && q.Where.Match(&e.e, func(p *directory.Predicate) bool { return h.ask(e, p) }) &&
				(q.Keep == nil || q.Keep(&e.e)) {
				all = append(all, &e.e)
			}
		}
		slices.SortFunc(all, func(a, b *directory.Entry) int {
			order := naiveOrder(&q, a, b)
			if order == 0 {
				order = cmp.Or(strings.Compare(a.ID.Stable, b.ID.Stable), cmp.Compare(h.m.dirs[a.ID.Directory], h.m.dirs[b.ID.Directory]))
			}
			if q.Descending {
				order = -order
			}
			return order
		})
		h.sameQuery(ctx, q, all)
		h.m.listed.Store(true)
	}
}

func naiveOrder(q *Query, a, b *directory.Entry) int {
	key := func(e *directory.Entry) (string, bool) {
		v := e.Attributes.First(q.SortBy)
		switch q.SortBy {
		case "", directory.AttrID, directory.AttrDirectory:
			v = ""
		case directory.AttrLogin:
			if v = e.Login; e.Kind == directory.KindGroup {
				v = strings.TrimSpace(e.Name)
			}
		case directory.AttrName:
			v = e.DisplayName()
		}
		if !q.Exact {
			v = directory.Fold(v)
			if q.SortBy == directory.AttrName {
				v = strings.TrimSpace(v)
			}
		}
		text, _ := clip(v)
		return text, text == ""
	}
	if q.SortBy == directory.AttrCreated || q.SortBy == directory.AttrModified {
		x, y := a.Created, b.Created
		if q.SortBy == directory.AttrModified {
			x, y = a.Modified, b.Modified
		}
		if x.IsZero() != y.IsZero() {
			return map[bool]int{true: 1, false: -1}[x.IsZero()]
		}
		return x.Compare(y)
	}
	x, noX := key(a)
	y, noY := key(b)
	if noX != noY {
		return map[bool]int{true: 1, false: -1}[noX]
	}
	return strings.Compare(x, y)
}

// sameQuery reads a list by positions and by offsets.
func (h *harness) sameQuery(ctx context.Context, q Query, expected []*directory.Entry) {
	ids := func(list []*directory.Entry) (s []string) {
		for _, e := range list {
			s = append(s, e.ID.String())
		}
		return s
	}
	var got, byOffset []*directory.Entry
	for at := 0; ; at += q.Limit {
		p, err := h.m.ListPage(ctx, q)
		if err != nil || p.Total != len(expected) {
			h.t.Fatalf("%s: %d of %d, %v", q.Where.Key(), p.Total, len(expected), err)
		}
		o := q
		o.After, o.Offset = "", at
		page, err := h.m.List(ctx, o)
		if err != nil {
			h.t.Fatal(err)
		}
		got, byOffset = append(got, p.Entries...), append(byOffset, page...)
		if q.After = p.Next; q.After == "" {
			break
		}
	}
	if !slices.Equal(ids(got), ids(expected)) || !slices.Equal(ids(byOffset), ids(expected)) {
		h.t.Fatalf("%s by %q exact %t desc %t:\n  %v\n  %v\nwant\n  %v", q.Where.Key(), q.SortBy, q.Exact, q.Descending, ids(got), ids(byOffset), ids(expected))
	}
}
