package embedded

import (
	"slices"
	"time"
)

// bindOutcome is what a simple bind ends in.
type bindOutcome struct {
	who     who
	fault   *fault
	replies []reply
}

func denied(code int, text string) bindOutcome { return bindOutcome{fault: refuse(code, "%s", text)} }

// bind checks a name and password. asked tells whether the client sent the
// password policy request control.
func (st *store) bind(r bindRequest, asked bool) bindOutcome {
	if r.version != 3 {
		return denied(resultProtocolError, "requested protocol version not allowed")
	}
	if r.sasl {
		return denied(resultAuthMethodNotSupported, "SASL is not supported")
	}
	d, err := st.schema.parseDN(r.dn)
	switch {
	case err != nil:
		return denied(resultInvalidDN, "invalid DN")
	case r.password == "" && d.isZero():
		if !st.cfg.AllowAnonymous {
			return denied(resultInappropriateAuth, "anonymous bind disallowed")
		}
		return bindOutcome{}
	case r.password == "":
		if !st.cfg.AllowUnauthenticated {
			return denied(resultUnwilling, "unauthenticated bind (DN with no password) disallowed")
		}
		return bindOutcome{}
	case d.isZero():
		return denied(resultInvalidCredentials, "")
	}
	for _, s := range st.services {
		if s.dn.key == d.key && s.password != "" {
			if !sameText(s.password, r.password) {
				return denied(resultInvalidCredentials, "")
			}
			return bindOutcome{who: who{dn: s.dn, service: true}}
		}
	}
	return st.bindEntry(d, r.password, asked)
}

func (st *store) bindEntry(d dname, password string, asked bool) bindOutcome {
	st.mu.RLock()
	e := st.tree.at(d)
	var stored []value
	if e != nil {
		stored = e.get(st.schema.userPassword)
	}
	st.mu.RUnlock()
	right := anyPassword(stored, password)
	if e == nil {
		return denied(resultInvalidCredentials, "")
	}

	st.mu.Lock()
	defer st.mu.Unlock()
	if e = st.tree.at(d); e == nil || st.schema.isReferral(e) {
		return denied(resultInvalidCredentials, "")
	}
	p := st.policyOf(e)
	out := st.judge(e, p, right)
	if out.fault == nil {
		out.who.dn, out.who.service = e.dn, st.isService(e.dn)
	}
	if !asked {
		out.replies = nil
	}
	return out
}

// judge applies the password policy to a checked password and writes down what
// the policy wants remembered. The lock is held.
func (st *store) judge(old *entry, p policy, right bool) bindOutcome {
	s, now := st.schema, st.cfg.Clock().UTC()
	locked, lockOver := st.lockedOut(old, p, now)
	if locked {
		return bindOutcome{
			fault:   refuse(resultInvalidCredentials, ""),
			replies: []reply{policyReply(-1, -1, policyLocked)},
		}
	}
	e := old.clone()
	if !right {
		st.countFailure(e, p, now)
		if lockOver { // as in OpenLDAP, the first failure after a lock does not lock again
			e.put(s.pwdAccountLockedTime, "", nil)
		}
		st.saveState(old, e)
		return bindOutcome{
			fault:   refuse(resultInvalidCredentials, ""),
			replies: []reply{policyReply(-1, -1, policyNoError)},
		}
	}
	e.put(s.pwdFailureTime, "", nil)
	if lockOver {
		e.put(s.pwdAccountLockedTime, "", nil)
	}
	out := st.checkAge(e, p, now)
	st.saveState(old, e)
	return out
}

// checkAge handles what a right password may still meet: it must be changed, is
// too old, or soon will be.
func (st *store) checkAge(e *entry, p policy, now time.Time) bindOutcome {
	s := st.schema
	if p.mustChange && e.first(s.pwdReset) == "TRUE" {
		return bindOutcome{who: who{mustChange: true}, replies: []reply{policyReply(-1, -1, policyMustChange)}}
	}
	changed, known := timeOf(e, s.pwdChangedTime)
	if p.maxAge == 0 || !known {
		return bindOutcome{replies: []reply{policyReply(-1, -1, policyNoError)}}
	}
	age := now.Sub(changed).Truncate(time.Second)
	if age > p.maxAge {
		used := e.get(s.pwdGraceUseTime)
		left := p.graceLimit - len(used)
		if left < 1 {
			return bindOutcome{
				fault:   refuse(resultInvalidCredentials, ""),
				replies: []reply{policyReply(-1, -1, policyExpired)},
			}
		}
		st.appendTime(e, s.pwdGraceUseTime, now)
		return bindOutcome{replies: []reply{policyReply(-1, left-1, policyNoError)}}
	}
	expires := -1
	if p.expireWarning > 0 && p.maxAge-age < p.expireWarning {
		expires = int((p.maxAge - age) / time.Second)
	}
	return bindOutcome{replies: []reply{policyReply(expires, -1, policyNoError)}}
}

// countFailure remembers a wrong password and marks the account as locked when
// there were too many; with pwdLockout FALSE the mark has no effect, but is there.
func (st *store) countFailure(e *entry, p policy, now time.Time) {
	if !p.known {
		return
	}
	s := st.schema
	st.appendTime(e, s.pwdFailureTime, now)
	all := e.get(s.pwdFailureTime)
	if over := len(all) - p.maxRecorded; over > 0 {
		e.put(s.pwdFailureTime, "", slices.Clone(all[over:]))
	}
	count := 0
	for _, v := range all {
		if t, err := parseTime(v.raw); err == nil && (p.failureWindow == 0 || now.Sub(t) < p.failureWindow) {
			count++
		}
	}
	if p.maxFailure > 0 && count >= p.maxFailure {
		s.set(e, s.pwdAccountLockedTime, formatTime(now))
	}
}

// appendTime adds now to the times of t, a microsecond later where it is there
// already.
func (st *store) appendTime(e *entry, t *attrType, now time.Time) {
	vals := slices.Clone(e.get(t))
	for {
		raw := formatMicros(now)
		form, _ := normTime(raw)
		if !slices.ContainsFunc(vals, func(v value) bool { return v.norm == form }) {
			e.put(t, "", append(vals, value{raw, form}))
			return
		}
		now = now.Add(time.Microsecond)
	}
}

// saveState commits what a bind changed in the entry; nothing, if nothing.
func (st *store) saveState(old, e *entry) {
	if slices.EqualFunc(old.attrs, e.attrs, sameAttribute) {
		return
	}
	csn := st.stamp(e, st.self())
	st.commit(change{old: old, now: e, csn: csn})
}

func sameAttribute(a, b attribute) bool {
	return a.typ == b.typ && a.opts == b.opts && slices.Equal(a.vals, b.vals)
}
