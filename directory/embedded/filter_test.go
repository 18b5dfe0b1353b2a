package embedded

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"pgregory.net/rapid"
)

// term is a filter as the reference evaluation below understands it.
type term struct {
	op    string // "&", "|", "!", "=", "*" (substrings), "present", ">=", "<="
	subs  []term
	attr  string
	value string   // of =, >=, <=
	parts []string // of substrings: first and last may be empty
}

// String writes the term as RFC 4515 does.
func (f term) String() string {
	switch f.op {
	case "&", "|", "!":
		var out strings.Builder
		for _, s := range f.subs {
			out.WriteString(s.String())
		}
		return "(" + f.op + out.String() + ")"
	case "present":
		return "(" + f.attr + "=*)"
	case "*":
		parts := make([]string, len(f.parts))
		for i, p := range f.parts {
			parts[i] = ldap.EscapeFilter(p)
		}
		return "(" + f.attr + "=" + strings.Join(parts, "*") + ")"
	}
	return "(" + f.attr + f.op + ldap.EscapeFilter(f.value) + ")"
}

// reference is a second, plain opinion of what a filter means for an entry
// with lower-case, single-spaced values.
func (f term) reference(e map[string][]string) truth {
	switch f.op {
	case "&", "|":
		out, strong := isTrue, isFalse
		if f.op == "|" {
			out, strong = isFalse, isTrue
		}
		for _, s := range f.subs {
			switch v := s.reference(e); {
			case v == strong:
				return strong
			case v == isUndefined:
				out = isUndefined
			}
		}
		return out
	case "!":
		switch f.subs[0].reference(e) {
		case isTrue:
			return isFalse
		case isFalse:
			return isTrue
		}
		return isUndefined
	}
	number := f.attr == "uidNumber"
	switch {
	case f.attr == "foo", f.op == "*" && (number || f.attr == "manager"), (f.op == ">=" || f.op == "<=") && !number:
		return isUndefined
	case f.op == "present":
		return truthOf(len(e[f.attr]) > 0)
	case number && !integerForm.MatchString(f.value), f.attr == "manager" && !strings.Contains(f.value, "="):
		return isUndefined
	}
	for _, v := range e[f.attr] {
		if f.referenceValue(v, number) {
			return isTrue
		}
	}
	return isFalse
}

func (f term) referenceValue(v string, number bool) bool {
	switch {
	case f.op == "*":
		rest, ok := strings.CutPrefix(v, f.parts[0])
		for _, p := range f.parts[1 : len(f.parts)-1] {
			i := strings.Index(rest, p)
			if !ok || i < 0 {
				return false
			}
			rest = rest[i+len(p):]
		}
		return ok && strings.HasSuffix(rest, f.parts[len(f.parts)-1])
	case f.op == "=":
		return v == f.value
	case number:
		a, _ := strconv.Atoi(v)
		b, _ := strconv.Atoi(f.value)
		return f.op == ">=" && a >= b || f.op == "<=" && a <= b
	}
	return false
}

func genTerm(depth int) *rapid.Generator[term] {
	return rapid.Custom(func(t *rapid.T) term {
		attr := rapid.SampledFrom([]string{"cn", "mail", "uidNumber", "manager", "foo"}).Draw(t, "attr")
		word := rapid.SampledFrom([]string{"a", "b", "ab", "aba", "ba", "1", "12", "-3", "x", "cn=a", "cn=b"})
		kind := rapid.IntRange(0, 7).Draw(t, "kind")
		if depth == 0 {
			kind %= 5
		}
		switch kind {
		case 0:
			return term{op: "present", attr: attr}
		case 1:
			n := rapid.IntRange(2, 4).Draw(t, "parts")
			f := term{op: "*", attr: attr}
			for i := range n {
				p := word.Draw(t, "part")
				if (i == 0 || i == n-1) && n > 2 && rapid.Bool().Draw(t, "empty") {
					p = ""
				}
				f.parts = append(f.parts, p)
			}
			return f
		case 2:
			return term{op: ">=", attr: attr, value: word.Draw(t, "value")}
		case 3:
			return term{op: "<=", attr: attr, value: word.Draw(t, "value")}
		case 4:
			return term{op: "=", attr: attr, value: word.Draw(t, "value")}
		case 5:
			return term{op: "!", subs: []term{genTerm(depth-1).Draw(t, "sub")}}
		}
		return term{
			op:   rapid.SampledFrom([]string{"&", "|"}).Draw(t, "op"),
			subs: rapid.SliceOfN(genTerm(depth-1), 0, 3).Draw(t, "subs"),
		}
	})
}

