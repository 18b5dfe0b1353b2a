package collaboration

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"

	"portico/adapter"
	"portico/adapter/store"
)

// Connection is the answer to a wish to connect or disconnect a service.
type Connection struct {
	Status    string // connected, pending or disconnected
	Org       string // short name
	ShortName string // of the collaboration
	Entity    string // of the service, as stored
}

// Target names a collaboration by its short name or its identifier.
type Target struct{ ShortName, Identifier string }

// target finds the collaboration under its lock; one that is not there is Denied.
func (s *Collaborations) target(ctx context.Context, c *store.CollabTx, caller *Caller, t Target) (store.Org, store.Collaboration, error) {
	in := Bulk{ShortName: t.ShortName, Collaboration: t.Identifier}
	org, collab, err := bulkTarget(ctx, c, caller, in)
	if err != nil {
		return org, collab, err
	}
	if err := c.Lock(ctx, collab.ID); err != nil && !missing(err) {
		return org, collab, err
	}
	return bulkTarget(ctx, c, caller, in)
}

func connection(status string, org store.Org, collab store.Collaboration, service Service) Connection {
	return Connection{Status: status, Org: org.ShortName, ShortName: collab.ShortName, Entity: service.EntityID}
}

// Connect connects a collaboration to a service, or asks its managers (S1, S2).
// Errors: Denied, NotFound "service", Invalid.
func (s *Collaborations) Connect(ctx context.Context, caller *Caller, t Target, entity string) (Connection, error) {
	return once(ctx, s, caller, "connection", func(ctx context.Context, c *store.CollabTx) (Connection, error) {
		none := Connection{}
		org, collab, err := s.target(ctx, c, caller, t)
		if err != nil {
			return none, err
		}
		service, err := c.ServiceByEntity(ctx, entity)
		if missing(err) {
			return none, notFound("service")
		} else if err != nil {
			return none, err
		}
		connected, err := c.Connected(ctx, collab.ID)
		if err != nil {
			return none, err
		}
		if slices.ContainsFunc(connected, func(have Service) bool { return have.ID == service.ID }) {
			return connection("connected", org, collab, service), nil
		}
		if err := connectable(org, service); err != nil {
			return none, err
		}
		status := "pending"
		if service.Settings.AutomaticAll || slices.Contains(service.Settings.AutomaticOrgs, org.ShortName) {
			status = "connected"
			err = s.connect(ctx, c, collab, service, caller.By())
		} else {
			err = s.request(ctx, c, org, collab, service, caller.By())
		}
		if err != nil {
			return none, err
		}
		if err := s.active(ctx, c, &collab, caller.By()); err != nil {
			return none, err
		}
		return connection(status, org, collab, service),
			c.Note(ctx, caller.record(adapter.EventCollabService, 0, org.ShortName+":"+collab.ShortName+" and "+service.Abbreviation+": "+status))
	})
}

// connectable makes the checks of the service's policy.
func connectable(org store.Org, service Service) error {
	p := service.Settings
	switch {
	case p.NoConnections:
		return invalid("service_entity_id", "nobody may connect to this service")
	case !p.AccessAll && !slices.Contains(p.AccessOrgs, org.ShortName):
		return invalid("service_entity_id", "the organisation may not use this service")
	case org.Settings.RestrictServices && !p.AllowRestricted:
		return invalid("service_entity_id", "the organisation is restricted and the service is not open to such")
	}
	return nil
}

// connect connects and makes the groups that the service brings.
func (s *Collaborations) connect(ctx context.Context, c *store.CollabTx, collab store.Collaboration, service Service, by string) error {
	if _, err := c.Connect(ctx, collab.ID, service.ID); err != nil {
		return err
	}
	groups, err := c.Groups(ctx, collab.ID)
	if err != nil {
		return err
	}
	now := s.now()
	for _, wanted := range service.Settings.Groups {
		g := store.CollabGroup{
			Collab: collab.ID, Identifier: store.NewUUID(), Name: wanted.Name, Description: wanted.Description,
			AutoProvision: wanted.AutoProvision, Service: service.ID,
			Stamp: store.Stamp{Created: now, CreatedBy: by, Updated: now, UpdatedBy: by},
		}
		g.ShortName = strings.ToLower(service.Abbreviation + "-" + wanted.ShortName)
		// What is there already under these names is used as it is.
		for n := 2; slices.ContainsFunc(groups, func(o store.CollabGroup) bool { return o.NameKey == NameKey(g.Name) }); n++ {
			g.Name = service.Abbreviation + " " + wanted.Name
			if n > 2 {
				g.Name += " " + numbered("", n)
			}
		}
		g.NameKey = NameKey(g.Name)
		if slices.ContainsFunc(groups, func(o store.CollabGroup) bool { return o.ShortName == g.ShortName }) {
			continue
		}
		if err := s.addGroup(ctx, c, &g); err != nil {
			return err
		}
		groups = append(groups, g)
	}
	return nil
}

