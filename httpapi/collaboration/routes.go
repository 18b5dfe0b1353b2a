package collaboration

import (
	"net/http"
	"slices"
	"strings"
)

// access says who may use a route.
type access uint8

const (
	forAll    access = iota // no key
	forPerson               // somebody who signs in, or holds a token
	forReader               // any key
	forWriter               // a key that may change things
)

// route is one method of one path.
type route struct {
	name   string // its number in the documentation, for log and metrics
	method string
	path   string
	access access
	handle func(a *API, x *call) error
}

// routes is the table of everything that this package answers. Paths with fixed
// words stand before those with a variable in the same place.
func routes() []route {
	const (
		get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete

		collabs     = "/api/collaborations/v1"
		services    = "/api/collaborations_services/v1"
		invitations = "/api/invitations/v1"
		groups      = "/api/groups/v1"
	)
	return []route{
		{"C1", post, collabs, forWriter, (*API).create},
		{"C2", get, collabs + "/{co}", forReader, (*API).get},
		{"C3", del, collabs + "/{co}", forWriter, (*API).remove},
		{"C4", put, collabs + "/{co}/members", forWriter, (*API).setRole},
		{"C5", del, collabs + "/{co}/members/{uid}", forWriter, (*API).removeMember},
		{"C7", patch, collabs + "/{co}", forWriter, (*API).revive},
		{"C6", put, collabs + "/{co}/units", forWriter, (*API).setUnits},

		{"S1", put, services + "/connect_collaboration_service", forWriter, (*API).connect},
		{"S2", put, services + "/connect_collaboration_service/{co}", forWriter, (*API).connect},
		{"S3", put, services + "/disconnect_collaboration_service", forWriter, (*API).disconnect},
		{"S3", put, services + "/disconnect_collaboration_service/{co}", forWriter, (*API).disconnect},
		{"S4", get, services + "/{co}", forReader, (*API).connections},

		{"I1", put, invitations + "/collaboration_invites", forWriter, (*API).invite},
		{"I4", put, invitations + "/resend/{invitation}", forWriter, (*API).resend},
		{"I5", patch, invitations + "/update/{invitation}", forWriter, (*API).updateInvitation},
		{"I6", get, invitations + "/invitations/{co}", forReader, (*API).openInvitations},
		{"A1", post, invitations + "/accept", forPerson, (*API).accept},
		{"A1", post, invitations + "/decline", forPerson, (*API).decline},
		{"I2", get, invitations + "/{invitation}", forReader, (*API).invitation},
		{"I3", del, invitations + "/{invitation}", forWriter, (*API).withdraw},

		{"O1", get, "/api/organisations/v1", forReader, (*API).organisation},

		{"G1", post, groups, forWriter, (*API).createGroup},
		{"G2", put, groups + "/{group}", forWriter, (*API).updateGroup},
		{"G3", del, groups + "/{group}", forWriter, (*API).deleteGroup},
		{"G4", post, groups + "/{group}", forWriter, (*API).addToGroup},
		{"G5", del, groups + "/{group}/members/{uid}", forWriter, (*API).removeFromGroup},

		{"L1", get, "/api/images/{type}/{uuid4}", forAll, (*API).logo},
	}
}

func sorted(list []string) string {
	slices.Sort(list)
	return strings.Join(list, ", ")
}
