package embedded

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
)

// maxLDIFLine bounds one logical line of LDIF.
const maxLDIFLine = 16 << 20

// LoadLDIF adds the entries of an LDIF file (RFC 2849, content records only),
// parents first. The schema holds for them, the password policy does not.
// Operational attributes may be given; clear passwords are hashed.
func (s *Server) LoadLDIF(r io.Reader) error {
	line := 0
	for rec := range records(r, &line) {
		if rec.err != nil {
			return fmt.Errorf("LDIF line %d: %w", rec.line, rec.err)
		}
		if f := s.store.load(rec.req); f != nil {
			return fmt.Errorf("LDIF line %d: %s: %w", rec.line, rec.req.dn, f)
		}
	}
	return nil
}

// load adds an entry for the server itself.
func (st *store) load(r addRequest) *fault {
	e, f := st.newEntry(r, true)
	if f != nil {
		return f
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.tree.at(e.dn) != nil {
		return refuse(resultEntryExists, "entry exists")
	}
	if f := st.checkParent(e.dn, true); f != nil {
		return f
	}
	if f := st.finishNew(e, st.self(), true); f != nil {
		return f
	}
	if id := st.schema.uuid(e); st.tree.byUUID(id) != nil {
		return refuse(resultConstraintViolation, "entryUUID is taken")
	}
	csn := st.stamp(e, st.self())
	st.commit(change{now: e, csn: csn})
	return nil
}

type ldifRecord struct {
	line int
	req  addRequest
	err  error
}

// records reads LDIF piece by piece; a record with an error is the last one.
func records(r io.Reader, line *int) func(func(ldifRecord) bool) {
	return func(yield func(ldifRecord) bool) {
		rec := ldifRecord{}
		flush := func() bool {
			ok := rec.req.dn == "" && len(rec.req.attrs) == 0 || yield(rec)
			rec = ldifRecord{}
			return ok
		}
		for text, err := range logicalLines(r, line) {
			if err != nil {
				yield(ldifRecord{line: *line, err: err})
				return
			}
			if text == "" {
				if !flush() {
					return
				}
				continue
			}
			if err := rec.take(text, *line); err != nil {
				yield(ldifRecord{line: *line, err: err})
				return
			}
		}
		flush()
	}
}

func (rec *ldifRecord) take(text string, line int) error {
	name, v, err := ldifValue(text)
	switch {
	case err != nil:
		return err
	case strings.EqualFold(name, "version") && rec.req.dn == "":
		return nil
	case strings.EqualFold(name, "dn"):
		if rec.req.dn != "" || v == "" {
			return fmt.Errorf("unexpected dn")
		}
		rec.line, rec.req.dn = line, v
		return nil
	case rec.req.dn == "":
		return fmt.Errorf("record does not begin with dn")
	case strings.EqualFold(name, "changetype"):
		return fmt.Errorf("change records cannot be loaded")
	}
	rec.req.attrs = append(rec.req.attrs, attrValues{name, []string{v}})
	return nil
}

// ldifValue splits "name: value" and "name:: base64".
func ldifValue(text string) (name, v string, err error) {
	name, rest, ok := strings.Cut(text, ":")
	if !ok || name == "" {
		return "", "", fmt.Errorf("no attribute")
	}
	switch {
	case strings.HasPrefix(rest, ":"):
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest[1:]))
		if err != nil {
			return "", "", fmt.Errorf("bad base64")
		}
		return name, string(raw), nil
	case strings.HasPrefix(rest, "<"):
		return "", "", fmt.Errorf("values from URLs cannot be loaded")
	}
	return name, strings.TrimLeft(rest, " "), nil
}

// logicalLines joins continuation lines and leaves out comments. An empty line
// ends a record.
func logicalLines(r io.Reader, line *int) func(func(string, error) bool) {
	return func(yield func(string, error) bool) {
		sc := bufio.NewScanner(r)
		sc.Buffer(make([]byte, 0, 64<<10), maxLDIFLine)
		pending, have := "", false
		emit := func() bool {
			ok := !have || strings.HasPrefix(pending, "#") || yield(pending, nil)
			pending, have = "", false
			return ok
		}
		for sc.Scan() {
			text := strings.TrimSuffix(sc.Text(), "\r")
			if strings.HasPrefix(text, " ") && have && pending != "" {
				if pending += text[1:]; len(pending) > maxLDIFLine {
					yield("", fmt.Errorf("line too long"))
					return
				}
				*line++
				continue
			}
			if !emit() {
				return
			}
			*line++
			pending, have = text, true
		}
		if err := sc.Err(); err != nil {
			yield("", err)
			return
		}
		emit()
	}
}
