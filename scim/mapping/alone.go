package mapping

import "portico/scim/schema"

// Alone tells whether the entry of a resource tells all about an attribute: nothing of it is kept elsewhere, and it is no
// reference.
func (m *Mapping) Alone(path schema.Path) bool {
	if path.Common {
		switch path.Leaf().Name {
		case "id", "created", "lastModified", "location", "resourceType":
			return true
		}
		return false
	}
	for i := range m.plans {
		p := &m.plans[i]
		if p.extension != path.Extension || p.attribute != path.Attribute {
			continue
		}
		switch p.shape {
		case apart:
			return len(p.rules) > 0 && p.rules[0].Codec != Reference
		case scalar:
			return m.room == nil || m.room(p.rules[0].Attribute) > 0
		}
		return m.room == nil
	}
	return false
}
