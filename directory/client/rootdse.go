package client

import (
	"context"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// RootDSE is what a server says about itself (RFC 4512 §5.1). Decide features
// by it and never by trying: some servers ignore critical controls they do not know.
type RootDSE struct {
	Vendor         string // "OpenLDAP", "389 DS", "Samba", "Active Directory", "LLDAP", or the vendor's name
	VendorVersion  string
	NamingContexts []string
	SchemaDN       string // subschemaSubentry
	Controls       []string
	Extensions     []string
	Features       []string
	Capabilities   []string // Active Directory's
	DNSHostName    string   // Active Directory: which controller answered
}

// Has tells whether an OID is among the controls, extensions, features and capabilities.
func (r *RootDSE) Has(oid string) bool {
	return slices.Contains(r.Controls, oid) || slices.Contains(r.Extensions, oid) ||
		slices.Contains(r.Features, oid) || slices.Contains(r.Capabilities, oid)
}

// RootDSE reads it from the server now in use. Its attributes are operational
// and asked for by name.
func (c *Client) RootDSE(ctx context.Context) (*RootDSE, error) {
	res, err := c.Search(ctx, ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)",
		[]string{
			"objectClass", "vendorName", "vendorVersion", "namingContexts", "subschemaSubentry", "supportedControl",
			"supportedExtension", "supportedFeatures", "supportedCapabilities", "dnsHostName",
		}, nil))
	if err != nil {
		return nil, err
	}
	if len(res.Entries) != 1 {
		return nil, c.wrap("root DSE", ldap.NewError(ldap.LDAPResultNoSuchObject, errNoRootDSE))
	}
	e := res.Entries[0]
	first := e.GetEqualFoldAttributeValue
	all := e.GetEqualFoldAttributeValues
	r := &RootDSE{
		VendorVersion:  first("vendorVersion"),
		NamingContexts: all("namingContexts"),
		SchemaDN:       first("subschemaSubentry"),
		Controls:       all("supportedControl"),
		Extensions:     all("supportedExtension"),
		Features:       all("supportedFeatures"),
		Capabilities:   all("supportedCapabilities"),
		DNSHostName:    first("dnsHostName"),
	}
	r.Vendor = vendor(first("vendorName"), all("objectClass"), r)
	return r, nil
}

func vendor(name string, classes []string, r *RootDSE) string {
	const activeDirectory = "1.2.840.113556.1.4.800"
	openLDAP := slices.ContainsFunc(classes, func(c string) bool { return strings.EqualFold(c, "OpenLDAProotDSE") })
	switch {
	case strings.HasPrefix(name, "389 "):
		return "389 DS"
	case strings.HasPrefix(name, "Samba"):
		return "Samba"
	case r.Has(activeDirectory):
		return "Active Directory"
	case name == "" && openLDAP:
		return "OpenLDAP"
	}
	return name
}
