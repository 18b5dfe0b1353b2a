package scim

import (
	"context"
	"net/http"
	"time"

	"portico/scim/filter"
	"portico/scim/normal"
	"portico/scim/patch"
	"portico/scim/resource"
	"portico/scim/schema"
)

// Handler keeps the resources of one type. Its errors are *fault.Error for what a client should hear; every other error
// is answered with 500 and logged. What it returns is not changed by the caller.
type Handler interface {
	// Create makes a resource of checked attributes, which may hold password. A value that is taken is a 409.
	Create(ctx context.Context, c *Call, data resource.Object) (*resource.Resource, error)
	// Get finds a resource; a 404 when it is not there or not to be seen.
	Get(ctx context.Context, c *Call, id string) (*resource.Resource, error)
	// List answers a query with one page.
	List(ctx context.Context, c *Call, q *Query) (*Page, error)
	// Write changes a resource. The condition and the change are one atomic step: nobody else's write comes between.
	Write(ctx context.Context, c *Call, id string, w *Write) (*resource.Resource, error)
	// Delete removes a resource under the same rules.
	Delete(ctx context.Context, c *Call, id string, condition Condition) error
}

// Authenticator finds out who is behind a bearer token. The error of a token that is not good is a *fault.Error with
// status 401.
type Authenticator interface {
	Authenticate(ctx context.Context, token string, r *http.Request) (*Principal, error)
}

// Principal is a client of the service. It is not changed.
type Principal struct {
	KeyID     int64
	Name      string // tells clients apart: in cursors, rates and the audit
	Read      bool
	Write     bool
	Password  bool   // may set passwords
	Address   string // that the request came from, for the security log
	Domain    string // whose externalIds it sees
	Directory string // where it creates; "": the first that can be written
	Profile   normal.Profile
	PersonID  string // the id of the user that /Me is; "": none
}

// Call is what a handler may want to know of a request besides its arguments.
type Call struct {
	Principal  *Principal
	Projection *resource.Projection // what the answer can have: the rest need not be fetched
	RequestID  string
}

// Query is a question for resources of one type.
type Query struct {
	Filter     *filter.Node // nil: all
	Sort       schema.Path  // without Attribute: by id. Ties are ordered by id.
	Descending bool
	Offset     int // of the first resource, from 0; without After only
	Limit      int // 0: only the total is wanted
	// Cursor says that the client goes on with Page.Next. After is the Next of the page before; nil: the first page.
	Cursor bool
	After  []byte
}

// Page is a part of the resources that satisfy a query.
type Page struct {
	Resources []*resource.Resource
	Total     int // of all pages
	// Next says where the following page begins, in the handler's own words; nil on the last one.
	Next []byte
}

// Write is a change of one resource.
type Write struct {
	Condition Condition
	// Members is set when nothing but members of a group changes. It can then be carried out without Apply, and so
	// without knowing the other members. The resource returned may then lack Data.
	Members *patch.Members
	// Apply computes the attributes after the change; changed is false when there is nothing to write. It does not
	// change current, which has all attributes that clients can write and the read-only ones, but no password.
	Apply func(current resource.Object) (next resource.Object, changed bool, err error)
}

// Event is what the audit learns of a request for one resource.
type Event struct {
	Principal  *Principal
	Verb       string // create, read, list, replace, patch, delete
	Type       string // of the resource
	ID         string
	Attributes []string // names of those that were written, never values
	Status     int
	Took       time.Duration
}
