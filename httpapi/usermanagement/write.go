package usermanagement

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// record is the parts of one record in their order, named with dashes.
type record []part

// part is one of them. Its value is nil, a string, an int64, a bool, []string or
// []record.
type part struct {
	name  string
	value any
	item  string // name of the elements of a list
}

const (
	typeXML  = "application/xml; charset=utf-8"
	typeJSON = "application/json; charset=utf-8"
)

// one answers with a single record.
func (a *API) one(c *call, name string, r record) error {
	w := c.begin()
	if c.json {
		w.text(`{"` + underscored(name) + `":`)
		w.jsonRecord(r)
		w.text("}")
	} else {
		w.xmlHead()
		w.xmlRecord(name, r, 0)
	}
	return w.flush()
}

// list answers with a list whose records each hands over one by one. Nothing is
// sent before the first of them, so that what fails by then gets its own answer.
// What fails later ends the connection: half a list must not look whole.
func (a *API) list(c *call, name, item string, each func(emit func(record) error) error) error {
	var w *writer
	begin := func() {
		w = c.begin()
		if c.json {
			w.text("[")
		} else {
			w.xmlHead()
			w.text("<" + name + ` type="array">` + "\n")
		}
	}
	first := true
	err := each(func(r record) error {
		if w == nil {
			begin()
		}
		if !c.json {
			w.xmlRecord(item, r, 1)
			return w.err
		}
		if !first {
			w.text(",")
		}
		first = false
		w.text(`{"` + underscored(item) + `":`)
		w.jsonRecord(r)
		w.text("}")
		return w.err
	})
	switch {
	case err != nil && w == nil:
		return err
	case err != nil:
		if w.err == nil { // not the client's doing
			a.log.ErrorContext(c.r.Context(), "a list broke off", "error", err)
		}
		panic(http.ErrAbortHandler)
	case w == nil:
		begin()
	}
	if c.json {
		w.text("]")
	} else {
		w.text("</" + name + ">\n")
	}
	return w.flush()
}

// begin sends the head of an answer.
func (c *call) begin() *writer {
	kind := typeXML
	if c.json {
		kind = typeJSON
	}
	c.w.Header().Set("Content-Type", kind)
	if c.status != 0 {
		c.w.WriteHeader(c.status)
	}
	return &writer{b: bufio.NewWriterSize(c.w, 32<<10)}
}

// writer writes XML and JSON and remembers the first error.
type writer struct {
	b   *bufio.Writer
	err error
}

func (w *writer) text(s string) {
	if w.err == nil {
		_, w.err = io.WriteString(w.b, s)
	}
}

// flush sends the rest. That the client is gone is nobody's error.
func (w *writer) flush() error {
	if w.err == nil {
		w.err = w.b.Flush()
	}
	return nil
}

func (w *writer) xmlHead() { w.text(`<?xml version="1.0" encoding="UTF-8"?>` + "\n") }

const indents = "                "

func (w *writer) xmlRecord(name string, r record, depth int) {
	pad := indents[:2*depth]
	w.text(pad + "<" + name + ">\n")
	for _, p := range r {
		w.xmlPart(p, depth+1)
	}
	w.text(pad + "</" + name + ">\n")
}

func (w *writer) xmlPart(p part, depth int) {
	pad := indents[:2*depth]
	w.text(pad + "<" + p.name)
	switch v := p.value.(type) {
	case nil:
		w.text(` nil="true">`)
	case string:
		w.text(">")
		w.escaped(v)
	case int64:
		w.text(` type="integer">` + strconv.FormatInt(v, 10))
	case bool:
		w.text(` type="boolean">` + strconv.FormatBool(v))
	case []string:
		w.text(` type="array">`)
		for _, s := range v {
			w.text("\n" + pad + "  <" + p.item + ">")
			w.escaped(s)
			w.text("</" + p.item + ">")
		}
		if len(v) > 0 {
			w.text("\n" + pad)
		}
	case []record:
		w.text(` type="array">`)
		if len(v) > 0 {
			w.text("\n")
		}
		for _, r := range v {
			w.xmlRecord(p.item, r, depth+1)
		}
		if len(v) > 0 {
			w.text(pad)
		}
	}
	w.text("</" + p.name + ">\n")
}

// escaped writes text as XML 1.0 can hold it (§2.2): what it cannot hold becomes
// the replacement character.
func (w *writer) escaped(s string) {
	from := 0
	put := func(i, size int, with string) {
		w.text(s[from:i])
		w.text(with)
		from = i + size
	}
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '&':
			put(i, size, "&amp;")
		case r == '<':
			put(i, size, "&lt;")
		case r == '>':
			put(i, size, "&gt;")
		case r == '"':
			put(i, size, "&quot;")
		case r == '\r':
			put(i, size, "&#xD;")
		case r == utf8.RuneError && size == 1, r < ' ' && r != '\t' && r != '\n', r == 0xfffe, r == 0xffff:
			put(i, size, "\uFFFD")
		}
		i += size
	}
	w.text(s[from:])
}

func (w *writer) jsonRecord(r record) {
	w.text("{")
	for i, p := range r {
		if i > 0 {
			w.text(",")
		}
		w.text(`"` + underscored(p.name) + `":`)
		w.jsonValue(p.value)
	}
	w.text("}")
}

func (w *writer) jsonValue(value any) {
	switch v := value.(type) {
	case nil:
		w.text("null")
	case int64:
		w.text(strconv.FormatInt(v, 10))
	case bool:
		w.text(strconv.FormatBool(v))
	case string:
		w.jsonText(v)
	case []string:
		w.text("[")
		for i, s := range v {
			if i > 0 {
				w.text(",")
			}
			w.jsonText(s)
		}
		w.text("]")
	case []record:
		w.text("[")
		for i, r := range v {
			if i > 0 {
				w.text(",")
			}
			w.jsonRecord(r)
		}
		w.text("]")
	}
}

func (w *writer) jsonText(s string) {
	b, err := json.Marshal(s)
	if err != nil && w.err == nil {
		w.err = err
	}
	w.text(string(b))
}

func underscored(name string) string { return strings.ReplaceAll(name, "-", "_") }
