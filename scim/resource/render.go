package resource

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// Renderer writes resources as JSON. It is read-only.
type Renderer struct {
	Base      string            // URL of the service, without a slash at the end
	Endpoints map[string]string // name of a resource type → its endpoint
}

// Append writes a resource: the attributes of the projection that have a value, in the order of the schema. References to
// resources of this service are made here from the ids.
func (w *Renderer) Append(out []byte, r *Resource, p *Projection) []byte {
	out = append(out, `{"schemas":["`...)
	out = append(out, r.Type.Core.ID...)
	for i := range r.Type.Extensions {
		if urn := r.Type.Extensions[i].Schema.ID; Present(r.Data[urn]) {
			out = append(append(out, `","`...), urn...)
		}
	}
	out = append(out, `"],"id":`...)
	out = AppendString(out, r.ID)
	if external, ok := r.Data["externalId"].(string); ok && p.externalID && external != "" {
		out = append(out, `,"externalId":`...)
		out = AppendString(out, external)
	}
	out = w.fields(out, p.core, r.Data, true)
	for i := range p.extensions {
		e := &p.extensions[i]
		inner, ok := r.Data[e.urn].(Object)
		if !ok || !anyOf(e.fields, inner) {
			continue
		}
		out = append(append(append(out, ','), e.key...), '{')
		out = w.fields(out, e.fields, inner, false)
		out = append(out, '}')
	}
	for i := range p.meta {
		out = w.meta(out, r, p.meta[i].subs)
	}
	return append(out, '}')
}

func anyOf(fields []field, o Object) bool {
	for i := range fields {
		if Present(o[fields[i].a.Name]) {
			return true
		}
	}
	return false
}

// fields writes attributes; comma says that something stands before the first.
func (w *Renderer) fields(out []byte, fields []field, o Object, comma bool) []byte {
	for i := range fields {
		f := &fields[i]
		value, ok := o[f.a.Name]
		if !ok || value == nil || value == "" {
			continue
		}
		before := len(out)
		if comma {
			out = append(out, ',')
		}
		out = append(out, f.key...)
		start := len(out)
		if out = w.value(out, f, value); len(out) == start {
			out = out[:before]
			continue
		}
		comma = true
	}
	return out
}

// value writes the value of an attribute, nothing when none of its parts is wanted.
func (w *Renderer) value(out []byte, f *field, value any) []byte {
	switch v := value.(type) {
	case []any:
		before := len(out)
		out = append(out, '[')
		empty := len(out)
		for _, element := range v {
			start := len(out)
			if start > empty {
				out = append(out, ',')
			}
			from := len(out)
			if out = w.value(out, f, element); len(out) == from {
				out = out[:start]
			}
		}
		if len(out) == empty {
			return out[:before]
		}
		return append(out, ']')
	case Object:
		if f.subs == nil {
			return out
		}
		before := len(out)
		out = append(out, '{')
		empty := len(out)
		out = w.fields(out, f.subs, v, false)
		out = w.reference(out, f, v, len(out) > empty)
		if len(out) == empty {
			return out[:before]
		}
		return append(out, '}')
	}
	return appendScalar(out, value)
}

// reference writes $ref for an element whose value is the id of a resource of this service.
func (w *Renderer) reference(out []byte, f *field, o Object, comma bool) []byte {
	for i := range f.subs {
		sub := &f.subs[i]
		if sub.a.Name != "$ref" {
			continue
		}
		id, _ := o["value"].(string)
		kind, _ := o["type"].(string)
		if w.Endpoints[kind] == "" && len(sub.a.ReferenceTypes) > 0 {
			kind = sub.a.ReferenceTypes[0]
		}
		if id == "" || w.Endpoints[kind] == "" || Present(o["$ref"]) {
			return out
		}
		if comma {
			out = append(out, ',')
		}
		out = append(out, `"$ref":`...)
		return AppendString(out, w.Base+w.Endpoints[kind]+"/"+id)
	}
	return out
}

func (w *Renderer) meta(out []byte, r *Resource, subs []field) []byte {
	out = append(out, `,"meta":{`...)
	empty := len(out)
	for i := range subs {
		start := len(out)
		if start > empty {
			out = append(out, ',')
		}
		out = append(out, subs[i].key...)
		switch name := subs[i].a.Name; {
		case name == "resourceType":
			out = AppendString(out, r.Type.Name)
		case name == "created" && !r.Created.IsZero():
			out = appendTime(out, r.Created)
		case name == "lastModified" && !r.Modified.IsZero():
			out = appendTime(out, r.Modified)
		case name == "location":
			out = AppendString(out, Location(w.Base, r.Type, r.ID))
		case name == "version" && r.Version != "":
			out = AppendString(out, ETag(r.Version))
		default:
			out = out[:start]
		}
	}
	return append(out, '}')
}

func appendTime(out []byte, t time.Time) []byte {
	out = append(out, '"')
	out = t.UTC().AppendFormat(out, TimeFormat)
	return append(out, '"')
}

func appendScalar(out []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		return AppendString(out, v)
	case bool:
		return strconv.AppendBool(out, v)
	case json.Number:
		return append(out, v.String()...)
	}
	return out
}

const hexDigits = "0123456789abcdef"

// AppendString writes a JSON string. What is not UTF-8 becomes the replacement character.
func AppendString(out []byte, text string) []byte {
	out = append(out, '"')
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			out = append(out, text[from:i]...)
			switch c {
			case '"', '\\':
				out = append(out, '\\', c)
			case '\n':
				out = append(out, '\\', 'n')
			case '\t':
				out = append(out, '\\', 't')
			case '\r':
				out = append(out, '\\', 'r')
			default:
				out = append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			from = i
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size == 1 {
			out = append(out, text[from:i]...)
			out = append(out, "\uFFFD"...)
			i++
			from = i
			continue
		}
		i += size
	}
	out = append(out, text[from:]...)
	return append(out, '"')
}
