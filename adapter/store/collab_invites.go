package store

import (
	"context"
	"database/sql"
	"time"
)

// Invite is an invitation to a collaboration.
type Invite struct {
	ID         int64
	Collab     int64
	Identifier string
	TokenHash  []byte
	Email      string
	EmailKey   string // the address as it is compared
	Role       string
	Status     string // open, accepted, expired, declined, withdrawn
	Message    string
	Sender     string
	Inviter    string
	Groups     []int64
	Expires    time.Time
	MemberEnds time.Time // zero: never
	Reminded   time.Time
	UID        int64 // who accepted
	Key        int64 // API key that answers for it; 0: a command
	SignUpName string
	TakenUntil time.Time // until when one sign-up keeps others out
	Stamp
}

const inviteColumns = `collab_id, identifier, token_hash, email, email_key, role, status, message, sender, inviter,
	group_ids, expires_at, member_until, reminded_at, uid, key_id, signup_name, taken_until, ` + stampColumns

func (i *Invite) values() []any {
	return append([]any{
		i.Collab, i.Identifier, i.TokenHash, i.Email, i.EmailKey, i.Role, i.Status, i.Message, i.Sender, i.Inviter,
		listText(i.Groups), micros(i.Expires), micros(i.MemberEnds), micros(i.Reminded), i.UID,
		i.Key, i.SignUpName, micros(i.TakenUntil),
	}, i.args()...)
}

func scanInvite(scan func(...any) error) (Invite, error) {
	var i Invite
	var groups string
	var expires, ends, reminded, taken int64
	var n stampScan
	err := scan(append([]any{
		&i.ID, &i.Collab, &i.Identifier, &i.TokenHash, &i.Email, &i.EmailKey, &i.Role, &i.Status, &i.Message, &i.Sender, &i.Inviter,
		&groups, &expires, &ends, &reminded, &i.UID, &i.Key, &i.SignUpName, &taken,
	}, n.dest(&i.Stamp)...)...)
	if err == nil {
		i.Groups, err = readList[int64](groups)
	}
	i.Expires, i.MemberEnds, i.Reminded, i.TakenUntil = when(expires), when(ends), when(reminded), when(taken)
	n.set(&i.Stamp)
	return i, err
}

func (c *CollabTx) invites(ctx context.Context, where string, args ...any) ([]Invite, error) {
	var list []Invite
	err := c.t.each(ctx, "SELECT id, "+inviteColumns+" FROM collab_invitations WHERE "+where, args, func(rows *sql.Rows) error {
		i, err := scanInvite(rows.Scan)
		list = append(list, i)
		return err
	})
	return list, err
}

// Invites lists the invitations of a collaboration with a status, "" for all, by
// their ids.
func (c *CollabTx) Invites(ctx context.Context, collab int64, status string) ([]Invite, error) {
	return c.invites(ctx, "collab_id = ? AND (? = '' OR status = ?) ORDER BY id", collab, status, status)
}

// CountInvites counts the invitations of collaborations that are open, accepted
// or expired, by collaboration.
func (c *CollabTx) CountInvites(ctx context.Context, org, collab int64) (map[int64]int, error) {
	counts := map[int64]int{}
	err := c.t.each(ctx, `SELECT i.collab_id, count(*) FROM collab_invitations i JOIN collaborations c ON c.id = i.collab_id
		WHERE c.org_id = ? AND (? = 0 OR c.id = ?) AND i.status IN ('open', 'accepted', 'expired') GROUP BY i.collab_id`,
		[]any{org, collab, collab}, func(rows *sql.Rows) error {
			var id int64
			var n int
			err := rows.Scan(&id, &n)
			counts[id] = n
			return err
		})
	return counts, err
}

// Invite reads an invitation by its identifier. ErrNotFound.
func (c *CollabTx) Invite(ctx context.Context, identifier string) (Invite, error) {
	return scanInvite(c.t.row(ctx, "SELECT id, "+inviteColumns+" FROM collab_invitations WHERE identifier = ?", identifier).Scan)
}

