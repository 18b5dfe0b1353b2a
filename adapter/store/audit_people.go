package store

import "context"

// Which records concern whom is kept in a table of its own, audit_people, which
// is filled in large sorted pieces: with an index of the log itself every record
// of another person would change another page. How far the table goes stands in
// audit_indexed and changes in the same transactions. What comes after that is
// found by reading the records themselves; they are at most a few pieces.

const (
	indexPiece = 16384 // records in one transaction
	indexAfter = 65536 // records of this process after which the table is brought up to date
)

// wrote counts records and wakes the one who indexes them when there are enough.
func (a *auditor) wrote(n int) {
	a.fresh += n
	if a.fresh < indexAfter {
		return
	}
	a.fresh = 0
	select {
	case a.behind <- struct{}{}:
	default: // it has not got to the last call yet
	}
}

// indexRecords brings audit_people up to date.
func (s *Store) indexRecords(ctx context.Context) error {
	for more := true; more; {
		err := s.write(ctx, "index of the security log", func(ctx context.Context, t *tx) (err error) {
			more, err = t.indexPiece(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// indexPiece takes in some records; more tells that there were enough for another piece.
func (t *tx) indexPiece(ctx context.Context) (more bool, err error) {
	var done, last int64
	// The lock keeps two processes from taking in the same records.
	if err := t.row(ctx, "SELECT seq FROM audit_indexed"+t.store.dialect.forUpdate).Scan(&done); err != nil {
		return false, err
	}
	if err := t.row(ctx, "SELECT coalesce(max(seq), 0) FROM audit").Scan(&last); err != nil || last <= done {
		return false, err
	}
	upTo := min(last, done+indexPiece)
	_, err = t.exec(ctx, t.store.dialect.insert+` INTO audit_people (uid, seq)
		SELECT uid, seq FROM audit WHERE seq > ? AND seq <= ? AND uid <> 0 ORDER BY uid, seq`, done, upTo)
	if err != nil {
		return false, err
	}
	_, err = t.exec(ctx, "UPDATE audit_indexed SET seq = ?", upTo)
	return last-upTo >= indexPiece, err
}
