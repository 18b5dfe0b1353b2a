package people

import (
	"context"
	"encoding/json"

	"portico/adapter"
	"portico/scim"
)

// extra is what is kept beside an entry.
type extra struct {
	ExternalID string
	Values     map[string]json.RawMessage
	Revision   int64
}

// extras reads what is kept beside entries.
func (w *world) extras(ctx context.Context, c *scim.Call, entries []*adapter.Entry) (map[adapter.ID]extra, error) {
	return nil, nil
}

func (w *world) extraOf(ctx context.Context, c *scim.Call, e *adapter.Entry) (extra, error) {
	all, err := w.extras(ctx, c, []*adapter.Entry{e})
	return all[e.ID], err
}
