package action

import (
	"context"
	"strconv"
	"strings"

	"portico/adapter"
)

func getNotifications(a *API, c *call) error { return a.notifications(c, false) }

// notifications lists a person's, the time in the server's zone.
func (a *API) notifications(c *call, unseenOnly bool) error {
	found, err := a.adapter.Notifications(c.ctx, c.person(), unseenOnly)
	if err != nil {
		return err
	}
	c.ok()
	list(c, "notifications", found, appendNotification)
	c.close()
	return nil
}

func appendNotification(out []byte, n adapter.Notification) []byte {
	out = append(out, `{"id":`...)
	out = strconv.AppendInt(out, n.ID, 10)
	out = append(out, `,"timestamp":"`...)
	out = n.Time.AppendFormat(out, "2006-01-02 15:04:05")
	out = append(out, `","title":`...)
	out = appendString(out, n.Title)
	out = append(out, `,"content":`...)
	out = appendString(out, n.Content)
	out = append(out, `,"url":`...)
	out = appendString(out, n.URL)
	out = append(out, `,"seen":`...)
	out = strconv.AppendBool(out, n.Seen)
	out = append(out, `,"sensitive":`...)
	out = strconv.AppendBool(out, n.Sensitive)
	return append(out, '}')
}

func addNotification(a *API, c *call) error {
	id, err := a.adapter.AddNotification(c.ctx, c.person(), adapter.NewNotification{
		Title: c.text("title"), Content: c.text("content"), URL: c.text("url"),
		Timestamp: c.text("timestamp"), Sensitive: c.yes("sensitive"),
	})
	if err != nil {
		return err
	}
	c.ok()
	c.member("id")
	c.out = strconv.AppendInt(c.out, id, 10)
	c.close()
	return nil
}

// yes is true for anything but absent, "", 0, "no" and "false".
func (c *call) yes(name string) bool {
	v := c.params.get(name)
	if v.missing() {
		return false
	}
	switch strings.ToLower(strings.TrimSpace(v.value)) {
	case "", "0", "no", "false":
		return v.kind != kindText
	}
	return true
}

func readNotification(a *API, c *call) error {
	return a.oneNotification(c, a.adapter.ReadNotification)
}

func deleteNotification(a *API, c *call) error {
	return a.oneNotification(c, a.adapter.DeleteNotification)
}

func (a *API) oneNotification(c *call, do func(ctx context.Context, key adapter.PersonKey, id int64) error) error {
	if err := do(c.ctx, c.person(), c.params.get("id").id()); err != nil {
		return err
	}
	c.ok()
	c.close()
	return nil
}
