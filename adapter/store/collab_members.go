package store

import (
	"context"
	"database/sql"
	"time"
)

// Member is somebody's membership in a collaboration.
type Member struct {
	ID         int64
	Collab     int64
	UID        int64     // numeric id of the person
	Role       string    // admin or member
	Status     string    // active or expired
	Expires    time.Time // zero: never
	Warned     time.Time
	Invitation int64 // 0: none
	Stamp
}

const memberColumns = "collab_id, uid, role, status, expires_at, warned_at, invitation_id, " + stampColumns

func (m *Member) values() []any {
	return append([]any{m.Collab, m.UID, m.Role, m.Status, micros(m.Expires), micros(m.Warned), m.Invitation}, m.args()...)
}

func scanMember(scan func(...any) error) (Member, error) {
	var m Member
	var expires, warned int64
	var n stampScan
	err := scan(&m.ID, &m.Collab, &m.UID, &m.Role, &m.Status, &expires, &warned, &m.Invitation,
		&n.created, &m.CreatedBy, &n.updated, &m.UpdatedBy)
	m.Expires, m.Warned = when(expires), when(warned)
	n.set(&m.Stamp)
	return m, err
}

func (c *CollabTx) members(ctx context.Context, where string, args ...any) ([]Member, error) {
	var list []Member
	err := c.t.each(ctx, "SELECT id, "+memberColumns+" FROM collab_members WHERE "+where, args, func(rows *sql.Rows) error {
		m, err := scanMember(rows.Scan)
		list = append(list, m)
		return err
	})
	return list, err
}

// Members lists the memberships of a collaboration by their ids.
func (c *CollabTx) Members(ctx context.Context, collab int64) ([]Member, error) {
	return c.members(ctx, "collab_id = ? ORDER BY id", collab)
}

// MembersOfOrg lists the memberships of all collaborations of an organisation,
// by collaboration and id.
func (c *CollabTx) MembersOfOrg(ctx context.Context, org int64) ([]Member, error) {
	return c.members(ctx, "collab_id IN (SELECT id FROM collaborations WHERE org_id = ?) ORDER BY collab_id, id", org)
}

// MembershipsOf lists the memberships of one person.
func (c *CollabTx) MembershipsOf(ctx context.Context, uid int64) ([]Member, error) {
	return c.members(ctx, "uid = ? ORDER BY id", uid)
}

// Member reads the membership of a person in a collaboration. ErrNotFound.
func (c *CollabTx) Member(ctx context.Context, collab, uid int64) (Member, error) {
	return scanMember(c.t.row(ctx, "SELECT id, "+memberColumns+" FROM collab_members WHERE collab_id = ? AND uid = ?", collab, uid).Scan)
}

// PutMember stores a new membership (ID 0, which is set) or a changed one.
// ErrConflict when the person is a member already, ErrNotFound.
func (c *CollabTx) PutMember(ctx context.Context, m *Member) error {
	var err error
	if m.ID == 0 {
		m.ID, err = c.insert(ctx, "collab_members", memberColumns, m.values()...)
	} else {
		err = c.changedOne(ctx, "UPDATE collab_members SET "+setList(memberColumns)+" WHERE id = ?", append(m.values(), m.ID)...)
	}
	if err != nil {
		return err
	}
	return c.Touched(ctx, m.Collab)
}

// DeleteMember ends a membership, in the groups too. ErrNotFound.
func (c *CollabTx) DeleteMember(ctx context.Context, m Member) error {
	if err := c.changedOne(ctx, "DELETE FROM collab_members WHERE id = ?", m.ID); err != nil {
		return err
	}
	return c.Touched(ctx, m.Collab)
}

// CollabGroup is a group within a collaboration.
type CollabGroup struct {
	ID            int64
	Collab        int64
	Identifier    string
	Name          string
	NameKey       string
	ShortName     string
	Description   string
	AutoProvision bool
	Service       int64 // the service that brought it; 0: none
	Stamp
}

const groupColumns = "collab_id, identifier, name, name_key, short_name, description, auto_provision, service_id, " + stampColumns

func (g *CollabGroup) values() []any {
	return append([]any{g.Collab, g.Identifier, g.Name, g.NameKey, g.ShortName, g.Description, g.AutoProvision, g.Service}, g.args()...)
}

