package adapter

import (
	"context"
	"net/netip"
	"strconv"
	"time"

	"portico/adapter/store"
)

// guessKind is a secret short enough to be guessed. Each kind has counters of
// its own: a right password does not clear the wrong codes.
type guessKind string

const (
	guessPIN  guessKind = "pin"
	guessTOTP guessKind = "totp"
	// guessCode is counted by address: a one-time code names no account.
	guessCode guessKind = "code"
	// guessAddress is counted by address too: one password tried on everybody.
	guessAddress guessKind = "address"
)

const (
	// Whoever always waits for the short window to pass is stopped by a long one:
	// four digits must outlast patience.
	longWindow = 24 * time.Hour
	longFactor = 5
	// A shared address, such as a kiosk's, has more mistakes to make.
	codeFactor = 5
)

// limit is one counter and how far it may go.
type limit struct {
	bucket string
	most   int
	window time.Duration
}

func (a *Adapter) limits(kind guessKind, of string) []limit {
	name := string(kind) + "/" + of
	if kind == guessCode || kind == guessAddress {
		return []limit{{name, codeFactor * a.cfg.FailureLimit, a.cfg.FailureWindow}}
	}
	return []limit{
		{name, a.cfg.FailureLimit, a.cfg.FailureWindow},
		{name + "/long", longFactor * a.cfg.FailureLimit, max(longWindow, a.cfg.FailureWindow)},
	}
}

// stopped tells whether there were too many failures; that counts nothing, so
// trying on does not prolong the wait.
func (a *Adapter) stopped(ctx context.Context, limits []limit) (bool, error) {
	if a.cfg.FailureLimit < 0 {
		return false, nil
	}
	for _, l := range limits {
		f, err := a.store.Failures(ctx, l.bucket)
		if err != nil {
			return true, fromStore(err, "user")
		}
		if f.Count >= l.most {
			return true, nil
		}
	}
	return false, nil
}

// counted counts a failure before it is known to be one, so that guesses at the
// same time cannot all be the last that is allowed. It is false when there are
// too many.
func (a *Adapter) counted(ctx context.Context, limits []limit) (bool, error) {
	if stopped, err := a.stopped(ctx, limits); stopped || err != nil || a.cfg.FailureLimit < 0 {
		return !stopped, err
	}
	windows := make([]store.Window, len(limits))
	for i, l := range limits {
		windows[i] = store.Window{Bucket: l.bucket, Length: l.window}
	}
	counts, err := a.store.FailAll(ctx, windows...)
	if err != nil {
		return false, fromStore(err, "user")
	}
	for i, l := range limits {
		if counts[i].Count > l.most {
			return false, nil
		}
	}
	return true, nil
}

// mayGuess is counted for a secret of an account.
func (a *Adapter) mayGuess(ctx context.Context, kind guessKind, uid int64) (bool, error) {
	return a.counted(ctx, a.limits(kind, strconv.FormatInt(uid, 10)))
}

// guessedRight forgets the failures of an account, with one kind of secret.
func (a *Adapter) guessedRight(ctx context.Context, kind guessKind, uid int64) error {
	if a.cfg.FailureLimit < 0 {
		return nil
	}
	return fromStore(a.store.ClearAll(ctx, buckets(a.limits(kind, strconv.FormatInt(uid, 10)))...), "user")
}

// uncount takes back what counted counted. The failures before it stay: who
// guesses the secrets of others must not clear them with one of his own.
func (a *Adapter) uncount(ctx context.Context, limits []limit) error {
	if a.cfg.FailureLimit < 0 {
		return nil
	}
	return fromStore(a.store.Unfail(ctx, buckets(limits)...), "user")
}

func buckets(limits []limit) []string {
	names := make([]string, len(limits))
	for i, l := range limits {
		names[i] = l.bucket
	}
	return names
}

// addressGroup is what counts as one address: one of IPv4, a /64 of IPv6.
func addressGroup(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}
