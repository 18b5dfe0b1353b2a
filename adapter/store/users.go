package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"
)

// TableUsers and TableSlugs are the tables that a Watch names when what is kept
// of a user, or of a group's page, changed; ID is the numeric id.
const (
	TableUsers = "user_extras"
	TableSlugs = "slugs"
)

// UserExtra is what is kept of a user of the user management API.
type UserExtra struct {
	Role     string // name of the role given here; "" for none
	TimeZone string
}

// UserExtras reads what is kept of people; who has nothing is absent from the map.
func (s *Store) UserExtras(ctx context.Context, uids []int64) (map[int64]UserExtra, error) {
	found := map[int64]UserExtra{}
	return found, eachUIDChunk(uids, func(args []any) error {
		return s.many(ctx, "users", "SELECT uid, role, time_zone FROM user_extras WHERE uid IN ("+numbersIn(len(args))+")", args,
			func(rows *sql.Rows) error {
				var uid int64
				var x UserExtra
				err := rows.Scan(&uid, &x.Role, &x.TimeZone)
				found[uid] = x
				return err
			})
	})
}

// UsersWithRole lists the people who were given a role here.
func (s *Store) UsersWithRole(ctx context.Context, role string) ([]int64, error) {
	var uids []int64
	err := s.many(ctx, "users", "SELECT uid FROM user_extras WHERE role = ? ORDER BY uid", []any{role}, func(rows *sql.Rows) error {
		var uid int64
		err := rows.Scan(&uid)
		uids = append(uids, uid)
		return err
	})
	return uids, err
}

// SetUserRole gives a person a role; may is asked inside the transaction, after
// everybody else who changes roles was made to wait, and refuses by an error.
// ErrNotFound when no person has that id.
func (s *Store) SetUserRole(ctx context.Context, uid int64, role string, may func(context.Context) error, note ...Record) error {
	return s.write(ctx, "role", func(ctx context.Context, t *tx) error {
		if _, err := t.lockCounter(ctx, KindPerson); err != nil {
			return err
		}
		if err := t.lockPerson(ctx, uid); err != nil {
			return err
		}
		if err := may(ctx); err != nil {
			return err
		}
		_, err := t.exec(ctx, `INSERT INTO user_extras (uid, role) VALUES (?, ?)
			ON CONFLICT (uid) DO UPDATE SET role = excluded.role`, uid, clean(role, maxLabelLen))
		if err != nil {
			return err
		}
		if err := t.changed(ctx, TableUsers, uid); err != nil {
			return err
		}
		return t.note(ctx, note)
	})
}

// NumberedSubject is a person or group with its numeric id.
type NumberedSubject struct {
	ID int64
	Subject
}

// PeopleAfter lists who has a numeric id above after, by the ids.
func (s *Store) PeopleAfter(ctx context.Context, after int64, limit int) ([]NumberedSubject, error) {
	list := make([]NumberedSubject, 0, limit)
	err := s.many(ctx, "people", "SELECT id, directory, stable, name FROM person_ids WHERE id > ? ORDER BY id LIMIT ?", []any{after, limit},
		func(rows *sql.Rows) error {
			var n NumberedSubject
			err := rows.Scan(&n.ID, &n.Directory, &n.Stable, &n.Name)
			list = append(list, n)
			return err
		})
	return list, err
}

// RoleIDs gives the numbers of roles by their names. One that has none gets one,
// in the order of the names; a number is never given twice.
func (s *Store) RoleIDs(ctx context.Context, names []string) (map[string]int64, error) {
	return s.numbersByName(ctx, "role_ids", names)
}

// ProjectGroupIDs does the same for groups of projects.
func (s *Store) ProjectGroupIDs(ctx context.Context, names []string) (map[string]int64, error) {
	return s.numbersByName(ctx, "project_group_ids", names)
}

func (s *Store) numbersByName(ctx context.Context, table string, names []string) (map[string]int64, error) {
	ids := make(map[string]int64, len(names))
	err := s.write(ctx, "numbers by name", func(ctx context.Context, t *tx) error {
		if _, err := t.lockCounter(ctx, KindPerson); err != nil {
			return err
		}
		for _, name := range names {
			if _, err := t.exec(ctx, "INSERT INTO "+table+" (name) SELECT CAST(? AS TEXT) WHERE NOT EXISTS (SELECT 1 FROM "+table+" WHERE name = ?)", name, name); err != nil {
				return err
			}
			var id int64
			if err := t.row(ctx, "SELECT id FROM "+table+" WHERE name = ?", name).Scan(&id); err != nil {
				return err
			}
			ids[name] = id
		}
		return nil
	})
	return ids, err
}

// Slug is the address and looks of a group's page.
type Slug struct {
	GID       int64
	Slug      string
	Icon      int
	StartPage string
}

// Slugs reads the slugs of groups; who has none is absent from the map.
func (s *Store) Slugs(ctx context.Context, gids []int64) (map[int64]Slug, error) {
	found := make(map[int64]Slug, len(gids))
	return found, eachUIDChunk(gids, func(args []any) error {
		return s.many(ctx, "slugs", "SELECT gid, slug, icon, start_page FROM slugs WHERE gid IN ("+numbersIn(len(args))+")", args,
			func(rows *sql.Rows) error {
				var g Slug
				err := rows.Scan(&g.GID, &g.Slug, &g.Icon, &g.StartPage)
				found[g.GID] = g
				return err
			})
	})
}

