package feed

import (
	"context"
	"fmt"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// op is the newest thing known of one entry: its content, or that it is gone.
type op struct {
	stable string
	uuid   string      // as the server announced it
	entry  *ldap.Entry // nil: gone
	fresh  bool        // the server called it new
}

// pending collects operations and keeps only the last one of each entry, in the
// order of these last ones. Content is mapped when a batch is written, so of a
// storm of changes to one entry only one is looked at.
type pending struct {
	ops     []op
	place   map[string]int
	live    int
	values  int
	doubles int // operations that replaced an older one
}

func (p *pending) put(o op) {
	if p.place == nil {
		p.place = map[string]int{}
	}
	if i, ok := p.place[o.stable]; ok {
		p.values -= weight(p.ops[i].entry)
		o.fresh = o.fresh && p.ops[i].fresh
		p.ops[i] = op{}
		p.doubles++
		p.live--
	}
	p.place[o.stable] = len(p.ops)
	p.ops = append(p.ops, o)
	p.values += weight(o.entry)
	p.live++
}

// weight is a rough size: the number of values.
func weight(e *ldap.Entry) int {
	if e == nil {
		return 0
	}
	n := 0
	for _, a := range e.Attributes {
		n += len(a.Values)
	}
	return n
}

// full tells that no more should be collected before some is written.
func (p *pending) full() bool { return len(p.ops) >= 4*batchEntries || p.values >= 4*batchValues }

// due tells that there is enough for a write in the middle of a refresh.
func (p *pending) due() bool { return p.live >= batchEntries || p.values >= batchValues }

func (p *pending) take() []op {
	list := make([]op, 0, p.live)
	for _, o := range p.ops {
		if o.stable != "" {
			list = append(list, o)
		}
	}
	*p = pending{}
	return list
}

// batch maps operations. moved tells that a container was renamed.
func (s *syncrepl) batch(ops []op) (b Batch, moved bool, _ error) {
	for _, o := range ops {
		var entry *directory.Entry
		if o.entry != nil {
			var err error
			entry, err = s.m.EntryWithID(o.entry, o.uuid)
			if err = s.unusable(err); err != nil {
				return Batch{}, false, err
			}
		}
		if entry == nil {
			b.Deletes = append(b.Deletes, o.stable)
			s.names.forget(o.stable)
			s.recent.read(o.stable, time.Time{}, true)
			continue
		}
		moved = s.names.moved(entry, o.fresh) || moved
		b.Upserts = append(b.Upserts, entry)
		s.recent.read(o.stable, entry.Modified, false)
	}
	return b, moved, nil
}

// write is the job that maps and applies operations and stores where the feed
// stands after them, "" for nothing to be stored.
func (s *syncrepl) write(ops []op, at string) func(context.Context) error {
	resuming := s.server.vendor == vendor389 && s.resumed && !s.following
	stream := s.following
	return func(ctx context.Context) error {
		if resuming {
			if err := s.reread(ctx, ops); err != nil {
				return err
			}
		}
		b, moved, err := s.batch(ops)
		if err != nil {
			return err
		}
		if b.Stream = stream; at != "" {
			b.Cookie = &at
		}
		if err := s.store.Apply(ctx, s.cfg.Directory, b); err != nil {
			return fmt.Errorf("write changes: %w", err)
		}
		if at != "" {
			s.stored = at
		}
		if moved {
			s.tellMoved()
		}
		now := s.now()
		s.status.set(func(st *Status) {
			st.Batches++
			st.Changes += int64(len(ops))
			st.LastChange = now
		})
		return nil
	}
}

// tellMoved has the groups read again as soon as the stream is being followed.
func (s *syncrepl) tellMoved() {
	select {
	case s.moves <- struct{}{}:
	default:
	}
}
