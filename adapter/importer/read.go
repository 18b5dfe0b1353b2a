package importer

import (
	"context"
	"html"
	"strings"
	"time"

	"portico/adapter"
	"portico/adapter/store"
)

// account is a row of accounts with what the other tables hold of that person.
type account struct {
	adapter.ForeignPerson
	deleted bool
	dropped int // notifications beyond what is kept for a person
}

type group struct {
	gid     int64
	name    string
	members []int64
}

type foreignKey struct{ value, notes, level string }

// content is the other database in memory, but for the log.
type content struct {
	accounts         []*account // by uid
	byUID            map[int64]*account
	permissions      []adapter.PermissionInfo
	groups           []*group
	managers         []store.Pair
	keys             []foreignKey
	lastUID, lastGID int64
	orphans          map[string]int // rows of each kind whose uid has no account
}

// read reads all tables but the log.
func (r *run) read(ctx context.Context) (*content, error) {
	c := &content{byUID: map[int64]*account{}, orphans: map[string]int{}}
	for _, table := range []func(context.Context, *content) error{
		r.readAccounts, r.readPermissions, r.readAssigned, r.readSecrets, r.readNotifications,
		r.readGroups, r.readManagers, r.readKeys,
	} {
		if err := table(ctx, c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (r *run) readAccounts(ctx context.Context, c *content) error {
	return r.source.each(ctx, "accounts", []column{
		{"uid", "0"}, {"username", ""}, {"authsecret", ""}, {"pin", ""}, {"acctstatus", "1"}, {"deleted", "0"},
	}, []string{"uid"}, func(v []string) error {
		a := &account{deleted: truth(v[5])}
		a.UID, a.Username, a.TOTP, a.PIN, a.Status = number(v[0]), v[1], v[2], v[3], int(number(v[4]))
		if a.UID < 1 || a.UID > maxNumber {
			r.report.problem("people", a.UID, a.Username, "the number is not between 1 and 2,000,000,000")
			return nil
		}
		c.accounts = append(c.accounts, a)
		c.byUID[a.UID] = a
		c.lastUID = max(c.lastUID, a.UID)
		return nil
	})
}

func (r *run) readPermissions(ctx context.Context, c *content) error {
	return r.source.each(ctx, "permissions", []column{{"permid", "0"}, {"permcode", ""}, {"perminfo", ""}},
		[]string{"permid"}, func(v []string) error {
			c.permissions = append(c.permissions, adapter.PermissionInfo{ID: number(v[0]), Code: v[1], Description: v[2]})
			return nil
		})
}

func (r *run) readAssigned(ctx context.Context, c *content) error {
	byID := map[int64]adapter.PermissionInfo{}
	for _, p := range c.permissions {
		byID[p.ID] = p
	}
	return r.source.each(ctx, "assigned_permissions", []column{{"uid", "0"}, {"permid", "0"}},
		[]string{"uid", "permid"}, func(v []string) error {
			perm, ok := byID[number(v[1])]
			if a := c.owner(v[0], "permission"); a != nil && ok {
				a.Permissions = append(a.Permissions, perm)
			} else if a != nil {
				c.orphans["permission"]++
			}
			return nil
		})
}

// owner is the account of a number; "" counts a row that is nobody's.
func (c *content) owner(uid, item string) *account {
	a := c.byUID[number(uid)]
	if a == nil {
		c.orphans[item]++
	}
	return a
}

func (r *run) readSecrets(ctx context.Context, c *content) error {
	err := r.source.each(ctx, "apppasswords", []column{{"passid", "0"}, {"uid", "0"}, {"hash", ""}, {"description", ""}},
		[]string{"passid"}, func(v []string) error {
			if a := c.owner(v[1], "app password"); a != nil {
				a.AppPasswords = append(a.AppPasswords,
					store.ForeignSecret{ID: number(v[0]), Value: v[2], Description: html.UnescapeString(v[3])})
			}
			return nil
		})
	if err != nil {
		return err
	}
	return r.source.each(ctx, "mobile_codes", []column{{"codeid", "0"}, {"uid", "0"}, {"code", ""}, {"description", ""}},
		[]string{"codeid"}, func(v []string) error {
			if a := c.owner(v[1], "mobile code"); a != nil {
				a.MobileCodes = append(a.MobileCodes, store.ForeignSecret{ID: number(v[0]), Value: v[2], Description: v[3]})
			}
			return nil
		})
}

// readNotifications keeps as many for a person as the store does, the unseen and
// the newest first.
func (r *run) readNotifications(ctx context.Context, c *content) error {
	return r.source.each(ctx, "notifications", []column{
		{"notificationid", "0"},
		{"uid", "0"},
		{"timestamp", ""},
		{"title", ""},
		{"content", ""},
		{"url", ""},
		{"seen", "0"},
		{"sensitive", "0"},
	}, []string{"uid", "`seen`", "`timestamp` DESC", "notificationid DESC"}, func(v []string) error {
		a := c.owner(v[1], "notification")
		switch {
		case a == nil:
			return nil
		case len(a.Notifications) == store.MaxNotifications:
			a.dropped++
			return nil
		}
		n := store.Notification{
			ID: number(v[0]), At: r.timeOf(v[2]), Title: v[3], Content: v[4], URL: v[5],
			Seen: truth(v[6]), Sensitive: truth(v[7]),
		}
		if n.ID < 1 || n.ID > maxNumber {
			a.dropped++
			return nil
		}
		a.Notifications = append(a.Notifications, n)
		return nil
	})
}

// timeOf reads a timestamp in the zone of the other installation. What cannot be
// read is now.
func (r *run) timeOf(text string) time.Time {
	text, _, _ = strings.Cut(text, ".")
	at, err := time.ParseInLocation(time.DateTime, text, r.opts.Zone)
	if err != nil || at.Year() < 1970 {
		return r.Now()
	}
	return at
}

func (r *run) readGroups(ctx context.Context, c *content) error {
	byID := map[int64]*group{}
	err := r.source.each(ctx, "groups", []column{{"groupid", "0"}, {"groupname", ""}}, []string{"groupid"},
		func(v []string) error {
			g := &group{gid: number(v[0]), name: v[1]}
			if g.gid < 1 || g.gid > maxNumber {
				r.report.problem("groups", g.gid, g.name, "the number is not between 1 and 2,000,000,000")
				return nil
			}
			c.groups = append(c.groups, g)
			byID[g.gid] = g
			c.lastGID = max(c.lastGID, g.gid)
			return nil
		})
	if err != nil {
		return err
	}
	return r.source.each(ctx, "assigned_groups", []column{{"groupid", "0"}, {"uid", "0"}}, []string{"groupid", "uid"},
		func(v []string) error {
			if g := byID[number(v[0])]; g != nil {
				g.members = append(g.members, number(v[1]))
			}
			return nil
		})
}

func (r *run) readManagers(ctx context.Context, c *content) error {
	seen := map[store.Pair]bool{}
	return r.source.each(ctx, "managers", []column{{"managerid", "0"}, {"employeeid", "0"}},
		[]string{"employeeid", "managerid"}, func(v []string) error {
			p := store.Pair{Manager: number(v[0]), Employee: number(v[1])}
			if !seen[p] {
				seen[p] = true
				c.managers = append(c.managers, p)
			}
			return nil
		})
}

func (r *run) readKeys(ctx context.Context, c *content) error {
	return r.source.each(ctx, "apikeys", []column{{"key", ""}, {"notes", ""}, {"type", "FULL"}}, []string{"`key`"},
		func(v []string) error {
			c.keys = append(c.keys, foreignKey{value: v[0], notes: v[1], level: v[2]})
			return nil
		})
}
