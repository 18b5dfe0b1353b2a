package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"portico/configs"
	"portico/directory"
	"portico/directory/client"
	"portico/directory/mapping"
)

// directoryCheck proves one directory, step by step; a step that the later ones
// need ends it.
type directoryCheck struct {
	*member
	*report
	progress func(int)
	dse      *client.RootDSE
}

func (d *directoryCheck) run(ctx context.Context) {
	steps := []func(context.Context) bool{
		d.connect, d.certificates, d.preset_, d.base, d.schema, d.indexes, d.count, d.feedMode, d.policy, d.rights, d.writes, d.weaknesses,
	}
	for _, step := range steps {
		if !step(ctx) {
			return
		}
	}
}

// connect dials, secures the connection and binds the service account.
func (d *directoryCheck) connect(ctx context.Context) bool {
	dse, err := d.client.RootDSE(ctx)
	if err != nil {
		d.fail("see urls, start_tls, tls, bind_dn and bind_password of this directory", "cannot connect and bind: %v", err)
		return false
	}
	d.dse = dse
	d.ok("connected and bound as %s to %s %s", or(d.cfg.BindDN, "nobody (anonymous)"), or(dse.Vendor, "an unknown LDAP server"), dse.VendorVersion)
	return true
}

// preset_ compares the server with the preset.
func (d *directoryCheck) preset_(ctx context.Context) bool {
	want := map[string][]string{
		"OpenLDAP": {"openldap", "rfc2307"}, "389 DS": {"389ds", "freeipa"},
		"Samba": {"activedirectory"}, "Active Directory": {"activedirectory"},
	}[d.dse.Vendor]
	better := d.layout(ctx, want)
	switch {
	case len(want) > 0 && !slices.Contains(want, d.cfg.Preset):
		d.warn("preset: "+or(better, want[0]), "the server is %s, but the preset is %s", d.dse.Vendor, d.cfg.Preset)
	case better != "" && better != d.cfg.Preset:
		d.warn("preset: "+better, "the entries are laid out as preset %s expects, but the preset is %s", better, d.cfg.Preset)
	default:
		d.ok("preset %s", d.cfg.Preset)
	}
	return true
}

// layout tells which of two presets for one kind of server the entries are for; ""
// where both would do or it cannot be seen.
func (d *directoryCheck) layout(ctx context.Context, presets []string) string {
	if len(presets) != 2 {
		return ""
	}
	fits := false
	if presets[1] == "freeipa" {
		fits = d.anybody(ctx, "(&(objectClass=posixAccount)(ipaUniqueID=*))")
	} else {
		fits = !d.anybody(ctx, "(objectClass=inetOrgPerson)") && d.anybody(ctx, "(objectClass=posixAccount)")
	}
	if fits {
		return presets[1]
	}
	return ""
}

// anybody tells whether the server finds at least one entry.
func (d *directoryCheck) anybody(ctx context.Context, filter string) bool {
	result, err := d.client.Search(ctx, ldap.NewSearchRequest(d.cfg.BaseDN, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases,
		1, 0, false, filter, []string{"1.1"}, nil))
	var limited *ldap.Error
	return err == nil && len(result.Entries) > 0 || errors.As(err, &limited) && limited.ResultCode == ldap.LDAPResultSizeLimitExceeded
}

// base looks whether the configured bases exist.
func (d *directoryCheck) base(ctx context.Context) bool {
	good := true
	for _, base := range slices.Compact([]string{d.cfg.BaseDN, d.mapper.UserBaseDN(), d.mapper.GroupBaseDN()}) {
		_, err := d.client.Search(ctx, ldap.NewSearchRequest(base, ldap.ScopeBaseObject, ldap.NeverDerefAliases,
			1, 0, false, "(objectClass=*)", []string{"1.1"}, nil))
		if err != nil {
			hint := "the server holds " + strings.Join(d.dse.NamingContexts, " and ")
			d.fail("correct base_dn, or let the service account read it; "+hint, "%q cannot be read: %v", base, err)
			good = false
		}
	}
	return good
}

