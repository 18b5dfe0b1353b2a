package mirror

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"

	"portico/directory"
)

// row is an entry as the table holds it.
type row struct {
	id                  int64
	dir                 int
	stable              string
	list                int
	path, name, display string
	more                [7]any // given, family, created, modified, starts, ends, several
	refs, body          []byte
}

// newRow derives the columns of an entry.
func (t *tx) newRow(dir int, e *directory.Entry) row {
	r := row{
		dir: dir, stable: e.ID.Stable, list: int(e.Kind), path: t.w.keys.path(e.DN),
		refs: refsHash(e), body: encode(make([]byte, 0, 512), e),
	}
	switch e.Kind {
	case directory.KindPerson:
		r.name = foldLogin(e.Login)
	default:
		r.name = foldName(e.Name)
	}
	several := 0
	var cut bool
	if r.display, cut = clip(foldName(e.DisplayName())); cut || len(e.Attributes[directory.AttrName]) > 1 {
		several |= severalNames
	}
	starts, ends := t.m.activity(dir, e)
	r.more = [7]any{
		firstValue(e.Attributes[directory.AttrGivenName], severalGiven, &several),
		firstValue(e.Attributes[directory.AttrFamilyName], severalFamily, &several),
		instantOr(e.Created), instantOr(e.Modified), starts, ends, several,
	}
	return r
}

// clipLength bounds the columns that lists are sorted by, and so page positions.
const clipLength = 256

// clip cuts text that is longer than anybody's name.
func clip(s string) (text string, cut bool) {
	if len(s) <= clipLength {
		return s, false
	}
	return strings.ToValidUTF8(s[:clipLength], ""), true
}

// firstValue is the folded first value, or noValue. It sets bit where that is not
// all there is to know.
func firstValue(values []string, bit int, several *int) any {
	for _, v := range values {
		if v == "" {
			continue
		}
		folded, cut := clip(fold(v))
		if cut || len(values) > 1 {
			*several |= bit
		}
		return folded
	}
	return noValue
}

// instantOr is a time in Unix nanoseconds, or noValue.
func instantOr(t time.Time) any {
	if t.IsZero() {
		return noValue
	}
	return t.UnixNano()
}

// activity is when an account is active, in Unix nanoseconds.
func (m *Mirror) activity(dir int, e *directory.Entry) (starts, ends int64) {
	starts, ends = 0, forever
	if e.Kind != directory.KindPerson || m.opts.Activity == nil {
		return starts, ends
	}
	a := m.opts.Activity(m.opts.Directories[dir].StatusRules, e)
	if a.Never {
		return forever, forever
	}
	if !a.From.IsZero() {
		starts = nanoseconds(a.From)
	}
	if !a.Until.IsZero() {
		ends = nanoseconds(a.Until)
	}
	return starts, ends
}

