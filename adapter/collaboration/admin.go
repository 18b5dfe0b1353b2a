package collaboration

import (
	"context"
	"crypto/rand"
	"errors"
	"net/mail"
	"regexp"
	"strings"

	"portico/adapter"
	"portico/adapter/store"
)

var orgForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// PutOrg makes an organisation (ID 0) or changes one, for commands. Errors:
// Invalid, Conflict "short_name", NotFound.
func (s *Collaborations) PutOrg(ctx context.Context, o Org, logo []byte) (*Org, error) {
	if !orgForm.MatchString(o.ShortName) {
		return nil, invalid("short_name", "a short name begins with a small letter and has at most 32 of a-z, 0-9, _ and -")
	}
	if err := checkName("name", o.Name); err != nil {
		return nil, err
	}
	var err error
	if o.Settings.Tags, err = checkTags(o.Settings.Tags); err != nil {
		return nil, err
	}
	for _, unit := range o.Settings.Units {
		if err := checkName("units", unit); err != nil || strings.ContainsAny(unit, "\n,") {
			return nil, invalid("units", "the name of a unit has 1 to 255 characters and no comma")
		}
	}
	picture, err := s.newLogo(ctx, "organisations", logo, "")
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, "organisation", func(ctx context.Context, c *store.CollabTx) error {
		now, what := s.now(), "changed"
		if o.ID == 0 {
			if _, err := c.Org(ctx, o.ShortName); err == nil {
				return conflict("short_name", "there is an organisation with this short name")
			} else if !missing(err) {
				return err
			}
			o.Identifier, o.UUID4, o.Created, o.CreatedBy, what = store.NewUUID(), store.NewUUID(), now, "command", "made"
		}
		o.Updated, o.UpdatedBy = now, "command"
		if picture != nil {
			if err := c.DeleteLogo(ctx, o.UUID4); err != nil {
				return err
			}
			o.UUID4 = store.NewUUID()
			picture.UUID4, o.Settings.Logo = o.UUID4, picture.MediaType
			if err := c.PutLogo(ctx, *picture); err != nil {
				return err
			}
		}
		if err := c.PutOrg(ctx, &o); err != nil {
			return err
		}
		return c.Note(ctx, adapter.Record(adapter.EventOrgChanged, 0, "command", adapter.Client{}, "organisation "+o.ShortName+" "+what))
	})
	return &o, err
}

// FindOrg reads an organisation by its short name. Error: NotFound "organisation".
func (s *Collaborations) FindOrg(ctx context.Context, shortName string) (*Org, error) {
	var o Org
	err := s.read(ctx, "organisation", func(ctx context.Context, c *store.CollabTx) (err error) {
		o, err = c.Org(ctx, shortName)
		return err
	})
	return &o, err
}

// ListOrgs lists the organisations by their short names.
func (s *Collaborations) ListOrgs(ctx context.Context) ([]Org, error) {
	list := []Org{}
	err := s.read(ctx, "organisations", func(ctx context.Context, c *store.CollabTx) error {
		found, err := c.Orgs(ctx)
		list = append(list, found...)
		return err
	})
	return list, err
}

// DeleteOrg removes an organisation and ends its keys. Errors: NotFound, Conflict
// while it has collaborations.
func (s *Collaborations) DeleteOrg(ctx context.Context, shortName string) error {
	return s.write(ctx, "organisation", func(ctx context.Context, c *store.CollabTx) error {
		o, err := c.Org(ctx, shortName)
		if err != nil {
			return err
		}
		n, err := c.CountCollaborations(ctx, store.CollabKey{Org: o.ID})
		if err != nil {
			return err
		}
		if n > 0 {
			return conflict("organisation", "the organisation still has collaborations")
		}
		if err := c.DeleteLogo(ctx, o.UUID4); err != nil {
			return err
		}
		if err := c.DeleteOrg(ctx, o); err != nil {
			return err
		}
		return c.Note(ctx, adapter.Record(adapter.EventOrgChanged, 0, "command", adapter.Client{}, "organisation "+shortName+" deleted"))
	})
}

