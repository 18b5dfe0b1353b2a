package action

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"portico/adapter"
)

func groupSearch(a *API, c *call) error {
	var found []*adapter.Group
	if text := c.text("search"); !tooShort(text, minGroupSearch) {
		var err error
		if found, err = a.adapter.SearchGroups(c.ctx, text, maxHits); err != nil {
			return err
		}
	}
	c.ok()
	list(c, "result", found, appendGroup)
	c.close()
	return nil
}

func getGroups(a *API, c *call) error {
	groups, err := a.adapter.Groups(c.ctx)
	if err != nil {
		return err
	}
	c.ok()
	list(c, "groups", groups, appendGroup)
	c.close()
	return nil
}

func getGroupsByUser(a *API, c *call) error {
	groups, err := a.adapter.GroupsOf(c.ctx, c.person())
	if err != nil {
		return err
	}
	c.ok()
	list(c, "groups", groups, appendGroup)
	c.close()
	return nil
}

// getUsersByGroup lists uids, or user names, or details, each in its own order.
func getUsersByGroup(a *API, c *call) error {
	people, err := a.adapter.MembersOf(c.ctx, c.params.get("gid").id())
	if err != nil {
		return err
	}
	c.ok()
	switch c.text("get") {
	case "username":
		people = slices.SortedFunc(slices.Values(people), func(a, b *adapter.Person) int {
			return cmp.Compare(a.Username, b.Username)
		})
		list(c, "users", people, appendUsername)
	case "detail":
		list(c, "users", byDisplayName(people), func(out []byte, p *adapter.Person) []byte {
			out = append(out, `{"username":`...)
			out = appendString(out, p.Username)
			out = append(out, `,"name":`...)
			out = appendString(out, p.Name)
			out = append(out, `,"uid":`...)
			out = appendID(out, p.UID)
			out = append(out, `,"pin":`...)
			out = strconv.AppendBool(out, p.HasPIN)
			return append(out, '}')
		})
	default:
		list(c, "users", people, appendUID)
	}
	c.close()
	return nil
}

// byDisplayName orders without regard to case; equal names by uid.
func byDisplayName(people []*adapter.Person) []*adapter.Person {
	type keyed struct {
		name   string
		person *adapter.Person
	}
	list := make([]keyed, len(people))
	for i, p := range people {
		list[i] = keyed{strings.ToLower(p.Name), p}
	}
	slices.SortFunc(list, func(a, b keyed) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.person.UID, b.person.UID))
	})
	sorted := make([]*adapter.Person, len(list))
	for i, k := range list {
		sorted[i] = k.person
	}
	return sorted
}
