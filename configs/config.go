// Package configs is Portico's configuration: the types of the one YAML file,
// their defaults, strict loading, environment overrides, secrets from files,
// validation, and the presets that know how each kind of directory server
// spells people, groups and account states.
//
// Loading reports every fault at once, each with file, line, key, and what to
// write instead; nothing is guessed and nothing unknown is let through. The
// package reads files and starts nothing: whether a server answers, or a base
// DN exists there, is found out by "portico check".
//
// It knows no other package of Portico. cmd reads a Config and hands each
// package the part that it needs.
package configs

import (
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Config is the whole configuration, key for key as in the YAML file. Load and
// Parse give one that is complete and valid; Default gives the defaults.
type Config struct {
	Listen         string      `yaml:"listen"`          // host:port of the service
	BaseURL        string      `yaml:"base_url"`        // "" : from Listen; see ExternalURL
	TLS            ServerTLS   `yaml:"tls"`             // both empty: plain HTTP
	TrustedProxies []string    `yaml:"trusted_proxies"` // addresses or CIDRs; see TrustedPrefixes
	DataDir        string      `yaml:"data_dir"`        // mirror files, SQLite store, secret key file
	SecretKey      Secret      `yaml:"secret_key"`      // "" : a file in DataDir; see MasterKey
	SecretKeyFile  string      `yaml:"secret_key_file"`
	Store          Store       `yaml:"store"`
	Directories    []Directory `yaml:"directories"` // in order of precedence
	APIs           APIs        `yaml:"apis"`
	Pages          Pages       `yaml:"pages"`
	Mail           Mail        `yaml:"mail"`
	Limits         Limits      `yaml:"limits"`
	Log            Log         `yaml:"log"`
	Metrics        Metrics     `yaml:"metrics"`

	// Warnings are what Load found doubtful but not wrong. Say them at start.
	Warnings []Warning `yaml:"-"`

	where map[string]position // key path to the place where it was set
}

// ServerTLS names the certificate of the service, PEM files.
type ServerTLS struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// Store says where local data lives: "" for SQLite in DataDir, else a
// postgres:// URL. A secret, because such URLs hold passwords.
type Store struct {
	URL     Secret `yaml:"url"`
	URLFile string `yaml:"url_file"`
}

// APIs holds one section for each API dialect.
type APIs struct {
	Action         ActionAPI         `yaml:"action"`
	Integration    IntegrationAPI    `yaml:"integration"`
	UserManagement UserManagementAPI `yaml:"usermanagement"`
	Collaboration  CollaborationAPI  `yaml:"collaboration"`
	SCIM           SCIMAPI           `yaml:"scim"`
}

// ActionAPI configures the AccountHub action API and its mobile API.
type ActionAPI struct {
	Enabled    bool   `yaml:"enabled"`
	Prefix     string `yaml:"prefix"` // "" or "/path"
	Mobile     bool   `yaml:"mobile"`
	Apps       Apps   `yaml:"apps"` // for listapps, order kept
	AdminEmail string `yaml:"admin_email"`
	Language   string `yaml:"language"`   // of texts, such as "en"
	TextsFile  string `yaml:"texts_file"` // JSON object, text id to text; "": none
	Title      string `yaml:"title"`      // of this service, in authenticator apps and mails
	Timezone   string `yaml:"timezone"`   // IANA name

	// LoginInterval is the least time between two guarded requests (login,
	// alertemail, bad keys) of one client; 0 switches the limit off.
	LoginInterval time.Duration `yaml:"login_interval"`
	// ExemptKeys are labels of API keys that LoginInterval does not apply to.
	ExemptKeys []string `yaml:"exempt_keys"`
}

// IntegrationAPI configures the members and teams API.
type IntegrationAPI struct {
	Enabled    bool     `yaml:"enabled"`
	Prefix     string   `yaml:"prefix"`
	Keys       []Secret `yaml:"keys"`      // plain keys, besides those of the store
	KeysFile   string   `yaml:"keys_file"` // one key a line
	AllowEmail bool     `yaml:"allow_email"`
	MailSignIn bool     `yaml:"mail_sign_in"` // members may sign in with their mail address
	ActiveOnly bool     `yaml:"active_only"`  // teams leave out people whose accounts are not active
	HiddenMark string   `yaml:"hidden_mark"`  // value of the groups' attribute "hidden" that hides a team
	HiddenBase string   `yaml:"hidden_base"`  // DN below which all teams are hidden; "": none
	ShowKeys   bool     `yaml:"show_keys"`    // the information page tells the number of keys
}

// UserManagementAPI configures the profile, users and roles API.
type UserManagementAPI struct {
	Enabled bool   `yaml:"enabled"`
	Prefix  string `yaml:"prefix"`
	Account string `yaml:"account"` // tenant slug before the slash of the Basic user
	Roles   []Role `yaml:"roles"`   // highest first; none: the built-in catalogue

	// BareUsername lets the Basic user leave the account out.
	BareUsername bool `yaml:"bare_username"`
	// RestrictDirectory shows mail addresses and assignments of others only to
	// people with the permission users.manage or users.read.
	RestrictDirectory bool `yaml:"restrict_directory"`
	// Status406 answers an unsupported method with 406 instead of 405.
	Status406 bool `yaml:"status_406"`
	// Directory is where accepted invitations make people; "": the first that may
	// be written.
	Directory string `yaml:"directory"`
	// InvitationLifetime is how long an invitation can be accepted.
	InvitationLifetime time.Duration `yaml:"invitation_lifetime"`
}

// Role is one role of the user management API.
type Role struct {
	Name        string   `yaml:"name"`
	Permissions []string `yaml:"permissions"`
	Groups      []string `yaml:"groups"` // names of groups whose members have the role
	Default     bool     `yaml:"default"`
}

// CollaborationAPI configures the collaboration API.
type CollaborationAPI struct {
	Enabled           bool   `yaml:"enabled"`
	UserID            string `yaml:"user_id"` // number | username | id
	CleanseShortNames bool   `yaml:"cleanse_short_names"`
	RequireShortName  bool   `yaml:"require_short_name"`
	PastExpiry        bool   `yaml:"past_expiry"`     // accept expiry dates that lie behind
	Envelope          bool   `yaml:"envelope"`        // wrap the answer to invitations
	FetchLogos        bool   `yaml:"fetch_logos"`     // read logos from addresses
	InvitationDays    int    `yaml:"invitation_days"` // until an invitation runs out

	// SignUpDirectory is where people are made who sign up with an invitation; "":
	// the first directory that may be written.
	SignUpDirectory string `yaml:"sign_up_directory"`
	// VisibleAsGroups shows collaborations and their groups as groups in the action
	// API and SCIM.
	VisibleAsGroups bool `yaml:"visible_as_groups"`
	// WriteContainer is the DN below which collaborations are written as groups,
	// {org} standing for the short name of the organisation; "": they are not.
	WriteContainer string `yaml:"write_container"`
	WriteDirectory string `yaml:"write_directory"` // "": the first that may be written

	InvitationRemind time.Duration `yaml:"invitation_remind"` // before an invitation runs out
	InvitationPurge  time.Duration `yaml:"invitation_purge"`  // after it ran out
	Warn             time.Duration `yaml:"warn"`              // before a collaboration ends
	Purge            time.Duration `yaml:"purge"`             // after it ended
	Idle             time.Duration `yaml:"idle"`              // without activity, until it is suspended
	MembershipWarn   time.Duration `yaml:"membership_warn"`   // before a membership ends
	MembershipPurge  time.Duration `yaml:"membership_purge"`  // after it ended
	JobInterval      time.Duration `yaml:"job_interval"`      // between two looks for what is due
}

// SCIMAPI configures SCIM 2.0.
type SCIMAPI struct {
	Enabled    bool   `yaml:"enabled"`
	Prefix     string `yaml:"prefix"`
	MaxResults int    `yaml:"max_results"` // most resources in one answer
	PageSize   int    `yaml:"page_size"`   // resources in one answer when the client does not say

	ReadOnly bool `yaml:"read_only"` // refuse every change

	CursorTTL      time.Duration `yaml:"cursor_ttl"`      // how long a cursor can be gone on with
	MaxBody        Size          `yaml:"max_body"`        // of a request that is not a bulk request
	BulkOperations int           `yaml:"bulk_operations"` // most operations of a bulk request
	BulkPayload    Size          `yaml:"bulk_payload"`    // of a bulk request

	MembersInline   int  `yaml:"members_inline"`   // lists leave out the members of larger groups
	ScanLimit       int  `yaml:"scan_limit"`       // resources that one filter may look at one by one
	Rate            int  `yaml:"rate"`             // requests a second of one key
	PublicDiscovery bool `yaml:"public_discovery"` // schemas and the like without a token

	Schemas string `yaml:"schemas"` // folder with schemas of extensions of User, *.json; "": none
	Mapping string `yaml:"mapping"` // file that takes the place of the built-in mapping; "": none
}

// Pages says how long people stay signed in to the pages, and what passwords
// they may choose there.
type Pages struct {
	IdleTimeout       time.Duration `yaml:"idle_timeout"`        // a session ends when unused for so long
	MaxAge            time.Duration `yaml:"max_age"`             // and in any case after
	FreshFor          time.Duration `yaml:"fresh_for"`           // after signing in, factors may be changed
	MinPasswordLength int           `yaml:"min_password_length"` // characters; the directory may want more
}

// Mail says how mail leaves: an smtp:// (STARTTLS) or smtps:// URL with user
// and password, and the sender's address. Empty: no mail is sent.
type Mail struct {
	SMTPURL     Secret `yaml:"smtp_url"`
	SMTPURLFile string `yaml:"smtp_url_file"`
	CAFile      string `yaml:"ca_file"` // "" : the system's authorities
	From        string `yaml:"from"`
}

// Limits bound what one client can make the service do.
type Limits struct {
	Body              Size          `yaml:"body"`   // of a request
	Header            Size          `yaml:"header"` // of a request, all lines together
	Concurrency       int           `yaml:"concurrency"`
	Closings          int           `yaml:"closings"` // accounts disabled or deleted by one caller in a minute
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout"`
	ReadTimeout       time.Duration `yaml:"read_timeout"`
	WriteTimeout      time.Duration `yaml:"write_timeout"`
	IdleTimeout       time.Duration `yaml:"idle_timeout"`
	ShutdownTimeout   time.Duration `yaml:"shutdown_timeout"`
}

// Log says what is logged and how.
type Log struct {
	Level  string `yaml:"level"`  // debug | info | warn | error
	Format string `yaml:"format"` // text | json
}

// Metrics names the address of the Prometheus listener; "" is off.
type Metrics struct {
	Listen string `yaml:"listen"`
}

// ExternalURL is how the outside world reaches Portico, without a slash at the
// end: BaseURL, else the scheme and host that follow from Listen and TLS.
func (c *Config) ExternalURL() string {
	if c.BaseURL != "" {
		return strings.TrimRight(c.BaseURL, "/")
	}
	u := url.URL{Scheme: "http", Host: c.Listen}
	if c.TLS.CertFile != "" {
		u.Scheme = "https"
	}
	if port, found := strings.CutPrefix(c.Listen, ":"); found {
		u.Host = "localhost:" + port
	}
	return u.String()
}

// TrustedPrefixes gives TrustedProxies as prefixes; a single address becomes
// the prefix that holds only it. Entries that are neither are left out: Load
// has refused them.
func (c *Config) TrustedPrefixes() []netip.Prefix {
	var prefixes []netip.Prefix
	for _, s := range c.TrustedProxies {
		if p, err := parsePrefix(s); err == nil {
			prefixes = append(prefixes, p)
		}
	}
	return prefixes
}

// parsePrefix reads an address or a CIDR.
func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		addr = addr.Unmap()
		return addr.Prefix(addr.BitLen())
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}
