package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// Record is one record of the security log. Nothing in it may be secret.
type Record struct {
	Seq       int64     // set by the store: 1, 2, 3, ... without a gap
	At        time.Time // zero when appending: now
	Type      int       // kind of event, in the numbers of the adapter
	UID       int64     // the person concerned; 0: nobody
	KeyID     int64     // the API key used; 0: none
	Actor     string    // who did it, if not the person: at most 255 characters
	Address   string    // client address: at most 64 characters
	RequestID string    // at most 128 characters
	Text      string    // at most 1,000 characters
	Erased    bool      // personal fields were removed lawfully; set by the store
}

// MaxAppend is the largest number of records in one Append.
const MaxAppend = 1000

const (
	auditQueue     = 1024 // calls waiting, not records
	auditBatch     = 512  // records in one transaction, if no single call brings more
	auditColumns   = 12
	maxInsertRows  = 64
	maxAddressLen  = 64
	maxRequestLen  = 128
	maxRecordText  = 1000
	saltSize       = 16
	auditHeadQuery = "SELECT seq, hash, mac FROM audit_chain WHERE name = ?"
	auditHeadSet   = "UPDATE audit_chain SET seq = ?, hash = ?, mac = ? WHERE name = ?"
	auditInsert    = ` INTO audit (seq, at, type, key_id, request_id, uid, actor, address, text,
		salt, digest, hash) VALUES `
)

// auditor collects what callers append and writes it in common transactions.
type auditor struct {
	chain   *chain
	headGet *sql.Stmt
	headSet *sql.Stmt
	insert  map[int]*sql.Stmt // by number of rows, powers of two

	mu     sync.RWMutex // held for reading while a call is put in the queue
	closed bool
	queue  chan *appendCall
	done   chan struct{}
	crowd  crowd
	last   Anchor // of this process, used by the writing goroutine only
	fresh  int    // records since the last call to behind, of the writing goroutine too
	behind chan struct{}
}

type appendCall struct {
	records []Record
	result  chan error
}

// Append adds records to the security log, together or not at all, and returns
// when they are durable. Calls at the same time share a transaction. When ctx
// ends while waiting, the records may or may not be written. Errors: ErrInvalid
// for more than MaxAppend records, ErrTampered when the end of the chain was
// changed from outside, ErrClosed, ErrUnavailable: then what the records tell of
// must not happen.
func (s *Store) Append(ctx context.Context, records ...Record) error {
	if len(records) == 0 {
		return nil
	}
	if len(records) > MaxAppend {
		return s.fail(ctx, "security log", invalidf("%d records at once", len(records)))
	}
	call := &appendCall{records: make([]Record, len(records)), result: make(chan error, 1)}
	now := s.clock()
	for i, r := range records {
		call.records[i] = r.storable(now)
	}
	if err := s.audit.put(ctx, call); err != nil {
		return s.fail(ctx, "security log", err)
	}
	select {
	case err := <-call.result:
		return err
	case <-ctx.Done():
		return s.fail(ctx, "security log", ctx.Err())
	}
}

// storable gives the record as it will be read back.
func (r Record) storable(now time.Time) Record {
	if r.At.IsZero() {
		r.At = now
	}
	r.At = when(micros(r.At))
	r.Actor = clean(r.Actor, maxActorLen)
	r.Address = clean(r.Address, maxAddressLen)
	r.RequestID = clean(r.RequestID, maxRequestLen)
	r.Text = clean(r.Text, maxRecordText)
	return r
}

