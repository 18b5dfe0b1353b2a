package mapping

import "strings"

// NeverWritten says why no API may write an LDAP attribute, "" where it may.
// DNs, classes, back links, account state, credentials and what the server
// maintains itself are changed in their own ways or not at all.
func NeverWritten(name string) string {
	name = base(lower(name))
	switch {
	case isCredential(name):
		return "holds credentials"
	case strings.HasPrefix(name, "pwd") || strings.HasPrefix(name, "password"):
		return "belongs to the password policy"
	case strings.HasPrefix(name, "krb"):
		return "belongs to Kerberos"
	}
	switch name {
	case "objectclass", "structuralobjectclass", "dn", "distinguishedname", "entrydn", "memberof", "ismemberof", "directreports",
		"entryuuid", "nsuniqueid", "ipauniqueid", "objectguid", "objectsid", "sidhistory", "entrycsn", "entryusn", "usnchanged", "usncreated",
		"createtimestamp", "modifytimestamp", "creatorsname", "modifiersname", "whencreated", "whenchanged", "aci", "acl", "olcaccess",
		"nsaccountlock", "useraccountcontrol", "accountunlocktime", "lockouttime", "badpwdcount", "accountexpires", "shadowexpire", "shadowlastchange",
		"primarygroupid", "admincount", "ntsecuritydescriptor", "msds-allowedtodelegateto", "msds-allowedtoactonbehalfofotheridentity",
		"serviceprincipalname", "nsrole", "nsroledn", "subschemasubentry", "hassubordinates", "numsubordinates", "authtimestamp",
		"ref", "member", "uniquemember", "memberuid", "grouptype", "samaccounttype", "instancetype", "sudouser", "sudocommand":
		return "is never written by an API"
	}
	return ""
}

// isBinary tells of attributes whose values are no text. Portico has them in base64.
func isBinary(name string) bool { return strings.EqualFold(name, "userCertificate") }

func isNumber(name string) bool {
	return strings.EqualFold(name, "uidNumber") || strings.EqualFold(name, "gidNumber")
}

// transfer is the name under which an attribute is written: certificates travel in
// their binary form, except to Active Directory, which knows no other.
func (e *Encoder) transfer(name string) string {
	if isBinary(name) && e.m.cfg.StatusRules != RulesActiveDirectory {
		return name + ";binary"
	}
	return name
}
