package embedded

import "sync"

// event is one change as a persistent search sends it.
type event struct {
	state  int
	view   view
	cookie string
}

// feed is the persist stage of one search: a queue between the writers, which
// must not wait, and the connection, which may be slow.
type feed struct {
	store *store
	q     query

	mu    sync.Mutex
	queue []event
	over  bool // the consumer is too far behind
	ready chan struct{}
}

func newFeed(st *store, q query) *feed {
	return &feed{store: st, q: q, ready: make(chan struct{}, 1)}
}

// offer is called for each change with the store's lock held.
func (f *feed) offer(c change) {
	before := c.old != nil && f.sees(c.old)
	after := c.now != nil && f.sees(c.now)
	ev := event{cookie: cookieOf(c.csn)}
	switch {
	case before && after:
		ev.state, ev.view = syncModify, f.store.view(c.now)
	case after:
		ev.state, ev.view = syncAdd, f.store.view(c.now)
	case before:
		ev.state, ev.view = syncDelete, view{schema: f.store.schema, entry: c.old}
	default:
		ev.state = syncNewCookie
	}
	f.mu.Lock()
	if len(f.queue) >= feedBacklog {
		f.over, f.queue = true, nil
	}
	if !f.over {
		f.queue = append(f.queue, ev)
	}
	f.mu.Unlock()
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

func (f *feed) sees(e *entry) bool {
	return inScope(e.dn, f.q.base, f.q.scope) && f.q.filter.eval(f.store.view(e)) == isTrue
}

func (f *feed) take() (events []event, over bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	events, f.queue = f.queue, nil
	return events, f.over
}

// persist sends changes until the search is abandoned or its client is too slow.
func (c *conn) persist(o *operation, q query, f *feed) *fault {
	for {
		select {
		case <-o.ctx.Done():
			return nil
		case <-f.ready:
		}
		events, over := f.take()
		if over {
			return refuse(resultBusy, "too far behind")
		}
		for _, ev := range events {
			if ev.state == syncNewCookie {
				if err := o.send(newCookie(ev.cookie), nil); err != nil {
					return nil
				}
				continue
			}
			state := syncState(ev.state, c.store.schema.uuid(ev.view.entry), ev.cookie)
			answer := searchEntry(ev.view.entry.dn.text, nil)
			if ev.state != syncDelete {
				answer = searchEntry(ev.view.entry.dn.text, q.selection.pick(ev.view))
			}
			if err := o.send(answer, []reply{state}); err != nil {
				return nil
			}
		}
	}
}
