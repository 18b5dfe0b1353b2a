package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// TableCollaborations is the table that a Watch names when anything of a
// collaboration changed; ID is the collaboration's, 0 for an organisation or a
// service.
const TableCollaborations = "collaborations"

// CollabTx is one transaction over organisations, services and collaborations.
// It lives as long as the function that got it, and is used by one goroutine.
// Its errors are those of a driver until that function returned them: then they
// wrap the errors of this package. Under PostgreSQL nothing works after an error.
type CollabTx struct{ t *tx }

// Collab runs do in one transaction that may write. Calls at the same time share
// a commit with SQLite. do may run more than once, and must have no effects
// outside the transaction except setting its results.
func (s *Store) Collab(ctx context.Context, what string, do func(ctx context.Context, c *CollabTx) error) error {
	return s.writeShared(ctx, what, func(ctx context.Context, t *tx) error { return do(ctx, &CollabTx{t}) })
}

// CollabRead runs do on one state of the database; do must not write.
func (s *Store) CollabRead(outer context.Context, what string, do func(ctx context.Context, c *CollabTx) error) error {
	if s.closed.Load() {
		return s.fail(outer, what, ErrClosed)
	}
	ctx, cancel := s.bound(outer)
	defer cancel()
	sqlTx, err := s.r.BeginTx(ctx, s.dialect.snapshot)
	if err != nil {
		return s.fail(outer, what, err)
	}
	// Nothing was written, so nothing is lost by rolling back.
	defer func() { _ = sqlTx.Rollback() }()
	return s.fail(outer, what, do(ctx, &CollabTx{&tx{sql: sqlTx, store: s}}))
}

// Stamp says who made and changed a row, and when.
type Stamp struct {
	Created   time.Time
	CreatedBy string
	Updated   time.Time
	UpdatedBy string
}

func (s *Stamp) args() []any {
	return []any{micros(s.Created), clean(s.CreatedBy, maxActorLen), micros(s.Updated), clean(s.UpdatedBy, maxActorLen)}
}

const stampColumns = "created_at, created_by, updated_at, updated_by"

// stampScan reads the four columns of a stamp.
type stampScan struct{ created, updated int64 }

func (n *stampScan) dest(s *Stamp) []any {
	return []any{&n.created, &s.CreatedBy, &n.updated, &s.UpdatedBy}
}

func (n *stampScan) set(s *Stamp) { s.Created, s.Updated = when(n.created), when(n.updated) }

// Note adds records to the security log, together with what else the
// transaction does. It comes last: it locks the log.
func (c *CollabTx) Note(ctx context.Context, records ...Record) error { return c.t.note(ctx, records) }

// Touched announces that something of a collaboration changed.
func (c *CollabTx) Touched(ctx context.Context, collab int64) error {
	return c.t.changed(ctx, TableCollaborations, collab)
}

// QueueMail puts messages into the outbox, to be sent when the transaction is
// committed. ErrExhausted when too many wait already.
func (c *CollabTx) QueueMail(ctx context.Context, list ...Message) error {
	if len(list) == 0 {
		return nil
	}
	var waiting int
	if err := c.t.row(ctx, "SELECT count(*) FROM outbox WHERE state = ?", MailWaiting).Scan(&waiting); err != nil {
		return err
	}
	if waiting+len(list) > MaxWaiting {
		return fmt.Errorf("%w: %d messages wait for the mail server", ErrExhausted, waiting)
	}
	now := micros(c.t.store.clock())
	for _, m := range list {
		plain, err := json.Marshal(m)
		if err != nil {
			return err
		}
		var id int64
		err = c.t.row(ctx, "INSERT INTO outbox (message, subject, due_at, created_at) VALUES (?, ?, ?, ?) RETURNING id",
			[]byte{}, clean(m.Subject, maxTitleLen), now, now).Scan(&id)
		if err != nil {
			return err
		}
		sealed := c.t.store.box.seal(plain, TableOutbox, "message", fmt.Sprint(id))
		if _, err := c.t.exec(ctx, "UPDATE outbox SET message = ? WHERE id = ?", sealed, id); err != nil {
			return err
		}
	}
	return c.t.changed(ctx, TableOutbox, 0)
}

// TokenHash is how the token of an invitation or a request is stored.
func (s *Store) TokenHash(token string) []byte { return mac(s.macs.mailTokens, []byte(token)) }

// NewUUID makes a random UUID (RFC 9562 §5.4), in lower case.
func NewUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	text := hex.EncodeToString(b[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// names and numbers are lists kept in one column, as JSON.
func listText[T any](list []T) string {
	if len(list) == 0 {
		return "[]"
	}
	data, err := json.Marshal(list)
	if err != nil {
		return "[]" // texts and numbers always encode
	}
	return string(data)
}

func readList[T any](text string) ([]T, error) {
	if text == "" || text == "[]" {
		return nil, nil
	}
	var list []T
	err := json.Unmarshal([]byte(text), &list)
	return list, err
}

// insert puts a row together and gives its id.
func (c *CollabTx) insert(ctx context.Context, table, columns string, values ...any) (int64, error) {
	var id int64
	query := "INSERT INTO " + table + " (" + columns + ") VALUES (" + marks(len(values)) + ") RETURNING id"
	err := c.t.row(ctx, query, values...).Scan(&id)
	return id, err
}

// changedOne runs a statement that must touch one row; none is ErrNotFound.
func (c *CollabTx) changedOne(ctx context.Context, query string, args ...any) error {
	n, err := c.t.exec(ctx, query, args...)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// setList is "a = ?, b = ?" for the columns of a list such as "a, b".
func setList(columns string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(columns, ",", " = ?,")), " ") + " = ?"
}

// Lock keeps other transactions from changing a collaboration until this one
// ends, and tells whether it is there.
func (c *CollabTx) Lock(ctx context.Context, collab int64) error {
	var id int64
	return c.t.row(ctx, "SELECT id FROM collaborations WHERE id = ?"+c.t.store.dialect.forUpdate, collab).Scan(&id)
}

// KeyReach tells what an API key that is neither revoked nor expired reaches:
// its organisation, and the units that it is limited to, one a line. ErrNotFound.
func (c *CollabTx) KeyReach(ctx context.Context, id int64) (org, units string, err error) {
	err = c.t.row(ctx, "SELECT org, units FROM api_keys WHERE id = ? AND revoked_at = 0 AND (expires_at = 0 OR expires_at > ?)",
		id, micros(c.t.store.clock())).Scan(&org, &units)
	return org, units, err
}

// KeyGood tells whether an API key is still neither revoked nor expired: the
// last look before something changes.
func (c *CollabTx) KeyGood(ctx context.Context, id int64) (bool, error) {
	var n int
	err := c.t.row(ctx, "SELECT count(*) FROM api_keys WHERE id = ? AND revoked_at = 0 AND (expires_at = 0 OR expires_at > ?)",
		id, micros(c.t.store.clock())).Scan(&n)
	return n > 0, err
}
