package collaboration

import (
	"strings"

	collab "portico/adapter/collaboration"
)

// encoder writes answers. It keeps each person's part, which comes again with
// every membership.
type encoder struct {
	buffer
	base    string
	users   map[int64][]byte
	plainly bool // groups hold the ids of users, not memberships
}

func (a *API) encoder() *encoder { return &encoder{base: a.cfg.BaseURL, users: map[int64][]byte{}} }

// logo gives the address of a picture: ours, or the one elsewhere.
func (e *encoder) logo(kind, uuid4, stored string) {
	switch {
	case stored == "":
		e.null("logo")
	case strings.Contains(stored, "://"):
		e.text("logo", stored)
	default:
		e.text("logo", e.base+"/api/images/"+kind+"/"+uuid4)
	}
}

// collaboration writes the members that every answer has; the object stays open.
func (e *encoder) collaboration(v *collab.View, org *collab.Org) {
	e.open('{')
	e.number("id", v.ID)
	e.text("identifier", v.Identifier)
	e.text("uuid4", v.UUID4)
	e.text("name", v.Name)
	e.text("short_name", v.ShortName)
	e.text("description", v.Description)
	e.optional("website_url", v.Website)
	e.text("global_urn", v.URN())
	e.text("status", v.Status)
	e.number("organisation_id", v.Org)
	e.boolean("disable_join_requests", v.NoRequests)
	e.boolean("disclose_member_information", v.ShowMembers)
	e.boolean("disclose_email_information", v.ShowMail)
	if v.Logo == "" && org != nil && org.Settings.Logo != "" {
		e.logo("organisations", org.UUID4, org.Settings.Logo)
	} else {
		e.logo("collaborations", v.UUID4, v.Logo)
	}
	e.date("expiry_date", v.Expires)
	e.date("created_at", v.Created)
	e.date("updated_at", v.Updated)
	e.date("last_activity_date", v.Active)
	e.text("created_by", v.CreatedBy)
	e.text("updated_by", v.UpdatedBy)
	e.number("collaboration_memberships_count", int64(len(v.Memberships)))
	e.number("invitations_count", int64(v.Invitations))
	e.texts("tags", v.Tags)
	e.texts("units", v.Units)
	e.name("services")
	e.open('[')
	for i := range v.Services {
		e.service(&v.Services[i])
	}
	e.close(']')
	e.null("accepted_user_policy", "support_email")
}

// full adds memberships and groups, and closes the object.
func (e *encoder) full(v *collab.View) {
	e.name("collaboration_memberships")
	e.open('[')
	for i := range v.Memberships {
		e.membership(&v.Memberships[i], v.People)
	}
	e.close(']')
	e.name("groups")
	e.open('[')
	for i := range v.Groups {
		e.group(&v.Groups[i], v.Memberships, v.People)
	}
	e.close(']')
	e.close('}')
}

func (e *encoder) membership(m *collab.Member, people map[int64]collab.User) {
	e.open('{')
	e.number("id", m.ID)
	e.text("role", m.Role)
	e.text("status", m.Status)
	e.date("expiry_date", m.Expires)
	e.number("user_id", m.UID)
	e.number("collaboration_id", m.Collab)
	e.numberOrNull("invitation_id", m.Invitation)
	e.date("created_at", m.Created)
	e.text("created_by", m.CreatedBy)
	e.text("updated_by", m.UpdatedBy)
	e.name("user")
	part, known := e.users[m.UID]
	if !known {
		user := people[m.UID]
		part = userPart(&user)
		e.users[m.UID] = part
	}
	e.raw(part)
	e.close('}')
}

// userPart is a person in a membership; what is not known is null.
func userPart(u *collab.User) []byte {
	var b buffer
	if u.Person == nil {
		return []byte("null")
	}
	b.open('{')
	b.number("id", u.UID)
	b.text("uid", u.Platform)
	b.text("external_id", u.ID.Stable)
	b.text("username", u.Username)
	b.text("name", u.Name)
	b.optional("given_name", u.GivenName)
	b.optional("family_name", u.FamilyName)
	b.optional("email", u.Email())
	b.null("affiliation", "scoped_affiliation", "schac_home_organisation", "eduperson_principal_name")
	b.boolean("suspended", u.Suspended)
	b.name("ssh_keys")
	b.open('[')
	for i, key := range u.Attributes["ssh_keys"] {
		b.open('{')
		b.number("id", int64(i+1))
		b.null("name")
		b.text("ssh_value", key)
		b.close('}')
	}
	b.close(']')
	b.null("last_login_date")
	b.boolean("second_factor_auth", u.HasTOTP)
	b.boolean("mfa_reset_token", false)
	b.close('}')
	return b.bytes
}

// group writes a group with those of its memberships that are shown.
func (e *encoder) group(g *collab.Group, all []collab.Member, people map[int64]collab.User) {
	e.groupHead(g)
	e.name("collaboration_memberships")
	e.open('[')
	// Both lists are in order of the ids.
	next := 0
	for i := range all {
		for next < len(g.Members) && g.Members[next] < all[i].ID {
			next++
		}
		switch {
		case next == len(g.Members) || g.Members[next] != all[i].ID:
		case e.plainly:
			e.integer(all[i].UID)
		default:
			e.membership(&all[i], people)
		}
	}
	e.close(']')
	e.close('}')
}

