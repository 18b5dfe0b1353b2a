package conformance

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"

	"portico/directory"
	"portico/directory/mapping"
	"portico/directory/mirror"
)

// flat is what the directory and the mirror are compared by.
type flat struct {
	Kind       directory.Kind
	DN         string // normal form
	Login      string
	Name       string
	Attributes directory.Attributes
	Signals    directory.Attributes
	Members    []string // stable ids
	Managers   []string
	Owners     []string
	Version    string
}

// truth asks the directory itself, through the mapper alone, and resolves all
// references anew.
func (w *world) truth() (map[string]flat, error) {
	w.t.Helper()
	var all []*directory.Entry
	err := w.client.SearchPaged(w.t.Context(), w.mapper.All(0), 500, func(e *ldap.Entry) error {
		mapped, err := w.mapper.Entry(e)
		if mapped != nil && mapped.Kind != directory.KindContainer {
			all = append(all, mapped)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := map[string]flat{}
	byDN, byLogin := map[string]string{}, map[string][]string{}
	for _, e := range all {
		key, err := mapping.DNKey(e.DN)
		w.must(err)
		byDN[key] = e.ID.Stable
		if e.Kind == directory.KindPerson {
			name := directory.FoldName(e.Name)
			byLogin[name] = append(byLogin[name], e.ID.Stable)
		}
	}
	resolve := func(dns []string) []string {
		var found []string
		for _, dn := range dns {
			if key, err := mapping.DNKey(dn); err == nil && byDN[key] != "" {
				found = append(found, byDN[key])
			}
		}
		return sorted(found)
	}
	for _, e := range all {
		f := flatten(e)
		switch {
		case e.Kind == directory.KindPerson:
			f.Managers = resolve(e.Attributes[directory.AttrManager])
		case e.MembersByName:
			for _, name := range e.Members {
				f.Members = append(f.Members, byLogin[directory.FoldName(name)]...)
			}
			f.Members = sorted(f.Members)
		default:
			f.Members = resolve(e.Members)
		}
		if e.Kind == directory.KindGroup {
			f.Owners = resolve(e.Attributes[directory.AttrOwner])
		}
		out[e.ID.Stable] = f
	}
	return out, nil
}

func flatten(e *directory.Entry) flat {
	key, err := mapping.DNKey(e.DN)
	if err != nil {
		key = e.DN
	}
	return flat{Kind: e.Kind, DN: key, Login: e.Login, Name: e.Name, Attributes: comparable(e.Attributes), Signals: comparable(e.Signals), Version: e.Version}
}

// comparable leaves out empty values, sorts, and forgets references, which are
// compared by what they point to: their text may be older where nothing is there.
func comparable(a directory.Attributes) directory.Attributes {
	out := directory.Attributes{}
	for name, values := range a {
		if len(values) > 0 && name != directory.AttrManager && name != directory.AttrOwner {
			out[name] = slices.Sorted(slices.Values(values))
		}
	}
	return out
}

func sorted(ids []string) []string {
	slices.Sort(ids)
	return slices.Compact(ids)
}

// mirrored is what the mirror holds. The error says that it changed meanwhile.
func (w *world) mirrored() (map[string]flat, error) {
	w.t.Helper()
	ctx := context.Background()
	out := map[string]flat{}
	for _, kind := range []directory.Kind{directory.KindPerson, directory.KindGroup} {
		query := mirror.Query{Kind: kind, Directory: w.cfg.Name}
		for {
			page, err := w.mirror.ListPage(ctx, query)
			w.must(err)
			for _, e := range page.Entries {
				f, err := w.related(ctx, e)
				if err != nil {
					return nil, err
				}
				out[e.ID.Stable] = f
			}
			if query.After = page.Next; page.Next == "" {
				break
			}
		}
	}
	return out, nil
}

// related is an entry with its relations.
func (w *world) related(ctx context.Context, e *directory.Entry) (flat, error) {
	f := flatten(e)
	if e.Kind == directory.KindPerson {
		managers, err := w.mirror.ManagersOf(ctx, e.ID)
		f.Managers = stables(managers)
		return f, err
	}
	people, _, err := w.mirror.MembersOf(ctx, e.ID, false, 0, "")
	groups, groupsErr := w.mirror.SubgroupsOf(ctx, e.ID, false)
	owners, ownersErr := w.mirror.OwnersOf(ctx, e.ID)
	f.Members, f.Owners = stables(append(people, groups...)), stables(owners)
	return f, errors.Join(err, groupsErr, ownersErr)
}

func stables(list []*directory.Entry) []string {
	var out []string
	for _, e := range list {
		out = append(out, e.ID.Stable)
	}
	return sorted(out)
}

// equal waits until the mirror says what the directory says.
func (w *world) equal() {
	w.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		truth, err := w.truth() // the server may just be coming back
		mirrored, changed := w.mirrored()
		if err = errors.Join(err, changed); err == nil && reflect.DeepEqual(truth, mirrored) {
			return
		}
		if time.Now().After(deadline) {
			w.must(err)
			diff := cmp.Diff(truth, mirrored)
			w.t.Fatalf("directory (-) and mirror (+) differ; status %+v\n%s", w.feed.Status(), diff[:min(len(diff), 6000)])
		}
	}
}

// names gives the login and group names of entries, sorted.
func names(list []*directory.Entry) string {
	var out []string
	for _, e := range list {
		out = append(out, e.Name)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// logins are all people's login names in the mirror.
func (w *world) logins() []string {
	w.t.Helper()
	set := map[string]bool{}
	mirrored, err := w.mirrored()
	w.must(err)
	for _, f := range mirrored {
		if f.Kind == directory.KindPerson {
			set[f.Login] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}