// request asks for a connection: the organisation's administrators first where
// it wants that, else the service's managers.
func (s *Collaborations) request(ctx context.Context, c *store.CollabTx, org store.Org, collab store.Collaboration, service Service, by string) error {
	members, err := c.Members(ctx, collab.ID)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(members, func(m Member) bool { return m.Role == Admin && memberStatus(&m, s.now()) == Active })
	if at < 0 {
		return invalid("collaboration", "the collaboration needs an administrator before it can ask for this service")
	}
	open, err := c.OpenRequests(ctx, collab.ID)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(open, func(r store.Request) bool { return r.Service == service.ID }) {
		return invalid("service_entity_id", "there is an open request for this service")
	}
	token, now := rand.Text(), s.now()
	r := store.Request{
		Collab: collab.ID, Service: service.ID, Identifier: store.NewUUID(), TokenHash: s.store.TokenHash(token),
		Requester: members[at].UID, ForOrg: org.Settings.RequiresApproval, Status: Open,
		Stamp: store.Stamp{Created: now, CreatedBy: by, Updated: now, UpdatedBy: by},
	}
	if err := c.PutRequest(ctx, &r); err != nil {
		return err
	}
	return s.mailRequest(ctx, c, org, collab, service, r, token)
}

// mailRequest asks those who have to answer.
func (s *Collaborations) mailRequest(ctx context.Context, c *store.CollabTx, org store.Org, collab store.Collaboration, service Service, r store.Request, token string) error {
	people, err := s.people.PeopleByUID(ctx, append([]int64{r.Requester}, org.Settings.Admins...))
	if err != nil {
		return err
	}
	to := service.Settings.Managers
	if r.ForOrg || len(to) == 0 {
		to = nil
		for _, uid := range org.Settings.Admins {
			if p := people[uid]; p != nil {
				to = append(to, p.Email())
			}
		}
	}
	name := ""
	if p := people[r.Requester]; p != nil {
		name = p.Name
	}
	mails, err := s.requestLetters(to, org, collab, service, name, token)
	if err != nil {
		return err
	}
	return c.QueueMail(ctx, mails...)
}

// Disconnect ends a connection (S3). Errors: Denied, NotFound "service", Conflict
// when there is none.
func (s *Collaborations) Disconnect(ctx context.Context, caller *Caller, t Target, entity string) (Connection, error) {
	var result Connection
	err := s.write(ctx, "connection", func(ctx context.Context, c *store.CollabTx) error {
		if err := mayWrite(ctx, c, caller); err != nil {
			return err
		}
		org, collab, err := s.target(ctx, c, caller, t)
		if err != nil {
			return err
		}
		service, err := c.ServiceByEntity(ctx, entity)
		if missing(err) {
			return notFound("service")
		} else if err != nil {
			return err
		}
		was, err := c.Disconnect(ctx, collab.ID, service.ID)
		if err != nil {
			return err
		}
		if !was {
			return conflict("service_entity_id", "the collaboration is not connected to this service")
		}
		groups, err := c.Groups(ctx, collab.ID)
		if err != nil {
			return err
		}
		for _, g := range groups {
			if g.Service == service.ID {
				if err := c.DeleteGroup(ctx, g); err != nil {
					return err
				}
			}
		}
		if err := s.active(ctx, c, &collab, caller.By()); err != nil {
			return err
		}
		result = connection("disconnected", org, collab, service)
		return c.Note(ctx, caller.record(adapter.EventCollabService, 0, org.ShortName+":"+collab.ShortName+" and "+service.Abbreviation+": disconnected"))
	})
	return result, err
}

// Connections lists the connected services of a collaboration and those that are
// asked for. Errors: NotFound, Denied.
func (s *Collaborations) Connections(ctx context.Context, caller *Caller, identifier string) ([]Connection, error) {
	list := []Connection{}
	err := s.read(ctx, "connections", func(ctx context.Context, c *store.CollabTx) error {
		org, collab, err := collabOf(ctx, c, caller, identifier)
		if err != nil {
			return err
		}
		connected, err := c.Connected(ctx, collab.ID)
		if err != nil {
			return err
		}
		for _, service := range connected {
			list = append(list, connection("connected", org, collab, service))
		}
		open, err := c.OpenRequests(ctx, collab.ID)
		if err != nil {
			return err
		}
		for _, r := range open {
			service, err := c.ServiceByID(ctx, r.Service)
			if err != nil {
				return err
			}
			list = append(list, connection("pending", org, collab, service))
		}
		return nil
	})
	return list, err
}
