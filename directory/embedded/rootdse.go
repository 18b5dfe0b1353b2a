package embedded

// Object identifiers of extended operations and features.
const (
	oidStartTLS       = "1.3.6.1.4.1.1466.20037"
	oidPasswordModify = "1.3.6.1.4.1.4203.1.11.1"
	oidWhoAmI         = "1.3.6.1.4.1.4203.1.11.3"
	oidCancel         = "1.3.6.1.1.8"
	oidDisconnection  = "1.3.6.1.4.1.1466.20036"
	oidAllOperational = "1.3.6.1.4.1.4203.1.5.1"
	oidTrueFalse      = "1.3.6.1.4.1.4203.1.5.3"
	oidLanguageTags   = "1.3.6.1.4.1.4203.1.5.4"
	oidIncrement      = "1.3.6.1.1.14"
)

// rootDSE gives the attributes of the root DSE (RFC 4512 §5.1), in order. It
// says no more than what is there, and looks like OpenLDAP's.
func (c *conn) rootDSE() ([]string, map[string][]string) {
	extensions := []string{oidPasswordModify, oidWhoAmI, oidCancel}
	if c.store.cfg.TLS != nil && !c.srv.faults().RefuseStartTLS {
		extensions = append(extensions, oidStartTLS)
	}
	values := map[string][]string{
		"objectClass":           {"top", "OpenLDAProotDSE"},
		"structuralObjectClass": {"OpenLDAProotDSE"},
		"namingContexts":        {c.store.tree.suffix.text},
		"supportedControl": {
			oidManageDSA, oidPaging, oidAssertion, oidPreRead, oidPostRead, oidSync, oidPolicyControl,
		},
		"supportedExtension":   extensions,
		"supportedFeatures":    {oidIncrement, oidAllOperational, oidTrueFalse, oidLanguageTags},
		"supportedLDAPVersion": {"3"},
		"subschemaSubentry":    {subschemaDN},
	}
	return []string{
		"objectClass", "structuralObjectClass", "namingContexts", "supportedControl", "supportedExtension",
		"supportedFeatures", "supportedLDAPVersion", "subschemaSubentry",
	}, values
}

func (c *conn) subschemaEntry() ([]string, map[string][]string) {
	values := c.store.schema.subschema()
	values["objectClass"] = []string{"top", "subentry", "subschema", "extensibleObject"}
	values["cn"] = []string{"Subschema"}
	values["structuralObjectClass"] = []string{"subentry"}
	values["subschemaSubentry"] = []string{subschemaDN}
	return []string{
		"objectClass", "cn", "structuralObjectClass", "ldapSyntaxes", "matchingRules", "attributeTypes",
		"objectClasses", "subschemaSubentry",
	}, values
}
