package testenv

import "io"

// LDAPOptions says how an OpenLDAP server is set up. The zero value is the usual server of the tests: the base
// dc=example,dc=com, the overlays syncprov, memberof, refint, ppolicy and sssvlv, TLS offered but not demanded, and no
// limits for the service account.
type LDAPOptions struct {
	BaseDN            string       // default dc=example,dc=com; must consist of dc parts
	RFC2307bis        bool         // posixGroup is auxiliary and may be a groupOfNames; else RFC 2307's own schema
	LDIF              io.Reader    // added by slapadd before the first start, below the entries that are there anyway
	ServiceSizeLimit  int          // 0: none; else the server's size limit applies to the service account too
	NoSyncprov        bool         // no content synchronisation
	NoMemberOf        bool         // no memberOf overlay
	NoPPolicy         bool         // no password policy overlay
	HideLockout       bool         // without ppolicy_use_lockout: a locked account looks like a wrong password
	SessionLog        int          // entries in the session log; 0: 1000; negative: no session log
	AnonymousBinds    bool         // a DN without a password, and a password without a DN, bind as anonymous with success
	AnonymousReads    bool         // everybody may read everything but passwords
	RequireTLS        bool         // every operation without TLS answers 13
	ServerCertificate *Certificate // default: for localhost, 127.0.0.1 and ::1 by an authority of the server's own
	ClientCA          string       // file of the authority for client certificates; default: the server's own
	VerifyClient      string       // TLSVerifyClient: never (default), allow, try, demand
	ServerID          int          // 1 to 4095; default 1
	MaxSize           int64        // bytes of the database at most; default 4 GiB
	DataFolder        string       // a database that outlives the server and is filled only once; default: the server's own folder
	LogLevel          string       // slapd's log level; default none, which is errors only; stats shows every operation
	GlobalConfig      []string     // lines of slapd.conf before the database
	DatabaseConfig    []string     // lines of slapd.conf in the database section, before the overlays
	OverlayConfig     []string     // lines of slapd.conf at the end
}

// LDAPOption changes the set-up of a server.
type LDAPOption func(*LDAPOptions)

// WithLDIF adds entries by slapadd before the server starts. Overlays do not see them: there is no memberOf.
func WithLDIF(ldif io.Reader) LDAPOption { return func(o *LDAPOptions) { o.LDIF = ldif } }

// WithServiceSizeLimit leaves the service account without limits of its own, so that the server's size limit applies
// to it as well, to paged searches and to content synchronisation too. OpenLDAP's own default is 500.
func WithServiceSizeLimit(entries int) LDAPOption {
	return func(o *LDAPOptions) { o.ServiceSizeLimit = entries }
}

// WithoutSyncprov leaves out content synchronisation.
func WithoutSyncprov() LDAPOption { return func(o *LDAPOptions) { o.NoSyncprov = true } }

// WithSessionLog sets how many changes the session log of syncprov keeps; a negative number switches it off.
func WithSessionLog(entries int) LDAPOption { return func(o *LDAPOptions) { o.SessionLog = entries } }

// WithAnonymousBinds makes the server answer success to a bind with an empty password or an empty DN, as careless
// servers do.
func WithAnonymousBinds() LDAPOption { return func(o *LDAPOptions) { o.AnonymousBinds = true } }

// WithRequiredTLS makes the server answer "confidentiality required" (13) to everything without TLS.
func WithRequiredTLS() LDAPOption { return func(o *LDAPOptions) { o.RequireTLS = true } }

// WithServerCertificate uses this certificate, for instance one that has expired.
func WithServerCertificate(certificate Certificate) LDAPOption {
	return func(o *LDAPOptions) { o.ServerCertificate = &certificate }
}

// WithBaseDN uses another base, such as dc=branch,dc=example,dc=org.
func WithBaseDN(dn string) LDAPOption { return func(o *LDAPOptions) { o.BaseDN = dn } }

// WithRFC2307bis uses the schema of RFC 2307bis, where posixGroup is an auxiliary class.
func WithRFC2307bis() LDAPOption { return func(o *LDAPOptions) { o.RFC2307bis = true } }

// WithGlobalConfig adds lines to slapd.conf before the database.
func WithGlobalConfig(lines ...string) LDAPOption {
	return func(o *LDAPOptions) { o.GlobalConfig = append(o.GlobalConfig, lines...) }
}

// WithDatabaseConfig adds lines to the database section of slapd.conf.
func WithDatabaseConfig(lines ...string) LDAPOption {
	return func(o *LDAPOptions) { o.DatabaseConfig = append(o.DatabaseConfig, lines...) }
}

// WithOverlayConfig adds lines at the end of slapd.conf, for instance another overlay.
func WithOverlayConfig(lines ...string) LDAPOption {
	return func(o *LDAPOptions) { o.OverlayConfig = append(o.OverlayConfig, lines...) }
}

// WithDataFolder keeps the database in a folder of the caller's, which is filled by LDIF only once: for directories that
// take long to load. One server at a time.
func WithDataFolder(path string) LDAPOption { return func(o *LDAPOptions) { o.DataFolder = path } }

// WithOptions changes the options freely.
func WithOptions(change func(*LDAPOptions)) LDAPOption { return change }
