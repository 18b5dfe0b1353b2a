package patch

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"portico/scim/fault"
	"portico/scim/filter"
	"portico/scim/resource"
	"portico/scim/schema"
)

// mostWork is how many values the operations of one request may look at, counted once for each comparison that a filter
// makes of them. Without a bound, a thousand operations on a hundred thousand members would take minutes.
const mostWork = 10_000_000

// list is an attribute with several values while operations work on it. Its elements are not changed, but replaced.
type list struct {
	path   schema.Path
	values []any // nil: was removed
	holes  int   // how many were
	index  *index
}

// own gives the list of an attribute.
func (e *engine) own(p schema.Path) *list {
	if l := e.lists[p.Attribute]; l != nil {
		return l
	}
	stored, _ := e.get(p).([]any)
	l := &list{path: p, values: slices.Clone(stored)}
	e.lists[p.Attribute] = l
	return l
}

// spend counts work. The error is a 413.
func (e *engine) spend(values int) error {
	if e.spent += values; e.spent > mostWork {
		return fault.New(http.StatusRequestEntityTooLarge, "", "the operations look at too many values: send fewer at once")
	}
	return nil
}

// compact closes the holes.
func (l *list) compact() []any {
	if l.holes > 0 {
		l.values = slices.DeleteFunc(l.values, func(value any) bool { return value == nil })
		l.holes, l.index = 0, nil
	}
	return l.values
}

// reset puts other values in the place of all.
func (l *list) reset(values []any) error {
	l.values, l.holes, l.index = values, 0, nil
	return l.enough()
}

func (l *list) enough() error {
	if len(l.values) == l.holes && l.path.Attribute.Required {
		return fault.Bad(fault.InvalidValue, "%s is required", l.path)
	}
	return nil
}

// indexed makes the index of a list, unless it is there.
func (e *engine) indexed(l *list) (*index, error) {
	if l.index == nil {
		values := l.compact()
		if err := e.spend(len(values)); err != nil {
			return nil, err
		}
		l.index = newIndex(l.path.Attribute, values, 0)
	}
	return l.index, nil
}

// removeKeys drops the values that have one of the keys.
func (e *engine) removeKeys(l *list, keys []string) error {
	index, err := e.indexed(l)
	if err != nil {
		return err
	}
	for _, key := range keys {
		for _, at := range index.take(key) {
			l.values[at] = nil
			l.holes++
		}
	}
	return l.enough()
}

// drop removes the elements that are gone; without any, nothing changes. cost is how many comparisons gone makes.
func (e *engine) drop(l *list, cost int, gone func(any) bool) error {
	values := l.compact()
	if err := e.spend(len(values) * max(1, cost)); err != nil {
		return err
	}
	kept := make([]any, 0, len(values))
	for _, value := range values {
		if !gone(value) {
			kept = append(kept, value)
		}
	}
	if len(kept) == len(values) {
		return nil
	}
	return l.reset(kept)
}

// terms counts the comparisons of a filter.
func terms(n *filter.Node) int {
	if n == nil {
		return 1
	}
	count := 1
	for _, child := range n.Children {
		count += terms(child)
	}
	return count
}

// keysOf gives the keys of the values that a filter asks for, when it is value eq "x", also several joined by or.
func keysOf(n *filter.Node, a *schema.Attribute) ([]string, bool) {
	switch {
	case n == nil || a.Value() == nil:
		return nil, false
	case n.Kind == filter.Or:
		var keys []string
		for _, child := range n.Children {
			more, ok := keysOf(child, a)
			if !ok {
				return nil, false
			}
			keys = append(keys, more...)
		}
		return keys, true
	case n.Kind != filter.Compare || n.Op != filter.Eq || n.Value.Text == "" || n.Path.Sub != a.Value():
		return nil, false
	}
	return []string{valueKey(a.Value(), n.Value.Text)}, true
}

// index finds values that are there already by what makes them the same.
type index struct {
	a     *schema.Attribute
	first map[string]int
	more  map[string][]int // of values that are there several times
}

// newIndex indexes a list that some values are going to be added to.
func newIndex(a *schema.Attribute, values []any, more int) *index {
	x := &index{a: a, first: make(map[string]int, len(values)+more)}
	for i, value := range values {
		x.add(value, i)
	}
	return x
}

func (x *index) add(value any, at int) {
	key := keyOf(x.a, value)
	if _, there := x.first[key]; !there {
		x.first[key] = at
		return
	}
	if x.more == nil {
		x.more = map[string][]int{}
	}
	x.more[key] = append(x.more[key], at)
}

// find gives the place of a value that is the same, or -1.
func (x *index) find(value any) int {
	if at, there := x.first[keyOf(x.a, value)]; there {
		return at
	}
	return -1
}

// take gives the places of all values with a key, and forgets them.
func (x *index) take(key string) []int {
	at, there := x.first[key]
	if !there {
		return nil
	}
	places := append([]int{at}, x.more[key]...)
	delete(x.first, key)
	delete(x.more, key)
	return places
}

// byValue tells whether values of an attribute are the same when their parts "value" are: its type does not matter, or
// is nothing that a client could choose.
func byValue(a *schema.Attribute) bool {
	kind := a.Sub("type")
	return a.Kind != schema.Complex || a.Value() != nil && (kind == nil || kind.Mutability != schema.ReadWrite)
}

func valueKey(leaf *schema.Attribute, text string) string { return "=" + resource.Key(leaf, text) }

// keyOf gives the text that is the same for values that are the same: by value and type where there is a value, else by
// all parts but those that the server fills in.
func keyOf(a *schema.Attribute, value any) string {
	object, isObject := value.(resource.Object)
	if !isObject {
		if text, ok := value.(string); ok {
			return valueKey(a, text)
		}
		return fingerprint(value)
	}
	text, _ := object["value"].(string)
	switch {
	case text == "" || a.Value() == nil:
		return fingerprint(comparable(object))
	case byValue(a):
		return valueKey(a.Value(), text)
	}
	kind, _ := object["type"].(string)
	return valueKey(a.Value(), text) + "\x00" + resource.Key(a.Sub("type"), kind)
}

// fingerprint gives one text for values that are equal.
func fingerprint(value any) string {
	switch v := value.(type) {
	case string:
		return strconv.Quote(v)
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		if number, ok := resource.ParseNumber(v.String()); ok {
			return number.RatString()
		}
		return v.String()
	case []any:
		var text strings.Builder
		for _, element := range v {
			text.WriteString("," + fingerprint(element))
		}
		return "[" + text.String() + "]"
	case resource.Object:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		var text strings.Builder
		for _, name := range names {
			text.WriteString("," + strconv.Quote(name) + ":" + fingerprint(v[name]))
		}
		return "{" + text.String() + "}"
	}
	return ""
}
