// Package resource is the model of SCIM resources: a strict JSON decoder, values as the schema types them, comparison by
// the schema's rules, projection (which attributes an answer has) and rendering.
//
// Data is kept as decoded JSON under the schema's own spelling of every name: string, bool, json.Number, []any and
// Object; an extension's attributes are an Object under its URN. A value that is null, "" or [] is not there. Resources
// are not changed once they were handed on: who changes one works on a copy.
package resource

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"portico/scim/schema"
)

// Object is a JSON object.
type Object = map[string]any

// Resource is one resource of a type.
type Resource struct {
	Type     *schema.Type
	ID       string // made by the server, permanent
	Created  time.Time
	Modified time.Time
	// Version is the opaque part of the weak entity tag: printable ASCII without quotation marks.
	Version string
	// Data holds the attributes: externalId and all that are not common ones.
	Data Object
}

// TimeFormat is the form of times in answers: UTC with milliseconds.
const TimeFormat = "2006-01-02T15:04:05.000Z"

// FormatTime renders an instant.
func FormatTime(t time.Time) string { return t.UTC().Format(TimeFormat) }

// ParseTime reads an xsd:dateTime with any offset; without one it is UTC.
func ParseTime(text string) (time.Time, bool) {
	if len(text) > 64 {
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, strings.ToUpper(text)); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// ETag is the weak entity tag of a version, "" for none.
func ETag(version string) string {
	if version == "" {
		return ""
	}
	return `W/"` + version + `"`
}

// Location is the address of a resource below the base URL of the service.
func Location(base string, t *schema.Type, id string) string { return base + t.Endpoint + "/" + id }

// Schemas lists the URNs of the schemas that the resource has data for, the core schema first.
func (r *Resource) Schemas() []string {
	urns := []string{r.Type.Core.ID}
	for _, e := range r.Type.Extensions {
		if Present(r.Data[e.Schema.ID]) {
			urns = append(urns, e.Schema.ID)
		}
	}
	return urns
}

// Get finds the value of a whole attribute, nil when there is none.
func Get(data Object, extension, name string) any {
	if extension == "" {
		return data[name]
	}
	inner, _ := data[extension].(Object)
	return inner[name]
}

// Set stores a whole attribute, or removes it when the value is not there; an extension that becomes empty goes.
// The extension's object is copied before it is changed, so that copies of data may share it.
func Set(data Object, extension, name string, value any) {
	if extension == "" {
		put(data, name, value)
		return
	}
	old, _ := data[extension].(Object)
	inner := make(Object, len(old)+1)
	maps.Copy(inner, old)
	put(inner, name, value)
	if len(inner) == 0 {
		delete(data, extension)
		return
	}
	data[extension] = inner
}

func put(o Object, name string, value any) {
	if Present(value) {
		o[name] = value
	} else {
		delete(o, name)
	}
}

// Present tells whether there is a value: null, "", [] and objects of nothing but those are none.
func Present(value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case string:
		return v != ""
	case []any:
		return slices.ContainsFunc(v, Present)
	case Object:
		for _, part := range v {
			if Present(part) {
				return true
			}
		}
		return false
	}
	return true
}

// Clone copies a value as deep as it goes.
func Clone(value any) any {
	switch v := value.(type) {
	case Object:
		return CloneObject(v)
	case []any:
		list := make([]any, len(v))
		for i, element := range v {
			list[i] = Clone(element)
		}
		return list
	}
	return value
}

// CloneObject copies an object as deep as it goes; nil stays nil.
func CloneObject(o Object) Object {
	if o == nil {
		return nil
	}
	clone := make(Object, len(o))
	for name, value := range o {
		clone[name] = Clone(value)
	}
	return clone
}

// Equal tells whether two values are the same: to the byte for text, by value for numbers, whatever the order of an
// object's members. Absent and empty are the same.
func Equal(a, b any) bool {
	switch x := a.(type) {
	case Object:
		y, ok := b.(Object)
		return ok && equalObjects(x, y) || !ok && !Present(a) && !Present(b)
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return !Present(a) && !Present(b)
		}
		for i := range x {
			if !Equal(x[i], y[i]) {
				return false
			}
		}
		return true
	case json.Number:
		y, ok := b.(json.Number)
		return ok && (x == y || sameNumber(x, y))
	case nil:
		return !Present(b)
	}
	if !Present(a) {
		return !Present(b)
	}
	switch b.(type) {
	case Object, []any:
		return false
	}
	return a == b
}

func equalObjects(x, y Object) bool {
	for name, value := range x {
		if !Equal(value, y[name]) {
			return false
		}
	}
	for name, value := range y {
		if _, ok := x[name]; !ok && Present(value) {
			return false
		}
	}
	return true
}

func sameNumber(x, y json.Number) bool {
	a, okA := ParseNumber(x.String())
	b, okB := ParseNumber(y.String())
	return okA && okB && a.Cmp(b) == 0
}
