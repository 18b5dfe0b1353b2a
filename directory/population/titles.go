package population

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/mapping"
)

// maxTitles bounds the role occupants that are kept of one directory.
const maxTitles = 200_000

var errTooManyTitles = errors.New("more role occupants than are kept")

// titleTables holds the role titles of each directory as they were read last.
type titleTables struct {
	mu sync.Mutex
	by map[string]titleTable
}

type titleTable struct {
	at     time.Time
	groups map[string]map[string]string // key of the group's DN, key of the occupant's DN, title
}

func (t *titleTables) get(name string) (titleTable, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	table, ok := t.by[name]
	return table, ok
}

func (t *titleTables) put(name string, table titleTable) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = map[string]titleTable{}
	}
	t.by[name] = table
}

// TitlesIn gives a function that tells a person's role title in a group, from the
// entries of class organizationalRole right below it (RFC 4519 §3.10); of several
// the first in the order of their names counts. All titles of the directory are
// read by one search and believed for a few seconds. Where they cannot be read,
// those read last go on being used: a title is worth no outage.
func (p *Population) TitlesIn(ctx context.Context, group *directory.Entry) func(person *directory.Entry) (title string, ok bool) {
	none := func(*directory.Entry) (string, bool) { return "", false }
	m := p.byName[group.ID.Directory]
	if m == nil || m.Titles == nil {
		return none
	}
	key, err := mapping.DNKey(group.DN)
	if err != nil {
		return none
	}
	titles := p.titleTable(ctx, m).groups[key]
	if len(titles) == 0 {
		return none
	}
	return func(person *directory.Entry) (string, bool) {
		key, err := mapping.DNKey(person.DN)
		if err != nil {
			return "", false
		}
		title, ok := titles[key]
		return title, ok
	}
}

func (p *Population) titleTable(ctx context.Context, m *Member) titleTable {
	table, ok := p.titles.get(m.Name)
	if ok && p.now().Sub(table.at) < p.cfg.TitleTTL {
		return table
	}
	answer, err, _ := p.flight.Do("titles\x00"+m.Name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
		defer cancel()
		groups, err := readTitles(ctx, m)
		if err != nil {
			p.log.WarnContext(ctx, "role titles cannot be read; those read before stay in use", "directory", m.Name, "error", err)
			groups = table.groups
		}
		fresh := titleTable{at: p.now(), groups: groups}
		p.titles.put(m.Name, fresh)
		return fresh, nil
	})
	if err != nil {
		return table
	}
	return answer.(titleTable)
}

type roleEntry struct {
	group, title string
	occupants    []string
}

func readTitles(ctx context.Context, m *Member) (map[string]map[string]string, error) {
	req := ldap.NewSearchRequest(m.TitleBase, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
		"(&(objectClass=organizationalRole)(roleOccupant=*))", []string{"cn", "roleOccupant"}, nil)
	var roles []roleEntry
	n := 0
	err := m.Titles.SearchPaged(ctx, req, 0, func(e *ldap.Entry) error {
		key, err := mapping.DNKey(e.DN)
		if err != nil {
			return nil //nolint:nilerr // one unreadable name is no reason to read none
		}
		role := roleEntry{group: mapping.ParentKey(key), title: e.GetEqualFoldAttributeValue("cn")}
		for _, dn := range e.GetEqualFoldAttributeValues("roleOccupant") {
			if occupant, err := mapping.DNKey(dn); err == nil {
				role.occupants = append(role.occupants, occupant)
			}
		}
		if n += len(role.occupants); n > maxTitles {
			return errTooManyTitles
		}
		roles = append(roles, role)
		return nil
	})
	if errors.Is(err, directory.ErrNotFound) || ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(roles, func(a, b roleEntry) int {
		return cmp.Or(cmp.Compare(directory.FoldName(a.title), directory.FoldName(b.title)), cmp.Compare(a.title, b.title))
	})
	groups := map[string]map[string]string{}
	for _, r := range roles {
		if groups[r.group] == nil {
			groups[r.group] = map[string]string{}
		}
		for _, occupant := range r.occupants {
			if _, ok := groups[r.group][occupant]; !ok {
				groups[r.group][occupant] = r.title
			}
		}
	}
	return groups, nil
}