// GroupBySlug finds the group with a slug. ErrNotFound.
func (s *Store) GroupBySlug(ctx context.Context, slug string) (int64, error) {
	var gid int64
	err := s.one(ctx, "slug", "SELECT gid FROM slugs WHERE slug = ?", []any{slug}, &gid)
	return gid, err
}

// SetProjectPage sets the icon and the first page of a group. ErrNotFound when it
// has no slug.
func (s *Store) SetProjectPage(ctx context.Context, p Slug, note ...Record) error {
	return s.write(ctx, "project", func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, "UPDATE slugs SET icon = ?, start_page = ? WHERE gid = ?", p.Icon, p.StartPage, p.GID)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		if err := t.changed(ctx, TableSlugs, p.GID); err != nil {
			return err
		}
		return t.note(ctx, note)
	})
}

// maxSlugTail bounds the numbers behind slugs that would be the same.
const maxSlugTail = 100_000

// GiveSlugs gives each group that has none the slug that is wanted for it, with a
// number behind it where that is taken or reserved says so.
func (s *Store) GiveSlugs(ctx context.Context, wanted []Slug, reserved func(string) bool) error {
	return s.write(ctx, "slugs", func(ctx context.Context, t *tx) error {
		if _, err := t.lockCounter(ctx, KindGroup); err != nil {
			return err
		}
		next := map[string]int{} // the tail to try first, for many alike
		for _, w := range wanted {
			if err := t.giveSlug(ctx, w, reserved, next); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) giveSlug(ctx context.Context, w Slug, reserved func(string) bool, next map[string]int) error {
	var there int
	if err := t.row(ctx, "SELECT count(*) FROM slugs WHERE gid = ?", w.GID).Scan(&there); err != nil || there > 0 {
		return err
	}
	for tail := max(1, next[w.Slug]); tail < maxSlugTail; tail++ {
		slug := w.Slug
		if tail > 1 {
			slug += "-" + strconv.Itoa(tail)
		}
		if reserved(slug) {
			continue
		}
		n, err := t.exec(ctx, "INSERT INTO slugs (gid, slug) SELECT CAST(? AS BIGINT), CAST(? AS TEXT) WHERE NOT EXISTS (SELECT 1 FROM slugs WHERE slug = ?)", w.GID, slug, slug)
		if err != nil {
			return err
		}
		if n == 1 {
			next[w.Slug] = tail + 1
			return t.changed(ctx, TableSlugs, w.GID)
		}
	}
	return fmt.Errorf("%w: no slug like %s is left", ErrConflict, w.Slug)
}

// PublicKey is a public key of a person.
type PublicKey struct {
	Description string
	Key         string // kind and key, no comment
	Created     time.Time
}

// MaxPublicKeys is the number of public keys that a person may have here.
const MaxPublicKeys = 100

// PublicKeys lists a person's public keys, oldest first.
func (s *Store) PublicKeys(ctx context.Context, uid int64) ([]PublicKey, error) {
	var list []PublicKey
	err := s.many(ctx, "public keys", "SELECT description, public_key, created_at FROM public_keys WHERE uid = ? ORDER BY id", []any{uid},
		func(rows *sql.Rows) error {
			var k PublicKey
			var created int64
			err := rows.Scan(&k.Description, &k.Key, &created)
			k.Created = when(created)
			list = append(list, k)
			return err
		})
	return list, err
}

// AddPublicKey keeps a public key of a person. ErrConflict when it is there, or
// when there are MaxPublicKeys; ErrNotFound when no person has that id.
func (s *Store) AddPublicKey(ctx context.Context, uid int64, k PublicKey, note ...Record) error {
	return s.write(ctx, "public key", func(ctx context.Context, t *tx) error {
		if err := t.roomFor(ctx, uid, "SELECT count(*) FROM public_keys WHERE uid = ?", MaxPublicKeys); err != nil {
			return err
		}
		_, err := t.exec(ctx, "INSERT INTO public_keys (uid, hash, description, public_key, created_at) VALUES (?, ?, ?, ?, ?)",
			uid, mac(s.macs.apiKeys, []byte("public key"), []byte(k.Key)), clean(k.Description, maxLabelLen), k.Key, micros(s.clock()))
		if err != nil {
			return err
		}
		return t.note(ctx, note)
	})
}

// KeysOf lists the API keys that stand for a person, of one API.
func (s *Store) KeysOf(ctx context.Context, api string, uid int64) ([]Key, error) {
	keys := []Key{}
	err := s.many(ctx, "list keys", "SELECT "+keyColumns+" FROM api_keys WHERE user_uid = ? AND api = ? ORDER BY id", []any{uid, api},
		func(rows *sql.Rows) error {
			k, _, err := scanKey(rows.Scan)
			keys = append(keys, k)
			return err
		})
	return keys, err
}
