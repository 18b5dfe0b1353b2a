package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/feed"
	"portico/directory/mapping"
)

// feedMode names the change feed that the service would use.
func (d *directoryCheck) feedMode(ctx context.Context) bool {
	offered := slices.Contains(d.dse.Controls, ldap.ControlTypeSyncRequest) && d.synchronises(ctx)
	interval := cmp.Or(d.cfg.Sync.Interval, 30*time.Second)
	switch mode := d.cfg.Sync.Mode; {
	case d.preset.StatusRules == mapping.RulesActiveDirectory && mode != "poll" && mode != "syncrepl":
		d.ok("changes are asked for by number every %s", cmp.Or(d.cfg.Sync.Interval, time.Second))
		d.deletedObjects(ctx)
	case mode == "syncrepl" && !offered:
		d.fail(feedFix(d.dse.Vendor), "sync.mode is syncrepl, but the server does not offer it")
	case offered && mode != "poll":
		d.ok("changes arrive by syncrepl, as they happen")
	case d.dse.Vendor == "OpenLDAP" || d.dse.Vendor == "389 DS":
		d.warn(feedFix(d.dse.Vendor), "changes are polled every %s: later, and with more load than by syncrepl", interval)
	default:
		d.ok("changes are polled every %s", interval)
	}
	return true
}

// synchronises tries content synchronisation (RFC 4533) on one entry: OpenLDAP
// announces it whether or not the overlay is there.
func (d *directoryCheck) synchronises(ctx context.Context) bool {
	control := ldap.NewControlSyncRequest(ldap.SyncRequestModeRefreshOnly, nil, false)
	control.Criticality = true
	_, err := d.client.Search(ctx, ldap.NewSearchRequest(d.cfg.BaseDN, ldap.ScopeBaseObject, ldap.NeverDerefAliases,
		0, 0, false, "(objectClass=*)", []string{"1.1"}, []ldap.Control{control}))
	return !ldap.IsErrorAnyOf(err, ldap.LDAPResultUnavailableCriticalExtension, ldap.LDAPResultUnwillingToPerform,
		ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultOperationsError)
}

// deletedObjects tries whether the service account sees what was deleted.
func (d *directoryCheck) deletedObjects(ctx context.Context) {
	domain := mapping.PolicyDN(mapping.RulesActiveDirectory, &directory.Entry{DN: d.cfg.BaseDN}, "")
	req := ldap.NewSearchRequest("CN=Deleted Objects,"+domain, ldap.ScopeSingleLevel, ldap.NeverDerefAliases, 1, 0, false,
		"(isDeleted=TRUE)", []string{"objectGUID"}, []ldap.Control{ldap.NewControlMicrosoftShowDeleted()})
	result, err := d.client.Search(ctx, req)
	var refused *ldap.Error
	if seen := err == nil && len(result.Entries) > 0 || errors.As(err, &refused) && refused.ResultCode == ldap.LDAPResultSizeLimitExceeded; seen {
		d.ok("deleted objects can be seen, so deletions are noticed at once")
		return
	}
	d.warn(fmt.Sprintf(`as a domain administrator: dsacls "CN=Deleted Objects,%s" /takeownership, then dsacls "CN=Deleted Objects,%s" /G "%s:LCRP"`,
		domain, domain, d.cfg.BindDN),
		"no deleted object is to be seen (none there, or no right to see them): deletions are noticed within %s only", feed.DefaultSweep)
}

func feedFix(vendor string) string {
	if vendor == "389 DS" {
		return "dsconf INSTANCE plugin retro-changelog enable; dsconf INSTANCE plugin retro-changelog set --attribute nsuniqueid:targetUniqueId; " +
			"dsconf INSTANCE plugin contentsync enable; then restart the server"
	}
	return "slapd.conf: moduleload syncprov, and under the database: overlay syncprov; " +
		"in cn=config: an entry olcOverlay=syncprov of class olcSyncProvConfig below the database"
}

// policy looks for the password policy that account states depend on.
func (d *directoryCheck) policy(ctx context.Context) bool {
	if d.preset.StatusRules != "ppolicy" {
		return true
	}
	if d.cfg.PasswordPolicy == "" {
		d.warn("password_policy: DN of the overlay's default policy (ppolicy_default)",
			"no default password policy is named: timed locks count as locks until the entry changes, and expired passwords are seen only at sign-in")
		return true
	}
	result, err := d.client.Search(ctx, ldap.NewSearchRequest(d.cfg.PasswordPolicy, ldap.ScopeBaseObject, ldap.NeverDerefAliases,
		1, 0, false, "(objectClass=*)", nil, nil))
	if err != nil || len(result.Entries) == 0 {
		d.fail("correct password_policy, or let the service account read it", "the password policy %q cannot be read: %v", d.cfg.PasswordPolicy, err)
		return true
	}
	p := mapping.Policy(result.Entries[0])
	d.ok("password policy read: %s", policyText(p))
	if !p.Lockout {
		d.warn("set pwdLockout: TRUE in "+p.DN, "the policy does not lock accounts, so a disabled account (pwdAccountLockedTime) can still bind")
	}
	return true
}

func policyText(p directory.Policy) string {
	lock, age := "failures do not lock an account", "passwords do not expire"
	if p.Lockout {
		lock = "failures lock an account until an administrator acts"
		if p.LockoutDuration > 0 {
			lock = "failures lock an account for " + p.LockoutDuration.String()
		}
	}
	if p.MaxAge > 0 {
		age = fmt.Sprintf("passwords expire after %.0f days", p.MaxAge.Hours()/24)
	}
	return lock + ", " + age
}

// rights tries what the service account may read. It does not read access rules.
func (d *directoryCheck) rights(ctx context.Context) bool {
	result, err := d.client.Search(ctx, ldap.NewSearchRequest(d.mapper.UserBaseDN(), ldap.ScopeWholeSubtree, ldap.NeverDerefAliases,
		0, 0, false, "(&"+d.mapper.UserFilter()+"(userPassword=*))", []string{"userPassword"}, nil))
	readable := errors.Is(err, directory.ErrIncomplete) // more than a search may give, so there were some
	if err == nil {
		for _, e := range result.Entries {
			readable = readable || len(e.GetEqualFoldRawAttributeValues("userPassword")) > 0
		}
	}
	if readable {
		d.warn("take the right to read userPassword from "+d.cfg.BindDN+"; Portico never needs it",
			"the service account can read password hashes")
	}
	return true
}

// weaknesses tells of settings that are dangerous behind careless programs.
func (d *directoryCheck) weaknesses(ctx context.Context) bool {
	found, err := d.client.Weaknesses(ctx, d.cfg.BaseDN)
	if err != nil {
		d.warn("", "the server could not be asked without an account: %v", err)
	}
	for _, w := range found {
		d.warn("Portico does not depend on it; other programs may", "%s", w)
	}
	return true
}
