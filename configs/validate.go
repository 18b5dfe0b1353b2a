package configs

import (
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a time zone is known on machines without zone files, too
)

// check is one rule of validation: what is bad, at which key, and the text of
// the fault. Texts say what to write instead.
type check struct {
	bad       bool
	key, text string
}

// table adds a fault for each check that is bad.
func (r *report) table(checks ...check) {
	for _, c := range checks {
		if c.bad {
			r.fault(c.key, "%s", c.text)
		}
	}
}

var (
	languageTag = regexp.MustCompile(`^[a-z]{2,3}([_-][A-Za-z0-9]{2,8})*$`)
	accountSlug = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

// validate checks a whole configuration.
func validate(c *Config, r *report) {
	validateService(c, r)
	validateLimits(&c.Limits, r)
	validateStore(c, r)
	validatePages(&c.Pages, r)
	validateMail(&c.Mail, r)
	validateAPIs(&c.APIs, r)
	validatePaths(&c.APIs, r)
	validateDirectories(c, r)
	validateCollaboration(c, r)
	if name := c.APIs.UserManagement.Directory; name != "" && !slices.ContainsFunc(c.Directories, func(d Directory) bool { return d.Name == name }) {
		r.fault("apis.usermanagement.directory", "%s is not the name of a directory", shown(name))
	}
}

// validateService checks how the service itself is reached.
func validateService(c *Config, r *report) {
	r.table(
		check{addressProblem(c.Listen) != "", "listen", addressProblem(c.Listen)},
		check{c.Metrics.Listen != "" && addressProblem(c.Metrics.Listen) != "", "metrics.listen", addressProblem(c.Metrics.Listen)},
		check{
			c.Metrics.Listen == c.Listen && !strings.HasSuffix(c.Listen, ":0"), "metrics.listen",
			"must not be the address of the service; metrics are on an address of their own",
		},
		check{c.BaseURL != "" && baseURLProblem(c.BaseURL) != "", "base_url", baseURLProblem(c.BaseURL)},
		check{
			c.TLS.CertFile != "" && c.TLS.KeyFile == "", "tls.key_file",
			"is missing; tls.cert_file needs the file of its key",
		},
		check{
			c.TLS.KeyFile != "" && c.TLS.CertFile == "", "tls.cert_file",
			"is missing; tls.key_file needs the file of its certificate",
		},
		check{c.DataDir == "", "data_dir", "must not be empty; name a folder for Portico's own data"},
		check{
			!c.SecretKey.IsZero() && len(c.SecretKey.Reveal()) < minSecretKey, "secret_key",
			fmt.Sprintf("is shorter than %d characters; make one with: openssl rand -base64 32", minSecretKey),
		},
		oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error"),
		oneOf("log.format", c.Log.Format, "text", "json"),
	)
	r.file("tls.cert_file", c.TLS.CertFile, false)
	r.file("tls.key_file", c.TLS.KeyFile, true)
	for i, s := range c.TrustedProxies {
		key := "trusted_proxies[" + itoa(i) + "]"
		p, err := parsePrefix(s)
		switch {
		case err != nil:
			r.fault(key, "%s is neither an IP address nor a network; write 10.0.0.1 or 10.0.0.0/8", shown(s))
		case p.Bits() == 0:
			r.warn(true, key, "%s trusts every client to name its own address", shown(s))
		}
	}
	if c.TLS.CertFile == "" && len(c.TrustedProxies) == 0 && addressProblem(c.Listen) == "" && !loopbackAddress(c.Listen) {
		r.warn(true, "listen", "%s takes passwords in clear text from other machines; set tls, or put a proxy with TLS before it and name that in trusted_proxies", c.Listen)
	}
}

// validateLimits checks that every limit is a limit.
func validateLimits(l *Limits, r *report) {
	r.table(
		sizeBetween("limits.body", l.Body, 1<<10, 1<<30),
		sizeBetween("limits.header", l.Header, 1<<10, 1<<20),
		between("limits.concurrency", l.Concurrency, 1, 100_000),
		between("limits.closings", l.Closings, 1, 1_000_000),
		timeBetween("limits.read_header_timeout", l.ReadHeaderTimeout, 100*time.Millisecond, 5*time.Minute),
		timeBetween("limits.read_timeout", l.ReadTimeout, 100*time.Millisecond, time.Hour),
		timeBetween("limits.write_timeout", l.WriteTimeout, 100*time.Millisecond, time.Hour),
		timeBetween("limits.idle_timeout", l.IdleTimeout, 100*time.Millisecond, time.Hour),
		timeBetween("limits.shutdown_timeout", l.ShutdownTimeout, 0, 10*time.Minute),
	)
}

// validatePages checks the sessions of people and the length of their passwords.
func validatePages(p *Pages, r *report) {
	r.table(
		timeBetween("pages.idle_timeout", p.IdleTimeout, time.Minute, 31*24*time.Hour),
		timeBetween("pages.max_age", p.MaxAge, time.Minute, 31*24*time.Hour),
		timeBetween("pages.fresh_for", p.FreshFor, time.Minute, 24*time.Hour),
		check{
			p.IdleTimeout > p.MaxAge, "pages.idle_timeout",
			fmt.Sprintf("%s is longer than pages.max_age, %s, after which every session ends", spell(p.IdleTimeout), spell(p.MaxAge)),
		},
		check{
			p.FreshFor > p.MaxAge, "pages.fresh_for",
			fmt.Sprintf("%s is longer than pages.max_age, %s, after which every session ends", spell(p.FreshFor), spell(p.MaxAge)),
		},
		between("pages.min_password_length", p.MinPasswordLength, 1, 128),
	)
}

// validateStore checks the URL of the store. It may hold a password, so
// nothing of it is shown.
func validateStore(c *Config, r *report) {
	if c.Store.URL.IsZero() {
		return
	}
	u, err := url.Parse(c.Store.URL.Reveal())
	switch {
	case err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql":
		r.fault("store.url", "is no PostgreSQL URL; write postgres://user:password@host:5432/database, or leave it out for SQLite in data_dir")
	case strings.Trim(u.Path, "/") == "":
		r.fault("store.url", "names no database; write postgres://user:password@host:5432/database")
	case c.SecretKey.IsZero():
		r.warn(false, "store.url", "every Portico process on this database needs the same secret_key; set it, or copy %s from the first one's data_dir", secretKeyName)
	}
}

// validateMail checks how mail leaves.
func validateMail(m *Mail, r *report) {
	_, fromErr := mail.ParseAddress(m.From)
	r.table(
		check{!m.SMTPURL.IsZero() && m.From == "", "mail.from", "is missing; write the sender's address, such as portico@example.org"},
		check{m.From != "" && fromErr != nil, "mail.from", shown(m.From) + " is no mail address; write one such as portico@example.org"},
	)
	if m.SMTPURL.IsZero() {
		return
	}
	u, err := url.Parse(m.SMTPURL.Reveal())
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		r.fault("mail.smtp_url", "is no SMTP URL; write smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465")
	}
}

