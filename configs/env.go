package configs

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// envPrefix begins every variable that is meant for Portico. What follows is
// the key in capitals, its parts joined by underscores, list items by index:
// PORTICO_BASE_URL, PORTICO_DIRECTORIES_0_TLS_CA_FILE.
const envPrefix = "PORTICO_"

// maxEnvironmentItems bounds the index of a list item in a variable's name.
const maxEnvironmentItems = 64

// kubernetesLink matches what Kubernetes puts into the environment of every
// container for a service that is called portico, or portico-something. They
// are not ours, and come uninvited.
var kubernetesLink = regexp.MustCompile(
	`^PORTICO_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// itemNumber matches the index of a list item in a variable's name.
var itemNumber = regexp.MustCompile(`_(0|[1-9][0-9]?)_`)

// setting is one variable of the environment.
type setting struct{ name, rest, value string }

// overlayEnvironment puts the PORTICO_ variables over the configuration.
func (w *walker) overlayEnvironment(cfg *Config, environ []string) {
	seen := make(map[string]bool)
	var settings []setting
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		rest, ours := strings.CutPrefix(name, envPrefix)
		if !ours || seen[name] {
			continue // like getenv, the first of two equal names counts
		}
		seen[name] = true
		settings = append(settings, setting{name, rest, value})
	}
	slices.SortFunc(settings, compareSettings)
	for _, s := range settings {
		w.variable = s.name
		switch found := w.set(reflect.ValueOf(cfg).Elem(), s.rest, "", s.value); {
		case found, kubernetesLink.MatchString(s.name):
		default:
			w.add(Fault{File: Environment, Key: s.name, Text: "is not a known variable" + suggestVariable(s.name)})
		}
	}
	w.variable, w.target = "", ""
}

// compareSettings orders by name, numbers in names by value, so that item 2 of
// a list is set before item 10.
func compareSettings(a, b setting) int {
	as, bs := strings.Split(a.rest, "_"), strings.Split(b.rest, "_")
	return slices.CompareFunc(as, bs, func(x, y string) int {
		n, errN := strconv.ParseUint(x, 10, 16)
		m, errM := strconv.ParseUint(y, 10, 16)
		if errN == nil && errM == nil && n != m {
			return int(n) - int(m)
		}
		return strings.Compare(x, y)
	})
}

// set puts a value at the place below v that the rest of a variable's name
// means. It is false where there is no such place.
func (w *walker) set(v reflect.Value, rest, key, value string) bool {
	if rest == "" {
		return w.assign(v, key, value)
	}
	switch {
	case v.Type() == reflect.TypeFor[map[string]Names]():
		return w.setNames(v, rest, key, value)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct && v.Type().Elem() != reflect.TypeFor[Secret]():
		return w.setItem(v, rest, key, value)
	case v.Kind() == reflect.Struct:
		return w.setField(v, rest, key, value)
	default:
		return false
	}
}

// setField finds the field whose key begins the rest of the name. Keys may
// begin with one another (url, url_file): the longest that leads to a place wins.
func (w *walker) setField(v reflect.Value, rest, key, value string) bool {
	names := keysOf(v.Type())
	order := make([]int, 0, len(names))
	for i, name := range names {
		upper := strings.ToUpper(name)
		if name != "" && (rest == upper || strings.HasPrefix(rest, upper+"_")) {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return len(names[b]) - len(names[a]) })
	for _, i := range order {
		below := strings.TrimPrefix(rest[len(names[i]):], "_")
		if w.set(v.Field(i), below, childKey(key, names[i]), value) {
			w.displace(v, names[i], key)
			return true
		}
	}
	return false
}

// displace clears the other form of a secret (inline, file) when the variable
// just set one form and the file of the configuration the other.
func (w *walker) displace(section reflect.Value, name, key string) {
	other, isFile := strings.CutSuffix(name, "_file")
	if !isFile {
		other = name + "_file"
	}
	field, ok := fieldByName(section, other)
	own, _ := fieldByName(section, name)
	if !ok || !isSecret(own) && !isSecret(field) {
		return
	}
	if w.where[childKey(key, other)].variable == "" {
		field.SetZero()
		delete(w.where, childKey(key, other))
	}
}

// setItem goes to a list item by its index; the index after the last makes a
// new item.
func (w *walker) setItem(v reflect.Value, rest, key, value string) bool {
	digits, below, _ := strings.Cut(rest, "_")
	i, err := strconv.Atoi(digits)
	if err != nil || strconv.Itoa(i) != digits || below == "" {
		return false
	}
	item := reflect.New(v.Type().Elem()).Elem()
	switch {
	case i > v.Len() || i >= maxEnvironmentItems:
		w.add(Fault{File: Environment, Key: w.variable, Text: fmt.Sprintf(
			"the next item of %s is number %d; items are counted from 0, without gaps, up to %d", key, v.Len(), maxEnvironmentItems-1)})
		return true
	case i < v.Len():
		return w.set(v.Index(i), below, key+"["+digits+"]", value)
	}
	if d, ok := reflect.TypeAssert[defaulter](item.Addr()); ok {
		d.setDefaults()
	}
	path := key + "[" + digits + "]"
	if !w.set(item, below, path, value) {
		return false
	}
	w.where[path] = position{file: Environment, variable: w.variable}
	v.Set(reflect.Append(v, item))
	return true
}

// setNames sets one attribute of a map of attributes.
func (w *walker) setNames(v reflect.Value, rest, key, value string) bool {
	name := strings.ToLower(rest)
	var names Names
	w.assign(reflect.ValueOf(&names).Elem(), childKey(key, name), value)
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	v.SetMapIndex(reflect.ValueOf(name), reflect.ValueOf(names))
	return true
}

// assign decodes the value of a variable: single values as they are, lists of
// single values separated by commas, everything else, and what begins with a
// bracket, as YAML.
func (w *walker) assign(v reflect.Value, key, value string) bool {
	w.target = key
	secret := v.Type() == reflect.TypeFor[Secret]()
	plainList := v.Kind() == reflect.Slice && isPlain(v.Type().Elem())
	switch {
	case isPlain(v.Type()):
		if value == "" && (secret || strings.HasSuffix(key, "_file")) {
			w.add(Fault{File: Environment, Key: w.variable, Text: "is set and empty; unset it or give it a value"})
			return true
		}
		w.decode(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}, v, key)
	case plainList && !strings.HasPrefix(strings.TrimSpace(value), "["):
		list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for item := range strings.SplitSeq(value, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list.Content = append(list.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: item})
			}
		}
		w.decode(list, v, key)
	case v.Kind() == reflect.Slice, v.Kind() == reflect.Map:
		w.assignYAML(v, key, value)
	default:
		w.add(Fault{File: Environment, Key: w.variable, Text: "names a section; name one of its keys: " +
			strings.ToUpper(strings.Join(slices.DeleteFunc(keysOf(v.Type()), isEmpty), ", "))})
	}
	return true
}

// assignYAML decodes a list or map from YAML in one variable.
func (w *walker) assignYAML(v reflect.Value, key, value string) {
	inner := newWalker("")
	root := inner.parse([]byte(value))
	for _, f := range inner.faults {
		w.add(Fault{File: Environment, Key: w.variable, Text: f.Text})
	}
	if len(inner.faults) > 0 {
		return
	}
	if root == nil {
		v.SetZero()
		return
	}
	w.decode(root, v, key)
}

// suggestVariable finds the key of the file that a misspelt variable means.
func suggestVariable(name string) string {
	numbers := itemNumber.FindAllString(name, -1)
	var candidates []string
	for _, path := range allKeys(reflect.TypeFor[Config](), "") {
		variable := envPrefix + strings.ToUpper(strings.NewReplacer("[].", "_0_", ".", "_").Replace(path))
		if len(numbers) == 1 {
			variable = strings.Replace(variable, "_0_", numbers[0], 1)
		}
		candidates = append(candidates, variable)
	}
	if near := nearest(name, candidates); near != "" {
		return "; did you mean " + near + "?"
	}
	return "; see portico.sample.yaml for the keys, and unset it"
}

// isPlain tells whether a type is a single value.
func isPlain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64:
		return true
	default:
		return t == reflect.TypeFor[Secret]()
	}
}

func isEmpty(s string) bool { return s == "" }
