package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// TableExtras is the table that a Watch names when stored attributes changed, whose
// ever they are.
const TableExtras = "entry_extras"

// Bounds of what is stored of one entry.
const (
	MaxExtras     = 256 << 10 // bytes of all attributes, as JSON
	MaxExternalID = 512       // bytes
	MaxDomain     = 64        // bytes of the name of a provisioning domain
)

// Extra is what is stored of a person or a group that has no place in the directory.
type Extra struct {
	ExternalID string                     // in the domain that was asked for; "": none
	Values     map[string]json.RawMessage // by name
	Revision   int64                      // grows with every change; 0: nothing was ever stored
}

// ExtraChange says what is to be different about an Extra.
type ExtraChange struct {
	Domain     string                     `json:"domain,omitempty"`
	ExternalID *string                    `json:"external_id,omitempty"` // "" removes
	Values     map[string]json.RawMessage `json:"values,omitempty"`      // what is not named stays; null removes
	// IfRevision makes the change conditional: ErrStale where another change came first.
	IfRevision *int64 `json:"-"`
}

// Empty tells whether nothing is to change.
func (c *ExtraChange) Empty() bool { return c == nil || c.ExternalID == nil && len(c.Values) == 0 }

// ExtraSubject names the entry that an Extra belongs to.
type ExtraSubject struct {
	Kind              Kind
	Directory, Stable string
}

// valid refuses what cannot be stored.
func (c *ExtraChange) valid() error {
	if !storable(c.Domain, MaxDomain) {
		return invalidf("the name of the domain")
	}
	if c.ExternalID != nil && !storable(*c.ExternalID, MaxExternalID) {
		return invalidf("an external id has at most %d bytes of valid UTF-8 without NUL", MaxExternalID)
	}
	size := 0
	for name, value := range c.Values {
		if name == "" || !storable(name, maxLabelLen) || !json.Valid(value) || !utf8.Valid(value) {
			return invalidf("the stored attribute %q", clean(name, maxLabelLen))
		}
		size += len(name) + len(value)
	}
	if size > MaxExtras {
		return invalidf("more than %d bytes of stored attributes", MaxExtras)
	}
	return nil
}

func storable(text string, limit int) bool {
	return len(text) <= limit && utf8.ValidString(text) && strings.IndexByte(text, 0) < 0
}

// Extras reads what is stored of entries of one directory, by their permanent ids,
// with the external ids of one domain. Who has nothing is not in the answer.
func (s *Store) Extras(ctx context.Context, directory string, stable []string, domain string) (map[string]Extra, error) {
	found := make(map[string]Extra, len(stable))
	for part := range slices.Chunk(stable, idChunk) {
		args := []any{domain, directory}
		for _, id := range part {
			args = append(args, id)
		}
		err := s.many(ctx, "stored attributes", `SELECT e.stable, e.attributes, e.revision, x.value FROM entry_extras e
			LEFT JOIN external_ids x ON x.directory = e.directory AND x.stable = e.stable AND x.kind = e.kind AND x.domain = ? AND x.intent = 0
			WHERE e.revision > 0 AND e.directory = ? AND e.stable IN (`+textsIn(len(part))+")", args, func(rows *sql.Rows) error {
			var id, text string
			var external sql.NullString
			var x Extra
			if err := rows.Scan(&id, &text, &x.Revision, &external); err != nil {
				return err
			}
			x.ExternalID = external.String
			found[id] = x
			if text == "{}" {
				return nil
			}
			err := json.Unmarshal([]byte(text), &x.Values)
			found[id] = x
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// FindExternalID finds the entry that a domain knows under an external id, letter
// case and all. ErrNotFound.
func (s *Store) FindExternalID(ctx context.Context, kind Kind, domain, value string) (ExtraSubject, error) {
	x := ExtraSubject{Kind: kind}
	err := s.one(ctx, "external id", "SELECT directory, stable FROM external_ids WHERE kind = ? AND domain = ? AND value = ? AND intent = 0",
		[]any{string(kind), domain, clean(value, 2*MaxExternalID)}, &x.Directory, &x.Stable)
	return x, err
}

// ChangeExtras changes what is stored of an entry whose directory is not changed,
// with its records, in one transaction, and gives the revision afterwards.
// ErrConflict when another entry has the external id, ErrStale, ErrInvalid.
func (s *Store) ChangeExtras(ctx context.Context, x ExtraSubject, c ExtraChange, note ...Record) (int64, error) {
	if err := c.valid(); err != nil {
		return 0, s.fail(ctx, "change stored attributes", err)
	}
	var revision int64
	err := s.write(ctx, "change stored attributes", func(ctx context.Context, t *tx) error {
		if err := t.freshExtras(ctx, x, &c, 0); err != nil {
			return err
		}
		var err error
		if revision, err = t.applyExtras(ctx, x, &c, 0); err != nil {
			return err
		}
		return t.note(ctx, note)
	})
	return revision, err
}

// merged gives the JSON of stored attributes after a change.
func (c *ExtraChange) merged(text string) (string, error) {
	values := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(text), &values); err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Values)) {
		if value := bytes.TrimSpace(c.Values[name]); string(value) == "null" || len(value) == 0 {
			delete(values, name)
		} else {
			values[name] = value
		}
	}
	out, err := json.Marshal(values) // compact, names in order
	if err == nil && len(out) > MaxExtras {
		err = invalidf("more than %d bytes of stored attributes", MaxExtras)
	}
	return string(out), err
}
