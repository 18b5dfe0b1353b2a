package collaboration

import (
	"encoding/json"
	"strconv"
	"time"
)

// buffer writes JSON piece by piece: an organisation's view is tens of megabytes,
// in which the same people come again and again.
type buffer struct {
	bytes []byte
	comma bool // one is due before the next value
}

func (b *buffer) open(c byte) {
	b.sep()
	b.bytes = append(b.bytes, c)
	b.comma = false
}

func (b *buffer) close(c byte) {
	b.bytes = append(b.bytes, c)
	b.comma = true
}

func (b *buffer) sep() {
	if b.comma {
		b.bytes = append(b.bytes, ',')
	}
	b.comma = true
}

// name begins a member; its value follows.
func (b *buffer) name(name string) {
	b.sep()
	b.bytes = append(b.bytes, '"')
	b.bytes = append(b.bytes, name...)
	b.bytes = append(b.bytes, '"', ':')
	b.comma = false
}

func (b *buffer) raw(text []byte) {
	b.sep()
	b.bytes = append(b.bytes, text...)
}

func (b *buffer) item(text string) {
	b.sep()
	b.quote(text)
}

// quote writes a string. Plain ASCII, which most is, needs no encoder.
func (b *buffer) quote(text string) {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			data, err := json.Marshal(text)
			if err != nil {
				data = []byte(`""`) // strings always encode
			}
			b.bytes = append(b.bytes, data...)
			return
		}
	}
	b.bytes = append(b.bytes, '"')
	b.bytes = append(b.bytes, text...)
	b.bytes = append(b.bytes, '"')
}

func (b *buffer) text(name, value string) {
	b.name(name)
	b.item(value)
}

// optional is text with null for "".
func (b *buffer) optional(name, value string) {
	if value == "" {
		b.null(name)
		return
	}
	b.text(name, value)
}

func (b *buffer) null(names ...string) {
	for _, name := range names {
		b.name(name)
		b.raw([]byte("null"))
	}
}

func (b *buffer) boolean(name string, value bool) {
	b.name(name)
	b.sep()
	b.bytes = strconv.AppendBool(b.bytes, value)
}

func (b *buffer) number(name string, value int64) {
	b.name(name)
	b.integer(value)
}

func (b *buffer) integer(value int64) {
	b.sep()
	b.bytes = strconv.AppendInt(b.bytes, value, 10)
}

// numberOrNull has null for 0.
func (b *buffer) numberOrNull(name string, value int64) {
	if value == 0 {
		b.null(name)
		return
	}
	b.number(name, value)
}

// date is whole seconds since 1970, null for none.
func (b *buffer) date(name string, t time.Time) {
	if t.IsZero() {
		b.null(name)
		return
	}
	b.number(name, t.Unix())
}

func (b *buffer) texts(name string, list []string) {
	b.name(name)
	b.open('[')
	for _, text := range list {
		b.item(text)
	}
	b.close(']')
}