func (e *encoder) groupHead(g *collab.Group) {
	e.open('{')
	e.number("id", g.ID)
	e.text("identifier", g.Identifier)
	e.text("name", g.Name)
	e.text("short_name", g.ShortName)
	e.optional("description", g.Description)
	e.text("global_urn", g.URN)
	e.boolean("auto_provision_members", g.AutoProvision)
	e.number("collaboration_id", g.Collab)
	e.numberOrNull("service_group_id", g.Service)
	e.date("created_at", g.Created)
	e.text("created_by", g.CreatedBy)
	e.date("updated_at", g.Updated)
	e.text("updated_by", g.UpdatedBy)
}

func (e *encoder) service(s *collab.Service) {
	e.open('{')
	e.number("id", s.ID)
	e.text("entity_id", s.EntityID)
	e.text("name", s.Name)
	e.text("abbreviation", s.Abbreviation)
	e.optional("description", s.Settings.Description)
	e.logo("services", s.UUID4, s.Settings.Logo)
	e.optional("uri", s.Settings.URI)
	e.boolean("automatic_connection_allowed", s.Settings.AutomaticAll)
	e.boolean("access_allowed_for_all", s.Settings.AccessAll)
	e.boolean("ldap_enabled", false)
	e.boolean("scim_enabled", false)
	e.boolean("token_enabled", false)
	e.null("ldap_password", "hashed_token", "scim_bearer_token")
	e.optional("contact_email", s.Settings.Contact)
	e.optional("support_email", s.Settings.Support)
	e.close('}')
}

// organisation writes everything of an organisation.
func (e *encoder) organisation(v *collab.OrgView) {
	o := &v.Org
	e.open('{')
	e.number("id", o.ID)
	e.text("identifier", o.Identifier)
	e.text("uuid4", o.UUID4)
	e.text("name", o.Name)
	e.text("short_name", o.ShortName)
	e.optional("description", o.Settings.Description)
	e.optional("category", o.Settings.Category)
	e.logo("organisations", o.UUID4, o.Settings.Logo)
	e.null("accepted_user_policy")
	e.optional("on_boarding_msg", o.Settings.OnBoarding)
	e.optional("crm_id", o.Settings.CRM)
	e.optional("invitation_sender_name", o.Settings.Sender)
	e.optional("invitation_message", o.Settings.Message)
	e.boolean("collaboration_creation_allowed", !o.Settings.NoCreation)
	e.boolean("services_restricted", o.Settings.RestrictServices)
	e.boolean("service_connection_requires_approval", o.Settings.RequiresApproval)
	e.date("created_at", o.Created)
	e.text("created_by", o.CreatedBy)
	e.text("updated_by", o.UpdatedBy)
	e.number("collaborations_count", int64(v.Count))
	e.number("organisation_memberships_count", int64(v.Members))
	e.texts("schac_home_organisations", o.Settings.Homes)
	e.texts("units", o.Settings.Units)
	e.name("collaborations")
	e.open('[')
	for i := range v.Collaborations {
		e.collaboration(&v.Collaborations[i], o)
		e.full(&v.Collaborations[i])
	}
	e.close(']')
	e.close('}')
}

// invitation writes the state of an invitation.
func (e *encoder) invitation(v *collab.InviteView) {
	e.open('{')
	e.text("status", v.Status)
	e.name("invitation")
	e.open('{')
	e.text("identifier", v.Identifier)
	e.text("email", v.Email)
	e.date("expiry_date", v.Expires)
	e.close('}')
	c := &v.Collaboration
	e.name("collaboration")
	e.open('{')
	e.number("id", c.ID)
	e.text("identifier", c.Identifier)
	e.text("name", c.Name)
	e.text("short_name", c.ShortName)
	e.text("description", c.Description)
	e.text("global_urn", v.Org+":"+c.ShortName)
	e.close('}')
	e.text("intended_role", v.Role)
	e.name("groups")
	e.open('[')
	for i := range v.Groups {
		g := &v.Groups[i]
		e.open('{')
		e.number("id", g.ID)
		e.text("identifier", g.Identifier)
		e.text("name", g.Name)
		e.text("short_name", g.ShortName)
		e.text("global_urn", g.URN)
		e.optional("description", g.Description)
		e.close('}')
	}
	e.close(']')
	e.text("id", v.Identifier)
	e.text("email", v.Email)
	username := ""
	if v.User != nil {
		username = v.User.Username
	}
	e.optional("sram_username", username)
	if v.Status == collab.Accepted && v.User != nil {
		e.accepter(v.User)
	}
	e.close('}')
}

func (e *encoder) accepter(u *collab.User) {
	e.name("user")
	e.open('{')
	e.text("name", u.Name)
	e.optional("mail", u.Email())
	e.text("username", u.Username)
	e.text("platform_id", u.Platform)
	status := collab.Active
	if u.Suspended {
		status = collab.Suspended
	}
	e.text("status", status)
	e.close('}')
}
