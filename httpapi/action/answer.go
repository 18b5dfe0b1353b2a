package action

import (
	"net/http"
	"strconv"
	"unicode/utf8"

	"portico/adapter"
)

// headers are the header values of all answers, made once.
type headers struct {
	anyOrigin, jsonType, plainType []string
	methods, allowed, age          []string
}

func newHeaders() headers {
	return headers{
		anyOrigin: []string{"*"},
		jsonType:  []string{"application/json"},
		plainType: []string{"text/plain; charset=utf-8"},
		methods:   []string{"GET, HEAD, POST, PUT, DELETE, OPTIONS"},
		allowed:   []string{"Accept, Authorization, Content-Type, X-Requested-With"},
		age:       []string{"86400"},
	}
}

// set is for every answer.
func (h *headers) set(header http.Header) { header["Access-Control-Allow-Origin"] = h.anyOrigin }

// preflight is for OPTIONS.
func (h *headers) preflight(header http.Header) {
	header["Allow"] = h.methods
	header["Access-Control-Allow-Methods"] = h.methods
	header["Access-Control-Allow-Headers"] = h.allowed
	header["Access-Control-Max-Age"] = h.age
}

func (h *headers) json(header http.Header)  { header["Content-Type"] = h.jsonType }
func (h *headers) plain(header http.Header) { header["Content-Type"] = h.plainType }

// ok begins an answer of success; close ends it.
func (c *call) ok() { c.out = append(c.out, `{"status":"OK"`...) }

// okBool is a whole answer with one boolean.
func (c *call) okBool(name string, value bool) {
	c.ok()
	c.member(name)
	c.out = strconv.AppendBool(c.out, value)
	c.close()
}

// refusal begins an answer of status ERROR; close ends it. It takes the place of
// whatever was begun before.
func (c *call) refusal(text string) {
	c.out = append(c.out[:0], `{"status":"ERROR","msg":`...)
	c.out = appendString(c.out, text)
}

func (c *call) close() { c.out = append(c.out, '}') }

// member begins one more member of the answer.
func (c *call) member(name string) {
	c.out = append(c.out, `,"`...)
	c.out = append(c.out, name...)
	c.out = append(c.out, `":`...)
}

// list writes one more member, a list.
func list[T any](c *call, name string, items []T, write func(out []byte, item T) []byte) {
	c.member(name)
	c.out = append(c.out, '[')
	for i, item := range items {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.out = write(c.out, item)
	}
	c.out = append(c.out, ']')
}

// appendID writes an id as this API wants most of them: a string of digits.
func appendID(out []byte, id int64) []byte {
	out = append(out, '"')
	out = strconv.AppendInt(out, id, 10)
	return append(out, '"')
}

func appendUID(out []byte, p *adapter.Person) []byte { return appendID(out, p.UID) }

func appendUsername(out []byte, p *adapter.Person) []byte { return appendString(out, p.Username) }

func appendGroup(out []byte, g *adapter.Group) []byte {
	out = append(out, `{"id":`...)
	out = appendID(out, g.GID)
	out = append(out, `,"name":`...)
	out = appendString(out, g.Name)
	return append(out, '}')
}

// appendString writes a JSON string. Bytes that are not UTF-8 become U+FFFD.
// "<", ">" and "&" are escaped too, as are the two separators that break scripts.
func appendString(out []byte, s string) []byte {
	const digits = "0123456789abcdef"
	out = append(out, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' && c != 0x7f {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			out = append(out, s[start:i]...)
			switch c {
			case '"', '\\':
				out = append(out, '\\', c)
			case '\n':
				out = append(out, `\n`...)
			default:
				out = append(out, `\u00`...)
				out = append(out, digits[c>>4], digits[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || r == '\u2028' || r == '\u2029' {
			out = append(out, s[start:i]...)
			out = append(out, `\u`...)
			for shift := 12; shift >= 0; shift -= 4 {
				out = append(out, digits[r>>shift&15])
			}
			start = i + size
		}
		i += size
	}
	out = append(out, s[start:]...)
	return append(out, '"')
}
