package population

import (
	"context"
	"errors"

	"portico/directory/feed"
	"portico/directory/mirror"
)

// Keeper lets a change feed write into the mirror.
func Keeper(m *mirror.Mirror) feed.Store { return keeper{m} }

type keeper struct{ mirror *mirror.Mirror }

func (k keeper) Apply(ctx context.Context, dir string, b feed.Batch) error {
	return k.mirror.Apply(ctx, dir, mirror.Batch(b))
}

func (k keeper) BeginRefresh(ctx context.Context, dir string) (feed.Refresh, error) {
	r, err := k.mirror.BeginRefresh(ctx, dir)
	if err != nil {
		return nil, err
	}
	return keptRefresh{r}, nil
}

func (k keeper) Cookie(ctx context.Context, dir string) (string, error) {
	state, err := k.mirror.FeedState(ctx, dir)
	return state.Cookie, err
}

type keptRefresh struct{ *mirror.Refresh }

func (r keptRefresh) Complete(ctx context.Context, cookie string) (int, error) {
	deleted, err := r.Refresh.Complete(ctx, cookie)
	var sweep *mirror.SweepError
	if errors.As(err, &sweep) {
		err = &feed.SweepError{Gone: sweep.Deletes, Of: sweep.Of}
	}
	return deleted, err
}