// validateAPIs checks the sections of the dialects.
func validateAPIs(a *APIs, r *report) {
	_, mailErr := mail.ParseAddress(a.Action.AdminEmail)
	_, zoneErr := time.LoadLocation(a.Action.Timezone)
	r.table(
		check{
			a.Action.AdminEmail != "" && mailErr != nil, "apis.action.admin_email",
			shown(a.Action.AdminEmail) + " is no mail address; write one such as admin@example.org",
		},
		check{
			!languageTag.MatchString(a.Action.Language), "apis.action.language",
			shown(a.Action.Language) + " is no language; write a code such as en, nl or de",
		},
		check{
			zoneErr != nil || a.Action.Timezone == "" || a.Action.Timezone == "Local", "apis.action.timezone",
			shown(a.Action.Timezone) + " is no time zone; write a name such as UTC or Europe/Berlin",
		},
		timeBetween("apis.action.login_interval", a.Action.LoginInterval, 0, time.Hour),
		check{
			a.UserManagement.Enabled && !accountSlug.MatchString(a.UserManagement.Account), "apis.usermanagement.account",
			shown(a.UserManagement.Account) + " is no account name; write letters, digits, dots and hyphens, such as example",
		},
		timeBetween("apis.usermanagement.invitation_lifetime", a.UserManagement.InvitationLifetime, time.Minute, 366*24*time.Hour),
		check{
			a.Integration.Enabled && strings.TrimSpace(a.Integration.HiddenMark) == "", "apis.integration.hidden_mark",
			"must not be empty; write a value that no visible team has",
		},
		between("apis.scim.max_results", a.SCIM.MaxResults, 1, 10_000),
		between("apis.scim.page_size", a.SCIM.PageSize, 1, 10_000),
		timeBetween("apis.scim.cursor_ttl", a.SCIM.CursorTTL, time.Second, 24*time.Hour),
		sizeBetween("apis.scim.max_body", a.SCIM.MaxBody, 1<<10, 64<<20),
		between("apis.scim.bulk_operations", a.SCIM.BulkOperations, 1, 10_000),
		sizeBetween("apis.scim.bulk_payload", a.SCIM.BulkPayload, 1<<10, 64<<20),
		between("apis.scim.members_inline", a.SCIM.MembersInline, 1, 1_000_000),
		between("apis.scim.scan_limit", a.SCIM.ScanLimit, 1, 10_000_000),
		between("apis.scim.rate", a.SCIM.Rate, 1, 1_000_000),
	)
	r.duplicates("apis.action.exempt_keys", a.Action.ExemptKeys)
	for i, key := range a.Integration.Keys {
		if _, problem := ParseIntegrationKey(key); problem != "" {
			r.fault("apis.integration.keys["+itoa(i)+"]", "%s", problem)
		}
	}
	roles, defaults := make([]string, len(a.UserManagement.Roles)), 0
	for i, role := range a.UserManagement.Roles {
		key := "apis.usermanagement.roles[" + itoa(i) + "]"
		r.table(check{strings.TrimSpace(role.Name) == "", key, "has no name"})
		roles[i] = role.Name
		if role.Default {
			defaults++
		}
	}
	r.duplicates("apis.usermanagement.roles", roles)
	r.table(check{
		len(roles) > 0 && defaults != 1, "apis.usermanagement.roles",
		fmt.Sprintf("%d roles have `default: true`; exactly one must", defaults),
	})
}