// schema names mapped attributes that the server does not know: it would not
// complain, it would find nothing.
func (d *directoryCheck) schema(ctx context.Context) bool {
	if d.dse.SchemaDN == "" {
		d.warn("", "the server shows no schema, so attribute names are not proven")
		return true
	}
	result, err := d.client.Search(ctx, ldap.NewSearchRequest(d.dse.SchemaDN, ldap.ScopeBaseObject, ldap.NeverDerefAliases,
		1, 0, false, "(objectClass=*)", []string{"attributeTypes"}, nil))
	if err != nil || len(result.Entries) == 0 {
		d.warn("let the service account read "+d.dse.SchemaDN, "the schema cannot be read, so attribute names are not proven")
		return true
	}
	known := schemaNames(result.Entries[0].GetEqualFoldAttributeValues("attributeTypes"))
	var unknown, spare []string
	for _, name := range d.mapper.Attributes() {
		plain, _, _ := strings.Cut(strings.ToLower(name), ";")
		switch {
		case known[plain]:
		case d.fromPreset(name):
			spare = append(spare, name)
		default:
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		d.fail("correct the spelling in users or groups (attributes, filter) of this directory",
			"the server's schema has no %s: such a filter finds nobody, or everybody", strings.Join(unknown, ", "))
		return true
	}
	d.ok("the schema has all attributes that are needed%s", spareText(spare))
	return true
}

// fromPreset tells whether an attribute is read because of the preset alone.
func (d *directoryCheck) fromPreset(attribute string) bool {
	plain := *d.cfg
	plain.Users, plain.Groups = configs.Users{}, configs.Groups{}
	preset, err := plain.Resolve()
	if err != nil {
		return false
	}
	m, err := mapping.New(mappingConfig(&plain, preset))
	return err == nil && slices.ContainsFunc(m.Attributes(), func(a string) bool { return strings.EqualFold(a, attribute) })
}

func spareText(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "; it lacks " + strings.Join(names, ", ") + ", which the preset would read if they were there"
}

// schemaNames are the lower-case names in attribute type descriptions (RFC 4512 §4.1.2).
func schemaNames(descriptions []string) map[string]bool {
	names := map[string]bool{}
	for _, text := range descriptions {
		_, rest, found := strings.Cut(text, "NAME ")
		if !found {
			continue
		}
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "(") {
			rest, _, _ = strings.Cut(rest[1:], ")")
		} else if i := strings.Index(rest[min(1, len(rest)):], "'"); i >= 0 {
			rest = rest[:i+2]
		}
		for name := range strings.FieldsSeq(rest) {
			names[strings.ToLower(strings.Trim(name, "'"))] = true
		}
	}
	return names
}

// count reads everything once, as the first full read of the service will.
func (d *directoryCheck) count(ctx context.Context) bool {
	var people, groups, unusable, read int
	logins := map[string]int{}
	err := d.client.SearchPaged(ctx, d.mapper.All(0), 500, func(raw *ldap.Entry) error {
		read++
		d.progress(read)
		e, err := d.mapper.Entry(raw)
		switch {
		case err != nil:
			unusable++
		case e == nil:
		case e.Kind == directory.KindPerson:
			people++
			logins[e.Login]++
		case e.Kind == directory.KindGroup:
			groups++
		}
		return nil
	})
	switch {
	case errors.Is(err, directory.ErrIncomplete):
		d.fail(limitFix(d.dse.Vendor, d.cfg.BindDN), "the server cut the answer off after %d entries: %v", read, err)
		return true
	case err != nil:
		d.fail("", "reading people and groups failed after %d entries: %v", read, err)
		return true
	}
	d.counted(people, groups, unusable, logins)
	return true
}

func (d *directoryCheck) counted(people, groups, unusable int, logins map[string]int) {
	d.ok("%d people, %d groups", people, groups)
	if people == 0 {
		d.fail("look at users.base_dn and users.filter: "+d.mapper.UserFilter(), "nobody matches")
	}
	if unusable > 0 {
		d.warn("give them the attribute, or narrow the filter", "%d entries match, but lack a login name, a group name or a permanent id", unusable)
	}
	var twice []string
	for login, n := range logins {
		if n > 1 {
			twice = append(twice, login)
		}
	}
	if len(twice) > 0 {
		slices.Sort(twice)
		d.warn("make login names unique, or narrow users.base_dn", "%d login names belong to more than one entry and cannot sign in: %s",
			len(twice), strings.Join(twice[:min(5, len(twice))], ", "))
	}
}

// limitFix is the line that lifts a server's limits for the service account.
func limitFix(vendor, bindDN string) string {
	switch vendor {
	case "OpenLDAP":
		return fmt.Sprintf("slapd.conf: limits dn.exact=%q size=unlimited time=unlimited (olcLimits in cn=config)", bindDN)
	case "389 DS":
		return fmt.Sprintf("ldapmodify: dn: %s / changetype: modify / replace: nsSizeLimit / nsSizeLimit: -1 / - / "+
			"replace: nsLookThroughLimit / nsLookThroughLimit: -1 / - / replace: nsTimeLimit / nsTimeLimit: -1", bindDN)
	case "Active Directory", "Samba":
		return "raise MaxPageSize and MaxQueryDuration in the query policy of the domain (ntdsutil, LDAP policies)"
	default:
		return "lift the size and time limits for " + bindDN
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
