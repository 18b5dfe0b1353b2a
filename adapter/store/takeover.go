package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Takeover is what another system knows of one person, to be stored here in one
// transaction. What was taken over before is not taken over again, whatever has
// become of it here since.
type Takeover struct {
	Source  string // names the other system, always the same
	Actor   string // who sets the status, in the words of Local.StatusBy
	Subject Subject
	UID     int64 // the person's number there, to be kept here
	// Status is the overlay, and StatusCode the other system's number for it. A
	// later change of the number is followed as long as nobody set the status
	// here. PlainStatus is the number that needs no overlay.
	Status                  Status
	StatusCode, PlainStatus int64
	TOTP                    []byte // nil: none
	HasPIN                  bool
	PINHash                 string // may be missing in a rehearsal
	// Permissions are defined where they are missing, and granted. ID is that of
	// the other system.
	Permissions   []Permission
	AppPasswords  []ForeignSecret // Value is a slow hash
	MobileCodes   []ForeignSecret // Value is the code in its one form
	Notifications []Notification
}

// Format keeps secrets out of every printed form.
func (in Takeover) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{Source:%s UID:%d Subject:%v ***}", in.Source, in.UID, in.Subject)
}

// ForeignSecret is an app password or a mobile code of another system.
type ForeignSecret struct {
	ID          int64  // of the row there
	Value       string `json:"-"`
	Description string
}

// Format keeps the secret out of every printed form.
func (f ForeignSecret) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "{ID:%d Value:***}", f.ID) }

// Result says what became of one thing that was to be taken over.
type Result string

// The results.
const (
	TakenNow    Result = "new"
	TakenBefore Result = "before" // there already: nothing was done
	TakenNot    Result = "skipped"
)

// Outcome is the result of one thing.
type Outcome struct {
	Item   string // uid, status, totp, pin, permission, app password, mobile code, notification
	ID     int64  // of the thing in the other system; the person's number for uid
	Result Result
	Reason string // why it was skipped
	Was    int64  // uid: the number that the person had here until now, 0 for none
}

// errRehearsal ends a transaction that is not to happen.
var errRehearsal = errors.New("rehearsal")

