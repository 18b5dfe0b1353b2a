package mirror

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portico/directory"
)

var bg = context.Background()

func TestLookups(t *testing.T) {
	m := loaded(t, "corp", "branch@b")
	full := &directory.Entry{
		ID: id("jdoe"), Kind: directory.KindPerson, DN: `uid=jdoe,OU=People,` + base, Name: "JDoe", Login: "jdoe",
		Attributes: directory.Attributes{
			directory.AttrName: {"Jürgen Døe"}, directory.AttrMail: {"J.Doe@example.org", "jd@example.org"}, "own_name": {"x", ""},
		},
		Signals: directory.Attributes{"pwdaccountlockedtime": {"000001010000Z"}},
		Created: time.Date(2020, 1, 2, 3, 4, 5, 6, time.UTC), Modified: time.Date(1969, 1, 2, 3, 4, 5, 0, time.UTC), Version: "csn",
	}
	apply(t, m, "corp", full, person("other"), group("Staff", full.DN), group("STAFF"), container("ou=people,"+base, "people"))
	apply(t, m, "branch", person("jdoe", in("branch"), func(e *directory.Entry) { e.Login = "jdoe@b" }))

	t.Run("an entry comes back as it was, without members", func(t *testing.T) {
		got, err := m.Get(bg, full.ID)
		if diff := cmp.Diff(full, got); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
	t.Run("a login name is found in any letter case and with space around it", func(t *testing.T) {
		for _, name := range []string{"jdoe", " JDOE\t", "jDoe"} {
			want(t, name, stables(m.ByLogin(bg, name)), "jdoe")
		}
		want(t, "with suffix", stables(m.ByLogin(bg, "JDOE@B")), "branch/jdoe")
		want(t, "nobody", stables(m.ByLogin(bg, "")), "")
		want(t, "pattern", stables(m.ByLogin(bg, "jd%")), "")
	})
	t.Run("a DN is found in its normal form, in its directory only", func(t *testing.T) {
		e, err := m.ByDN(bg, "corp", "uid=jdoe,ou=people,"+base)
		want(t, "dn", stables([]*directory.Entry{e}, err), "jdoe")
		if _, err := m.ByDN(bg, "corp", "uid=nobody,ou=people,"+base); !errors.Is(err, directory.ErrNotFound) {
			t.Error(err)
		}
	})
	t.Run("any mail address finds its owner", func(t *testing.T) {
		want(t, "first", stables(m.ByMail(bg, "j.doe@EXAMPLE.org ")), "jdoe")
		want(t, "second", stables(m.ByMail(bg, "jd@example.org")), "jdoe")
		want(t, "empty", stables(m.ByMail(bg, "")), "")
	})
	t.Run("groups are found in any letter case, the exact spelling first", func(t *testing.T) {
		want(t, "exact", stables(m.GroupByName(bg, "STAFF")), "STAFF Staff")
		want(t, "other", stables(m.GroupByName(bg, "staff")), "Staff STAFF")
	})
	t.Run("an unknown id is not found", func(t *testing.T) {
		for _, i := range []directory.ID{{Directory: "corp", Stable: "x"}, {Directory: "nowhere", Stable: "id-jdoe"}, {}} {
			if _, err := m.Get(bg, i); !errors.Is(err, directory.ErrNotFound) {
				t.Error(i, err)
			}
		}
		if _, err := m.GroupsOf(bg, id("x"), true); !errors.Is(err, directory.ErrNotFound) {
			t.Error(err)
		}
	})
	t.Run("two people of one directory with one name are both given (DR23)", func(t *testing.T) {
		apply(t, m, "corp", person("twin"), person("twin2", func(e *directory.Entry) { e.Name, e.Login = "Twin", "twin" }))
		want(t, "twins", stables(m.ByLogin(bg, "TWIN")), "twin twin2")
	})
	t.Run("an ended context is an error", func(t *testing.T) {
		ctx, cancel := context.WithCancel(bg)
		cancel()
		if _, err := m.Get(ctx, full.ID); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := m.Apply(ctx, "corp", Batch{Deletes: []string{"x"}}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// TestAbuse_A07_SearchIsLiteral: no character of a search term means anything
// but itself.
func TestAbuse_A07_SearchIsLiteral(t *testing.T) {
	m := loaded(t, "corp")
	named := func(uid, name string) *directory.Entry {
		return person(uid, func(e *directory.Entry) { e.Attributes[directory.AttrName] = []string{name} })
	}
	apply(t, m, "corp", named("star", "all * stars"), named("percent", "100% sure"), named("under", "a_b_c"), named("quote", `say "hi" o'x`),
		named("slash", `back\slash (x)(y)`), named("greek", "ΟΔΥΣΣΕΥΣ"), named("umlaut", "JÜRGEN"), named("plain", "abc axb"),
		named("nul", "nul\x00nul"), named("broken", "bro\xffken"), group("A*B", "x"), group("aXb", "x"), group("100%"), group("it's"))
	for text, expected := range map[string]string{
		"* s": "star", "***": "", "*": "star", "00%": "percent", "%%%": "", "%": "percent", "___": "", "a_b": "under", "_": "under",
		`"hi"`: "quote", `"`: "quote", `'x`: "quote", "o'x": "quote", `\sl`: "slash", ")(y": "slash", "δυσσ": "greek", "Jürg": "umlaut", "ü": "umlaut",
		"abc OR": "", "abc NOT": "", "text:": "", "^abc": "", "abc": "plain", "nul\x00n": "nul", "o\xffk": "broken", "name of": "",
		"x' OR '1'='1": "", strings.Repeat("x", 300): "",
	} {
		want(t, fmt.Sprintf("people %q", text), stables(m.SearchPeople(bg, text, 10)), expected)
	}
	for text, expected := range map[string]string{"a*": "A*B", "A*b": "A*B", "0%": "100%", "%": "100%", "xb": "aXb", "t's": "it's", "": ""} {
		want(t, fmt.Sprintf("groups %q", text), stables(m.SearchGroups(bg, text, 10)), expected)
	}
	want(t, "limit", stables(m.SearchPeople(bg, "a", 2))[:1], stables(m.SearchPeople(bg, "a", 2))[:1])
	if got, err := m.SearchPeople(bg, "example", 0); len(got) != 0 || err != nil {
		t.Error("limit 0", got, err)
	}
}

// TestAbuse_F18_SQLTextMeansNothing: SQL in any key finds nothing and breaks nothing.
func TestAbuse_F18_SQLTextMeansNothing(t *testing.T) {
	m := loaded(t, "corp")
	apply(t, m, "corp", person("ann"), group("staff", dnOf("ann")))
	for _, evil := range []string{"' OR 1=1 --", `"; DROP TABLE entry; --`, "x' UNION SELECT * FROM entry --", "?1", "\x00", "%"} {
		want(t, "login", stables(m.ByLogin(bg, evil)), "")
		want(t, "mail", stables(m.ByMail(bg, evil)), "")
		want(t, "group", stables(m.GroupByName(bg, evil)), "")
		if _, err := m.Get(bg, directory.ID{Directory: "corp", Stable: evil}); !errors.Is(err, directory.ErrNotFound) {
			t.Error(err)
		}
		if _, err := m.List(bg, Query{Kind: directory.KindPerson, After: evil}); !errors.Is(err, ErrPosition) {
			t.Error(evil, err)
		}
		if _, err := m.List(bg, Query{Kind: directory.KindPerson, Directory: evil}); err == nil {
			t.Error("unknown directory accepted")
		}
		remove(t, m, "corp", evil)
	}
	want(t, "still there", stables(m.ByLogin(bg, "ann")), "ann")
}

func TestLists(t *testing.T) {
	m := loaded(t, "corp")
	var all []*directory.Entry
	for i := range 25 {
		all = append(all, person(fmt.Sprintf("p%02d", i), func(e *directory.Entry) {
			e.Attributes[directory.AttrName] = []string{fmt.Sprintf("N%d", i%3)}
		}))
	}
	apply(t, m, "corp", all...)
	t.Run("pages by position survive what comes and goes between them", func(t *testing.T) {
		p, err := m.ListPage(bg, Query{Kind: directory.KindPerson, SortBy: SortDisplay, Limit: 10})
		if err != nil || len(p.Entries) != 10 {
			t.Fatal(len(p.Entries), err)
		}
		var seen strings.Builder
		seen.WriteString(stables(p.Entries, nil))
		remove(t, m, "corp", p.Entries[9].ID.Stable, p.Entries[2].ID.Stable)
		apply(t, m, "corp", person("aaa", func(e *directory.Entry) { e.Attributes[directory.AttrName] = []string{"A"} }))
		for p.Next != "" {
			if p, err = m.ListPage(bg, Query{Kind: directory.KindPerson, SortBy: SortDisplay, Limit: 10, After: p.Next}); err != nil {
				t.Fatal(err)
			}
			seen.WriteString(" " + stables(p.Entries, nil))
		}
		want(t, "seen", sorted(seen.String()), sorted(stables(all, nil)))
	})
	t.Run("both ways, from any offset", func(t *testing.T) {
		e, err := m.List(bg, Query{Kind: directory.KindPerson, Descending: true, Limit: 2, Offset: 1})
		want(t, "last but one", stables(e, err), "p23 p22")
	})
	t.Run("counts are exact and follow changes", func(t *testing.T) {
		for _, expected := range []int{24, 24, 23} {
			if expected == 23 {
				remove(t, m, "corp", "id-aaa")
			}
			if n, err := m.Count(bg, directory.KindPerson, "corp"); n != expected || err != nil {
				t.Error(n, err)
			}
		}
	})
	t.Run("an empty list is no error", func(t *testing.T) {
		want(t, "groups", stables(m.List(bg, Query{Kind: directory.KindGroup})), "")
	})
}

// TestShadowing: the first directory that owns a login name wins.
func TestShadowing(t *testing.T) {
	m := loaded(t, "corp", "branch", "third")
	named := func(dir, name string) *directory.Entry {
		return person("x-"+dir, in(dir), func(e *directory.Entry) {
			e.Name, e.Login = name, name
			e.DN = "uid=" + name + ",dc=" + dir
			e.Attributes[directory.AttrMail] = []string{"same@example.org"}
		})
	}
	var told []directory.ID
	m.OnChange(func(ids []directory.ID) { told = ids })
	everywhere := func(t *testing.T, expected string) {
		t.Helper()
		want(t, "login", stables(m.ByLogin(bg, "jdoe")), expected)
		want(t, "mail", stables(m.ByMail(bg, "same@example.org")), expected)
		want(t, "search", stables(m.SearchPeople(bg, "jdo", 10)), expected)
		want(t, "short search", stables(m.SearchPeople(bg, "jd", 10)), expected)
		want(t, "list", stables(m.List(bg, Query{Kind: directory.KindPerson})), expected)
		want(t, "members", members(t, m, "all", false), expected)
		n, err := m.Count(bg, directory.KindPerson, "")
		if err != nil || n != len(strings.Fields(expected)) {
			t.Error("count", n, err)
		}
	}
	apply(t, m, "corp", group("all", "uid=jdoe,dc=corp", "uid=jdoe,dc=branch", "uid=jdoe,dc=third"))
	apply(t, m, "third", named("third", "jdoe"))
	everywhere(t, "third/x-third")
	apply(t, m, "branch", named("branch", "jdoe"))
	everywhere(t, "branch/x-branch")
	if len(told) != 2 {
		t.Error("who became invisible is told too:", told)
	}
	apply(t, m, "corp", named("corp", "jdoe"))
	everywhere(t, "x-corp")
	if e, err := m.Get(bg, directory.ID{Directory: "third", Stable: "id-x-third"}); err != nil || e.Login != "jdoe" {
		t.Error("an id still finds its entry", err)
	}
	if yes, err := m.Shadowed(bg, directory.ID{Directory: "third", Stable: "id-x-third"}); !yes || err != nil {
		t.Error(yes, err)
	}
	remove(t, m, "corp", "id-x-corp")
	everywhere(t, "branch/x-branch")
	apply(t, m, "branch", named("branch", "other"))
	want(t, "after a rename", stables(m.ByLogin(bg, "jdoe")), "third/x-third")
	want(t, "renamed", stables(m.ByLogin(bg, "other")), "branch/x-branch")
}

// TestAbuse_I10_OddContent: whatever a directory holds, it is kept or left out,
// without a panic.
func TestAbuse_I10_OddContent(t *testing.T) {
	m := loaded(t, "corp")
	odd := &directory.Entry{ID: id("odd"), Kind: directory.KindPerson, DN: "no dn at all", Attributes: directory.Attributes{
		"": {"x"}, "empty": {}, "binary": {"\x00\xff\xfe"}, directory.AttrManager: {"", "not a dn", "\xff"}, directory.AttrMail: {"", " "},
	}}
	bare := &directory.Entry{ID: id("bare"), Kind: directory.KindGroup, Members: []string{"", "\x00", ","}}
	apply(t, m, "corp", odd, bare)
	got, err := m.Get(bg, id("odd"))
	if err != nil || got.Attributes["binary"][0] != "\x00\xff\xfe" || got.Attributes["empty"] != nil {
		t.Error(got, err)
	}
	want(t, "members", members(t, m, "bare", true), "")
	for _, bad := range []*directory.Entry{
		{ID: directory.ID{Directory: "other", Stable: "x"}, Kind: directory.KindPerson},
		{ID: directory.ID{Directory: "corp"}, Kind: directory.KindPerson},
		{ID: id("kindless")},
	} {
		if err := m.Apply(bg, "corp", Batch{Upserts: []*directory.Entry{bad}}); err == nil {
			t.Error("accepted", bad)
		}
	}
}

func TestCodec_RoundTrip(t *testing.T) {
	text := rapid.StringOf(rapid.RuneFrom([]rune("aÄ\x00,=語")))
	attributes := rapid.MapOf(rapid.OneOf(rapid.SampledFrom(names[:]), text), rapid.SliceOfN(text, 1, 4))
	rapid.Check(t, func(t *rapid.T) {
		e := &directory.Entry{
			ID: id("x"), Kind: directory.Kind(rapid.IntRange(1, 3).Draw(t, "kind")), DN: text.Draw(t, "dn"), Name: text.Draw(t, "name"),
			Login: text.Draw(t, "login"), Version: text.Draw(t, "version"), MembersByName: rapid.Bool().Draw(t, "by name"),
		}
		if a := attributes.Draw(t, "attributes"); len(a) > 0 {
			e.Attributes = a
		}
		if s := attributes.Draw(t, "signals"); len(s) > 0 {
			e.Signals = s
		}
		if n := rapid.Int64Range(-1e10, 1e10).Draw(t, "time"); n != 0 {
			e.Modified = time.Unix(n, n%1000+1000).UTC()
		}
		body := encode(nil, e)
		got, err := decode(e.ID, body)
		if diff := cmp.Diff(e, got); diff != "" || err != nil {
			t.Fatal(diff, err)
		}
		flip := rapid.IntRange(0, len(body)-1).Draw(t, "flip")
		body[flip] ^= byte(rapid.IntRange(1, 255).Draw(t, "by"))
		if _, err := decode(e.ID, body); !errors.Is(err, ErrCorrupt) {
			t.Fatal("a flipped byte went unseen")
		}
	})
}
