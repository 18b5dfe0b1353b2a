package collaboration

import (
	"strings"

	"portico/adapter"
	"portico/adapter/store"
	"portico/internal/texts"
)

// letter makes a mail; none when this installation sends no mail.
func (s *Collaborations) letter(l adapter.Letter) ([]store.Message, error) {
	if !s.post.CanMail() {
		return nil, nil
	}
	m, err := s.post.ComposeLetter(l)
	if err != nil {
		return nil, err
	}
	return []store.Message{m}, nil
}

func (s *Collaborations) pagePath(page, token string) string {
	return strings.TrimRight(s.cfg.PagePath, "/") + "/account/" + page + "?token=" + token
}

// inviteLetter is the mail of an invitation.
func (s *Collaborations) inviteLetter(org store.Org, collab store.Collaboration, services []Service, i Invite, token string, again bool) ([]store.Message, error) {
	subject := texts.CollabInviteSubject
	if again {
		subject = texts.CollabRemindSubject
	}
	sender := i.Sender
	for _, other := range []string{org.Settings.Sender, org.Name} {
		if sender == "" {
			sender = other
		}
	}
	inviter := i.Inviter
	if inviter == "" {
		inviter = sender
	}
	role := texts.CollabRoleMember
	if i.Role == Admin {
		role = texts.CollabRoleAdmin
	}
	message := i.Message
	if message == "" {
		message = org.Settings.Message
	}
	if message != "" {
		message = s.texts.Format(texts.CollabMessage, "message", message)
	}
	names := make([]string, len(services))
	for n, service := range services {
		names[n] = service.Name
	}
	connected := ""
	if len(names) > 0 {
		connected = s.texts.Format(texts.CollabServices, "services", strings.Join(names, ", "))
	}
	return s.letter(adapter.Letter{
		To: i.Email, Subject: subject, Body: texts.CollabInviteBody,
		Values: []string{
			"inviter", inviter, "sender", sender, "collaboration", collab.Name, "organisation", org.Name,
			"role", s.texts.Get(role), "message", message, "services", connected,
			"until", i.Expires.Format("2006-01-02 15:04 UTC"),
		},
		Button: texts.CollabAnswer, Path: s.pagePath("join", token),
		Other: texts.CollabDecline, OtherPath: s.pagePath("join/decline", token), Footer: texts.CollabInviteFooter,
	})
}

// requestLetters are the mails that ask for an answer to a connection request.
func (s *Collaborations) requestLetters(to []string, org store.Org, collab store.Collaboration, service Service, requester, token string) ([]store.Message, error) {
	var list []store.Message
	for _, one := range to {
		if _, ok := address(one); !ok {
			continue
		}
		more, err := s.letter(adapter.Letter{
			To: one, Subject: texts.CollabRequestSubject, Body: texts.CollabRequestBody,
			Values: []string{
				"collaboration", collab.Name, "organisation", org.Name, "service", service.Name, "requester", requester,
				"description", collab.Description,
			},
			Button: texts.CollabAnswerRequest, Path: s.pagePath("connection", token),
		})
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}

// notice is a mail without a link, to people who have an address.
func (s *Collaborations) notice(to []*adapter.Person, subject, body texts.ID, values ...string) ([]store.Message, error) {
	var list []store.Message
	for _, p := range to {
		if _, ok := address(p.Email()); !ok {
			continue
		}
		more, err := s.letter(adapter.Letter{To: p.Email(), ToName: p.Name, Subject: subject, Body: body, Values: values})
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}
