package population

import (
	"context"
	"errors"

	"portico/directory"
)

// Authenticate checks a person's password by a live bind and gives the verdict
// with the person as known afterwards. A nil person is checked against an
// account that does not exist, so that a miss costs what a wrong password costs.
//
// Where changes do not arrive as they happen, the entry is read again first:
// its DN may belong to somebody else by now.
func (p *Population) Authenticate(ctx context.Context, person *directory.Entry, password string) (directory.BindResult, *directory.Entry) {
	if person == nil {
		return p.bindNobody(ctx, password), nil
	}
	m := p.byName[person.ID.Directory]
	if m == nil {
		return directory.BindResult{Verdict: directory.VerdictUnavailable, Detail: "directory is not configured any more"}, person
	}
	if !m.Feed.Live() {
		fresh, err := p.refresh(ctx, m, person.ID)
		switch {
		case err == nil && fresh.Login != person.Login:
			// Somebody else may own the name now. The mirror has just learned of it, so the next try finds out.
			return directory.BindResult{Detail: "the entry has just got another login name"}, fresh
		case err == nil:
			person = fresh
		case errors.Is(err, directory.ErrNotFound):
			return directory.BindResult{Verdict: directory.VerdictWrong, Detail: "the entry is gone"}, person
		default:
			return directory.BindResult{Verdict: directory.VerdictUnavailable, Detail: err.Error()}, person
		}
	}
	result := m.LDAP.Bind(ctx, person.DN, password)
	if p.worthReading(ctx, result, person) {
		if fresh, err := p.refresh(ctx, m, person.ID); err == nil {
			person = fresh
		}
	}
	return result, person
}

// worthReading tells whether a bind said something about the account that the
// mirror does not know yet.
func (p *Population) worthReading(ctx context.Context, r directory.BindResult, person *directory.Entry) bool {
	switch r.Verdict {
	case directory.VerdictSignedIn:
		s := p.State(ctx, person, p.now())
		return s.Disabled || s.Locked || s.OutsidePeriod || s.MustChange || s.PasswordExpired
	case directory.VerdictLocked, directory.VerdictDisabled, directory.VerdictPasswordExpired, directory.VerdictMustChange:
		return true
	}
	return false
}

// bindNobody binds as an account that does not exist, in the first directory.
func (p *Population) bindNobody(ctx context.Context, password string) directory.BindResult {
	if len(p.members) == 0 {
		return directory.BindResult{Verdict: directory.VerdictUnavailable}
	}
	r := p.members[0].LDAP.Bind(ctx, p.members[0].NobodyDN, password)
	if r.Verdict != directory.VerdictUnavailable && r.Verdict != directory.VerdictMisconfigured {
		r = directory.BindResult{Verdict: directory.VerdictWrong, Code: r.Code}
	}
	return r
}

// refresh reads one entry from LDAP, past mirror and caches.
func (p *Population) refresh(ctx context.Context, m *Member, id directory.ID) (*directory.Entry, error) {
	req, err := m.Mapper.ByStableID(id.Stable)
	if err != nil {
		return nil, err
	}
	return p.searchOne(ctx, m, req)
}
