package population

import (
	"context"
	"errors"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/mapping"
)

// State is the account state of a person at that moment.
func (p *Population) State(ctx context.Context, person *directory.Entry, now time.Time) directory.AccountState {
	m := p.byName[person.ID.Directory]
	if m == nil {
		return directory.AccountState{Disabled: true}
	}
	policy, known := p.policy(ctx, m, person)
	state := mapping.State(m.StatusRules, person, policy, now)
	state.PolicyUnknown = !known
	return state
}

// policyRead is a password policy and when it was asked for.
type policyRead struct {
	policy directory.Policy
	known  bool // read once, or nobody can read it
	at     time.Time
}

// policy is the password policy of a person. One that was read before, by an
// earlier process too, is used on while the directory is down; known is false
// where there is none. A policy that the service account cannot see is the zero
// policy.
func (p *Population) policy(ctx context.Context, m *Member, person *directory.Entry) (_ directory.Policy, known bool) {
	dn := mapping.PolicyDN(m.StatusRules, person, m.Policy)
	if dn == "" {
		return directory.Policy{}, true
	}
	key := m.Name + "\x00" + dn
	last, ok := p.policies.Get(key)
	believed := p.cfg.PolicyTTL
	if !last.known {
		believed = p.cfg.NegativeTTL
	}
	if ok && p.now().Sub(last.at) < believed {
		return last.policy, last.known
	}
	answer, _, _ := p.flight.Do("policy\x00"+key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
		defer cancel()
		if !ok {
			last = p.keptPolicy(ctx, m, dn)
		}
		next := p.readPolicy(ctx, m, dn, last)
		p.policies.Add(key, next)
		return next, nil
	})
	next := answer.(policyRead)
	return next.policy, next.known
}

// keptPolicy is what the mirror has of a policy.
func (p *Population) keptPolicy(ctx context.Context, m *Member, dn string) policyRead {
	policy, err := p.mirror.Policy(ctx, m.Name, dn)
	return policyRead{policy: policy, known: err == nil}
}

// readPolicy asks the directory, and lets the mirror keep what is new. Without an
// answer the last policy stays; it is asked for again after the same time: a
// missing right must not cost a search per question.
func (p *Population) readPolicy(ctx context.Context, m *Member, dn string, last policyRead) policyRead {
	last.at = p.now()
	policy, err := searchPolicy(ctx, m, dn)
	switch {
	case err == nil:
		if !last.known || policy != last.policy {
			p.keepPolicy(ctx, m, dn, &policy)
		}
		return policyRead{policy, true, last.at}
	case errors.Is(err, directory.ErrNotFound), ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject):
		if last.known && last.policy != (directory.Policy{}) {
			p.keepPolicy(ctx, m, dn, nil)
		}
		last.policy, last.known = directory.Policy{}, true
	case !errors.Is(err, directory.ErrUnavailable): // the server answered: what it does not show cannot be heeded
		last.known = true
	}
	p.log.WarnContext(ctx, "password policy cannot be read", "directory", m.Name, "dn", dn, "error", err)
	return last
}

func (p *Population) keepPolicy(ctx context.Context, m *Member, dn string, policy *directory.Policy) {
	if err := p.mirror.KeepPolicy(ctx, m.Name, dn, policy); err != nil {
		p.log.WarnContext(ctx, "password policy is not kept with the mirror", "directory", m.Name, "dn", dn, "error", err)
	}
}

func searchPolicy(ctx context.Context, m *Member, dn string) (directory.Policy, error) {
	req := ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false,
		"(objectClass=*)", mapping.PolicyAttributes(), nil)
	result, err := m.LDAP.Search(ctx, req)
	if err != nil {
		return directory.Policy{}, err
	}
	if len(result.Entries) != 1 {
		return directory.Policy{}, directory.ErrNotFound
	}
	return mapping.Policy(result.Entries[0]), nil
}
