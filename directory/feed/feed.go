package feed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"portico/directory/mapping"
)

// Mode is the mechanism that a feed uses.
type Mode string

// The modes of a configuration.
const (
	ModeAuto     Mode = "auto" // ad on Active Directory, else syncrepl where the server offers it, else poll
	ModeSyncrepl Mode = "syncrepl"
	ModeAD       Mode = "ad" // by change numbers; on any other server poll
	ModePoll     Mode = "poll"
)

// Config of a feed. Durations of zero have the default named beside them.
type Config struct {
	Directory string // configured name
	Mode      Mode   // "" is auto

	// Servers and BindDN are part of the fingerprint: another server or another
	// account may see other entries, so everything is read again.
	Servers []string
	BindDN  string

	Interval  time.Duration // poll and ad: between two looks; 30 s, ad 1 s
	Sweep     time.Duration // poll and ad: between two sweeps of ids; 10 × Interval, at least 1 minute; without an Interval 5 minutes
	Margin    time.Duration // poll: how far a look reaches back beyond the last one; 10 s
	Reconcile time.Duration // between two full reconciliations; 24 h; negative: never
	Verify    time.Duration // to a reconciliation after the server went away; 1 minute; negative: never
	Lag       time.Duration // how far a replica may be behind another; 1 minute
	Pause     time.Duration // reconciliation: rest after each batch; 50 ms; negative: none
	Heartbeat time.Duration // syncrepl: longest silence before the stream is tested; 30 s
	Patience  time.Duration // syncrepl: how long the test may take; 10 s
	Gap       time.Duration // syncrepl: between two transactions of changes; 5 ms
	StormGap  time.Duration // the same while one entry changes again and again; 50 ms
	MinWait   time.Duration // before the first reconnect; 250 ms
	MaxWait   time.Duration // before any later one; 30 s
	PageSize  uint32        // poll and reconciliation; 500
}

// DefaultSweep is how long a deletion may stay unnoticed where nothing tells of it,
// unless the configuration has an interval.
const DefaultSweep = 5 * time.Minute

// Feed is what follows one directory.
type Feed interface {
	// Run follows until ctx ends, and then gives nil. It reconnects by itself and
	// reports trouble in Status and the log.
	Run(ctx context.Context) error
	Status() Status
}

// follower is the Feed: it chooses the mechanism and lives through failures.
type follower struct {
	cfg   Config
	dir   Directory
	m     *mapping.Mapper
	store Store
	log   *slog.Logger
	now   func() time.Time

	fingerprint string
	status      *board
	noSyncrepl  bool         // auto: the server announced it and did not do it
	full        atomic.Bool  // the next session must read everything
	names       *names       // containers and their DNs, for renames
	recent      *recent      // entries that changed a moment ago
	nextFull    time.Time    // when the next reconciliation is due
	lastFull    atomic.Int64 // when the last full read ended, Unix seconds
	followed    bool         // the session got as far as following
}

// New makes a feed. It reads nothing before Run.
func New(cfg Config, dir Directory, m *mapping.Mapper, store Store, log *slog.Logger, now func() time.Time) (Feed, error) {
	switch cfg.Mode {
	case "":
		cfg.Mode = ModeAuto
	case ModeAuto, ModeSyncrepl, ModeAD, ModePoll:
	default:
		return nil, fmt.Errorf("sync mode %q is none of auto, syncrepl, ad, poll", cfg.Mode)
	}
	if cfg.Interval == 0 {
		setDefault(&cfg.Sweep, DefaultSweep)
	}
	setDefault(&cfg.Sweep, max(10*cfg.Interval, time.Minute))
	setDefault(&cfg.Margin, 10*time.Second)
	setDefault(&cfg.Reconcile, 24*time.Hour)
	setDefault(&cfg.Verify, time.Minute)
	setDefault(&cfg.Lag, time.Minute)
	setDefault(&cfg.Pause, 50*time.Millisecond)
	setDefault(&cfg.Heartbeat, 30*time.Second)
	setDefault(&cfg.Patience, 10*time.Second)
	setDefault(&cfg.Gap, 5*time.Millisecond)
	setDefault(&cfg.StormGap, 50*time.Millisecond)
	setDefault(&cfg.MinWait, 250*time.Millisecond)
	setDefault(&cfg.MaxWait, 30*time.Second)
	if cfg.PageSize == 0 {
		cfg.PageSize = 500
	}
	f := &follower{
		cfg: cfg, dir: dir, m: m, store: store, now: now,
		log:    log.With("directory", cfg.Directory),
		status: &board{s: Status{Phase: PhaseConnecting}, now: now},
		names:  newNames(), recent: newRecent(now, cfg.Lag),
	}
	f.fingerprint = fingerprint(cfg, m)
	return f, nil
}

