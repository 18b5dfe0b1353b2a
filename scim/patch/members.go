package patch

import (
	"portico/scim/filter"
	"portico/scim/resource"
)

// Member is a member that is added.
type Member struct {
	ID   string
	Kind string // "User", "Group", or "" when the client did not say
}

// Members is a change of nothing but the members of a group. It can be made without knowing who else is in the group.
type Members struct {
	// All says that Add is everybody who shall be in the group; Remove is empty then.
	All    bool
	Add    []Member
	Remove []string
}

// MembersOnly tells whether operations change nothing but members that they name by their ids, and what they come to
// when they are carried out one after the other.
func MembersOnly(operations []Operation) (Members, bool) {
	m := membership{last: map[string]int{}}
	for i := range operations {
		if !m.step(&operations[i]) {
			return Members{}, false
		}
	}
	result := Members{All: m.all}
	for _, c := range m.changes {
		switch {
		case c.id == "":
		case c.in:
			result.Add = append(result.Add, Member{ID: c.id, Kind: c.kind})
		case !m.all:
			result.Remove = append(result.Remove, c.id)
		}
	}
	return result, len(operations) > 0
}

// membership follows what happens to each id.
type membership struct {
	all     bool
	changes []memberChange
	last    map[string]int // id → place in changes
}

type memberChange struct {
	id, kind string
	in       bool
}

func (m *membership) note(id, kind string, in bool) {
	if at, known := m.last[id]; known {
		if m.changes[at].in == in {
			return
		}
		m.changes[at].id = ""
	}
	m.last[id] = len(m.changes)
	m.changes = append(m.changes, memberChange{id: id, kind: kind, in: in})
}

// step follows one operation; false when it is about more than ids.
func (m *membership) step(o *Operation) bool {
	if o.Path.Attribute == nil || o.Path.Attribute.Name != "members" || o.Path.Extension != "" || o.Path.Sub != nil {
		return false
	}
	if o.Filter != nil {
		return o.Op == Remove && m.removeMatching(o.Filter)
	}
	values, _ := o.Value.([]any)
	if o.Op == Replace || o.Op == Remove && !o.Listed {
		m.all, m.changes = true, nil
		clear(m.last)
	}
	for _, value := range values {
		element, _ := value.(resource.Object)
		id, _ := element["value"].(string)
		kind, _ := element["type"].(string)
		if id == "" {
			return false
		}
		m.note(id, kind, o.Op != Remove)
	}
	return true
}

// removeMatching follows value eq "id", also several joined by or.
func (m *membership) removeMatching(n *filter.Node) bool {
	if n.Kind == filter.Or {
		for _, child := range n.Children {
			if !m.removeMatching(child) {
				return false
			}
		}
		return true
	}
	if n.Kind != filter.Compare || n.Op != filter.Eq || n.Value.Null || n.Path.Sub == nil || n.Path.Sub.Name != "value" {
		return false
	}
	m.note(n.Value.Text, "", false)
	return true
}
