package embedded

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// errPolicy is a refusal of the password policy, with its control.
func (x *options) errPolicy(code int, text string, e policyError) *fault {
	x.policyReply(policyReply(-1, -1, e))
	return refuse(code, "%s", text)
}

// newPassword prepares userPassword of an entry that is being added: hashed,
// and with the mark of its age where a policy counts that. Only services add
// entries, and no policy binds them.
func (st *store) newPassword(e *entry, trusted bool) *fault {
	s := st.schema
	if e.get(s.userPassword) == nil {
		return nil
	}
	p := st.policyOf(e)
	if p.known && !trusted && len(e.get(s.userPassword)) > 1 {
		return refuse(resultConstraintViolation, "Password policy only allows one password value")
	}
	if !trusted && (p.maxAge > 0 || p.minAge > 0) {
		s.set(e, s.pwdChangedTime, formatTime(st.cfg.Clock()))
	}
	return st.hashAll(e)
}

func (st *store) hashAll(e *entry) *fault {
	s := st.schema
	var kept []value
	for _, v := range e.get(s.userPassword) {
		h, f := st.hashed(v)
		if f != nil {
			return f
		}
		kept = append(kept, h)
	}
	e.put(s.userPassword, "", kept)
	return nil
}

func (st *store) hashed(v value) (value, *fault) {
	if isHashed(v.raw) {
		return v, nil
	}
	h, err := hashPassword(st.cfg.Rand, v.raw)
	if err != nil {
		return value{}, refuse(resultOther, "no randomness")
	}
	return value{h, h}, nil
}

func checkQuality(p policy, password string) (policyError, *fault) {
	const text = "Password fails quality checking policy"
	switch {
	case p.checkQuality == 0:
		return policyNoError, nil
	case isHashed(password):
		if p.checkQuality == 2 {
			return policyQuality, refuse(resultConstraintViolation, text)
		}
	case len(password) < p.minLength:
		return policyTooShort, refuse(resultConstraintViolation, text)
	}
	return policyNoError, nil
}

// passwordMods turns modifications of userPassword into what is kept: policy
// checked, new values hashed, values to delete found by their password, and the
// policy's own marks added.
func (st *store) passwordMods(e *entry, mods []mod, w who, x *options) ([]mod, *fault) {
	s, p := st.schema, st.policyOf(e)
	stored := e.get(s.userPassword)
	out := make([]mod, 0, len(mods)+4)
	var fresh string
	adds, deletes := false, false
	for _, m := range mods {
		if m.desc.typ != s.userPassword {
			out = append(out, m)
			continue
		}
		if m.op == modDelete {
			deletes = deletes || len(m.vals) > 0
			m.vals = storedPasswords(stored, m.vals)
			out = append(out, m)
			continue
		}
		if len(m.vals) > 1 && p.known {
			return nil, x.errPolicy(resultConstraintViolation, "Password policy only allows one password value", policyNoError)
		}
		kept := make([]value, 0, len(m.vals))
		for _, v := range m.vals {
			if m.op == modAdd && !deletes && anyPassword(stored, v.raw) {
				return nil, refuse(resultValueExists, "modify/add: userPassword: value #0 already exists")
			}
			h, f := st.hashed(v)
			if f != nil {
				return nil, f
			}
			adds, fresh, kept = true, v.raw, append(kept, h)
		}
		m.vals = kept
		out = append(out, m)
	}
	if p.known && adds && !w.service {
		if f := st.checkChange(e, p, fresh, deletes || x.oldVerified, x); f != nil {
			return nil, f
		}
	}
	if !adds { // it is being deleted
		out = append(out, mod{op: modReplace, desc: attrDesc{typ: s.pwdChangedTime}})
	}
	if adds {
		out = append(out, st.marks(e, p, w.dn.key == e.dn.key)...)
	}
	return out, nil
}

// storedPasswords replaces clear passwords by the stored values they belong to.
func storedPasswords(stored, given []value) []value {
	out := slices.Clone(given)
	for i, g := range out {
		for _, v := range stored {
			if verifyPassword(v.raw, g.raw) {
				out[i] = v
			}
		}
	}
	return out
}

// checkChange asks the policy whether the password may become fresh.
func (st *store) checkChange(e *entry, p policy, fresh string, oldGiven bool, x *options) *fault {
	s, now := st.schema, st.cfg.Clock()
	if !p.allowChange {
		return x.errPolicy(resultInsufficientAccess, "User alteration of password is not allowed", policyNotAllowed)
	}
	if p.safeModify && !oldGiven {
		return x.errPolicy(resultInsufficientAccess, "Must supply old password to be changed as well as new one", policyNeedsOld)
	}
	changed, known := timeOf(e, s.pwdChangedTime)
	if known && p.minAge > 0 && e.first(s.pwdReset) != "TRUE" && now.Sub(changed) < p.minAge {
		return x.errPolicy(resultConstraintViolation, "Password is too young to change", policyTooYoung)
	}
	if code, f := checkQuality(p, fresh); f != nil {
		x.policyReply(policyReply(-1, -1, code))
		return f
	}
	if p.inHistory == 0 {
		return nil
	}
	if anyPassword(e.get(s.userPassword), fresh) {
		return x.errPolicy(resultConstraintViolation, "Password is not being changed from existing value", policyInHistory)
	}
	for _, h := range e.get(s.pwdHistory) {
		if parts := strings.SplitN(h.raw, "#", 4); len(parts) == 4 && verifyPassword(parts[3], fresh) {
			return x.errPolicy(resultConstraintViolation, "Password is in history of old passwords", policyInHistory)
		}
	}
	return nil
}

// marks gives the modifications of operational attributes that go with a new
// password.
func (st *store) marks(e *entry, p policy, self bool) []mod {
	s, now := st.schema, st.cfg.Clock().UTC()
	var out []mod
	set := func(t *attrType, raw ...string) {
		vals := make([]value, 0, len(raw))
		for _, r := range raw {
			form, _ := s.normalize(t.equality, r)
			vals = append(vals, value{r, form})
		}
		out = append(out, mod{modReplace, attrDesc{typ: t}, vals})
	}
	set(s.pwdChangedTime, formatTime(now))
	set(s.pwdGraceUseTime)
	set(s.pwdFailureTime)
	set(s.pwdAccountLockedTime)
	switch {
	case self:
		set(s.pwdReset)
	case p.mustChange:
		set(s.pwdReset, "TRUE")
	}
	if p.inHistory > 0 {
		set(s.pwdHistory, st.history(e, p, now)...)
	}
	return out
}

// history is pwdHistory with the present password in front of it.
func (st *store) history(e *entry, p policy, now time.Time) []string {
	var list []string
	for _, h := range e.get(st.schema.pwdHistory) {
		list = append(list, h.raw)
	}
	for _, v := range e.get(st.schema.userPassword) {
		list = append(list, fmt.Sprintf("%s#%s#%d#%s", formatTime(now), passwordHistoryOID, len(v.raw), v.raw))
	}
	slices.Sort(list)
	return slices.Compact(list[max(0, len(list)-p.inHistory):])
}