func scanGroup(scan func(...any) error) (CollabGroup, error) {
	var g CollabGroup
	var n stampScan
	err := scan(append([]any{&g.ID, &g.Collab, &g.Identifier, &g.Name, &g.NameKey, &g.ShortName, &g.Description, &g.AutoProvision, &g.Service},
		n.dest(&g.Stamp)...)...)
	n.set(&g.Stamp)
	return g, err
}

func (c *CollabTx) groups(ctx context.Context, where string, args ...any) ([]CollabGroup, error) {
	var list []CollabGroup
	err := c.t.each(ctx, "SELECT id, "+groupColumns+" FROM collab_groups WHERE "+where, args, func(rows *sql.Rows) error {
		g, err := scanGroup(rows.Scan)
		list = append(list, g)
		return err
	})
	return list, err
}

// Groups lists the groups of a collaboration by their ids.
func (c *CollabTx) Groups(ctx context.Context, collab int64) ([]CollabGroup, error) {
	return c.groups(ctx, "collab_id = ? ORDER BY id", collab)
}

// GroupsOfOrg lists the groups of all collaborations of an organisation.
func (c *CollabTx) GroupsOfOrg(ctx context.Context, org int64) ([]CollabGroup, error) {
	return c.groups(ctx, "collab_id IN (SELECT id FROM collaborations WHERE org_id = ?) ORDER BY collab_id, id", org)
}

// Group reads a group by its identifier. ErrNotFound.
func (c *CollabTx) Group(ctx context.Context, identifier string) (CollabGroup, error) {
	return scanGroup(c.t.row(ctx, "SELECT id, "+groupColumns+" FROM collab_groups WHERE identifier = ?", identifier).Scan)
}

// PutGroup stores a new group (ID 0, which is set) or a changed one. ErrConflict
// when name or short name are taken in the collaboration, ErrNotFound.
func (c *CollabTx) PutGroup(ctx context.Context, g *CollabGroup) error {
	var err error
	if g.ID == 0 {
		g.ID, err = c.insert(ctx, "collab_groups", groupColumns, g.values()...)
	} else {
		err = c.changedOne(ctx, "UPDATE collab_groups SET "+setList(groupColumns)+" WHERE id = ?", append(g.values(), g.ID)...)
	}
	if err != nil {
		return err
	}
	return c.Touched(ctx, g.Collab)
}

// DeleteGroup removes a group. ErrNotFound.
func (c *CollabTx) DeleteGroup(ctx context.Context, g CollabGroup) error {
	if err := c.changedOne(ctx, "DELETE FROM collab_groups WHERE id = ?", g.ID); err != nil {
		return err
	}
	return c.Touched(ctx, g.Collab)
}

// GroupMembers gives the ids of the memberships in a collaboration's groups, by
// the groups' ids.
func (c *CollabTx) GroupMembers(ctx context.Context, collab int64) (map[int64][]int64, error) {
	return c.groupMembers(ctx, "g.collab_id = ?", collab)
}

// GroupMembersOfOrg is GroupMembers for all collaborations of an organisation.
func (c *CollabTx) GroupMembersOfOrg(ctx context.Context, org int64) (map[int64][]int64, error) {
	return c.groupMembers(ctx, "g.collab_id IN (SELECT id FROM collaborations WHERE org_id = ?)", org)
}

func (c *CollabTx) groupMembers(ctx context.Context, where string, arg int64) (map[int64][]int64, error) {
	found := map[int64][]int64{}
	err := c.t.each(ctx, `SELECT m.group_id, m.member_id FROM collab_group_members m
		JOIN collab_groups g ON g.id = m.group_id WHERE `+where+` ORDER BY m.group_id, m.member_id`,
		[]any{arg}, func(rows *sql.Rows) error {
			var group, member int64
			err := rows.Scan(&group, &member)
			found[group] = append(found[group], member)
			return err
		})
	return found, err
}

// AddGroupMember puts a membership into a group; false when it is there already.
func (c *CollabTx) AddGroupMember(ctx context.Context, group, member int64) (bool, error) {
	n, err := c.t.exec(ctx, "INSERT INTO collab_group_members (group_id, member_id) VALUES (?, ?) ON CONFLICT DO NOTHING", group, member)
	return n > 0, err
}

// RemoveGroupMember takes a membership out of a group. ErrNotFound.
func (c *CollabTx) RemoveGroupMember(ctx context.Context, group, member int64) error {
	return c.changedOne(ctx, "DELETE FROM collab_group_members WHERE group_id = ? AND member_id = ?", group, member)
}