func genEntry() *rapid.Generator[map[string][]string] {
	return rapid.Custom(func(t *rapid.T) map[string][]string {
		e := map[string][]string{}
		for attr, values := range map[string][]string{
			"cn": {"a", "b", "ab", "aba", "abba"}, "mail": {"a", "ab", "b", "baab"}, "uidNumber": {"1", "12", "-3", "7"}, "manager": {"cn=a", "cn=b"},
		} {
			if v := rapid.SliceOfNDistinct(rapid.SampledFrom(values), 0, 2, rapid.ID[string]).Draw(t, attr); len(v) > 0 {
				e[attr] = v
			}
		}
		return e
	})
}

func viewOf(t rapid.TB, s *schema, e map[string][]string) view {
	t.Helper()
	out := &entry{}
	for name, vals := range e {
		d, ok := s.describe(name)
		if !ok {
			t.Fatalf("no type %s", name)
		}
		v, f := s.checkValues(attrDesc{typ: d.typ}, vals[:1], modAdd)
		for _, more := range vals[1:] {
			w, f2 := s.checkValues(attrDesc{typ: d.typ}, []string{more}, modAdd)
			if f2 != nil {
				f = f2
			}
			v = append(v, w...)
		}
		if f != nil {
			t.Fatalf("%s: %v", name, f)
		}
		out.put(d.typ, "", v)
	}
	return view{schema: s, entry: out}
}

func compile(t rapid.TB, s *schema, text string) *filter {
	t.Helper()
	p, err := ldap.CompileFilter(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	f, err := s.compileFilter(p)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return f
}

// TestFilter_Reference holds the evaluation against the plain one above.
func TestFilter_Reference(t *testing.T) {
	s, err := newSchema()
	must(t, err)
	rapid.Check(t, func(t *rapid.T) {
		f, e := genTerm(3).Draw(t, "filter"), genEntry().Draw(t, "entry")
		if got, want := compile(t, s, f.String()).eval(viewOf(t, s, e)), f.reference(e); got != want {
			t.Fatalf("%s on %v: %d, want %d", f, e, got, want)
		}
	})
}

// TestFilter_Laws are those of three-valued logic.
func TestFilter_Laws(t *testing.T) {
	s, err := newSchema()
	must(t, err)
	rapid.Check(t, func(t *rapid.T) {
		a, b := genTerm(2).Draw(t, "a"), genTerm(2).Draw(t, "b")
		v := viewOf(t, s, genEntry().Draw(t, "entry"))
		eval := func(format string, args ...any) truth { return compile(t, s, fmt.Sprintf(format, args...)).eval(v) }
		for _, law := range [][2]truth{
			{eval("(!(!%s))", a), eval("%s", a)},
			{eval("(!(&%s%s))", a, b), eval("(|(!%s)(!%s))", a, b)},
			{eval("(!(|%s%s))", a, b), eval("(&(!%s)(!%s))", a, b)},
			{eval("(&%s%s)", a, b), eval("(&%s%s)", b, a)},
			{eval("(|%s(&%s%s))", a, a, b), eval("%s", a)},
			{eval("(&)"), isTrue},
			{eval("(|)"), isFalse},
		} {
			if law[0] != law[1] {
				t.Fatalf("%d is not %d with a=%s b=%s", law[0], law[1], a, b)
			}
		}
	})
}

// TestDifferential_RandomFilters asks both servers the same random questions.
func TestDifferential_RandomFilters(t *testing.T) {
	t.Parallel()
	real, ours := dialService(t, startSlapd(t)), dialService(t, startEmbedded(t, nil).URL())
	for i := range 12 {
		e := genEntry().Example(i)
		r := addOf(fmt.Sprintf("ou=r%d,%s", i, testSuffix), "objectClass", "organizationalUnit", "objectClass", "extensibleObject", "ou", fmt.Sprint("r", i))
		for name, vals := range e {
			if name == "uidNumber" { // single-valued
				vals = vals[:1]
			}
			r.Attribute(name, vals)
		}
		if a, b := outcome(real.Add(r)), outcome(ours.Add(r)); a != "0" || b != "0" {
			t.Fatalf("add: %s and %s", a, b)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		f := genTerm(3).Draw(t, "filter").String()
		r := search(testSuffix, ldap.ScopeSingleLevel, "(&(ou=*)"+f+")", "1.1")
		if want, got := show(real.Search(r)), show(ours.Search(r)); got != want {
			t.Fatalf("%s:%s", f, lineDiff(want, got))
		}
	})
}