// TakeOver stores what another system knows of a person, all of it or nothing;
// the records of note are written when anything is new. With rehearse nothing is
// stored and the outcomes are what they would be. ErrConflict, whose text says
// why, when the person cannot have that number: it is or was somebody else's, or
// data are stored here under another number; ErrInvalid, ErrUnavailable.
func (s *Store) TakeOver(ctx context.Context, in Takeover, rehearse bool, note ...Record) ([]Outcome, error) {
	if in.Source == "" || in.UID < 1 || in.UID > MaxUID {
		return nil, s.fail(ctx, "take over", invalidf("numeric id %d of source %q", in.UID, in.Source))
	}
	if err := in.Subject.valid(); err != nil {
		return nil, s.fail(ctx, "take over", err)
	}
	var out []Outcome
	err := s.write(ctx, "take over", func(ctx context.Context, t *tx) error {
		job := takeover{tx: t, in: in, rehearse: rehearse}
		if err := job.run(ctx); err != nil {
			return err
		}
		out = job.out
		switch {
		case rehearse:
			return errRehearsal
		case !job.anything():
			return nil
		}
		return t.note(ctx, note)
	})
	if errors.Is(err, errRehearsal) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// TakeOverGroup gives a group the number that it had in another system. Errors
// are those of TakeOver.
func (s *Store) TakeOverGroup(ctx context.Context, sub Subject, gid int64, rehearse bool) (Outcome, error) {
	if err := sub.valid(); err != nil || gid < 1 || gid > MaxUID {
		return Outcome{}, s.fail(ctx, "take over group", invalidf("numeric id %d", gid))
	}
	var out Outcome
	err := s.write(ctx, "take over group", func(ctx context.Context, t *tx) (err error) {
		if out, err = t.takeNumber(ctx, KindGroup, sub, gid); err == nil && rehearse {
			err = errRehearsal
		}
		return err
	})
	if errors.Is(err, errRehearsal) {
		err = nil
	}
	return out, err
}

// takeNumber is assignUID that tells what it did, and why it could not.
func (t *tx) takeNumber(ctx context.Context, kind Kind, sub Subject, uid int64) (Outcome, error) {
	out := Outcome{Item: "uid", ID: uid, Result: TakenNow}
	q, err := kind.queries()
	if err != nil {
		return out, err
	}
	var old known
	err = t.row(ctx, q.byStable, sub.Directory, sub.Stable).Scan(&old.uid, &old.name)
	switch {
	case err == nil && old.uid == uid:
		out.Result = TakenBefore
		return out, nil
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return out, err
	}
	out.Was = old.uid
	err = t.assignUID(ctx, kind, q, trimID(sub), uid)
	if err != nil && t.store.dialect.faultOf(err) == faultConstraint {
		err = fmt.Errorf("%w: data are stored here under number %d, which cannot be changed any more", ErrConflict, old.uid)
	}
	return out, err
}

// takeover is one TakeOver under way.
type takeover struct {
	*tx
	in       Takeover
	rehearse bool
	ledger   map[string]int64 // what was taken over before, with its value
	out      []Outcome
	touched  map[string]bool // tables that changed
}

func (t *takeover) run(ctx context.Context) error {
	t.touched = map[string]bool{}
	number, err := t.takeNumber(ctx, KindPerson, t.in.Subject, t.in.UID)
	if err != nil {
		return err
	}
	t.out = append(t.out, number)
	if err := t.lockPerson(ctx, t.in.UID); err != nil {
		return err
	}
	if t.ledger, err = t.imported(ctx, t.in.Source, t.in.UID); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		t.locals, t.permissions, t.appPasswords, t.mobileCodes, t.notifications, t.tell,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// anything tells whether something is new.
func (t *takeover) anything() bool {
	for _, o := range t.out {
		if o.Result == TakenNow {
			return true
		}
	}
	return false
}

// imported reads what was taken over of a person.
func (t *tx) imported(ctx context.Context, source string, uid int64) (map[string]int64, error) {
	found := map[string]int64{}
	err := t.each(ctx, "SELECT item, value FROM imported WHERE source = ? AND uid = ?", []any{source, uid},
		func(rows *sql.Rows) error {
			var item string
			var value int64
			err := rows.Scan(&item, &value)
			found[item] = value
			return err
		})
	return found, err
}

// remember notes that something was taken over.
func (t *tx) remember(ctx context.Context, source string, uid int64, item string, value int64) error {
	_, err := t.exec(ctx, `INSERT INTO imported (source, uid, item, value, at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (source, uid, item) DO UPDATE SET value = excluded.value`,
		source, uid, item, value, micros(t.store.clock()))
	return err
}

// once takes one thing over unless that was done before. do tells whether it
// changed anything; its ErrConflict skips the thing alone.
func (t *takeover) once(ctx context.Context, item string, id, value int64, table string, do func() (bool, error)) error {
	key := item
	if id != 0 {
		key += "/" + strconv.FormatInt(id, 10)
	}
	out := Outcome{Item: item, ID: id, Result: TakenBefore}
	if before, ok := t.ledger[key]; !ok || before != value {
		added, err := do()
		switch {
		case errors.Is(err, ErrConflict):
			out.Result, out.Reason = TakenNot, strings.TrimPrefix(err.Error(), ErrConflict.Error()+": ")
			t.out = append(t.out, out)
			return nil
		case err != nil:
			return err
		case added:
			out.Result = TakenNow
			t.touched[table] = true
		}
		if err := t.remember(ctx, t.in.Source, t.in.UID, key, value); err != nil {
			return err
		}
	}
	t.out = append(t.out, out)
	return nil
}

// tell announces what changed.
func (t *takeover) tell(ctx context.Context) error {
	for _, table := range []string{TableLocals, TablePermissions, TableNotifications} {
		if !t.touched[table] {
			continue
		}
		if table == TableLocals {
			if _, err := t.exec(ctx, "UPDATE locals SET revision = revision + 1 WHERE uid = ?", t.in.UID); err != nil {
				return err
			}
		}
		if err := t.changed(ctx, table, t.in.UID); err != nil {
			return err
		}
	}
	return nil
}
