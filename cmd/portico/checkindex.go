package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// An equality search that finds nobody takes as long as reading one entry where
// there is an index, and grows with the directory where there is none.
const (
	slowSearch  = 20 * time.Millisecond
	slowFactor  = 10
	indexProbes = 3
)

// indexes tries whether the attributes that look-ups ask for are indexed. The
// server's configuration says so only to administrators; the time tells anybody,
// and some servers refuse unindexed searches outright.
func (d *directoryCheck) indexes(ctx context.Context) bool {
	usual := d.fastest(ctx, func() error {
		_, err := d.client.Search(ctx, ldap.NewSearchRequest(d.cfg.BaseDN, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false,
			"(objectClass=*)", []string{"1.1"}, nil))
		return err
	})
	var slow []string
	for _, name := range d.lookedUp() {
		value := strings.ToLower(rand.Text()[:12])
		if slices.Contains(d.mapper.ReferenceAttributes(), name) {
			value = "cn=" + value + "," + d.cfg.BaseDN
		}
		var refused error
		took := d.fastest(ctx, func() error {
			_, err := d.client.Search(ctx, ldap.NewSearchRequest(d.cfg.BaseDN, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 1, 0, false,
				"("+name+"="+ldap.EscapeFilter(value)+")", []string{"1.1"}, nil))
			refused = err
			return err
		})
		unwilling := ldap.IsErrorAnyOf(refused, ldap.LDAPResultAdminLimitExceeded, ldap.LDAPResultUnwillingToPerform)
		if unwilling || took > slowSearch && took > slowFactor*usual {
			slow = append(slow, name)
		}
	}
	if len(slow) == 0 {
		d.ok("look-ups by %s are quick", strings.Join(d.lookedUp(), ", "))
		return true
	}
	d.warn(indexFix(d.dse.Vendor, slow), "look-ups by %s are slow or refused: an index is missing", strings.Join(slow, ", "))
	return true
}

// fastest is the shortest of a few tries.
func (d *directoryCheck) fastest(ctx context.Context, try func() error) time.Duration {
	best := time.Duration(1<<63 - 1)
	for range indexProbes {
		began := time.Now()
		if err := try(); err != nil && ctx.Err() != nil {
			break
		}
		best = min(best, time.Since(began))
	}
	return best
}

// lookedUp are the LDAP attributes that people and groups are looked up by.
func (d *directoryCheck) lookedUp() []string {
	p := d.preset
	var list []string
	for _, names := range [][]string{
		p.People.Attributes[directory.AttrUsername], p.People.Attributes[directory.AttrMail], p.Groups.Attributes[directory.AttrName],
		p.Groups.MemberAttributes, p.Groups.MemberNameAttributes,
	} {
		for _, name := range names {
			if !slices.ContainsFunc(list, func(have string) bool { return strings.EqualFold(have, name) }) {
				list = append(list, name)
			}
		}
	}
	return list
}

// indexFix are the lines that make an index, in the words of the server.
func indexFix(vendor string, names []string) string {
	list := strings.Join(names, ",")
	switch vendor {
	case "OpenLDAP":
		return fmt.Sprintf("slapd.conf: index %s eq, then stop slapd and run slapindex; in cn=config: olcDbIndex: %s eq", list, list)
	case "389 DS":
		var b strings.Builder
		for i, name := range names {
			if i > 0 {
				b.WriteString("; ")
			}
			fmt.Fprintf(&b, "dsconf INSTANCE backend index add --attr %s --index-type eq --reindex userroot", name)
		}
		return b.String()
	case "Active Directory", "Samba":
		return "in the schema: searchFlags: 1 on " + list
	}
	return "make an equality index on " + list
}
