package normal

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"

	"portico/scim/fault"
	"portico/scim/resource"
	"portico/scim/schema"
)

// reader brings values into the types of the schema.
type reader struct {
	t       *schema.Type
	strings bool // text is taken for booleans and numbers
	plain   bool // a plain value is taken for a complex one, one value for a list of one
	strict  bool
	full    bool // of POST and PUT: what is blank and required is refused, read-only parts are dropped
}

func wrong(path schema.Path, want string) error {
	return fault.Bad(fault.InvalidValue, "%s: want %s", path, want)
}

// attribute reads the value of a whole attribute.
func (n *reader) attribute(path schema.Path, value any) (any, error) {
	a := path.Attribute
	if value == nil {
		return nil, nil
	}
	if !a.Multi {
		if _, isList := value.([]any); isList {
			return nil, wrong(path, "one value, not a list")
		}
		return n.one(path, a, value)
	}
	list, isList := value.([]any)
	switch {
	case !isList && (n.full || n.strict):
		return nil, wrong(path, "a list")
	case !isList:
		list = []any{value}
	case len(list) > MaxMembers:
		return nil, fault.New(413, "", "%s: more than %d values", path, MaxMembers)
	}
	read := make([]any, 0, len(list))
	for _, element := range list {
		if element == nil {
			continue
		}
		one, err := n.one(path, a, element)
		if err != nil {
			return nil, err
		}
		if object, ok := one.(resource.Object); ok {
			if err := prune(path, a, object); err != nil {
				return nil, err
			}
		}
		if resource.Present(one) {
			read = append(read, one)
		}
	}
	return read, nil
}

// prune drops the empty parts of an element. One whose value is set for good, such as a member, must have it.
func prune(path schema.Path, a *schema.Attribute, object resource.Object) error {
	maps.DeleteFunc(object, func(_ string, part any) bool { return !resource.Present(part) })
	if value := a.Value(); value != nil && value.Mutability == schema.Immutable && object["value"] == nil {
		path.Sub = value
		return fault.Bad(fault.InvalidValue, "%s is required", path)
	}
	return nil
}

// one reads one value of an attribute: an object for a complex one.
func (n *reader) one(path schema.Path, a *schema.Attribute, value any) (any, error) {
	if a.Kind != schema.Complex {
		return n.simple(path, a, value)
	}
	object, ok := value.(resource.Object)
	if !ok {
		if a.Value() == nil || !n.plain {
			return nil, wrong(path, "an object")
		}
		if _, isList := value.([]any); isList {
			return nil, wrong(path, "an object")
		}
		object = resource.Object{"value": value}
	}
	read := make(resource.Object, len(object))
	for name, part := range object {
		sub := a.Sub(name)
		if sub == nil || sub.Name == "$ref" || sub.Mutability == schema.ReadOnly && a.Mutability != schema.ReadOnly {
			continue // unknown, or made by the server
		}
		canonical, err := n.sub(path, sub, part)
		if err != nil {
			return nil, err
		}
		if n.full && !resource.Present(canonical) {
			continue
		}
		read[sub.Name] = canonical
	}
	return read, nil
}

// sub reads one part of a complex value.
func (n *reader) sub(path schema.Path, sub *schema.Attribute, value any) (any, error) {
	if value == nil {
		return nil, nil
	}
	path.Sub = sub
	if !sub.Multi {
		return n.simple(path, sub, value)
	}
	list, ok := value.([]any)
	if !ok {
		return nil, wrong(path, "a list")
	}
	read := make([]any, 0, len(list))
	for _, element := range list {
		one, err := n.simple(path, sub, element)
		if err != nil {
			return nil, err
		}
		read = append(read, one)
	}
	return read, nil
}

// simple reads a value that has no parts.
func (n *reader) simple(path schema.Path, a *schema.Attribute, value any) (any, error) {
	text, isText := value.(string)
	if isText && text == "" {
		if a.Required {
			return nil, fault.Bad(fault.InvalidValue, "%s is required", path)
		}
		return "", nil
	}
	switch a.Kind {
	case schema.Boolean:
		return n.boolean(path, value)
	case schema.Integer, schema.Decimal:
		return n.number(path, a, value)
	}
	if !isText {
		return nil, wrong(path, "text")
	}
	switch a.Kind {
	case schema.DateTime:
		if _, ok := resource.ParseTime(text); !ok {
			return nil, wrong(path, "date and time, such as 2026-01-31T23:00:00Z")
		}
	case schema.Binary:
		return base64Text(path, text)
	case schema.Reference, schema.String:
		if strings.ContainsRune(text, 0) {
			return nil, wrong(path, "text without NUL")
		}
		if a.Required && strings.TrimSpace(text) == "" {
			return nil, fault.Bad(fault.InvalidValue, "%s is required", path)
		}
	}
	if a.Name == "country" && path.Attribute.Name == "addresses" {
		return n.country(path, text)
	}
	return prepare(path, a, text)
}

func (n *reader) boolean(path schema.Path, value any) (any, error) {
	if b, ok := value.(bool); ok {
		return b, nil
	}
	text, isText := value.(string)
	switch {
	case !isText || !n.strings:
	case strings.EqualFold(text, "true"):
		return true, nil
	case strings.EqualFold(text, "false"):
		return false, nil
	}
	return nil, wrong(path, "true or false")
}

func (n *reader) number(path schema.Path, a *schema.Attribute, value any) (any, error) {
	number, ok := value.(json.Number)
	if text, isText := value.(string); isText && n.strings && resource.ScanNumber(text, 0) == len(text) {
		number, ok = json.Number(text), true
	}
	if !ok {
		return nil, wrong(path, "a number")
	}
	exact, ok := resource.ParseNumber(number.String())
	if !ok {
		return nil, wrong(path, "a number of reasonable size")
	}
	if a.Kind == schema.Integer {
		if strings.ContainsAny(number.String(), ".eE") || !exact.IsInt() || !exact.Num().IsInt64() {
			return nil, wrong(path, "an integer")
		}
	}
	return number, nil
}

// base64Text checks binary values, which are kept as they came but for missing padding.
func base64Text(path schema.Path, text string) (any, error) {
	for _, encoding := range []*base64.Encoding{base64.StdEncoding.Strict(), base64.RawStdEncoding.Strict(), base64.URLEncoding.Strict(), base64.RawURLEncoding.Strict()} {
		if decoded, err := encoding.DecodeString(text); err == nil {
			return base64.StdEncoding.EncodeToString(decoded), nil
		}
	}
	return nil, wrong(path, "Base64")
}

// country wants two letters. Only a strict client has to keep to it: names of countries are what many of them send.
func (n *reader) country(path schema.Path, text string) (any, error) {
	letters := len(text) == 2
	for i := range len(text) {
		letters = letters && text[i]|0x20 >= 'a' && text[i]|0x20 <= 'z'
	}
	switch {
	case letters:
		return strings.ToUpper(text), nil
	case n.strict:
		return nil, wrong(path, "the two letters of a country")
	}
	return text, nil
}
