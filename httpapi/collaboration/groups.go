package collaboration

import (
	"net/http"
	"slices"

	collab "portico/adapter/collaboration"
)

func (a *API) createGroup(x *call) error {
	f, err := object(x.body)
	if err != nil {
		return err
	}
	if err := f.need("collaboration_identifier", "name", "short_name"); err != nil {
		return err
	}
	in := collab.NewGroup{
		Collaboration: f.text("collaboration_identifier"), Name: f.text("name"), ShortName: f.text("short_name"),
		Description: f.text("description"), AutoProvision: f.boolean("auto_provision_members"),
	}
	if f.fault != nil {
		return f.fault
	}
	g, err := a.adapter.CreateGroup(x.Context(), x.caller, in)
	return a.groupAnswer(x, g, err)
}

func (a *API) groupAnswer(x *call, g *collab.GroupView, err error) error {
	if err != nil {
		return err
	}
	e := a.encoder()
	e.group(&g.Group, g.Memberships, g.People)
	return x.answer(http.StatusCreated, e.bytes)
}

func (a *API) updateGroup(x *call) error {
	f, err := object(x.body)
	if err != nil {
		return err
	}
	known := []string{"name", "description", "auto_provision_members"}
	for name := range f.values {
		if !slices.Contains(known, name) {
			return bad("body", "only name, description and auto_provision_members can be changed")
		}
	}
	var change collab.GroupChange
	if f.present("name") {
		name := f.text("name")
		change.Name = &name
	}
	if _, there := f.values["description"]; there {
		description := f.text("description")
		change.Description = &description
	}
	if f.present("auto_provision_members") {
		auto := f.boolean("auto_provision_members")
		change.AutoProvision = &auto
	}
	if f.fault != nil {
		return f.fault
	}
	g, err := a.adapter.UpdateGroup(x.Context(), x.caller, x.identifier("group"), change)
	return a.groupAnswer(x, g, err)
}

func (a *API) deleteGroup(x *call) error {
	if err := a.adapter.DeleteGroup(x.Context(), x.caller, x.identifier("group")); err != nil {
		return err
	}
	return x.answer(http.StatusNoContent, nil)
}

func (a *API) addToGroup(x *call) error {
	f, err := object(x.body)
	if err != nil {
		return err
	}
	if err := f.need("uid"); err != nil {
		return err
	}
	uid := f.uid()
	if f.fault != nil {
		return f.fault
	}
	g, err := a.adapter.AddToGroup(x.Context(), x.caller, x.identifier("group"), uid)
	return a.groupAnswer(x, g, err)
}

func (a *API) removeFromGroup(x *call) error {
	if err := a.adapter.RemoveFromGroup(x.Context(), x.caller, x.identifier("group"), x.vars["uid"]); err != nil {
		return err
	}
	return x.answer(http.StatusNoContent, nil)
}
