package collaboration

import (
	"context"
	"net/http"

	collab "portico/adapter/collaboration"
)

func (a *API) connect(x *call) error { return a.connection(x, a.adapter.Connect) }

func (a *API) disconnect(x *call) error { return a.connection(x, a.adapter.Disconnect) }

// connection reads which collaboration and service are meant, and does it.
func (a *API) connection(x *call, do func(context.Context, *collab.Caller, collab.Target, string) (collab.Connection, error)) error {
	f, err := object(x.body)
	if err != nil {
		return err
	}
	var t collab.Target
	wanted := []string{"service_entity_id"}
	if _, byPath := x.vars["co"]; byPath {
		t.Identifier = x.identifier("co")
	} else {
		wanted = append(wanted, "short_name")
		t.ShortName = f.text("short_name")
	}
	entity := f.text("service_entity_id")
	if err := f.need(wanted...); err != nil {
		return err
	}
	switch {
	case f.fault != nil:
		return f.fault
	case entity == "":
		return bad("service_entity_id", "missing: service_entity_id")
	case t.ShortName == "" && t.Identifier == "":
		return bad("short_name", "missing: short_name")
	}
	result, err := do(x.Context(), x.caller, t, entity)
	if err != nil {
		return err
	}
	var b buffer
	b.connection(result)
	return x.answer(http.StatusCreated, b.bytes)
}

func (b *buffer) connection(c collab.Connection) {
	b.open('{')
	b.text("status", c.Status)
	b.name("collaboration")
	b.open('{')
	b.text("organisation_short_name", c.Org)
	b.text("short_name", c.ShortName)
	b.close('}')
	b.name("service")
	b.open('{')
	b.text("entity_id", c.Entity)
	b.close('}')
	b.close('}')
}

func (a *API) connections(x *call) error {
	list, err := a.adapter.Connections(x.Context(), x.caller, x.identifier("co"))
	if err != nil {
		return err
	}
	var b buffer
	b.open('[')
	for _, c := range list {
		b.connection(c)
	}
	b.close(']')
	return x.answer(http.StatusOK, b.bytes)
}
