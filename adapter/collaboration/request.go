package collaboration

import (
	"context"
	"crypto/rand"

	"portico/adapter"
	"portico/adapter/store"
	"portico/internal/texts"
)

// RequestView is a connection request as its page shows it.
type RequestView struct {
	Collaboration store.Collaboration
	OrgTitle      string
	Service       Service
	Requester     string
	ForOrg        bool
}

func (s *Collaborations) openRequest(ctx context.Context, c *store.CollabTx, token string) (store.Request, RequestView, store.Org, error) {
	var v RequestView
	if token == "" || len(token) > maxToken {
		return store.Request{}, v, store.Org{}, notFound("request")
	}
	r, err := c.RequestByToken(ctx, token)
	if missing(err) {
		return r, v, store.Org{}, notFound("request")
	} else if err != nil {
		return r, v, store.Org{}, err
	}
	if r.Status != Open {
		return r, v, store.Org{}, conflict("request", "the request was answered")
	}
	if v.Collaboration, err = c.Collaboration(ctx, store.CollabKey{ID: r.Collab}); err != nil {
		return r, v, store.Org{}, err
	}
	if v.Service, err = c.ServiceByID(ctx, r.Service); err != nil {
		return r, v, store.Org{}, err
	}
	org, err := c.OrgByID(ctx, v.Collaboration.Org)
	v.OrgTitle, v.ForOrg = org.Name, r.ForOrg
	return r, v, org, err
}

// RequestByToken reads an open connection request by the token of its mail.
// Errors: NotFound "request", Conflict when it was answered.
func (s *Collaborations) RequestByToken(ctx context.Context, token string) (*RequestView, error) {
	var v RequestView
	var uid int64
	err := s.read(ctx, "request", func(ctx context.Context, c *store.CollabTx) error {
		r, view, _, err := s.openRequest(ctx, c, token)
		v, uid = view, r.Requester
		return err
	})
	if err != nil {
		return nil, err
	}
	people, err := s.people.PeopleByUID(ctx, []int64{uid})
	if p := people[uid]; p != nil {
		v.Requester = p.Name
	}
	return &v, err
}

// AnswerRequest approves or denies a request, by whoever holds the token of its
// mail; the collaboration's asker is told. What an organisation approves goes on
// to the managers of the service. Errors: NotFound, Conflict, Invalid "reason".
func (s *Collaborations) AnswerRequest(ctx context.Context, token string, approve bool, reason string, client adapter.Client) error {
	if err := checkText("reason", reason); err != nil {
		return err
	}
	return s.write(ctx, "request", func(ctx context.Context, c *store.CollabTx) error {
		r, v, org, err := s.openRequest(ctx, c, token)
		if err != nil {
			return err
		}
		if err := c.Lock(ctx, r.Collab); err != nil {
			return err
		}
		from := r.TokenHash
		r.Updated, r.UpdatedBy, r.Reason = s.now(), "mail", reason
		handOn := approve && r.ForOrg && len(v.Service.Settings.Managers) > 0
		fresh := rand.Text()
		switch {
		case handOn:
			r.ForOrg, r.TokenHash = false, s.store.TokenHash(fresh)
		case approve:
			r.Status = "approved"
		default:
			r.Status = "denied"
		}
		moved, err := c.MoveRequest(ctx, r, from)
		if err != nil {
			return err
		}
		if !moved {
			return conflict("request", "the request was answered")
		}
		if handOn {
			err = s.mailRequest(ctx, c, org, v.Collaboration, v.Service, r, fresh)
		} else {
			err = s.settle(ctx, c, org, v, r)
		}
		if err != nil {
			return err
		}
		text := org.ShortName + ":" + v.Collaboration.ShortName + " and " + v.Service.Abbreviation + ": " + r.Status + " on the page"
		if handOn {
			text = org.ShortName + ":" + v.Collaboration.ShortName + " and " + v.Service.Abbreviation + ": approved by the organisation"
		}
		return c.Note(ctx, adapter.Record(adapter.EventCollabService, 0, "mail", client, text))
	})
}

// settle connects, if that was the answer, and tells who asked. What was allowed
// when it was asked for may not be any more: the service's policy is looked at again.
func (s *Collaborations) settle(ctx context.Context, c *store.CollabTx, org store.Org, v RequestView, r store.Request) error {
	subject, body := texts.CollabDeniedSubject, texts.CollabDeniedBody
	values := []string{"collaboration", v.Collaboration.Name, "service", v.Service.Name, "reason", r.Reason}
	if r.Status == "approved" {
		subject, body = texts.CollabApprovedSubject, texts.CollabApprovedBody
		if err := connectable(org, v.Service); err != nil {
			return err
		}
		if err := s.connect(ctx, c, v.Collaboration, v.Service, "mail"); err != nil {
			return err
		}
		if err := s.active(ctx, c, &v.Collaboration, "mail"); err != nil {
			return err
		}
	}
	people, err := s.people.PeopleByUID(ctx, []int64{r.Requester})
	if err != nil {
		return err
	}
	var to []*adapter.Person
	for _, p := range people {
		to = append(to, p)
	}
	mails, err := s.notice(to, subject, body, values...)
	if err != nil {
		return err
	}
	return c.QueueMail(ctx, mails...)
}
