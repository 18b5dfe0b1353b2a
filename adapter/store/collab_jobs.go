package store

import (
	"context"
	"time"
)

// onlyIf is one more condition of a query, or nothing.
func onlyIf(yes bool, condition string) string {
	if !yes {
		return ""
	}
	return " AND " + condition
}

// DueInvites lists open invitations that run out before a time and, with
// unreminded, were not reminded of yet.
func (c *CollabTx) DueInvites(ctx context.Context, before time.Time, unreminded bool, limit int) ([]Invite, error) {
	return c.invites(ctx, "status = 'open' AND expires_at <= ?"+onlyIf(unreminded, "reminded_at = 0")+" ORDER BY expires_at, id LIMIT ?",
		micros(before), limit)
}

// PurgeInvites deletes at most limit invitations that ran out or were ended
// before a time, and tells how many.
func (c *CollabTx) PurgeInvites(ctx context.Context, before time.Time, limit int) (int64, error) {
	return c.t.exec(ctx, `DELETE FROM collab_invitations WHERE id IN
		(SELECT id FROM collab_invitations WHERE status <> 'open' AND expires_at <= ? ORDER BY id LIMIT ?)`, micros(before), limit)
}

// DueMembers lists active memberships that run out before a time and, with
// unwarned, were not warned of yet.
func (c *CollabTx) DueMembers(ctx context.Context, before time.Time, unwarned bool, limit int) ([]Member, error) {
	return c.members(ctx, "status = 'active' AND expires_at <> 0 AND expires_at <= ?"+onlyIf(unwarned, "warned_at = 0")+" ORDER BY expires_at, id LIMIT ?",
		micros(before), limit)
}

// OverMembers lists memberships that ran out before a time.
func (c *CollabTx) OverMembers(ctx context.Context, before time.Time, limit int) ([]Member, error) {
	return c.members(ctx, "status = 'expired' AND expires_at <> 0 AND expires_at <= ? ORDER BY expires_at, id LIMIT ?", micros(before), limit)
}

// DueCollaborations lists active collaborations that run out before a time and,
// with unwarned, were not warned of yet.
func (c *CollabTx) DueCollaborations(ctx context.Context, before time.Time, unwarned bool, limit int) ([]Collaboration, error) {
	return c.collabs(ctx, "status = 'active' AND expires_at <> 0 AND expires_at <= ?"+onlyIf(unwarned, "warned_at = 0")+" ORDER BY expires_at, id LIMIT ?",
		[]any{micros(before), limit})
}

// IdleCollaborations lists active collaborations without an expiry date in which
// nothing happened since a time and, with unwarned, that were not warned of yet.
func (c *CollabTx) IdleCollaborations(ctx context.Context, since time.Time, unwarned bool, limit int) ([]Collaboration, error) {
	return c.collabs(ctx, "status = 'active' AND expires_at = 0 AND active_at <= ?"+onlyIf(unwarned, "warned_at < active_at")+" ORDER BY active_at, id LIMIT ?",
		[]any{micros(since), limit})
}

// OverCollaborations lists collaborations that became expired or suspended
// before a time.
func (c *CollabTx) OverCollaborations(ctx context.Context, before time.Time, limit int) ([]Collaboration, error) {
	return c.collabs(ctx, "status <> 'active' AND ended_at <> 0 AND ended_at <= ? ORDER BY ended_at, id LIMIT ?",
		[]any{micros(before), limit})
}

// EndCollaboration makes an active collaboration expired or suspended; false
// when somebody was faster.
func (c *CollabTx) EndCollaboration(ctx context.Context, id int64, status string) (bool, error) {
	now := micros(c.t.store.clock())
	n, err := c.t.exec(ctx, "UPDATE collaborations SET status = ?, ended_at = ?, updated_at = ? WHERE id = ? AND status = 'active'",
		status, now, now, id)
	if err != nil || n == 0 {
		return false, err
	}
	return true, c.Touched(ctx, id)
}

// WarnCollaboration notes that a collaboration's admins were warned; false when
// somebody was faster. before is the time of the warning that was read.
func (c *CollabTx) WarnCollaboration(ctx context.Context, id int64, before time.Time) (bool, error) {
	n, err := c.t.exec(ctx, "UPDATE collaborations SET warned_at = ? WHERE id = ? AND warned_at = ?",
		micros(c.t.store.clock()), id, micros(before))
	return n > 0, err
}

// WarnMember notes that a member was warned; false when somebody was faster.
func (c *CollabTx) WarnMember(ctx context.Context, id int64) (bool, error) {
	n, err := c.t.exec(ctx, "UPDATE collab_members SET warned_at = ? WHERE id = ? AND warned_at = 0", micros(c.t.store.clock()), id)
	return n > 0, err
}

// EndMember makes an active membership expired; false when somebody was faster.
func (c *CollabTx) EndMember(ctx context.Context, m Member) (bool, error) {
	now := micros(c.t.store.clock())
	n, err := c.t.exec(ctx, "UPDATE collab_members SET status = 'expired', updated_at = ? WHERE id = ? AND status = 'active' AND expires_at <> 0 AND expires_at <= ?",
		now, m.ID, now)
	if err != nil || n == 0 {
		return false, err
	}
	return true, c.Touched(ctx, m.Collab)
}

// RemindInvite notes that an invitation was reminded of; false when somebody was
// faster.
func (c *CollabTx) RemindInvite(ctx context.Context, id int64, tokenHash []byte) (bool, error) {
	n, err := c.t.exec(ctx, "UPDATE collab_invitations SET reminded_at = ?, token_hash = ? WHERE id = ? AND status = 'open' AND reminded_at = 0",
		micros(c.t.store.clock()), tokenHash, id)
	return n > 0, err
}
