package feed

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// ad follows a domain controller by its change numbers. Everything is asked over
// one connection, so that one controller answers for the whole session.
//
// A look reads the controller's highest number first, then every object of the
// naming context, deleted ones included, whose uSNChanged is higher than the one
// read before: what is ours is written, and everything else deleted by its id,
// which covers objects that were deleted, moved out of the base, or changed so
// that the filters do not find them any more. The same change may come twice and
// never too seldom. Numbers belong to one database of one controller, so its
// invocation id is kept with them; another one makes everything be read again.
//
// DirSync was not chosen. It needs the right to replicate the whole domain, tells
// changed attributes only, from which an entry must be put together without ever
// missing one, never tells the computed attributes behind account states, and is
// as silent as change numbers about what changes by itself: members of a deleted
// person, and DNs below a renamed unit.
type ad struct {
	*poll
	conn  *pinned
	mark  adMark
	sweep bool  // nothing deleted was ever seen: perhaps it may not be, so ids are swept
	since int64 // of the look under way
	came  arrivals

	overlap bool // something changed while the last read ran
}

// adMark is where a domain controller stands.
type adMark struct {
	name     string
	identity string // name and invocation id
	context  string // DN of the naming context of the domain
	highest  int64  // change number
	scoped   bool   // it can be asked not to send references to other contexts
}

// Names of the domain controller's dialect.
const (
	usnAttribute   = "uSNChanged"
	oidDomainScope = "1.2.840.113556.1.4.1339"
	adInterval     = time.Second // between two looks, unless the configuration says otherwise
)

// errOtherController: a change number of one database means nothing to another.
var errOtherController = &restart{why: "another domain controller answers, or a restored one, than the one that gave the change number"}

func newAD(f *follower, s server) *ad {
	p := newPoll(f, s)
	p.mode = ModeAD
	return &ad{poll: p, sweep: true}
}

