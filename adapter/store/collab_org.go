package store

import (
	"context"
	"database/sql"
	"encoding/json"
)

// Org is an organisation, which owns collaborations.
type Org struct {
	ID         int64
	Identifier string // UUID
	UUID4      string // names the logo
	ShortName  string // never changes
	Name       string
	Settings   OrgSettings
	Stamp
}

// OrgSettings is what nothing is looked up by. Names of members are the stored form.
type OrgSettings struct {
	Description       string   `json:"description,omitempty"`
	Category          string   `json:"category,omitempty"`
	OnBoarding        string   `json:"on_boarding_msg,omitempty"`
	CRM               string   `json:"crm_id,omitempty"`
	Sender            string   `json:"invitation_sender_name,omitempty"`
	Message           string   `json:"invitation_message,omitempty"`
	Homes             []string `json:"schac_home_organisations,omitempty"`
	Units             []string `json:"units,omitempty"`
	Tags              []string `json:"tags,omitempty"`   // default tags
	Admins            []int64  `json:"admins,omitempty"` // uids, the first acts for keys
	Logo              string   `json:"logo,omitempty"`
	NoCreation        bool     `json:"no_creation,omitempty"`
	RestrictServices  bool     `json:"services_restricted,omitempty"`
	RequiresApproval  bool     `json:"requires_approval,omitempty"`
	InvitationDays    int      `json:"invitation_days,omitempty"`
	ReportDeclinedInv bool     `json:"report_declined,omitempty"`
	SignUp            bool     `json:"sign_up,omitempty"` // strangers may make an account by invitation
}

const orgColumns = "identifier, uuid4, short_name, name, settings, " + stampColumns

func scanOrg(scan func(...any) error) (Org, error) {
	var o Org
	var settings string
	var n stampScan
	err := scan(append([]any{&o.ID, &o.Identifier, &o.UUID4, &o.ShortName, &o.Name, &settings}, n.dest(&o.Stamp)...)...)
	if err == nil {
		err = json.Unmarshal([]byte(settings), &o.Settings)
	}
	n.set(&o.Stamp)
	return o, err
}

func (o *Org) values() ([]any, error) {
	settings, err := json.Marshal(o.Settings)
	return append([]any{o.Identifier, o.UUID4, o.ShortName, o.Name, string(settings)}, o.args()...), err
}

// Org reads an organisation by its short name, which is compared as it stands.
// ErrNotFound.
func (c *CollabTx) Org(ctx context.Context, shortName string) (Org, error) {
	return scanOrg(c.t.row(ctx, "SELECT id, "+orgColumns+" FROM organisations WHERE short_name = ?", shortName).Scan)
}

// OrgByID reads an organisation by its number. ErrNotFound.
func (c *CollabTx) OrgByID(ctx context.Context, id int64) (Org, error) {
	return scanOrg(c.t.row(ctx, "SELECT id, "+orgColumns+" FROM organisations WHERE id = ?", id).Scan)
}

// Orgs lists the organisations by their short names.
func (c *CollabTx) Orgs(ctx context.Context) ([]Org, error) {
	var list []Org
	err := c.t.each(ctx, "SELECT id, "+orgColumns+" FROM organisations ORDER BY short_name", nil, func(rows *sql.Rows) error {
		o, err := scanOrg(rows.Scan)
		list = append(list, o)
		return err
	})
	return list, err
}

// PutOrg stores a new organisation (ID 0, which is set) or a changed one.
// ErrConflict when the short name is taken, ErrNotFound.
func (c *CollabTx) PutOrg(ctx context.Context, o *Org) error {
	values, err := o.values()
	if err != nil {
		return err
	}
	if o.ID == 0 {
		o.ID, err = c.insert(ctx, "organisations", orgColumns, values...)
	} else {
		err = c.changedOne(ctx, "UPDATE organisations SET "+setList(orgColumns)+" WHERE id = ?", append(values, o.ID)...)
	}
	if err != nil {
		return err
	}
	return c.Touched(ctx, 0)
}

// DeleteOrg removes an organisation without collaborations and ends its keys.
// ErrConflict while it has some, ErrNotFound.
func (c *CollabTx) DeleteOrg(ctx context.Context, o Org) error {
	if err := c.changedOne(ctx, "DELETE FROM organisations WHERE id = ?", o.ID); err != nil {
		return err
	}
	var keys []int64
	err := c.t.each(ctx, "UPDATE api_keys SET revoked_at = ? WHERE api = ? AND org = ? AND revoked_at = 0 RETURNING id",
		[]any{micros(c.t.store.clock()), "collaboration", o.ShortName}, func(rows *sql.Rows) error {
			var id int64
			err := rows.Scan(&id)
			keys = append(keys, id)
			return err
		})
	for _, id := range keys {
		if err == nil {
			err = c.t.changed(ctx, TableKeys, id)
		}
	}
	if err != nil {
		return err
	}
	return c.Touched(ctx, 0)
}

