package configs

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of one directory.
const (
	maxURLs       = 16
	maxAttributes = 64 // overrides of people or groups
	maxNames      = 8  // LDAP names for one attribute
)

var (
	directoryName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$`)
	suffixName    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$`)
	attributeName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	ldapAttribute = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]{0,127}|[0-9]+(\.[0-9]+)+)(;[A-Za-z0-9-]+)*$`)
)

// credentialAttributes hold passwords and keys. They are never read.
var credentialAttributes = []string{
	"userpassword", "unicodepwd", "dbcspwd", "ntpwdhistory", "lmpwdhistory", "sambantpassword", "sambalmpassword",
	"sambapasswordhistory", "krbprincipalkey", "krbmkey", "ipanthash", "pwdhistory", "passwordhistory", "supplementalcredentials",
	"ipatokenotpkey", "ms-mcs-admpwd", "mslaps-password", "authpassword",
}

// validateDirectories checks the list of directories and each of them.
func validateDirectories(c *Config, r *report) {
	if len(c.Directories) == 0 {
		r.fault("directories", "is empty; name at least one LDAP directory, as portico.sample.yaml shows")
	}
	names, suffixes := make([]string, 0, len(c.Directories)), make([]string, 0, len(c.Directories))
	for i := range c.Directories {
		d := &c.Directories[i]
		key := "directories[" + itoa(i) + "]"
		names, suffixes = append(names, d.Name), append(suffixes, d.Suffix)
		validateDirectory(d, key, r)
		for j := range i {
			if d.Name != "" && strings.EqualFold(names[j], d.Name) {
				r.fault(key+".name", "%s is the name of directories[%d] already; every directory needs a name of its own", shown(d.Name), j)
			}
			if d.Suffix != "" && strings.EqualFold(suffixes[j], d.Suffix) {
				r.fault(key+".suffix", "%s is the suffix of directories[%d] already; two directories with one suffix could not be told apart", shown(d.Suffix), j)
			}
		}
	}
}

// validateDirectory checks one directory.
func validateDirectory(d *Directory, key string, r *report) {
	r.table(
		check{
			!directoryName.MatchString(d.Name), key + ".name",
			missingOr(d.Name, "is no name for a directory") + "; write up to 32 letters, digits and hyphens, such as corp",
		},
		check{
			d.Suffix != "" && !suffixName.MatchString(d.Suffix), key + ".suffix",
			shown(d.Suffix) + " is no suffix; write what follows the @ of a login name, such as branch",
		},
		check{d.BaseDN == "", key + ".base_dn", "is missing; write the DN below which people and groups are, such as dc=example,dc=org"},
		check{
			d.BindDN != "" && d.BindPassword.IsZero(), key + ".bind_password",
			"is missing; bind_dn needs bind_password or bind_password_file, and a bind without a password is never sent",
		},
		check{d.BindDN == "" && !d.BindPassword.IsZero(), key + ".bind_dn", "is missing; bind_password needs the DN that it belongs to"},
		check{
			d.Sync.Interval != 0 && (d.Sync.Interval < time.Second || d.Sync.Interval > 24*time.Hour), key + ".sync.interval",
			spell(d.Sync.Interval) + " is neither 0s nor from 1s to 24h",
		},
		oneOf(key+".sync.mode", d.Sync.Mode, "auto", "syncrepl", "ad", "poll"),
		between(key+".pool.size", d.Pool.Size, 1, 1000),
		between(key+".pool.bind_size", d.Pool.BindSize, 1, 1000),
		timeBetween(key+".pool.timeout", d.Pool.Timeout, 100*time.Millisecond, 10*time.Minute),
		timeBetween(key+".pool.dial_timeout", d.Pool.DialTimeout, 100*time.Millisecond, time.Minute),
		timeBetween(key+".pool.idle_timeout", d.Pool.IdleTimeout, time.Second, 24*time.Hour),
	)
	if !slices.Contains(presetNames[:], d.Preset) {
		c := oneOf(key+".preset", d.Preset, presetNames[:]...)
		r.fault(c.key, "%s", strings.Replace(c.text, `"" is not one of`, "is missing; write one of", 1))
	}
	r.dn(key+".bind_dn", d.BindDN)
	r.dn(key+".password_policy", d.PasswordPolicy)
	base := r.dn(key+".base_dn", d.BaseDN)
	r.below(key+".users.base_dn", d.Users.BaseDN, base)
	r.below(key+".groups.base_dn", d.Groups.BaseDN, base)
	validateWrite(d, key+".write", base, r)
	validateFilter(r, key+".users.filter", d.Users.Filter)
	validateFilter(r, key+".groups.filter", d.Groups.Filter)
	validateTransport(d, key, r)
	p, _ := PresetByName(d.Preset) // an unknown one has its fault already
	validateAttributes(r, key+".users.attributes", d.Users.Attributes, p.People.Attributes)
	validateAttributes(r, key+".groups.attributes", d.Groups.Attributes, p.Groups.Attributes, attrMembers, attrMemberNames)
	if d.BindDN == "" && d.BindPassword.IsZero() && d.TLS.CertFile == "" {
		r.warn(false, key, "has no bind_dn, so it is read as an anonymous client, who seldom may see account states")
	}
}

// missingOr words the fault of a text that is empty or otherwise bad.
func missingOr(text, problem string) string {
	if text == "" {
		return "is missing"
	}
	return shown(text) + " " + problem
}

func validateFilter(r *report, key, filter string) {
	if filter == "" {
		return
	}
	if problem := filterProblem(filter); problem != "" {
		r.fault(key, "%s", problem)
	}
}

// validateAttributes checks the overrides of people or groups. Names that the
// preset does not have are allowed, but not near misses of those that it has.
func validateAttributes(r *report, key string, attributes, preset map[string]Names, special ...string) {
	if len(attributes) > maxAttributes {
		r.fault(key, "has more than %d attributes", maxAttributes)
		return
	}
	known := slices.AppendSeq(special, maps.Keys(preset))
	slices.Sort(known)
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		names, path := attributes[name], childKey(key, clip(name))
		near := nearest(name, known)
		r.table(
			check{
				!attributeName.MatchString(name), path,
				"is no name for an attribute; write lower-case letters, digits and underscores, such as given_name",
			},
			check{
				len(names) == 0 && (name == "username" || name == "name"), path,
				"cannot be dropped; name the LDAP attribute that holds it",
			},
			check{len(names) > maxNames, path, fmt.Sprintf("has more than %d LDAP attributes", maxNames)},
		)
		if len(preset) > 0 && !slices.Contains(known, name) && near != "" {
			r.warn(false, path, "is a new attribute; if an existing one was meant, write %s", near)
		}
		for _, n := range names {
			base, _, _ := strings.Cut(strings.ToLower(n), ";")
			switch {
			case !ldapAttribute.MatchString(n):
				r.fault(path, "%s is no LDAP attribute; write a name such as displayName", shown(n))
			case slices.Contains(credentialAttributes, base):
				r.fault(path, "%s holds credentials, which Portico never reads; remove it", shown(n))
			}
		}
	}
}

// validateTransport checks how the directory is reached.
func validateTransport(d *Directory, key string, r *report) {
	urlsKey := key + ".urls"
	r.table(
		check{len(d.URLs) == 0, urlsKey, "is missing; write where the directory is, such as [ldaps://ldap.example.org]"},
		check{len(d.URLs) > maxURLs, urlsKey, fmt.Sprintf("has more than %d servers", maxURLs)},
		check{d.TLS.CertFile != "" && d.TLS.KeyFile == "", key + ".tls.key_file", "is missing; cert_file needs the file of its key"},
		check{d.TLS.KeyFile != "" && d.TLS.CertFile == "", key + ".tls.cert_file", "is missing; key_file needs the file of its certificate"},
		check{
			d.TLS.ServerName != "" && !isHost(d.TLS.ServerName), key + ".tls.server_name",
			shown(d.TLS.ServerName) + " is no host name; write the name in the server's certificate",
		},
	)
	r.duplicates(urlsKey, d.URLs)
	encrypted := d.StartTLS
	for i, text := range d.URLs {
		itemKey := urlsKey + "[" + itoa(i) + "]"
		scheme, host, problem := ldapURL(text)
		encrypted = encrypted || scheme == "ldaps"
		switch {
		case problem != "":
			r.fault(itemKey, "%s", problem)
		case d.StartTLS && scheme == "ldaps":
			r.fault(itemKey, "%s is TLS from the first byte and cannot be combined with start_tls; write ldap:// or drop start_tls", shown(text))
		case d.StartTLS && scheme == "ldapi":
			r.fault(itemKey, "%s is a local socket and cannot be combined with start_tls; drop start_tls", shown(text))
		case scheme == "ldap" && !d.StartTLS && !loopbackHost(host):
			r.warn(true, itemKey, "%s sends passwords in clear text over the network; write ldaps:// or set start_tls: true", shown(text))
		}
	}
	r.table(check{
		!encrypted && len(d.URLs) > 0 && d.TLS != (DirectoryTLS{}), key + ".tls",
		"has no effect without TLS; write ldaps:// URLs or set start_tls: true",
	})
	r.file(key+".tls.ca_file", d.TLS.CAFile, false)
	r.file(key+".tls.cert_file", d.TLS.CertFile, false)
	r.file(key+".tls.key_file", d.TLS.KeyFile, true)
	if d.TLS.InsecureSkipVerify {
		r.warn(true, key+".tls.insecure_skip_verify", "is on: anybody on the way can pretend to be the directory and collect passwords; name the authority in ca_file instead")
	}
}

// ldapURL takes a directory's URL apart; the last result says what is wrong.
// A socket's path may be percent-encoded, as LDAP has it, or plain.
func ldapURL(text string) (scheme, host, problem string) {
	const example = "; write ldaps://host, ldap://host:port or ldapi://%2Frun%2Fslapd%2Fldapi"
	if rest, ok := strings.CutPrefix(text, "ldapi://"); ok {
		path, err := url.PathUnescape(rest)
		if err != nil || path != "" && !strings.HasPrefix(path, "/") {
			return "ldapi", "", shown(text) + " has no absolute path of a socket" + example
		}
		return "ldapi", "", ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", "", "is no URL" + example
	case strings.Contains(text, "@"):
		return "", "", "must hold no user or password; use bind_dn and bind_password"
	case u.Scheme != "ldap" && u.Scheme != "ldaps":
		return "", "", shown(text) + " is no LDAP URL" + example
	case !isHost(u.Hostname()):
		return u.Scheme, "", shown(text) + " has no valid host" + example
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return u.Scheme, "", shown(text) + " must end after host and port; the base goes into base_dn, filters into users.filter"
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return u.Scheme, "", shown(text) + " has no port number from 1 to 65535"
		}
	}
	return u.Scheme, u.Hostname(), ""
}
