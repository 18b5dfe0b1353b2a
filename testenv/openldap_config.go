package testenv

import (
	"fmt"
	"strings"
)

// Defaults of LDAPOptions.
const (
	defaultBaseDN     = "dc=example,dc=com"
	defaultSessionLog = 1000
	defaultMaxSize    = 4 << 30
)

// withDefaults fills in what was left out.
func (o LDAPOptions) withDefaults() LDAPOptions {
	if o.BaseDN == "" {
		o.BaseDN = defaultBaseDN
	}
	if o.SessionLog == 0 {
		o.SessionLog = defaultSessionLog
	}
	if o.ServerID == 0 {
		o.ServerID = 1
	}
	if o.MaxSize == 0 {
		o.MaxSize = defaultMaxSize
	}
	if o.LogLevel == "" {
		o.LogLevel = "none"
	}
	if o.VerifyClient == "" {
		o.VerifyClient = "never"
	}
	return o
}

// ldapLayout is where OpenLDAP's own files are.
type ldapLayout struct {
	slapd, slapadd, schema, modules string
}

// findOpenLDAP looks for the programs, the schema and the modules of OpenLDAP.
func findOpenLDAP() (ldapLayout, error) {
	const packages = "slapd ldap-utils"
	var found ldapLayout
	var err error
	if found.slapd, err = findProgram("slapd", packages, "/usr/sbin", "/usr/libexec", "/usr/local/libexec"); err != nil {
		return found, err
	}
	if found.slapadd, err = findProgram("slapadd", packages, "/usr/sbin", "/usr/local/sbin"); err != nil {
		return found, err
	}
	found.schema, err = firstFolder("the schema of slapd", packages, "/etc/ldap/schema", "/etc/openldap/schema")
	if err != nil {
		return found, err
	}
	found.modules, err = firstFolder("the modules of slapd", packages,
		"/usr/lib/ldap", "/usr/lib/openldap", "/usr/lib64/openldap")
	return found, err
}

// slapdConfig writes slapd.conf.
func (s *LDAPServer) slapdConfig() string {
	o := s.options
	var text strings.Builder
	line := func(format string, values ...any) { fmt.Fprintf(&text, format+"\n", values...) }
	posix := s.layout.schema + "/nis.schema"
	if o.RFC2307bis {
		posix = s.folder.file("rfc2307bis.schema")
	}
	for _, schema := range []string{"core", "cosine", "inetorgperson"} {
		line("include %s/%s.schema", s.layout.schema, schema)
	}
	line("include %s", posix)
	line("modulepath %s", s.layout.modules)
	for _, module := range []string{"back_mdb", "syncprov", "memberof", "refint", "ppolicy", "sssvlv"} {
		line("moduleload %s", module)
	}
	line("pidfile %s", s.folder.file("slapd.pid"))
	line("TLSCACertificateFile %s", s.clientCA)
	line("TLSCertificateFile %s", s.certificate.CertFile)
	line("TLSCertificateKeyFile %s", s.certificate.KeyFile)
	line("TLSVerifyClient %s", o.VerifyClient)
	line("serverID %d", o.ServerID)
	if o.AnonymousBinds {
		line("allow bind_anon_cred bind_anon_dn")
	}
	if o.RequireTLS {
		line("security ssf=1") // the local socket counts as secure
	}
	for _, extra := range o.GlobalConfig {
		line("%s", extra)
	}
	s.databaseConfig(line)
	s.overlayConfig(line)
	return text.String()
}

// databaseConfig writes the database section.
func (s *LDAPServer) databaseConfig(line func(string, ...any)) {
	o := s.options
	line("database mdb")
	line("suffix %q", s.BaseDN)
	line("rootdn %q", s.AdminDN)
	line("rootpw %s", s.AdminPassword)
	line("directory %s", s.database())
	line("maxsize %d", o.MaxSize)
	line("dbnosync")
	line("index objectClass,entryUUID,entryCSN,member,uniqueMember,memberUid,manager,modifyTimestamp eq")
	line("index uid,cn,sn,mail eq,pres,sub")
	if o.ServiceSizeLimit > 0 {
		line("sizelimit %d", o.ServiceSizeLimit)
	} else {
		line("limits dn.exact=%q size=unlimited time=unlimited", s.ServiceDN)
	}
	others := "none"
	if o.AnonymousReads {
		others = "read"
	}
	line("access to attrs=userPassword by dn.exact=%q manage by self write by anonymous auth by * none", s.ServiceDN)
	line("access to * by dn.exact=%q manage by users read by * %s", s.ServiceDN, others)
	for _, extra := range o.DatabaseConfig {
		line("%s", extra)
	}
}

// overlayConfig writes the overlays.
func (s *LDAPServer) overlayConfig(line func(string, ...any)) {
	o := s.options
	if !o.NoSyncprov {
		line("overlay syncprov")
		if o.SessionLog > 0 {
			line("syncprov-sessionlog %d", o.SessionLog)
		}
	}
	if !o.NoMemberOf {
		line("overlay memberof")
		line("memberof-refint TRUE")
	}
	line("overlay refint")
	line("refint_attributes manager owner")
	line("refint_nothing %q", "cn=nobody,"+s.BaseDN)
	if !o.NoPPolicy {
		line("overlay ppolicy")
		line("ppolicy_default %q", s.PolicyDN)
		if !o.HideLockout {
			line("ppolicy_use_lockout")
		}
	}
	line("overlay sssvlv")
	for _, extra := range o.OverlayConfig {
		line("%s", extra)
	}
}

// baseLDIF is what every server holds from the beginning: the containers, the service account and two password
// policies. The service account's own policy never locks it.
func (s *LDAPServer) baseLDIF() string {
	first, _, _ := strings.Cut(s.BaseDN, ",")
	_, name, _ := strings.Cut(first, "=")
	text := strings.Replace(containerLDIF, "{service policy}\n", "", 1)
	if !s.options.NoPPolicy {
		text = strings.Replace(containerLDIF, "{service policy}", "pwdPolicySubentry: cn=services,ou=policies,{base}", 1) +
			policyLDIF
	}
	return strings.NewReplacer("{base}", s.BaseDN, "{name}", name, "{password}", s.ServicePassword).Replace(text)
}

// The entries of baseLDIF before the names are filled in.
const (
	containerLDIF = `dn: {base}
objectClass: organization
objectClass: dcObject
o: {name}
dc: {name}

dn: ou=people,{base}
objectClass: organizationalUnit
ou: people

dn: ou=groups,{base}
objectClass: organizationalUnit
ou: groups

dn: ou=policies,{base}
objectClass: organizationalUnit
ou: policies

dn: cn=portico,{base}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: portico
userPassword: {password}
{service policy}

`

	policyLDIF = `dn: cn=default,ou=policies,{base}
objectClass: applicationProcess
objectClass: pwdPolicy
cn: default
pwdAttribute: userPassword
pwdLockout: TRUE
pwdMaxFailure: 5
pwdLockoutDuration: 900
pwdFailureCountInterval: 900
pwdMustChange: TRUE
pwdAllowUserChange: TRUE

dn: cn=services,ou=policies,{base}
objectClass: applicationProcess
objectClass: pwdPolicy
cn: services
pwdAttribute: userPassword
pwdLockout: FALSE

`
)