// addressProblem says what is wrong with a host:port to listen on, or "".
func addressProblem(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return shown(address) + " is no address; write host:port, such as 127.0.0.1:8080 or :8080"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return shown(address) + " has no port number from 0 to 65535; write host:port, such as 127.0.0.1:8080"
	}
	if host != "" && !isHost(host) {
		return shown(address) + " has no valid host; write an IP address or a name before the colon"
	}
	return ""
}

// baseURLProblem says what is wrong with the outside URL, or "".
func baseURLProblem(text string) string {
	const example = "; write it like https://id.example.org"
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "is no URL" + example
	case strings.Contains(text, "@"):
		return "must hold no user or password" + example
	case u.Scheme != "http" && u.Scheme != "https" || u.Opaque != "" || !isHost(u.Hostname()):
		return shown(text) + " is no http(s) URL with a host" + example
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return shown(text) + " must end before ? and #" + example
	}
	return ""
}

var hostLabel = regexp.MustCompile(`^[\p{L}\p{N}_]([\p{L}\p{N}_-]*[\p{L}\p{N}_])?$`)

// isHost tells whether a text is an IP address or a host name.
func isHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	return len(host) <= 253 && !slices.ContainsFunc(labels, func(l string) bool { return !hostLabel.MatchString(l) })
}

// loopbackAddress tells whether a host:port is reached from this machine only.
func loopbackAddress(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && loopbackHost(host)
}

// loopbackHost tells whether a host is this machine by its very name.
func loopbackHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