func (a *auditor) put(ctx context.Context, call *appendCall) error {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.closed {
		return ErrClosed
	}
	select {
	case a.queue <- call:
		a.crowd.joined(len(a.queue))
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// found writes both ends of an empty chain; only a new database gets them.
func (a *auditor) found(ctx context.Context, t *tx) error {
	c := newChain(t.store.macs.audit)
	for _, name := range []string{chainStart, chainHead} {
		genesis := Anchor{Hash: make([]byte, hashSize)}
		_, err := t.exec(ctx, "INSERT INTO audit_chain (name, seq, hash, mac) VALUES (?, ?, ?, ?)",
			name, genesis.Seq, genesis.Hash, c.seal(name, genesis))
		if err != nil {
			return err
		}
	}
	return nil
}

// prepare makes the statements of the writing goroutine.
func (a *auditor) prepare(ctx context.Context, s *Store) error {
	a.chain = newChain(s.macs.audit)
	a.queue = make(chan *appendCall, auditQueue)
	a.done = make(chan struct{})
	a.crowd.enough = make(chan struct{}, 1)
	a.behind = make(chan struct{}, 1)
	a.insert = map[int]*sql.Stmt{}
	prepare := func(query string) (*sql.Stmt, error) { return s.w.PrepareContext(ctx, s.dialect.bind(query)) }
	var err error
	if a.headGet, err = prepare(auditHeadQuery + s.dialect.forUpdate); err != nil {
		return err
	}
	if a.headSet, err = prepare(auditHeadSet); err != nil {
		return err
	}
	for n := 1; n <= maxInsertRows; n *= 2 {
		if a.insert[n], err = prepare(s.dialect.insert + auditInsert + rowMarks(n, auditColumns)); err != nil { //nolint:sqlclosecheck // kept prepared, closed with the store
			return err
		}
	}
	return nil
}

func (a *auditor) start(s *Store) {
	go func() {
		defer close(a.done)
		for {
			calls, open := a.collect()
			if len(calls) > 0 {
				began := time.Now()
				a.flush(s, calls)
				a.crowd.linger(len(calls), time.Since(began), func() int { return len(a.queue) })
			}
			if !open {
				return
			}
		}
	}()
}

// close lets nobody in any more and waits until the queue is written.
func (a *auditor) close() {
	a.mu.Lock()
	a.closed = true
	close(a.queue)
	a.mu.Unlock()
	<-a.done
}

// collect waits for a call and takes along those that come at the same time:
// it yields the processor a few times to callers that the last transaction
// released. What comes while a transaction is written goes into the next.
func (a *auditor) collect() (calls []*appendCall, open bool) {
	first, open := <-a.queue
	if !open {
		return nil, false
	}
	calls = append(calls, first)
	records := len(first.records)
	for idle := 0; records < auditBatch; {
		select {
		case call, open := <-a.queue:
			if !open {
				return calls, false
			}
			calls = append(calls, call)
			records += len(call.records)
			idle = 0
			continue
		default:
		}
		idle++
		if idle > 2 {
			break
		}
		runtime.Gosched()
	}
	return calls, true
}

// flush writes the records of all calls in one transaction and answers them.
func (a *auditor) flush(s *Store, calls []*appendCall) {
	var records []Record
	for _, call := range calls {
		records = append(records, call.records...)
	}
	// Callers may have gone; the others still want their records.
	var head Anchor
	err := s.writeAnyway(context.Background(), "security log", func(ctx context.Context, t *tx) (err error) {
		head, err = a.write(ctx, t, records)
		return err
	})
	if err == nil {
		a.last = head
		a.wrote(len(records))
	}
	for _, call := range calls {
		call.result <- err
	}
}

// note adds records to the security log within t, so that what they tell of
// happens together with them or not at all.
func (t *tx) note(ctx context.Context, records []Record) error {
	if len(records) == 0 {
		return nil
	}
	if len(records) > MaxAppend {
		return invalidf("%d records at once", len(records))
	}
	now := t.store.clock()
	own := make([]Record, len(records))
	for i, r := range records {
		own[i] = r.storable(now)
	}
	_, err := t.store.audit.extend(ctx, t, newChain(t.store.macs.audit), own)
	return err
}

// write is extend for the writing goroutine.
func (a *auditor) write(ctx context.Context, t *tx, records []Record) (Anchor, error) {
	head, err := a.extend(ctx, t, a.chain, records)
	if before := head.Seq - int64(len(records)); err == nil && before < a.last.Seq {
		t.store.log.Error("the security log went back: records that were durable are gone",
			"before", before, "last_written", a.last.String())
	}
	return head, err
}

// extend chains the records to the head, which it locks, and gives the new head.
// A chain is used by one goroutine at a time.
func (a *auditor) extend(ctx context.Context, t *tx, c *chain, records []Record) (Anchor, error) {
	head, err := c.readEnd(chainHead, t.sql.StmtContext(ctx, a.headGet).QueryRowContext(ctx, chainHead).Scan) //nolint:sqlclosecheck // kept prepared, closed with the store
	if err != nil {
		return Anchor{}, err
	}
	salts := make([]byte, saltSize*len(records))
	rand.Read(salts) // never fails
	args := make([]any, 0, auditColumns*len(records))
	for i := range records {
		r := &records[i]
		r.Seq = head.Seq + 1
		salt := salts[i*saltSize : (i+1)*saltSize]
		digest := c.digest(salt, r)
		head = Anchor{Seq: r.Seq, Hash: c.hash(head.Hash, r, digest)}
		args = append(args, r.Seq, micros(r.At), r.Type, r.KeyID, r.RequestID, r.UID, r.Actor, r.Address, r.Text,
			salt, digest, head.Hash)
	}
	for size := maxInsertRows; len(args) > 0; {
		if len(args) < size*auditColumns {
			size /= 2
			continue
		}
		if _, err := t.sql.StmtContext(ctx, a.insert[size]).ExecContext(ctx, args[:size*auditColumns]...); err != nil { //nolint:sqlclosecheck // kept prepared, closed with the store
			return Anchor{}, err
		}
		args = args[size*auditColumns:]
	}
	_, err = t.sql.StmtContext(ctx, a.headSet).ExecContext(ctx, head.Seq, head.Hash, c.seal(chainHead, head), chainHead) //nolint:sqlclosecheck // kept prepared, closed with the store
	if err != nil {
		return Anchor{}, err
	}
	return head, nil
}

// logHead puts the end of the chain into the program's log: an anchor that
// nobody can change by changing the database.
func (s *Store) logHead(ctx context.Context) {
	head, err := s.Head(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Error("the end of the security log cannot be read", "error", err)
		}
		return
	}
	s.log.Info("security log anchor", "anchor", head.String())
}

// Head is the end of the security log now. Kept outside the database it lets
// Verify find records that were cut off. Errors: ErrTampered, ErrUnavailable.
func (s *Store) Head(ctx context.Context) (Anchor, error) {
	query := s.dialect.bind(auditHeadQuery)
	limited, cancel := s.bound(ctx)
	defer cancel()
	head, err := s.audit.chain.readEnd(chainHead, s.r.QueryRowContext(limited, query, chainHead).Scan)
	if err != nil {
		return Anchor{}, s.fail(ctx, "end of the security log", err)
	}
	return head, nil
}

func tampered(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrTampered}, args...)...)
}
