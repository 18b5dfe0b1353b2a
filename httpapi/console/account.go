package console

import (
	"slices"
	"strconv"

	"portico/adapter"
	"portico/internal/texts"
)

// homeData is what the landing page shows. Applications are named to people who
// are signed in only.
type homeData struct{ Apps []App }

func (c *Console) home(x *exchange) (*answer, error) {
	person, err := c.signedIn(x.Context())
	if err != nil {
		return nil, err
	}
	x.person = person
	var data homeData
	if person != nil {
		data.Apps = c.cfg.Apps
	}
	return page("home", view{Data: data}), nil
}

func (c *Console) accountSlash(*exchange) (*answer, error) { return to(c.path("/account/")), nil }

type overviewData struct {
	AppPasswords, Phones, Unread int
	Mobile, Keys                 bool
}

func (c *Console) overview(x *exchange) (*answer, error) {
	passwords, err := c.adapter.ListAppPasswords(x.Context(), x.key())
	if err != nil {
		return nil, err
	}
	phones, err := c.adapter.ListMobileCodes(x.Context(), x.key())
	if err != nil {
		return nil, err
	}
	unread, err := c.adapter.Notifications(x.Context(), x.key(), true)
	if err != nil {
		return nil, err
	}
	return page("overview", view{Notice: c.notice(x), Data: overviewData{
		AppPasswords: len(passwords), Phones: len(phones), Unread: len(unread), Mobile: c.cfg.Mobile, Keys: c.cfg.PersonalKeys,
	}}), nil
}

func (c *Console) signOut(x *exchange) (*answer, error) {
	if err := c.adapter.SignedOut(x.Context(), x.person.UID, x.client); err != nil {
		return nil, err
	}
	x.person = nil
	return to(c.path("/account/signin")), c.sessions.Destroy(x.Context())
}

func (c *Console) signOutEverywhere(x *exchange) (*answer, error) {
	if err := c.adapter.EndSessions(x.Context(), x.person.UID, x.client, "signed out everywhere"); err != nil {
		return nil, err
	}
	x.person = nil
	return to(c.path("/account/signin")), c.sessions.Destroy(x.Context())
}

// endOthers ends the person's other sessions after a factor changed, and gives
// this one a new token.
func (c *Console) endOthers(x *exchange, why string) error {
	if err := c.adapter.EndSessions(x.Context(), x.person.UID, x.client, "other sessions ended: "+why); err != nil {
		return err
	}
	return c.renew(x.Context())
}

type historyLine struct {
	adapter.Event
	What string
}

const historyLines = 100

func (c *Console) history(x *exchange) (*answer, error) {
	events, err := c.adapter.History(x.Context(), x.key(), historyLines)
	if err != nil {
		return nil, err
	}
	lines := make([]historyLine, len(events))
	for i, e := range events {
		label := "event." + strconv.Itoa(int(e.Type))
		what := c.labels.get(label)
		if what == label {
			what = c.labels.get("event.other")
		}
		lines[i] = historyLine{e, what}
	}
	return page("history", view{Data: lines}), nil
}

func (c *Console) passwordPage(*exchange) (*answer, error) { return page("password", view{}), nil }

func (c *Console) passwordChange(x *exchange) (*answer, error) {
	changed, text, err := c.changePassword(x, x.key())
	if err != nil {
		return nil, err
	}
	if !changed {
		return page("password", view{Error: text}), nil
	}
	c.notify(x, "password.changed")
	return to(c.path("/account/")), nil
}

// passwordRefusal says why a password was not changed, or gives the error back.
func (c *Console) passwordRefusal(err error) (string, error) {
	fault := adapter.FieldOf(err)
	switch kind := adapter.KindOf(err); {
	case kind == adapter.Conflict:
		return c.labels.message(texts.SamePassword), nil
	case kind == adapter.Invalid && fault == adapter.FieldOldPassword:
		return c.labels.message(texts.OldPasswordWrong), nil
	case kind == adapter.Invalid:
		label := "password." + adapter.ReasonOf(err)
		if text := c.labels.get(label); text != label {
			return text, nil
		}
		return c.labels.message(texts.WeakPassword), nil
	case kind == adapter.Throttled:
		return c.labels.message(texts.SlowDown), nil
	case kind == adapter.Unavailable:
		return c.labels.message(texts.DirectoryError), nil
	case kind == adapter.Denied:
		return c.labels.message(texts.Locked), nil
	}
	return "", err
}

type notificationsData struct {
	List   []adapter.Notification
	Unread int
}

// maxShown bounds the notifications on one page.
const maxShown = 200

func (c *Console) notificationsPage(x *exchange) (*answer, error) {
	list, err := c.adapter.Notifications(x.Context(), x.key(), false)
	if err != nil {
		return nil, err
	}
	data := notificationsData{List: list[:min(len(list), maxShown)]}
	for _, n := range list {
		if !n.Seen {
			data.Unread++
		}
	}
	return page("notifications", view{Notice: c.notice(x), Data: data}), nil
}

func (c *Console) notificationRead(x *exchange) (*answer, error) {
	id, err := x.id()
	if err == nil {
		err = c.adapter.ReadNotification(x.Context(), x.key(), id)
	}
	return to(c.path("/account/notifications")), err
}

func (c *Console) notificationDelete(x *exchange) (*answer, error) {
	id, err := x.id()
	if err == nil {
		err = c.adapter.DeleteNotification(x.Context(), x.key(), id)
	}
	if err == nil {
		c.notify(x, "notifications.deleted")
	}
	return to(c.path("/account/notifications")), err
}

// described reads the description of something new.
func (x *exchange) described() (text string, ok bool, err error) {
	text, err = x.field("description")
	runes := []rune(text)
	return text, len(runes) <= 100 && slices.ContainsFunc(runes, func(r rune) bool { return r > ' ' }), err
}
