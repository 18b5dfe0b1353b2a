package scim

import (
	"net/http"
	"strconv"
	"strings"

	"portico/scim/fault"
	"portico/scim/normal"
	"portico/scim/resource"
)

// findIDs collects the bulkIds that a value refers to.
func findIDs(value any, into map[string]bool) {
	switch v := value.(type) {
	case string:
		if name, is := strings.CutPrefix(v, "bulkId:"); is {
			into[name] = true
		}
		eachInFilter(v, func(name string) { into[name] = true })
	case []any:
		for _, element := range v {
			findIDs(element, into)
		}
	case resource.Object:
		for _, part := range v {
			findIDs(part, into)
		}
	}
}

// eachInFilter finds bulkIds inside the brackets of a path, such as members[value eq "bulkId:x"].
func eachInFilter(text string, found func(string)) {
	for {
		at := strings.Index(text, `"bulkId:`)
		if at < 0 {
			return
		}
		name, rest, closed := strings.Cut(text[at+len(`"bulkId:`):], `"`)
		if !closed {
			return
		}
		found(name)
		text = rest
	}
}

// open tells whether a value refers to something that is not made yet.
func (b *bulkRun) open(value any) bool {
	found := map[string]bool{}
	findIDs(value, found)
	for name := range found {
		if b.ids[name] == "" {
			return true
		}
	}
	return false
}

// postpone takes references that cannot be resolved yet out of a new resource.
func (b *bulkRun) postpone(st *bulkStep) {
	take := func(object resource.Object, prefix string) {
		for name, value := range object {
			if !b.open(value) {
				continue
			}
			list, isList := value.([]any)
			if !isList {
				b.links = append(b.links, bulkLink{st, prefix + name, value})
				delete(object, name)
				continue
			}
			var now, then []any
			for _, element := range list {
				if b.open(element) {
					then = append(then, element)
				} else {
					now = append(now, element)
				}
			}
			object[name] = now
			b.links = append(b.links, bulkLink{st, prefix + name, then})
		}
	}
	for name, value := range st.data {
		if inner, ok := value.(resource.Object); ok && st.kind.Type.Extension(name) != nil {
			take(inner, name+":")
		}
	}
	take(st.data, "")
}

// replace puts ids in the place of bulkIds.
func (b *bulkRun) replace(value any) any {
	switch v := value.(type) {
	case string:
		if name, is := strings.CutPrefix(v, "bulkId:"); is && b.ids[name] != "" {
			return b.ids[name]
		}
		eachInFilter(v, func(name string) {
			if id := b.ids[name]; id != "" {
				v = strings.ReplaceAll(v, `"bulkId:`+name+`"`, strconv.Quote(id))
			}
		})
		return v
	case []any:
		list := make([]any, len(v))
		for i, element := range v {
			list[i] = b.replace(element)
		}
		return list
	case resource.Object:
		object := make(resource.Object, len(v))
		for name, part := range v {
			object[name] = b.replace(part)
		}
		return object
	}
	return value
}

// connect adds the postponed references whose two ends are there now. When one end cannot be made, the resource at the
// other end stays, and its operation is reported as failed.
func (b *bulkRun) connect() {
	waiting := b.links[:0]
	for _, link := range b.links {
		switch {
		case link.step.broken:
		case b.lost(link.value):
			b.fail(link.step, fault.New(http.StatusConflict, "", "%s refers to a resource that could not be made", link.path))
		case b.open(link.value):
			waiting = append(waiting, link)
		default:
			s := &step{x: b.x, kind: link.step.kind, id: link.step.id, projection: link.step.kind.all}
			out, err := s.patch(resource.Object{
				"schemas":    []any{normal.PatchOp},
				"Operations": []any{resource.Object{"op": "add", "path": link.path, "value": b.replace(link.value)}},
			})
			if err != nil {
				b.fail(link.step, err)
			} else if out.resource != nil && out.resource.Version != "" {
				link.step.result.Version = resource.ETag(out.resource.Version)
			}
		}
	}
	b.links = waiting
}

// lost tells whether a value refers to something that will never be made.
func (b *bulkRun) lost(value any) bool {
	found := map[string]bool{}
	findIDs(value, found)
	for name := range found {
		if maker := b.makers[name]; maker == nil || maker.broken {
			return true
		}
	}
	return false
}
