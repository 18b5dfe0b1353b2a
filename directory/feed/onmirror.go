package feed

import (
	"context"
	"errors"

	"portico/directory"
	"portico/directory/mirror"
)

// OnMirror lets a feed write into the mirror.
func OnMirror(m *mirror.Mirror) Store { return onMirror{m} }

type onMirror struct{ m *mirror.Mirror }

// Apply implements Store. Deletions come in a transaction of their own before the
// rest: who takes over the DN of somebody deleted finds the place free. If the
// rest fails the cookie has not moved, and everything comes again.
func (o onMirror) Apply(ctx context.Context, dir string, b Batch) error {
	if len(b.Deletes) > 0 && len(b.Upserts) > 0 {
		if err := o.m.Apply(ctx, dir, mirror.Batch{Deletes: b.Deletes}); err != nil {
			return o.mend(ctx, err)
		}
		b.Deletes = nil
	}
	return o.mend(ctx, o.m.Apply(ctx, dir, mirror.Batch{Upserts: b.Upserts, Deletes: b.Deletes, Cookie: b.Cookie, Stream: b.Stream}))
}

// Cookie implements Store.
func (o onMirror) Cookie(ctx context.Context, dir string) (string, error) {
	s, err := o.m.FeedState(ctx, dir)
	if err != nil {
		return "", o.mend(ctx, err)
	}
	if s.CompletedAt.IsZero() {
		return "", nil
	}
	return s.Cookie, nil
}

// Known implements Store.
func (o onMirror) Known(ctx context.Context, dir, stable string) (string, error) {
	e, err := o.m.Get(ctx, directory.ID{Directory: dir, Stable: stable})
	if errors.Is(err, directory.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", o.mend(ctx, err)
	}
	return e.DN, nil
}

// Referrers implements Store.
func (o onMirror) Referrers(ctx context.Context, dir, stable string) ([]string, error) {
	list, err := o.m.Referrers(ctx, directory.ID{Directory: dir, Stable: stable})
	return list, o.mend(ctx, err)
}

// BeginRefresh implements Store.
func (o onMirror) BeginRefresh(ctx context.Context, dir string) (Refresh, error) {
	r, err := o.m.BeginRefresh(ctx, dir)
	if err != nil {
		return nil, o.mend(ctx, err)
	}
	return mirrorRefresh{Refresh: r, o: o}, nil
}

// Lost implements Fragile.
func (o onMirror) Lost() <-chan struct{} { return o.m.Lost() }

// Renew implements Fragile.
func (o onMirror) Renew(ctx context.Context) error { return o.m.Rebuild(ctx) }

// mend has a damaged mirror begun anew: the next session finds no cookie and reads
// everything.
func (o onMirror) mend(ctx context.Context, err error) error {
	if errors.Is(err, mirror.ErrCorrupt) {
		return errors.Join(err, o.m.Rebuild(context.WithoutCancel(ctx)))
	}
	return err
}

type mirrorRefresh struct {
	*mirror.Refresh
	o onMirror
}

// Upsert implements Refresh.
func (r mirrorRefresh) Upsert(ctx context.Context, entries []*directory.Entry) error {
	return r.o.mend(ctx, r.Refresh.Upsert(ctx, entries))
}

// Present implements Refresh.
func (r mirrorRefresh) Present(ctx context.Context, stable []string) error {
	return r.o.mend(ctx, r.Refresh.Present(ctx, stable))
}

// Complete implements Refresh.
func (r mirrorRefresh) Complete(ctx context.Context, cookie string) (int, error) {
	deleted, err := r.Refresh.Complete(ctx, cookie)
	if refused, ok := errors.AsType[*mirror.SweepError](err); ok {
		return 0, &SweepError{Gone: refused.Deletes, Of: refused.Of}
	}
	return deleted, r.o.mend(ctx, err)
}
