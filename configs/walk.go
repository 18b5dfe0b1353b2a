package configs

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Limits of one document. Aliases count each time they are followed, so that a
// few lines cannot stand for millions.
const (
	maxNodes = 20_000
	maxItems = 1_000
	maxDepth = 20
)

// walker puts a tree of YAML nodes into Go values and collects every fault on
// the way. It goes by the types, so nothing that they do not name is let in.
type walker struct {
	report
	file     string
	variable string // set while a value of the environment is decoded
	target   string // and the key that the variable stands for
	nodes    int
}

func newWalker(file string) *walker {
	return &walker{
		file:   file,
		report: report{where: map[string]position{"": {file: file}}, broken: make(map[string]bool)},
	}
}

// nodeDecoder is implemented by types with a YAML form of their own.
type nodeDecoder interface {
	decodeNode(w *walker, n *yaml.Node, key string)
}

// defaulter is implemented by list elements with defaults.
type defaulter interface{ setDefaults() }

// faultAt adds a fault at a node rather than at a key's recorded place.
func (w *walker) faultAt(n *yaml.Node, key, text string) {
	w.spoil(key)
	if w.variable != "" {
		if key != w.target {
			text = key + ": " + text
		}
		w.add(Fault{File: Environment, Key: w.variable, Text: text})
		return
	}
	w.add(Fault{File: w.file, Line: n.Line, Key: key, Text: text})
}

// enter follows an alias, counts the node and records its place. It is false
// when the node must not be read.
func (w *walker) enter(n *yaml.Node, key string) (*yaml.Node, bool) {
	for range maxDepth {
		if n.Kind != yaml.AliasNode {
			break
		}
		n = n.Alias
	}
	w.nodes++
	if w.nodes == maxNodes+1 {
		w.faultAt(n, "", "aliases make this file too large; write the values out")
	}
	if w.nodes > maxNodes {
		return nil, false
	}
	if n.Kind != yaml.ScalarNode && n.Kind != yaml.SequenceNode && n.Kind != yaml.MappingNode {
		w.faultAt(n, key, "aliases that lead in a circle")
		return nil, false
	}
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") || n.ShortTag() == "!!binary" {
		w.faultAt(n, key, "tags such as !x are not understood here; write the plain value")
		return nil, false
	}
	pos := position{file: w.file, line: n.Line}
	if w.variable != "" {
		pos = position{file: Environment, variable: w.variable}
	}
	w.where[key] = pos
	return n, true
}

// decode puts a node into a value of any type that the configuration has.
func (w *walker) decode(n *yaml.Node, v reflect.Value, key string) {
	n, ok := w.enter(n, key)
	if !ok {
		return
	}
	if d, ok := reflect.TypeAssert[nodeDecoder](v.Addr()); ok {
		d.decodeNode(w, n, key)
		return
	}
	switch v.Interface().(type) {
	case Names:
		w.names(n, v, key)
		return
	case Secret, time.Duration, Size, string, bool, int:
		w.scalar(n, v, key)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		w.section(n, v, key)
	case reflect.Slice:
		w.list(n, v, key)
	case reflect.Map:
		w.mapping(n, v, key)
	default:
		panic("configs: no YAML form for " + v.Type().String())
	}
}

// pairs gives the keys and values of a mapping, with a fault for each key that
// is not plain text, stands twice, or merges. A null gives none.
func (w *walker) pairs(n *yaml.Node, key string) [][2]*yaml.Node {
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		w.faultAt(n, key, "must be a section with keys of its own, not "+kindOf(n))
		return nil
	}
	first := make(map[string]int)
	var pairs [][2]*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, value := n.Content[i], n.Content[i+1]
		switch line, twice := first[k.Value]; {
		case k.Tag == "!!merge":
			w.faultAt(k, key, "merging with << is not understood here; write the keys out")
		case k.Kind != yaml.ScalarNode:
			w.faultAt(k, key, "a key must be plain text")
		case i/2 >= maxItems:
			w.faultAt(k, key, "has too many keys")
			return pairs
		case twice:
			w.faultAt(k, childKey(key, clip(k.Value)), "stands here twice, first in line "+itoa(line)+"; remove one")
		default:
			first[k.Value] = k.Line
			pairs = append(pairs, [2]*yaml.Node{k, value})
		}
	}
	return pairs
}

