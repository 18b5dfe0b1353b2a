package mirror

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"portico/directory"
)

// An entry's body is a compact encoding of everything but its ID, the same
// bytes for the same content, closed by a checksum: SQLite has none of its own,
// and a flipped bit in a login name must not go unseen.

// names are the attributes that are written as one byte. Only append.
var names = [...]string{
	directory.AttrUsername, directory.AttrName, directory.AttrGivenName, directory.AttrFamilyName,
	directory.AttrMail, directory.AttrPhone, directory.AttrMobile, directory.AttrManager,
	directory.AttrDescription, directory.AttrOwner, directory.AttrHidden, directory.AttrNumber,
}

const (
	flagByName   = 1 << 0
	flagCreated  = 1 << 1
	flagModified = 1 << 2
)

var (
	errBody    = errors.New("malformed entry")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// encode appends the body of e to buf.
func encode(buf []byte, e *directory.Entry) []byte {
	start := len(buf)
	var flags byte
	if e.MembersByName {
		flags |= flagByName
	}
	if !e.Created.IsZero() {
		flags |= flagCreated
	}
	if !e.Modified.IsZero() {
		flags |= flagModified
	}
	buf = append(buf, byte(e.Kind), flags)
	for _, s := range [...]string{e.DN, e.Name, e.Login, e.Version} {
		buf = putString(buf, s)
	}
	for _, t := range [...]time.Time{e.Created, e.Modified} {
		if !t.IsZero() {
			buf = binary.AppendVarint(buf, t.Unix())
			buf = binary.AppendUvarint(buf, uint64(t.Nanosecond()))
		}
	}
	buf = putAttributes(buf, e.Attributes)
	buf = putAttributes(buf, e.Signals)
	return binary.BigEndian.AppendUint32(buf, crc32.Checksum(buf[start:], castagnoli))
}

func putString(buf []byte, s string) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(s)))
	return append(buf, s...)
}

func putAttributes(buf []byte, a directory.Attributes) []byte {
	var few [24]string
	order := few[:0]
	values := 0
	for name, v := range a {
		if len(v) > 0 { // absent and empty are the same
			order = append(order, name)
			values += len(v)
		}
	}
	slices.Sort(order)
	buf = binary.AppendUvarint(buf, uint64(len(order)))
	buf = binary.AppendUvarint(buf, uint64(values))
	for _, name := range order {
		if i := slices.Index(names[:], name); i >= 0 {
			buf = append(buf, byte(i+1))
		} else {
			buf = append(buf, 0)
			buf = putString(buf, name)
		}
		buf = binary.AppendUvarint(buf, uint64(len(a[name])))
		for _, v := range a[name] {
			buf = putString(buf, v)
		}
	}
	return buf
}

// decode reads a body. Its strings share one allocation.
func decode(id directory.ID, body []byte) (*directory.Entry, error) {
	n := len(body) - 4
	if n < 2 || binary.BigEndian.Uint32(body[n:]) != crc32.Checksum(body[:n], castagnoli) {
		return nil, fmt.Errorf("%w: checksum of entry %s", ErrCorrupt, id)
	}
	r := bodyReader{b: body[:n], s: string(body[:n])}
	e := &directory.Entry{ID: id, Kind: directory.Kind(body[0]), MembersByName: body[1]&flagByName != 0}
	r.at = 2
	e.DN, e.Name, e.Login, e.Version = r.string(), r.string(), r.string(), r.string()
	if body[1]&flagCreated != 0 {
		e.Created = r.time()
	}
	if body[1]&flagModified != 0 {
		e.Modified = r.time()
	}
	e.Attributes = r.attributes()
	e.Signals = r.attributes()
	if r.bad || r.at != n {
		return nil, fmt.Errorf("%w: %w %s", ErrCorrupt, errBody, id)
	}
	return e, nil
}

// bodyReader walks through a body; b and s are the same bytes.
type bodyReader struct {
	b   []byte
	s   string
	at  int
	bad bool
}

func (r *bodyReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b[r.at:])
	if n <= 0 {
		r.bad, n = true, 0
	}
	r.at += n
	return v
}

// count is a number of things of at least one byte each.
func (r *bodyReader) count() int {
	v := r.uvarint()
	if v > uint64(len(r.b)-r.at) {
		r.bad = true
		return 0
	}
	return int(v)
}

func (r *bodyReader) string() string {
	n := r.count()
	r.at += n
	return r.s[r.at-n : r.at]
}

func (r *bodyReader) time() time.Time {
	sec, n := binary.Varint(r.b[r.at:])
	if n <= 0 {
		r.bad = true
		return time.Time{}
	}
	r.at += n
	return time.Unix(sec, int64(r.uvarint())).UTC()
}

func (r *bodyReader) attributes() directory.Attributes {
	n, total := r.count(), r.count()
	if n == 0 || r.bad {
		return nil
	}
	a := make(directory.Attributes, n)
	all := make([]string, 0, total)
	for range n {
		if r.at >= len(r.b) {
			r.bad = true
			return nil
		}
		code := int(r.b[r.at])
		r.at++
		var name string
		switch {
		case code == 0:
			name = r.string()
		case code <= len(names):
			name = names[code-1]
		default:
			r.bad = true
		}
		k := r.count()
		if r.bad || len(all)+k > total {
			r.bad = true
			return nil
		}
		from := len(all)
		for range k {
			all = append(all, r.string())
		}
		a[name] = all[from:len(all):len(all)]
	}
	return a
}