// PutService makes a service (ID 0) or changes one, for commands. Errors:
// Invalid, Conflict, NotFound.
func (s *Collaborations) PutService(ctx context.Context, v Service, logo []byte) (*Service, error) {
	if strings.TrimSpace(v.EntityID) != v.EntityID || v.EntityID == "" || longer(v.EntityID, maxName) || strings.ContainsAny(v.EntityID, "\x00\r\n") {
		return nil, invalid("entity_id", "an entity id has 1 to 255 characters, such as https://wiki.example.org")
	}
	if !orgForm.MatchString(v.Abbreviation) {
		return nil, invalid("abbreviation", "an abbreviation begins with a small letter and has at most 32 of a-z, 0-9, _ and -")
	}
	if err := checkName("name", v.Name); err != nil {
		return nil, err
	}
	for _, m := range v.Settings.Managers {
		if _, err := mail.ParseAddress(m); err != nil || !adapter.MailAddress(m) {
			return nil, invalid("managers", "a manager is named by one mail address")
		}
	}
	for _, g := range v.Settings.Groups {
		if err := checkName("groups", g.Name); err != nil || ShortName(g.ShortName) != g.ShortName || g.ShortName == "" {
			return nil, invalid("groups", "a group is written SHORT_NAME=NAME")
		}
	}
	picture, err := s.newLogo(ctx, "services", logo, "")
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, "service", func(ctx context.Context, c *store.CollabTx) error {
		what := "changed"
		if v.ID == 0 {
			v.Identifier, v.UUID4, v.Created, v.CreatedBy, what = store.NewUUID(), store.NewUUID(), s.now(), "command", "made"
		}
		v.Updated, v.UpdatedBy = s.now(), "command"
		if picture != nil {
			if err := c.DeleteLogo(ctx, v.UUID4); err != nil {
				return err
			}
			v.UUID4 = store.NewUUID()
			picture.UUID4, v.Settings.Logo = v.UUID4, picture.MediaType
			if err := c.PutLogo(ctx, *picture); err != nil {
				return err
			}
		}
		if err := c.PutService(ctx, &v); err != nil {
			return err
		}
		return c.Note(ctx, adapter.Record(adapter.EventOrgChanged, 0, "command", adapter.Client{}, "service "+v.Abbreviation+" "+what))
	})
	return &v, err
}

// FindService reads a service by its entity id or abbreviation. Error: NotFound "service".
func (s *Collaborations) FindService(ctx context.Context, name string) (*Service, error) {
	list, err := s.ListServices(ctx)
	for i := range list {
		if list[i].EntityID == name || list[i].Abbreviation == name {
			return &list[i], nil
		}
	}
	if err == nil {
		err = notFound("service")
	}
	return nil, err
}

// ListServices lists the services by their entity ids.
func (s *Collaborations) ListServices(ctx context.Context) ([]Service, error) {
	list := []Service{}
	err := s.read(ctx, "services", func(ctx context.Context, c *store.CollabTx) error {
		found, err := c.Services(ctx)
		list = append(list, found...)
		return err
	})
	return list, err
}

// DeleteService removes a service and its connections. Error: NotFound "service".
func (s *Collaborations) DeleteService(ctx context.Context, name string) error {
	v, err := s.FindService(ctx, name)
	if err != nil {
		return err
	}
	return s.write(ctx, "service", func(ctx context.Context, c *store.CollabTx) error {
		if err := c.DeleteService(ctx, v.ID); err != nil {
			return err
		}
		return c.Note(ctx, adapter.Record(adapter.EventOrgChanged, 0, "command", adapter.Client{}, "service "+v.Abbreviation+" deleted"))
	})
}

// OpenInvitations lists the invitations of an organisation, or of all for "", for commands.
func (s *Collaborations) OpenInvitations(ctx context.Context, org string) ([]InviteView, error) {
	list := []InviteView{}
	err := s.read(ctx, "invitations", func(ctx context.Context, c *store.CollabTx) error {
		orgs, err := c.Orgs(ctx)
		if err != nil {
			return err
		}
		for _, o := range orgs {
			if org != "" && o.ShortName != org {
				continue
			}
			collabs, err := c.Collaborations(ctx, store.CollabKey{Org: o.ID})
			if err != nil {
				return err
			}
			for _, collab := range collabs {
				invites, err := c.Invites(ctx, collab.ID, Open)
				if err != nil {
					return err
				}
				for _, i := range invites {
					v, err := s.inviteView(ctx, c, o, collab, i)
					if err != nil {
						return err
					}
					list = append(list, v)
				}
			}
		}
		return nil
	})
	return list, err
}

// Command is the caller that a command stands for: anything in one organisation.
func Command(org string) *Caller {
	return &Caller{Caller: &adapter.Caller{Label: "command", Org: org}}
}

// InvitationPath gives an open invitation a new token and the path of its page,
// where no mail can be sent. The link of the mail ends. Errors: NotFound, Conflict.
func (s *Collaborations) InvitationPath(ctx context.Context, identifier string) (string, error) {
	token := rand.Text()
	err := s.write(ctx, "invitation", func(ctx context.Context, c *store.CollabTx) error {
		i, err := c.Invite(ctx, strings.ToLower(identifier))
		if err != nil {
			return err
		}
		if inviteStatus(&i, s.now()) != Open {
			return conflict("invitation", "the invitation is not open")
		}
		i.TokenHash, i.Updated, i.UpdatedBy, i.Key = s.store.TokenHash(token), s.now(), "command", 0
		if err := c.PutInvite(ctx, &i); err != nil {
			return err
		}
		return c.Note(ctx, adapter.Record(adapter.EventCollabInvite, 0, "command", adapter.Client{}, "invitation "+i.Identifier+" got a new link"))
	})
	if err != nil && errors.Is(err, store.ErrNotFound) {
		err = notFound("invitation")
	}
	return s.pagePath("join", token), err
}