// Service is a service that collaborations connect to.
type Service struct {
	ID           int64
	Identifier   string
	UUID4        string
	EntityID     string
	Abbreviation string
	Name         string
	Settings     ServiceSettings
	Stamp
}

// ServiceSettings is what nothing is looked up by. Organisations are named by
// their short names.
type ServiceSettings struct {
	Description     string         `json:"description,omitempty"`
	URI             string         `json:"uri,omitempty"`
	Contact         string         `json:"contact_email,omitempty"`
	Support         string         `json:"support_email,omitempty"`
	Managers        []string       `json:"managers,omitempty"` // mail addresses
	Logo            string         `json:"logo,omitempty"`
	AutomaticAll    bool           `json:"automatic_all,omitempty"`
	AutomaticOrgs   []string       `json:"automatic_orgs,omitempty"`
	AccessAll       bool           `json:"access_all,omitempty"`
	AccessOrgs      []string       `json:"access_orgs,omitempty"`
	NoConnections   bool           `json:"no_connections,omitempty"`
	AllowRestricted bool           `json:"allow_restricted,omitempty"`
	Groups          []ServiceGroup `json:"groups,omitempty"`
}

// ServiceGroup is a group that a service brings into collaborations.
type ServiceGroup struct {
	Name          string `json:"name"`
	ShortName     string `json:"short_name"`
	Description   string `json:"description,omitempty"`
	AutoProvision bool   `json:"auto_provision,omitempty"`
}

const serviceColumns = "identifier, uuid4, entity_id, abbreviation, name, settings, " + stampColumns

func scanService(scan func(...any) error) (Service, error) {
	var s Service
	var settings string
	var n stampScan
	dest := []any{&s.ID, &s.Identifier, &s.UUID4, &s.EntityID, &s.Abbreviation, &s.Name, &settings}
	err := scan(append(dest, n.dest(&s.Stamp)...)...)
	if err == nil {
		err = json.Unmarshal([]byte(settings), &s.Settings)
	}
	n.set(&s.Stamp)
	return s, err
}

// ServiceByEntity reads a service by its entity id. ErrNotFound.
func (c *CollabTx) ServiceByEntity(ctx context.Context, entity string) (Service, error) {
	return scanService(c.t.row(ctx, "SELECT id, "+serviceColumns+" FROM services WHERE entity_id = ?", entity).Scan)
}

// ServiceByID reads a service by its number. ErrNotFound.
func (c *CollabTx) ServiceByID(ctx context.Context, id int64) (Service, error) {
	return scanService(c.t.row(ctx, "SELECT id, "+serviceColumns+" FROM services WHERE id = ?", id).Scan)
}

// Services lists all services by their entity ids.
func (c *CollabTx) Services(ctx context.Context) ([]Service, error) {
	var list []Service
	err := c.t.each(ctx, "SELECT id, "+serviceColumns+" FROM services ORDER BY entity_id", nil, func(rows *sql.Rows) error {
		s, err := scanService(rows.Scan)
		list = append(list, s)
		return err
	})
	return list, err
}

// PutService stores a new service (ID 0, which is set) or a changed one.
// ErrConflict when entity id or abbreviation are taken, ErrNotFound.
func (c *CollabTx) PutService(ctx context.Context, s *Service) error {
	settings, err := json.Marshal(s.Settings)
	if err != nil {
		return err
	}
	values := append([]any{s.Identifier, s.UUID4, s.EntityID, s.Abbreviation, s.Name, string(settings)}, s.args()...)
	if s.ID == 0 {
		s.ID, err = c.insert(ctx, "services", serviceColumns, values...)
	} else {
		err = c.changedOne(ctx, "UPDATE services SET "+setList(serviceColumns)+" WHERE id = ?", append(values, s.ID)...)
	}
	if err != nil {
		return err
	}
	return c.Touched(ctx, 0)
}

// DeleteService removes a service with its connections and requests; groups that
// it brought stay as ordinary ones. ErrNotFound.
func (c *CollabTx) DeleteService(ctx context.Context, id int64) error {
	if _, err := c.t.exec(ctx, "UPDATE collab_groups SET service_id = 0 WHERE service_id = ?", id); err != nil {
		return err
	}
	if err := c.changedOne(ctx, "DELETE FROM services WHERE id = ?", id); err != nil {
		return err
	}
	return c.Touched(ctx, 0)
}