// instant is a time in Unix nanoseconds; 0 for unknown.
func instant(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// refsHash is a hash of the members as the server gave them. All other
// references are among the attributes and so in the body.
func refsHash(e *directory.Entry) []byte {
	if len(e.Members) == 0 {
		return []byte{0}
	}
	h := sha256.New()
	var size [8]byte
	for _, m := range e.Members {
		binary.BigEndian.PutUint64(size[:], uint64(len(m)))
		h.Write(size[:])
		h.Write([]byte(m))
	}
	return h.Sum(nil)[:16]
}

// searchText is what the substring index holds.
func (r *row) searchText() string {
	if r.list == listGroup {
		return r.name
	}
	return r.name + "\n" + r.display
}

func (r *row) isPerson() bool { return r.list == listPerson || r.list == listShadowed }

// upsert makes the mirror's entry what e is. id is its row.
func (t *tx) upsert(dir int, e *directory.Entry) (id int64, err error) {
	if t.w.bulk != nil {
		return t.bulkPut(dir, e)
	}
	now := t.newRow(dir, e)
	old, found, err := t.load(dir, now.stable)
	if err != nil {
		return 0, err
	}
	if !found {
		return t.insert(&now, e)
	}
	sameBody := bytes.Equal(old.body, now.body)
	if sameBody && bytes.Equal(old.refs, now.refs) {
		return old.id, nil
	}
	if old.isPerson() != now.isPerson() || (old.list == listGroup) != (now.list == listGroup) {
		if err := t.removeRow(&old); err != nil {
			return 0, err
		}
		return t.insert(&now, e)
	}
	now.id = old.id
	return now.id, t.replace(&old, &now, e, !sameBody)
}

const loadEntry = `SELECT id, list, path, name, display, refs, body FROM entry WHERE stable=? AND dir=?`

func (t *tx) load(dir int, stable string) (row, bool, error) {
	r := row{dir: dir, stable: stable}
	found, err := t.one(loadEntry, []any{stable, dir}, &r.id, &r.list, &r.path, &r.name, &r.display, &r.refs, &r.body)
	return r, found, err
}

const insertEntry = `INSERT INTO entry(dir, stable, list, path, name, display,
	given, family, created, modified, starts, ends, several, refs, body) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`

func (t *tx) insert(r *row, e *directory.Entry) (int64, error) {
	result, err := t.result(insertEntry, append(append([]any{r.dir, r.stable, r.list, r.path, r.name, r.display}, r.more[:]...), r.refs, r.body)...)
	if err != nil {
		return 0, err
	}
	if r.id, err = result.LastInsertId(); err != nil {
		return 0, err
	}
	if err := t.index(r); err != nil {
		return 0, err
	}
	if _, err := t.diffLinks(r, e); err != nil {
		return 0, err
	}
	if _, err := t.primary(r, e); err != nil {
		return 0, err
	}
	if err := t.returned(r); err != nil {
		return 0, err
	}
	if err := t.bindPath(r.path); err != nil {
		return 0, err
	}
	if r.isPerson() {
		if err := t.nameChanged(r.dir, r.name); err != nil {
			return 0, err
		}
	}
	t.touch(r.dir, r.stable)
	return r.id, nil
}

const updateEntry = `UPDATE entry SET list=?, path=?, name=?, display=?,
	given=?, family=?, created=?, modified=?, starts=?, ends=?, several=?, refs=?, body=? WHERE id=?`

// put writes the columns of a known row.
func (t *tx) put(r *row) error {
	args := append([]any{r.list, r.path, r.name, r.display}, r.more[:]...)
	return t.exec(updateEntry, append(args, r.refs, r.body, r.id)...)
}

// replace writes a known entry's new content and what follows from it. The row
// comes first: a reference to the DN that the entry just gave up is not to it.
func (t *tx) replace(old, now *row, e *directory.Entry, changed bool) error {
	if now.name == old.name {
		now.list = old.list // shadowed or not
	}
	if err := t.put(now); err != nil {
		return err
	}
	if now.name != old.name || now.display != old.display {
		if err := t.unindex(old); err != nil {
			return err
		}
		if err := t.index(now); err != nil {
			return err
		}
	}
	linked, err := t.diffLinks(now, e)
	if err != nil {
		return err
	}
	joined, err := t.primary(now, e)
	if err != nil {
		return err
	}
	if now.path != old.path {
		if err := t.moved(old, now, e.DN); err != nil {
			return err
		}
	}
	if now.name != old.name && now.isPerson() {
		if err := t.renamed(old, now); err != nil {
			return err
		}
	}
	if changed || linked || joined {
		t.touch(now.dir, now.stable)
	}
	return nil
}

// renamed follows a person to the new login name; members by name do not.
func (t *tx) renamed(old, now *row) error {
	if err := t.unbindName(now.id, old.name); err != nil {
		return err
	}
	if err := t.nameChanged(old.dir, old.name); err != nil {
		return err
	}
	return t.nameChanged(now.dir, now.name)
}

// remove deletes an entry by its stable id.
func (t *tx) remove(dir int, stable string) error {
	if t.w.bulk != nil {
		return t.bulkRemove(dir, stable)
	}
	r, found, err := t.load(dir, stable)
	if err != nil || !found {
		return err
	}
	return t.removeRow(&r)
}

func (t *tx) removeRow(r *row) error {
	if err := t.exec("DELETE FROM link WHERE rel IN (1,2,3,4,5) AND src=?", r.id); err != nil {
		return err
	}
	if err := t.primaryGone(r); err != nil {
		return err
	}
	if err := t.departed(r); err != nil {
		return err
	}
	if err := t.unbindName(r.id, r.name); err != nil {
		return err
	}
	if err := t.exec("DELETE FROM entry WHERE id=?", r.id); err != nil {
		return err
	}
	if err := t.unindex(r); err != nil {
		return err
	}
	if err := t.bindPath(r.path); err != nil {
		return err
	}
	if r.isPerson() {
		if err := t.nameChanged(r.dir, r.name); err != nil {
			return err
		}
	}
	t.touch(r.dir, r.stable)
	return nil
}

// index puts an entry's names into the substring index.
func (t *tx) index(r *row) error {
	switch {
	case r.isPerson():
		return t.exec("INSERT INTO find_person(rowid, text) VALUES(?,?)", r.id, r.searchText())
	case r.list == listGroup:
		return t.exec("INSERT INTO find_group(rowid, text) VALUES(?,?)", r.id, r.searchText())
	}
	return nil
}

func (t *tx) unindex(r *row) error {
	switch {
	case r.isPerson():
		return t.exec("DELETE FROM find_person WHERE rowid=?", r.id)
	case r.list == listGroup:
		return t.exec("DELETE FROM find_group WHERE rowid=?", r.id)
	}
	return nil
}