// InviteByToken reads an invitation by the token of its mail. ErrNotFound.
func (c *CollabTx) InviteByToken(ctx context.Context, token string) (Invite, error) {
	hash := c.t.store.TokenHash(token)
	return scanInvite(c.t.row(ctx, "SELECT id, "+inviteColumns+" FROM collab_invitations WHERE token_hash = ?", hash).Scan)
}

// PutInvite stores a new invitation (ID 0, which is set) or a changed one.
// ErrConflict when the address has an open one already, ErrNotFound.
func (c *CollabTx) PutInvite(ctx context.Context, i *Invite) error {
	var err error
	if i.ID == 0 {
		i.ID, err = c.insert(ctx, "collab_invitations", inviteColumns, i.values()...)
	} else {
		err = c.changedOne(ctx, "UPDATE collab_invitations SET "+setList(inviteColumns)+" WHERE id = ?", append(i.values(), i.ID)...)
	}
	return err
}

// MoveInvite changes the status of an invitation that has another one, and tells
// whether it was so: of several who try, one succeeds.
func (c *CollabTx) MoveInvite(ctx context.Context, id int64, from, to string, uid int64, by string) (bool, error) {
	n, err := c.t.exec(ctx, "UPDATE collab_invitations SET status = ?, uid = ?, updated_at = ?, updated_by = ? WHERE id = ? AND status = ?",
		to, uid, micros(c.t.store.clock()), clean(by, maxActorLen), id, from)
	return n > 0, err
}

// TakeInvite keeps other sign-ups of the same address out until a time, and notes
// the chosen name; false when another one goes on, or the invitation is not open.
func (c *CollabTx) TakeInvite(ctx context.Context, i Invite, name string, until time.Time) (bool, error) {
	now := c.t.store.clock()
	free := true
	err := c.t.each(ctx, "SELECT taken_until FROM collab_invitations WHERE email_key = ? ORDER BY id"+c.t.store.dialect.forUpdate,
		[]any{i.EmailKey}, func(rows *sql.Rows) error {
			var taken int64
			err := rows.Scan(&taken)
			free = free && taken <= micros(now)
			return err
		})
	if err != nil || !free {
		return false, err
	}
	n, err := c.t.exec(ctx, "UPDATE collab_invitations SET signup_name = ?, taken_until = ? WHERE id = ? AND status = 'open'",
		clean(name, maxNameLen), micros(until), i.ID)
	return n > 0, err
}

// ReleaseInvite ends what TakeInvite began; forget drops the chosen name too.
func (c *CollabTx) ReleaseInvite(ctx context.Context, id int64, forget bool) error {
	name := ""
	if forget {
		name = ", signup_name = ''"
	}
	_, err := c.t.exec(ctx, "UPDATE collab_invitations SET taken_until = 0"+name+" WHERE id = ?", id)
	return err
}

// DeleteInvite removes an invitation; one that is not there is no error.
func (c *CollabTx) DeleteInvite(ctx context.Context, id int64) error {
	_, err := c.t.exec(ctx, "DELETE FROM collab_invitations WHERE id = ?", id)
	return err
}

// Request is the wish to connect a collaboration to a service.
type Request struct {
	ID         int64
	Collab     int64
	Service    int64
	Identifier string
	TokenHash  []byte
	Requester  int64 // uid
	ForOrg     bool  // the organisation is asked first
	Status     string
	Reason     string
	Stamp
}

const requestColumns = "collab_id, service_id, identifier, token_hash, requester, for_org, status, reason, " + stampColumns

func (r *Request) values() []any {
	return append([]any{r.Collab, r.Service, r.Identifier, r.TokenHash, r.Requester, r.ForOrg, r.Status, r.Reason}, r.args()...)
}

func scanRequest(scan func(...any) error) (Request, error) {
	var r Request
	var n stampScan
	err := scan(append([]any{&r.ID, &r.Collab, &r.Service, &r.Identifier, &r.TokenHash, &r.Requester, &r.ForOrg, &r.Status, &r.Reason},
		n.dest(&r.Stamp)...)...)
	n.set(&r.Stamp)
	return r, err
}

