package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// server is what the root DSE says.
type server struct {
	vendor      vendor
	syncrepl    bool
	identity    string // AD: dsServiceName
	highestUSN  string // AD
	context     string // AD: DN of the domain
	domainScope bool   // AD: it offers searches without references
	first, last int64  // 389: the changes that the change log still holds; -1 unknown
}

const (
	oidSyncRequest = ldap.ControlTypeSyncRequest
	oidADFamily    = "1.2.840.113556.1.4.800"
)

// askServer reads the root DSE.
func askServer(ctx context.Context, dir Directory) (server, error) {
	res, err := dir.Search(ctx, ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", []string{
			"objectClass", "vendorName", "supportedControl", "supportedCapabilities",
			"dsServiceName", "highestCommittedUSN", "defaultNamingContext", "firstChangeNumber", "lastChangeNumber",
		}, nil))
	if err != nil {
		return server{}, fmt.Errorf("ask the server what it is: %w", err)
	}
	if len(res.Entries) == 0 {
		return server{}, errors.New("the server hides its root DSE: let the service account read it")
	}
	e := res.Entries[0]
	number := func(name string) int64 {
		n, err := strconv.ParseInt(e.GetEqualFoldAttributeValue(name), 10, 64)
		if err != nil {
			return -1
		}
		return n
	}
	s := server{
		syncrepl:    slices.Contains(e.GetEqualFoldAttributeValues("supportedControl"), oidSyncRequest),
		identity:    e.GetEqualFoldAttributeValue("dsServiceName"),
		highestUSN:  e.GetEqualFoldAttributeValue("highestCommittedUSN"),
		context:     e.GetEqualFoldAttributeValue("defaultNamingContext"),
		domainScope: slices.Contains(e.GetEqualFoldAttributeValues("supportedControl"), oidDomainScope),
		first:       number("firstChangeNumber"), last: number("lastChangeNumber"),
	}
	name := e.GetEqualFoldAttributeValue("vendorName")
	openLDAP := func(class string) bool { return strings.EqualFold(class, "OpenLDAProotDSE") }
	switch {
	case slices.Contains(e.GetEqualFoldAttributeValues("supportedCapabilities"), oidADFamily):
		s.vendor = vendorAD
	case strings.HasPrefix(name, "389"):
		s.vendor = vendor389
	case slices.ContainsFunc(e.GetEqualFoldAttributeValues("objectClass"), openLDAP):
		s.vendor = vendorOpenLDAP
	}
	return s, nil
}

// errNoSyncrepl: the server does not do what its root DSE announces.
var errNoSyncrepl = errors.New("the server does not offer content synchronisation for this part of its tree")

// explain adds to an error what an administrator can do about it.
func explain(err error) error {
	if errors.Is(err, directory.ErrIncomplete) { // the client has said what to do
		return fmt.Errorf("%w; nothing was deleted", err)
	}
	var e *ldap.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.ResultCode {
	case ldap.LDAPResultSizeLimitExceeded, ldap.LDAPResultTimeLimitExceeded, ldap.LDAPResultAdminLimitExceeded:
		return fmt.Errorf("the server's limit for the service account cuts the answer short, nothing was deleted; "+
			"OpenLDAP: limits dn.exact=\"<bind_dn>\" size=unlimited time=unlimited; "+
			"389 DS: nsSizeLimit, nsLookThroughLimit and nsTimeLimit -1 on the account: %w", err)
	case ldap.LDAPResultInsufficientAccessRights:
		return fmt.Errorf("the service account may not read all that is configured: %w", err)
	case ldap.LDAPResultNoSuchObject:
		return fmt.Errorf("base_dn does not exist, or the service account may not see it: %w", err)
	}
	return err
}

// code is the LDAP result code of an error, or -1.
func code(err error) int {
	if e, ok := errors.AsType[*ldap.Error](err); ok {
		return int(e.ResultCode)
	}
	return -1
}
