package scim

import (
	"net/http"
	"slices"
	"strings"

	"portico/scim/fault"
)

// Condition is what If-Match and If-None-Match ask of a resource that is about to be written. The zero value asks
// nothing.
type Condition struct {
	versions []string // one of them; nil: whatever it is
	absent   bool     // it must not be there
}

// Check tells whether a resource that is there in this version may be written. The error is a 412.
func (c Condition) Check(version string) error {
	if c.absent || c.versions != nil && !slices.Contains(c.versions, version) {
		return fault.Stale()
	}
	return nil
}

// Version gives the one version that the resource must be in; false when there is no such condition, or several
// versions would do.
func (c Condition) Version() (string, bool) {
	if len(c.versions) != 1 {
		return "", false
	}
	return c.versions[0], true
}

// Versions gives all the versions that would do; nil: any.
func (c Condition) Versions() []string { return c.versions }

// conditionOf reads the headers of a write.
func conditionOf(h http.Header) (Condition, error) {
	var c Condition
	tags, any, err := entityTags(h, "If-Match")
	if err != nil {
		return c, err
	}
	if !any {
		c.versions = tags
	}
	tags, any, err = entityTags(h, "If-None-Match")
	if err != nil {
		return c, err
	}
	if len(tags) > 0 {
		return c, fault.Bad("", "If-None-Match with a write: only * has a meaning")
	}
	c.absent = any
	return c, nil
}

// notModified tells whether a client that reads has this version already.
func notModified(h http.Header, version string) (bool, error) {
	tags, any, err := entityTags(h, "If-None-Match")
	return err == nil && version != "" && (any || slices.Contains(tags, version)), err
}

// entityTags reads a header of entity tags; they are compared weakly, so W/ is dropped.
func entityTags(h http.Header, name string) (tags []string, any bool, err error) {
	values, there := h[name]
	if !there {
		return nil, false, nil
	}
	text := strings.TrimSpace(strings.Join(values, ","))
	if text == "*" {
		return nil, true, nil
	}
	if tags, err = parseTags(text); err != nil {
		return nil, false, fault.Bad("", "%s is no list of entity tags", name)
	}
	return tags, false, nil
}

func parseTags(text string) ([]string, error) {
	var tags []string
	for {
		text = strings.TrimLeft(text, " \t,")
		if text == "" {
			break
		}
		text = strings.TrimPrefix(text, "W/")
		if text == "" || text[0] != '"' {
			return nil, fault.Bad("", "no entity tag")
		}
		tag, rest, closed := strings.Cut(text[1:], `"`)
		if !closed || rest != "" && !strings.ContainsRune(" \t,", rune(rest[0])) || len(tags) == 100 {
			return nil, fault.Bad("", "no entity tag")
		}
		tags, text = append(tags, tag), rest
	}
	if tags == nil {
		return nil, fault.Bad("", "no entity tag")
	}
	return tags, nil
}
