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
				b.link(st, prefix+name, value)
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
			b.link(st, prefix+name, then)
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
		return b.replaceInFilter(v)
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

// replaceInFilter puts ids in the place of bulkIds inside the brackets of a path.
func (b *bulkRun) replaceInFilter(text string) string {
	var out strings.Builder
	rest := text
	for {
		before, after, found := strings.Cut(rest, `"bulkId:`)
		name, behind, closed := strings.Cut(after, `"`)
		if !found || !closed {
			break
		}
		out.WriteString(before)
		if id := b.ids[name]; id != "" {
			out.WriteString(strconv.Quote(id))
		} else {
			out.WriteString(`"bulkId:` + name + `"`)
		}
		rest = behind
	}
	if out.Len() == 0 {
		return text
	}
	return out.String() + rest
}

// link puts a reference on the list of those that wait.
func (b *bulkRun) link(st *bulkStep, path string, value any) {
	names := map[string]bool{}
	findIDs(value, names)
	b.links = append(b.links, bulkLink{step: st, path: path, value: value, waits: b.makersOf(names)})
}

// connect adds the postponed references whose two ends are there now. When one end cannot be made, the resource at the
// other end stays, and its operation is reported as failed.
func (b *bulkRun) connect() {
	waiting := b.links[:0]
	for _, link := range b.links {
		for n := len(link.waits); n > 0 && link.waits[n-1].done && !link.waits[n-1].broken; n = len(link.waits) {
			link.waits = link.waits[:n-1]
		}
		switch n := len(link.waits); {
		case link.step.broken:
		case n > 0 && link.waits[n-1].broken:
			b.fail(link.step, fault.New(http.StatusConflict, "", "%s refers to a resource that could not be made", link.path))
		case n > 0 || !link.step.done:
			waiting = append(waiting, link)
		default:
			b.connectOne(link)
		}
	}
	b.links = waiting
}

// connectOne adds one postponed reference.
func (b *bulkRun) connectOne(link bulkLink) {
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

// giveUp reports the operations whose references still wait when the request is stopped.
func (b *bulkRun) giveUp() {
	for _, link := range b.links {
		if !link.step.broken {
			b.fail(link.step, fault.New(http.StatusConflict, "", "%s refers to a resource that was not made", link.path))
		}
	}
}
