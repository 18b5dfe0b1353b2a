package people

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"portico/adapter"
	"portico/scim"
	"portico/scim/fault"
)

// versionOf is the version of a resource: the directory's own, or a digest where it has none, with the revision of what
// is kept beside the entry.
func (w *world) versionOf(ctx context.Context, e *adapter.Entry, x extra) (string, error) {
	version := strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, e.Version)
	if version == "" {
		var err error
		if version, err = w.digest(ctx, e); err != nil {
			return "", err
		}
	}
	if x.Revision > 0 {
		version += "-" + strconv.FormatInt(x.Revision, 10)
	}
	return version, nil
}

// digest stands for a version where the directory keeps none: of everything that is read of the entry and, for a group,
// of its members, or of their number when there are many.
func (w *world) digest(ctx context.Context, e *adapter.Entry) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00%d", e.DN, e.Name, e.Modified.UnixNano())
	for _, set := range []adapter.Attributes{e.Attributes, e.Signals} {
		for _, name := range slices.Sorted(maps.Keys(set)) {
			fmt.Fprintf(h, "\x01%s", name)
			for _, value := range set[name] {
				fmt.Fprintf(h, "\x00%s", value)
			}
		}
	}
	if e.Kind == adapter.KindGroup {
		n, err := w.a.CountMembers(ctx, e.ID)
		if err != nil {
			return "", refusal(err, e.ID.Stable)
		}
		fmt.Fprintf(h, "\x02%d", n)
		if n <= w.cfg.MembersInline {
			err = w.a.EachMember(ctx, e.ID, func(r adapter.Reference) error {
				_, err := fmt.Fprintf(h, "\x00%s", r.ID)
				return err
			})
			if err != nil {
				return "", refusal(err, e.ID.Stable)
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// present is the state that a write starts from: the entry, what is kept beside it, and the version of both.
type present struct {
	entry   *adapter.Entry
	extra   extra
	version string
}

// begin looks an entry up that is to be written, and checks the condition. Before it says that a version is gone, it
// asks the directory itself.
func (w *world) begin(ctx context.Context, c *scim.Call, kind adapter.Kind, id string, condition scim.Condition, fresh bool) (*present, error) {
	e, err := w.find(ctx, kind, id)
	if err != nil {
		return nil, err
	}
	for {
		if fresh {
			if e, err = w.a.Fresh(ctx, kind, e.ID); err != nil {
				return nil, refusal(err, id)
			}
		}
		p := &present{entry: e}
		if p.extra, err = w.extraOf(ctx, c, e); err != nil {
			return nil, err
		}
		if p.version, err = w.versionOf(ctx, e, p.extra); err != nil {
			return nil, err
		}
		if err = condition.Check(p.version); err == nil || fresh {
			return p, err
		}
		fresh = true
	}
}

// stale tells whether a change was refused because somebody else changed the entry in between.
func stale(err error) bool {
	return adapter.KindOf(err) == adapter.Conflict && adapter.FieldOf(err) == adapter.FieldVersion
}

// attempts bounds how often a change is computed again because the entry changed in between.
const attempts = 8

// write carries out a change that depends on the present state, again when that state is gone.
func (w *world) write(ctx context.Context, c *scim.Call, kind adapter.Kind, id string, wr *scim.Write, change func(*present) error) error {
	defer w.locks.Take(kind.String() + "\x00" + strings.ToLower(id))()
	for try := range attempts {
		p, err := w.begin(ctx, c, kind, id, wr.Condition, try > 0)
		if err != nil {
			return err
		}
		if err = change(p); err == nil || !stale(err) {
			return err
		}
	}
	return &fault.Error{Status: 503, Detail: "the resource is changed by others all the time", RetryAfter: 1}
}
