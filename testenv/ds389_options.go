package testenv

// DS389Options says how a 389 Directory Server is set up. The zero value is the usual server of the tests: the base
// dc=example,dc=com with ou=people and ou=groups, the plug-ins MemberOf, Retro Changelog, Content Synchronization,
// referential integrity and USN, TLS offered but not demanded, and no limits for the service account.
type DS389Options struct {
	FreeIPA           bool   // the tree, the schema and the plug-in settings of FreeIPA
	LDIF              string // added over LDAP after the first start, so that the plug-ins see it
	ServiceSizeLimit  int    // 0: none; else a size limit for the service account, look-through as the server's default
	NoMemberOf        bool   // no MemberOf plug-in
	NoReferences      bool   // no referential integrity plug-in
	NoContentSync     bool   // no content synchronisation
	NoChangelog       bool   // no retro change log, and so no content synchronisation
	AccountPolicy     bool   // the account policy plug-in: lastLoginTime and inactivity
	RequireSecureBind bool   // binds without TLS answer 13
	SlowHashes        bool   // PBKDF2 as the server does by itself, 100 to 300 binds a second; else a fast hash
	AccessLog         bool   // every operation in the access log

	// Config replaces values in the configuration before the start: DN, attribute, value. An empty value removes.
	Config map[string]map[string]string
}

// DS389Option changes the set-up of a server.
type DS389Option func(*DS389Options)

// WithFreeIPA lays the server out as FreeIPA does: people in cn=users,cn=accounts, groups in cn=groups,cn=accounts, its
// schema (ipaUniqueID, krb..., nestedGroup), and beside them the copies in cn=compat and the deleted people that must
// not be seen.
func WithFreeIPA() DS389Option { return func(o *DS389Options) { o.FreeIPA = true } }

// With389LDIF adds entries over LDAP after the first start.
func With389LDIF(ldif string) DS389Option { return func(o *DS389Options) { o.LDIF = ldif } }

// With389ServiceSizeLimit leaves the service account with a size limit and the server's look-through limit.
func With389ServiceSizeLimit(entries int) DS389Option {
	return func(o *DS389Options) { o.ServiceSizeLimit = entries }
}

// With389Config replaces a value of the server's configuration, such as passwordExp of cn=config.
func With389Config(dn, attribute, value string) DS389Option {
	return func(o *DS389Options) {
		if o.Config == nil {
			o.Config = map[string]map[string]string{}
		}
		if o.Config[dn] == nil {
			o.Config[dn] = map[string]string{}
		}
		o.Config[dn][attribute] = value
	}
}

// With389Options changes the options freely.
func With389Options(change func(*DS389Options)) DS389Option { return change }