// OpenRequests lists the open requests of a collaboration, by their ids; 0 for
// those of all.
func (c *CollabTx) OpenRequests(ctx context.Context, collab int64) ([]Request, error) {
	var list []Request
	err := c.t.each(ctx, "SELECT id, "+requestColumns+" FROM collab_requests WHERE (? = 0 OR collab_id = ?) AND status = 'open' ORDER BY id",
		[]any{collab, collab}, func(rows *sql.Rows) error {
			r, err := scanRequest(rows.Scan)
			list = append(list, r)
			return err
		})
	return list, err
}

// RequestByToken reads a request by the token of its mail. ErrNotFound.
func (c *CollabTx) RequestByToken(ctx context.Context, token string) (Request, error) {
	hash := c.t.store.TokenHash(token)
	return scanRequest(c.t.row(ctx, "SELECT id, "+requestColumns+" FROM collab_requests WHERE token_hash = ?", hash).Scan)
}

// PutRequest stores a new request (ID 0, which is set) or a changed one.
// ErrConflict when there is an open one for the pair, ErrNotFound.
func (c *CollabTx) PutRequest(ctx context.Context, r *Request) error {
	if r.ID != 0 {
		return c.changedOne(ctx, "UPDATE collab_requests SET "+setList(requestColumns)+" WHERE id = ?", append(r.values(), r.ID)...)
	}
	var err error
	r.ID, err = c.insert(ctx, "collab_requests", requestColumns, r.values()...)
	return err
}

// MoveRequest answers an open request, or hands it on (status stays open, forOrg
// false, a new token); false when somebody was faster.
func (c *CollabTx) MoveRequest(ctx context.Context, r Request, from []byte) (bool, error) {
	n, err := c.t.exec(ctx, `UPDATE collab_requests SET status = ?, reason = ?, for_org = ?, token_hash = ?, updated_at = ?, updated_by = ?
		WHERE id = ? AND status = 'open' AND token_hash = ?`,
		r.Status, r.Reason, r.ForOrg, r.TokenHash, micros(r.Updated), clean(r.UpdatedBy, maxActorLen), r.ID, from)
	return n > 0, err
}

// Connected lists the services that a collaboration is connected to, by their
// abbreviations.
func (c *CollabTx) Connected(ctx context.Context, collab int64) ([]Service, error) {
	var list []Service
	err := c.t.each(ctx, "SELECT id, "+serviceColumns+` FROM services WHERE id IN
		(SELECT service_id FROM collab_services WHERE collab_id = ?) ORDER BY abbreviation`, []any{collab}, func(rows *sql.Rows) error {
		s, err := scanService(rows.Scan)
		list = append(list, s)
		return err
	})
	return list, err
}

// ConnectedOfOrg gives the ids of the services of all collaborations of an
// organisation, by collaboration.
func (c *CollabTx) ConnectedOfOrg(ctx context.Context, org int64) (map[int64][]int64, error) {
	found := map[int64][]int64{}
	err := c.t.each(ctx, `SELECT x.collab_id, x.service_id FROM collab_services x JOIN collaborations c ON c.id = x.collab_id
		JOIN services s ON s.id = x.service_id WHERE c.org_id = ? ORDER BY x.collab_id, s.abbreviation`, []any{org}, func(rows *sql.Rows) error {
		var collab, service int64
		err := rows.Scan(&collab, &service)
		found[collab] = append(found[collab], service)
		return err
	})
	return found, err
}

// Connect connects a collaboration to a service; false when it is already.
func (c *CollabTx) Connect(ctx context.Context, collab, service int64) (bool, error) {
	n, err := c.t.exec(ctx, "INSERT INTO collab_services (collab_id, service_id, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
		collab, service, micros(c.t.store.clock()))
	if err != nil || n == 0 {
		return false, err
	}
	return true, c.Touched(ctx, collab)
}

// Disconnect is the reverse of Connect; false when it was not connected.
func (c *CollabTx) Disconnect(ctx context.Context, collab, service int64) (bool, error) {
	n, err := c.t.exec(ctx, "DELETE FROM collab_services WHERE collab_id = ? AND service_id = ?", collab, service)
	if err != nil || n == 0 {
		return false, err
	}
	return true, c.Touched(ctx, collab)
}
