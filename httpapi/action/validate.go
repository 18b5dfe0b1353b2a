package action

import (
	"strings"

	"portico/adapter"
)

// valueType says what a parameter must be.
type valueType uint8

const (
	typeText   valueType = iota // a text; JSON numbers count, as written
	typeLong                    // the same, as long as the body may be
	typeName                    // a text that is more than white space
	typeNumber                  // a number or numeric text
	typeFlag                    // a text with a 0 or a 1 in it, a boolean, a number
)

// Longest values, in bytes. Longer ones are malformed.
const (
	maxName = 1024
	maxText = 4096
)

// rule is what one parameter must be. With oneOf it is a group of which at least
// one must be valid; the first valid one is used, and name is the one to blame.
type rule struct {
	name     string
	typ      valueType
	optional bool // nothing is wrong when it is missing
	emptyOK  bool // must be sent, but may be "" or "0"
	zeroOK   bool // "0" and 0 are as good as any other value
	oneOf    []rule
}

func oneOf(blame string, members ...rule) rule { return rule{name: blame, oneOf: members} }

func person(name string, typ valueType) rule { return rule{name: name, typ: typ} }

// badParameter is the first parameter that is missing or malformed.
type badParameter string

// Error is the documented text.
func (b badParameter) Error() string {
	return "400 Bad request: variable " + string(b) + " is missing or invalid"
}

// validate checks the groups, then the single parameters, in declared order.
func (act *action) validate(p params) error {
	for i := range act.params {
		if r := &act.params[i]; r.oneOf != nil && r.choose(p) == nil {
			return badParameter(r.name)
		}
	}
	for i := range act.params {
		if r := &act.params[i]; r.oneOf == nil && !r.ok(p.get(r.name)) {
			return badParameter(r.name)
		}
	}
	return nil
}

// choose gives the first member of the group that is there and valid.
func (r *rule) choose(p params) *rule {
	for i := range r.oneOf {
		if m := &r.oneOf[i]; m.ok(p.get(m.name)) {
			return m
		}
	}
	return nil
}

func (r *rule) ok(v param) bool {
	if r.emptyOK {
		return r.fits(v)
	}
	if v.missing() && (!r.zeroOK || !v.scalar() || v.value == "") {
		return r.optional
	}
	return r.fits(v)
}

func (r *rule) fits(v param) bool {
	switch r.typ {
	case typeText:
		return v.scalar() && len(v.value) <= maxText
	case typeLong:
		return v.scalar()
	case typeName:
		return v.scalar() && len(v.value) <= maxName && strings.TrimSpace(v.value) != ""
	case typeNumber:
		_, ok := v.number()
		return ok
	case typeFlag:
		return v.kind == kindTrue || v.kind == kindFalse || v.kind == kindNumber ||
			v.kind == kindText && strings.ContainsAny(v.value, "01")
	}
	return false
}

// text gives a parameter that was validated as one, "" when it is not there.
func (c *call) text(name string) string {
	if v := c.params.get(name); v.scalar() {
		return v.value
	}
	return ""
}

// name gives a login name, trimmed.
func (c *call) name(name string) string { return strings.TrimSpace(c.text(name)) }

// flag is true for JSON true and for everything with a 1 in it.
func (c *call) flag(name string) bool {
	v := c.params.get(name)
	return v.kind == kindTrue || v.scalar() && strings.Contains(v.value, "1")
}

// person is who the action's group of uid and username means; in the mobile API
// it is always who showed the sync code.
func (c *call) person() adapter.PersonKey {
	if c.user != nil {
		return adapter.ByUID(c.user.UID)
	}
	for i := range c.action.params {
		r := &c.action.params[i]
		if r.oneOf == nil {
			continue
		}
		if m := r.choose(c.params); m != nil && m.typ == typeNumber {
			return adapter.ByUID(c.params.get(m.name).id())
		}
		break
	}
	return adapter.ByUsername(c.name("username"))
}
