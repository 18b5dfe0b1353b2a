package mirror

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
)

// A sweep may delete this many entries, or this share of what was there when
// the refresh began, whichever is more.
const (
	sweepEntries = 10
	sweepShare   = 0.20
)

// SweepError refuses a sweep that would delete more than max(20 %, 10 entries)
// of a directory. Nothing was deleted and the cookie was not taken. Another
// refresh that would delete exactly the same goes through.
type SweepError struct {
	Directory   string
	Deletes, Of int
}

// Error names the directory and both numbers.
func (e *SweepError) Error() string {
	return fmt.Sprintf("directory %s: a full read lacks %d of %d entries; they are kept until a second one says the same",
		e.Directory, e.Deletes, e.Of)
}

// Complete is called after everything was read, and only if it is proven that
// it was everything: it writes what is queued, deletes what was neither
// upserted nor present, and stores the cookie, in one transaction. It ends the
// refresh, whatever it answers. See SweepError.
func (r *Refresh) Complete(ctx context.Context, cookie string) (deleted int, err error) {
	defer r.Abort()
	select {
	case <-r.failed:
		return 0, r.err
	default:
	}
	close(r.queue)
	select {
	case <-r.done:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	var refused *SweepError
	first := false
	err = r.m.update(ctx, func(t *tx) error {
		if err := r.alive(); err != nil {
			return err
		}
		if t.w.bulk != nil {
			if err := t.finishBulk(); err != nil {
				return err
			}
			first = true
		}
		sweep, err := t.unseen(r)
		if err != nil {
			return err
		}
		if refused, err = t.mayNotSweep(r, sweep); err != nil || refused != nil {
			return err
		}
		for _, stable := range sweep {
			if err := t.remove(r.rank, stable); err != nil {
				return err
			}
		}
		deleted = len(sweep)
		return t.exec("UPDATE directory SET cookie=?, completed=?, refused='' WHERE rank=?",
			[]byte(cookie), r.m.opts.Clock().UnixNano(), r.rank)
	})
	if err != nil {
		return 0, err
	}
	r.m.grams.forget()
	if first {
		r.m.later(r.m.buildLists)
	}
	if refused != nil {
		r.m.log.Warn("a full read of the directory lacks too many entries; they are kept",
			"directory", r.dir, "missing", refused.Deletes, "of", refused.Of)
		return 0, refused
	}
	return deleted, nil
}

// unseen lists the stable ids that the refresh did not meet, in their order.
func (t *tx) unseen(r *Refresh) (stable []string, err error) {
	err = t.each("SELECT id, stable FROM entry WHERE dir=? ORDER BY stable", []any{r.rank}, func(rows *sql.Rows) error {
		var id int64
		var s sql.RawBytes
		if err := rows.Scan(&id, &s); err != nil {
			return err
		}
		if !r.seen.has(id) {
			stable = append(stable, string(s))
		}
		return nil
	})
	return stable, err
}

// mayNotSweep refuses a sweep that is too large and was not announced by an
// equal one, and remembers it.
func (t *tx) mayNotSweep(r *Refresh, sweep []string) (*SweepError, error) {
	if r.allow || len(sweep) <= sweepEntries || float64(len(sweep)) <= sweepShare*float64(r.before) {
		return nil, nil
	}
	h := sha256.New()
	for _, s := range sweep {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	digest := hex.EncodeToString(h.Sum(nil))
	var last string
	if _, err := t.one("SELECT refused FROM directory WHERE rank=?", []any{r.rank}, &last); err != nil {
		return nil, err
	}
	if last == digest {
		return nil, nil
	}
	err := t.exec("UPDATE directory SET refused=? WHERE rank=?", digest, r.rank)
	return &SweepError{Directory: r.dir, Deletes: len(sweep), Of: r.before}, err
}

// bitset is a set of row numbers, one bit each.
type bitset []uint64

func (b *bitset) set(n int64) {
	i := int(n >> 6)
	if i >= len(*b) {
		*b = append(*b, make([]uint64, i+1-len(*b)+len(*b)/2)...)
	}
	(*b)[i] |= 1 << (n & 63)
}

func (b bitset) has(n int64) bool {
	i := int(n >> 6)
	return i < len(b) && b[i]&(1<<(n&63)) != 0
}