// section decodes a mapping into a struct.
func (w *walker) section(n *yaml.Node, v reflect.Value, key string) {
	for _, pair := range w.pairs(n, key) {
		name := pair[0].Value
		field, ok := fieldByName(v, name)
		if !ok {
			w.faultAt(pair[0], childKey(key, clip(name)), "is not a known key"+suggest(name, v.Type(), key))
			continue
		}
		w.decode(pair[1], field, childKey(key, name))
	}
}

// list decodes a sequence into a slice.
func (w *walker) list(n *yaml.Node, v reflect.Value, key string) {
	if isNull(n) {
		v.SetZero()
		return
	}
	if n.Kind != yaml.SequenceNode {
		w.faultAt(n, key, "must be a list, not "+kindOf(n)+"; write it in brackets: [a, b]")
		return
	}
	if len(n.Content) > maxItems {
		w.faultAt(n, key, "has too many items")
		return
	}
	items := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		element := items.Index(i)
		if d, ok := reflect.TypeAssert[defaulter](element.Addr()); ok {
			d.setDefaults()
		}
		if target, ok := resolveNull(item); ok {
			w.faultAt(target, key+"["+itoa(i)+"]", "is empty; write a value or remove the item")
			continue
		}
		w.decode(item, element, key+"["+itoa(i)+"]")
	}
	if len(n.Content) == 0 {
		items = reflect.Zero(v.Type())
	}
	v.Set(items)
}

// mapping decodes a mapping into a map with text keys.
func (w *walker) mapping(n *yaml.Node, v reflect.Value, key string) {
	pairs := w.pairs(n, key)
	if len(pairs) == 0 {
		v.SetZero()
		return
	}
	values := reflect.MakeMapWithSize(v.Type(), len(pairs))
	for _, pair := range pairs {
		value := reflect.New(v.Type().Elem()).Elem()
		w.decode(pair[1], value, childKey(key, clip(pair[0].Value)))
		values.SetMapIndex(reflect.ValueOf(pair[0].Value), value)
	}
	v.Set(values)
}

// names decodes one name or a list of names.
func (w *walker) names(n *yaml.Node, v reflect.Value, key string) {
	switch {
	case n.Kind == yaml.SequenceNode:
		w.list(n, v, key)
	case n.Kind == yaml.ScalarNode && !isNull(n):
		var name string
		w.scalar(n, reflect.ValueOf(&name).Elem(), key)
		v.Set(reflect.ValueOf(Names{name}))
	default:
		w.faultAt(n, key, "must be an attribute name or a list of them, such as [displayName, cn]; write [] to drop it")
	}
}

// fieldByName finds the field of a struct that has the YAML key.
func fieldByName(v reflect.Value, name string) (reflect.Value, bool) {
	i := slices.Index(keysOf(v.Type()), name)
	if i < 0 {
		return reflect.Value{}, false
	}
	return v.Field(i), true
}

// keysOf gives the YAML keys of a struct type, by the index of the field; ""
// for fields that are no keys.
func keysOf(t reflect.Type) []string {
	keys := make([]string, t.NumField())
	for i := range keys {
		if tag := t.Field(i).Tag.Get("yaml"); tag != "-" {
			keys[i] = tag
		}
	}
	return keys
}

// isNull tells whether a node is an empty value.
func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// resolveNull follows one alias and tells whether nothing is there.
func resolveNull(n *yaml.Node) (*yaml.Node, bool) {
	target := n
	if n.Kind == yaml.AliasNode {
		target = n.Alias
	}
	return n, isNull(target)
}
