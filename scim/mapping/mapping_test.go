package mapping_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"portico/adapter"
	"portico/scim/filter"
	"portico/scim/mapping"
	"portico/scim/resource"
	"portico/scim/schema"
)

func user(tb testing.TB) (*schema.Type, *mapping.Mapping) {
	tb.Helper()
	b, err := schema.LoadBuiltin()
	if err != nil {
		tb.Fatal(err)
	}
	t := schema.NewType("User", "/Users", "", b.User, schema.Extension{Schema: b.Enterprise})
	m, err := mapping.New(t, nil)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := mapping.New(schema.NewType("Group", "/Groups", "", b.Group), nil); err != nil {
		tb.Fatal(err)
	}
	return t, m
}

// entry draws a person of a directory, and the same as a resource.
func entry(t *rapid.T, kind *schema.Type) (*adapter.Entry, *resource.Resource, bool) {
	word := rapid.SampledFrom([]string{"a", "B", "ab", "Ä"})
	e := &adapter.Entry{Kind: adapter.KindPerson, Attributes: adapter.Attributes{}}
	e.Login = strings.ToLower(word.Draw(t, "login"))
	data := resource.Object{"userName": e.Login}
	if rapid.Bool().Draw(t, "title?") {
		e.Attributes["title"] = []string{word.Draw(t, "title")}
		data["title"] = e.Attributes["title"][0]
	}
	var emails, phones []any
	for i := range rapid.IntRange(0, 2).Draw(t, "mails") {
		value := word.Draw(t, "mail")
		e.Attributes["mail"] = append(e.Attributes["mail"], value)
		element := resource.Object{"value": value, "type": "other"}
		if i == 0 {
			element["type"], element["primary"] = "work", true
		}
		emails = append(emails, element)
	}
	for attribute, kind := range map[string]string{"phone": "work", "mobile": "mobile"} {
		if rapid.Bool().Draw(t, attribute) {
			value := word.Draw(t, attribute+" number")
			e.Attributes[attribute] = []string{value}
			phones = append(phones, resource.Object{"value": value, "type": kind})
		}
	}
	resource.Set(data, "", "emails", emails)
	resource.Set(data, "", "phoneNumbers", phones)
	active := rapid.Bool().Draw(t, "active")
	data["active"] = active
	e.Modified = time.Date(2026, 3, 1, 8, 0, 0, rapid.SampledFrom([]int{0, 1, 999_999, 1_000_000, 1_500_000}).Draw(t, "ns"), time.UTC)
	return e, &resource.Resource{Type: kind, Data: data, Modified: e.Modified}, active
}

// draw draws the text of a filter.
func draw(t *rapid.T, depth int) string {
	compare := func(path string) string {
		op := rapid.SampledFrom([]string{"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr", "eq null", "ne null"}).Draw(t, "op")
		if op == "pr" || strings.HasSuffix(op, "null") {
			return path + " " + op
		}
		return fmt.Sprintf("%s %s %q", path, op, rapid.SampledFrom([]string{"a", "b", "AB", "ä", "work", "other", "mobile"}).Draw(t, "literal"))
	}
	list := rapid.SampledFrom([]string{"emails", "phoneNumbers"}).Draw(t, "list")
	which := rapid.IntRange(0, 8).Draw(t, "node")
	if depth == 0 {
		which %= 6
	}
	switch which {
	case 0:
		return compare("userName")
	case 1:
		return compare(rapid.SampledFrom([]string{"title", "nickName", "displayName"}).Draw(t, "path"))
	case 2:
		return compare(list + "." + rapid.SampledFrom([]string{"value", "type", "display"}).Draw(t, "sub"))
	case 3:
		return list + ".primary " + rapid.SampledFrom([]string{"eq true", "ne true", "eq false", "pr", "eq null"}).Draw(t, "primary")
	case 4:
		op := rapid.SampledFrom([]string{"eq", "ne", "gt", "ge", "lt", "le", "sw"}).Draw(t, "time op")
		return "meta.lastModified " + op + ` "2026-03-01T08:00:00` + rapid.SampledFrom([]string{"", ".001", ".0005", ".0015"}).Draw(t, "fraction") + `Z"`
	case 5:
		return list + "[" + compare("value") + " and not (" + compare("type") + ") or primary " + rapid.SampledFrom([]string{"eq true", "ne true", "pr"}).Draw(t, "p") + "]"
	case 6:
		return "not (" + draw(t, depth-1) + ")"
	case 7:
		return "(" + draw(t, depth-1) + ") and (" + draw(t, depth-1) + ")"
	}
	return "(" + draw(t, depth-1) + ") or active eq " + rapid.SampledFrom([]string{"true", "false"}).Draw(t, "active") + " and (" + draw(t, depth-1) + ")"
}

// TestSC081PredicateIsASuperset: the predicate lets through whatever the filter does, and nothing else where it says
// that it is exact; also below not.
func TestSC081PredicateIsASuperset(t *testing.T) {
	t.Parallel()
	kind, m := user(t)
	rapid.Check(t, func(t *rapid.T) {
		text := draw(t, 3)
		expr, err := filter.Parse(text, filter.DefaultLimits())
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		node, err := filter.Bind(expr, kind, filter.Options{})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		predicate, exact := m.Predicate(node)
		if err := predicate.Check(); err != nil {
			t.Fatalf("%s cannot be asked: %v", text, err)
		}
		for range 5 {
			e, r, active := entry(t, kind)
			want := node.Match(r)
			got := predicate == nil || predicate.Match(e, func(p *adapter.Predicate) bool {
				return (p.Value == fmt.Sprint(active)) == (p.Op == adapter.OpEqual)
			})
			if want && !got || exact && got && !want {
				t.Fatalf("%s (exact %v) on %v, %v: predicate %v, filter %v", text, exact, r.Data, r.Modified, got, want)
			}
		}
	})
}

// TestNotOverWhatIsNotExact: the complement of a superset would lose resources.
func TestNotOverWhatIsNotExact(t *testing.T) {
	t.Parallel()
	kind, m := user(t)
	for text, exact := range map[string]bool{
		`not (nickName eq "x")`: false, `not (title eq "x")`: true, `not (title eq "x" and nickName pr)`: false,
		`title eq "x" or nickName pr`: false, `emails[type eq "work"].value eq "x"`: true, `groups.value eq "1"`: true,
		entManager + ` eq "1"`: true, `meta.resourceType eq "User"`: true, `userName pr`: true,
	} {
		expr, err := filter.Parse(text, filter.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		node, err := filter.Bind(expr, kind, filter.Options{})
		if err != nil {
			t.Fatal(err)
		}
		p, got := m.Predicate(node)
		if got != exact {
			t.Errorf("%s: exact is %v", text, got)
		}
		if strings.HasPrefix(text, "not") && !exact && p != nil {
			t.Errorf("%s: something is asked of the directory", text)
		}
	}
}

const entManager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"

func TestMappingNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	kind, m := user(t)
	for _, text := range []string{
		"User: [{path: nope, attribute: x}]", "User: [{path: title}]", "User: [{path: title, attribute: x, codec: magic}]",
		"User: [{path: emails, attribute: mail, first: {nope: 1}}]", "User: [{path: title, attribute: x, typo: y}]", "x",
	} {
		if _, err := mapping.New(kind, []byte(text)); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
	path, _ := kind.Lookup("emails.value")
	if attribute, ok := m.Sort(path); !ok || attribute != "mail" {
		t.Error(attribute, ok)
	}
}