func setDefault(d *time.Duration, v time.Duration) {
	if *d == 0 {
		*d = v
	}
}

// fingerprint changes with everything that decides which entries are seen and how
// they are read.
func fingerprint(cfg Config, m *mapping.Mapper) string {
	servers := slices.Sorted(slices.Values(cfg.Servers))
	sum := sha256.Sum256([]byte(strings.Join(append(servers, cfg.BindDN, m.Fingerprint()), "\x00")))
	return hex.EncodeToString(sum[:16])
}

// Status is a snapshot.
func (f *follower) Status() Status { return f.status.get() }

// Run implements Feed.
func (f *follower) Run(ctx context.Context) error {
	wait := f.cfg.MinWait
	for {
		f.followed = false
		err := f.guarded(ctx)
		if ctx.Err() != nil {
			f.status.phase(PhaseWaiting, context.Cause(ctx))
			return nil
		}
		if f.followed {
			wait = f.cfg.MinWait
		}
		var again *restart
		if errors.As(err, &again) && wait == f.cfg.MinWait {
			f.log.Info("reading the directory again", "reason", again.why)
			wait *= 2 // once; a server that asks for it again and again is not asked in a loop
			continue
		}
		if f.followed && again == nil {
			f.verifySoon()
		}
		err = explain(err)
		pause := jitter(wait)
		f.status.phase(PhaseWaiting, err)
		f.status.set(func(s *Status) { s.Reconnects++ })
		f.log.Warn("the feed of changes stopped", "error", err, "retry_in", pause.Round(time.Millisecond).String())
		if !sleep(ctx, pause) {
			return nil
		}
		wait = min(2*wait, f.cfg.MaxWait)
	}
}

// verifySpace is the least distance of two reconciliations that reconnects cause.
const verifySpace = 10 * time.Minute

// verifySoon plans a reconciliation after the stream broke. A server that crashed
// may come back with an older idea of what its last change was, and then answers
// "nothing new" to a cookie although a deletion was never told.
func (f *follower) verifySoon() {
	if f.cfg.Verify < 0 || f.cfg.Reconcile < 0 {
		return
	}
	soon := f.now().Add(f.cfg.Verify)
	soon = later(soon, time.Unix(f.lastFull.Load(), 0).Add(min(verifySpace, f.cfg.Reconcile)))
	if soon.Before(f.nextFull) {
		f.nextFull = soon
	}
}

// session runs the right mechanism until it breaks.
func (f *follower) session(ctx context.Context) error {
	f.status.phase(PhaseConnecting, nil)
	text, err := f.store.Cookie(ctx, f.cfg.Directory)
	if err != nil {
		return fmt.Errorf("read where the feed stands: %w", err)
	}
	at := readPosition(text)
	server, err := askServer(ctx, f.dir)
	if err != nil {
		// What an earlier process read of this configuration serves meanwhile.
		f.status.set(func(s *Status) { s.Complete = s.Complete || at.Fingerprint == f.fingerprint })
		return err
	}
	f.status.contact()
	mode := f.choose(server)
	full := f.full.Load()
	if full || at.Mode != mode || at.Fingerprint != f.fingerprint {
		if text != "" && !full {
			f.log.Info("the configuration changed: the directory is read again")
		}
		at = position{}
	}
	if f.lastFull.Load() == 0 { // since this process began
		f.lastFull.Store(at.Checked)
		f.nextFull = later(time.Unix(at.Checked, 0).Add(f.cfg.Reconcile), f.now().Add(max(f.cfg.Verify, 0)))
	}
	f.status.set(func(s *Status) { s.Mode, s.Complete = mode, s.Complete || at != position{} })
	switch mode {
	case ModeAD:
		return newAD(f, server).run(ctx, at)
	case ModePoll:
		return newPoll(f, server).run(ctx, at)
	}
	err = newSyncrepl(f, server).run(ctx, at)
	if errors.Is(err, errNoSyncrepl) && f.cfg.Mode == ModeAuto {
		f.noSyncrepl = true
		return &restart{why: err.Error() + ": polling instead"}
	}
	return err
}

// choose picks the mechanism.
func (f *follower) choose(s server) Mode {
	switch {
	case f.cfg.Mode == ModeSyncrepl:
		return ModeSyncrepl
	case s.vendor == vendorAD && f.cfg.Mode != ModePoll:
		return ModeAD
	case f.cfg.Mode == ModeAuto && s.syncrepl && !f.noSyncrepl:
		return ModeSyncrepl
	}
	return ModePoll
}

// restart asks for another session at once.
type restart struct{ why string }

func (r *restart) Error() string { return r.why }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// jitter spreads a wait over ±25 %.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return d
	}
	return d*3/4 + time.Duration(rand.Int64N(int64(d)/2+1))
}

// sleep waits; false if ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