// run follows from a position until something fails.
func (a *ad) run(ctx context.Context, at position) error {
	conn, url, err := a.dir.Dedicated(ctx)
	if err != nil {
		return fmt.Errorf("connect for the feed of changes: %w", err)
	}
	a.conn = pin(ctx, conn)
	defer a.conn.close()
	a.source = a.conn
	a.status.set(func(st *Status) { st.Server = url })
	if a.mark, err = a.ask(ctx); err != nil {
		return err
	}
	if err := a.tryDeleted(ctx); err != nil {
		return err
	}
	a.identity = a.mark.identity
	since, _ := strconv.ParseInt(at.Since, 10, 64)
	if since > 0 && (at.Server != a.mark.identity || a.mark.highest+1 < since) {
		a.log.Info("reading the directory again", "reason", errOtherController.why)
		since = 0
	}
	swept := a.now()
	for {
		switch {
		case since == 0 || a.now().After(a.nextFull) && a.cfg.Reconcile > 0:
			since, err = a.readEverything(ctx)
			swept = a.now()
		default:
			since, err = a.look(ctx, since)
			if err == nil && a.sweep && a.now().Sub(swept) >= a.cfg.Sweep {
				err = a.sweepIDs(ctx, strconv.FormatInt(since, 10))
				swept = a.now()
			}
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		a.followed = true
		a.status.contact()
		a.status.phase(PhaseFollowing, nil)
		if !sleep(ctx, jitter(a.interval(adInterval))) {
			return ctx.Err()
		}
	}
}

// ask reads where the controller stands. A number lower than one that it gave
// before is another database too: one that was put back.
func (a *ad) ask(ctx context.Context) (adMark, error) {
	s, err := askServer(ctx, a.conn)
	if err != nil {
		return adMark{}, err
	}
	m := adMark{name: s.identity, context: s.context, scoped: s.domainScope}
	if m.highest, err = strconv.ParseInt(s.highestUSN, 10, 64); err != nil || m.context == "" {
		return adMark{}, errors.New("the root DSE lacks highestCommittedUSN or defaultNamingContext: let the service account read them")
	}
	if m.name == a.mark.name && m.highest == a.mark.highest {
		return a.mark, nil
	}
	res, err := a.conn.Search(ctx, ldap.NewSearchRequest(m.name, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", []string{"invocationId"}, nil))
	if err != nil || len(res.Entries) == 0 {
		return adMark{}, fmt.Errorf("read the invocation id of the domain controller in %q: %w", m.name, err)
	}
	m.identity = m.name + "/" + hex.EncodeToString(res.Entries[0].GetEqualFoldRawAttributeValue("invocationId"))
	if a.mark.identity != "" && (m.identity != a.mark.identity || m.highest < a.mark.highest) {
		a.full.Store(true)
		return adMark{}, errOtherController
	}
	return m, nil
}

// readEverything is the full read; the looks go on from the number that the
// controller had before it.
func (a *ad) readEverything(ctx context.Context) (since int64, err error) {
	if a.mark, err = a.ask(ctx); err != nil {
		return 0, err
	}
	since = a.mark.highest + 1
	err = a.fullRead(ctx, func(*directory.Entry) {}, func() string { return strconv.FormatInt(since, 10) })
	if err == nil {
		err = a.afterRead(ctx)
	}
	return since, err
}

// look reads what changed and writes it.
func (a *ad) look(ctx context.Context, since int64) (int64, error) {
	before, err := a.ask(ctx)
	if err != nil {
		return 0, err
	}
	a.mark = before
	if before.highest < since {
		return since, nil
	}
	changes := 0
	a.since, a.came = since, arrivals{looked: map[string]bool{}}
	err = a.read(ctx, a.changes(since), a.take, func(list []*directory.Entry, gone []string) error {
		changes += len(list) + len(gone)
		return a.apply(ctx, Batch{Upserts: list, Deletes: gone})
	})
	if err == nil {
		err = a.welcome(ctx)
	}
	if err != nil {
		a.full.Store(a.full.Load() || len(a.came.came) > 0) // the next look would not notice who came
		return 0, err
	}
	if err := a.afterRead(ctx); err != nil {
		return 0, err
	}
	if a.full.Load() {
		a.log.Info("a container was renamed or moved, or much came into view: reading everything again")
		return a.readEverything(ctx)
	}
	next := before.highest + 1
	if changes == 0 && next-since < quietNumbers {
		return next, nil // a restart looks at the same numbers once more, which costs little
	}
	at := a.position(strconv.FormatInt(next, 10))
	return next, a.apply(ctx, Batch{Cookie: &at})
}

// quietNumbers is how many changes of what is not ours may pass before the place
// is stored.
const quietNumbers = 1000

// changes is the search for everything that changed. It has no filter beside the
// number: what left the filters must be seen too.
func (a *ad) changes(since int64) *ldap.SearchRequest {
	req := a.m.All(0)
	req.BaseDN = a.mark.context
	req.Filter = "(" + usnAttribute + ">=" + strconv.FormatInt(since, 10) + ")"
	req.Attributes = append(req.Attributes, "isDeleted", "uSNCreated")
	req.Controls = []ldap.Control{ldap.NewControlMicrosoftShowDeleted()}
	if a.mark.scoped {
		req.Controls = append(req.Controls, ldap.NewControlString(oidDomainScope, false, ""))
	}
	return req
}

// take maps a changed object; nil is one that is gone or not ours.
func (a *ad) take(ctx context.Context, e *ldap.Entry) (*directory.Entry, error) {
	if e.GetEqualFoldAttributeValue("isDeleted") == "TRUE" {
		a.noteDeleted(e)
		a.names.forget(a.m.Stable(e))
		return nil, nil
	}
	entry, err := a.mapped(ctx, e)
	if err != nil {
		return nil, err
	}
	created, _ := strconv.ParseInt(e.GetEqualFoldAttributeValue("uSNCreated"), 10, 64)
	if entry != nil && a.names.moved(entry, created >= a.since) || entry == nil && a.names.lost(a.m.Stable(e)) {
		a.full.Store(true) // what lies below it went along, without a number
	}
	if entry != nil {
		err = a.note(ctx, entry, created >= a.since)
	}
	return entry, err
}

// noteDeleted looks whether an object is a deleted one, not the container of these,
// which everybody sees.
func (a *ad) noteDeleted(e *ldap.Entry) {
	if strings.Contains(e.DN, `\0ADEL:`) {
		a.sweep = false
	}
}

// tryDeleted finds out whether the service account sees what was deleted. Where it
// does not, or nothing ever was, deletions are found by sweeps of ids.
func (a *ad) tryDeleted(ctx context.Context) error {
	req := ldap.NewSearchRequest(a.mark.context, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 3, 0, false,
		"(isDeleted=TRUE)", []string{"objectGUID"}, []ldap.Control{ldap.NewControlMicrosoftShowDeleted()})
	res, err := a.conn.Search(ctx, req)
	if code(err) == ldap.LDAPResultSizeLimitExceeded && res != nil {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("look for deleted objects: %w", err)
	}
	for _, e := range res.Entries {
		a.noteDeleted(e)
	}
	if a.sweep {
		a.log.Info("no deleted object is to be seen: perhaps there is none, perhaps the service account may not; ids are compared",
			"every", a.cfg.Sweep.String())
	}
	return nil
}
