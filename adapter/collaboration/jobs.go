package collaboration

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime/debug"
	"time"

	"portico/adapter"
	"portico/adapter/store"
	"portico/internal/texts"
)

// jobBatch bounds what one transaction of a job does.
const jobBatch = 100

// Run does the jobs until ctx ends: it ends what ran out, reminds and warns, and
// deletes what is long over. Several processes may do so at once. A job that
// panics is tried again at the next turn.
func (s *Collaborations) Run(ctx context.Context) {
	tick := time.NewTicker(s.cfg.JobInterval)
	defer tick.Stop()
	for {
		s.RunJobs(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// job handles at most one batch and tells how much it found.
type job struct {
	name string
	run  func(ctx context.Context, c *store.CollabTx) (int, error)
}

// RunJobs does everything that is due now.
func (s *Collaborations) RunJobs(ctx context.Context) {
	for _, j := range []job{
		{"remind of invitations", s.remindInvites},
		{"end invitations", s.endInvites},
		{"delete invitations", s.purgeInvites},
		{"warn members", s.warnMembers},
		{"end memberships", s.endMembers},
		{"delete memberships", s.purgeMembers},
		{"warn of the end of collaborations", s.warnCollabs},
		{"end collaborations", s.endCollabs},
		{"warn of idle collaborations", s.warnIdle},
		{"suspend idle collaborations", s.suspendIdle},
		{"delete collaborations", s.purgeCollabs},
	} {
		for ctx.Err() == nil {
			found, err := s.runJob(ctx, j)
			if err != nil {
				if ctx.Err() == nil {
					s.log.ErrorContext(ctx, "a job of the collaborations failed; it is tried again", "job", j.name, "error", err)
				}
				break
			}
			if found < jobBatch {
				break
			}
		}
	}
}

func (s *Collaborations) runJob(ctx context.Context, j job) (found int, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	err = s.write(ctx, j.name, func(ctx context.Context, c *store.CollabTx) (err error) {
		found, err = j.run(ctx, c)
		return err
	})
	return found, err
}

func jobNote(event adapter.EventType, uid int64, text string) store.Record {
	return adapter.Record(event, uid, "job", adapter.Client{}, text)
}

func (s *Collaborations) remindInvites(ctx context.Context, c *store.CollabTx) (int, error) {
	now := s.now()
	due, err := c.DueInvites(ctx, now.Add(s.cfg.InvitationRemind), true, jobBatch)
	if err != nil {
		return 0, err
	}
	for _, i := range due {
		token := rand.Text()
		// An invitation that was made for less time than that needs no reminder.
		quiet := !now.Before(i.Expires) || i.Expires.Sub(i.Created) <= s.cfg.InvitationRemind
		hash := s.store.TokenHash(token)
		if quiet {
			hash = i.TokenHash
		}
		moved, err := c.RemindInvite(ctx, i.ID, hash)
		if err != nil {
			return 0, err
		}
		if quiet || !moved {
			continue
		}
		collab, err := c.Collaboration(ctx, store.CollabKey{ID: i.Collab})
		if err != nil {
			return 0, err
		}
		org, err := c.OrgByID(ctx, collab.Org)
		if err != nil {
			return 0, err
		}
		services, err := c.Connected(ctx, collab.ID)
		if err != nil {
			return 0, err
		}
		mails, err := s.inviteLetter(org, collab, services, i, token, true)
		if err == nil {
			err = c.QueueMail(ctx, mails...)
		}
		if err != nil {
			return 0, err
		}
	}
	return len(due), nil
}

func (s *Collaborations) endInvites(ctx context.Context, c *store.CollabTx) (int, error) {
	due, err := c.DueInvites(ctx, s.now(), false, jobBatch)
	var notes []store.Record
	for _, i := range due {
		moved, moveErr := c.MoveInvite(ctx, i.ID, Open, Expired, 0, "job")
		if moveErr != nil {
			return 0, moveErr
		}
		if moved {
			notes = append(notes, jobNote(adapter.EventCollabInvite, 0, "invitation "+i.Identifier+" expired"))
		}
	}
	if err == nil {
		err = c.Note(ctx, notes...)
	}
	return len(due), err
}

func (s *Collaborations) purgeInvites(ctx context.Context, c *store.CollabTx) (int, error) {
	n, err := c.PurgeInvites(ctx, s.now().Add(-s.cfg.InvitationPurge), jobBatch)
	return int(n), err
}

func (s *Collaborations) warnMembers(ctx context.Context, c *store.CollabTx) (int, error) {
	now := s.now()
	due, err := c.DueMembers(ctx, now.Add(s.cfg.MembershipWarn), true, jobBatch)
	if err != nil {
		return 0, err
	}
	for _, m := range due {
		moved, err := c.WarnMember(ctx, m.ID)
		if err != nil {
			return 0, err
		}
		if !moved || !now.Before(m.Expires) || m.Expires.Sub(m.Created) <= s.cfg.MembershipWarn {
			continue
		}
		collab, err := c.Collaboration(ctx, store.CollabKey{ID: m.Collab})
		if err != nil {
			return 0, err
		}
		err = s.tell(ctx, c, []int64{m.UID}, texts.CollabLeaveSubject, texts.CollabLeaveBody,
			"collaboration", collab.Name, "until", m.Expires.Format(time.DateOnly))
		if err != nil {
			return 0, err
		}
	}
	return len(due), nil
}

// tell mails people by their numbers.
func (s *Collaborations) tell(ctx context.Context, c *store.CollabTx, uids []int64, subject, body texts.ID, values ...string) error {
	people, err := s.people.PeopleByUID(ctx, uids)
	if err != nil {
		return err
	}
	var to []*adapter.Person
	for _, uid := range uids {
		if p := people[uid]; p != nil {
			to = append(to, p)
		}
	}
	mails, err := s.notice(to, subject, body, values...)
	if err != nil {
		return err
	}
	return c.QueueMail(ctx, mails...)
}

func (s *Collaborations) endMembers(ctx context.Context, c *store.CollabTx) (int, error) {
	due, err := c.DueMembers(ctx, s.now(), false, jobBatch)
	var notes []store.Record
	for _, m := range due {
		moved, moveErr := c.EndMember(ctx, m)
		if moveErr != nil {
			return 0, moveErr
		}
		if moved {
			notes = append(notes, jobNote(adapter.EventCollabMember, m.UID, fmt.Sprintf("membership %d expired", m.ID)))
		}
	}
	if err == nil {
		err = c.Note(ctx, notes...)
	}
	return len(due), err
}

func (s *Collaborations) purgeMembers(ctx context.Context, c *store.CollabTx) (int, error) {
	over, err := c.OverMembers(ctx, s.now().Add(-s.cfg.MembershipPurge), jobBatch)
	var notes []store.Record
	for _, m := range over {
		switch deleteErr := c.DeleteMember(ctx, m); {
		case missing(deleteErr):
		case deleteErr != nil:
			return 0, deleteErr
		default:
			notes = append(notes, jobNote(adapter.EventCollabMember, m.UID, fmt.Sprintf("membership %d deleted", m.ID)))
		}
	}
	if err == nil {
		err = c.Note(ctx, notes...)
	}
	return len(over), err
}

// admins gives the numbers of a collaboration's active administrators.
func (s *Collaborations) admins(ctx context.Context, c *store.CollabTx, collab int64) ([]int64, error) {
	members, err := c.Members(ctx, collab)
	var uids []int64
	for _, m := range members {
		if m.Role == Admin && memberStatus(&m, s.now()) == Active {
			uids = append(uids, m.UID)
		}
	}
	return uids, err
}

func (s *Collaborations) warnCollabs(ctx context.Context, c *store.CollabTx) (int, error) {
	due, err := c.DueCollaborations(ctx, s.now().Add(s.cfg.CollabWarn), true, jobBatch)
	if err != nil {
		return 0, err
	}
	return len(due), s.warn(ctx, c, due, texts.CollabEndsSubject, texts.CollabEndsBody, func(o store.Collaboration) time.Time { return o.Expires })
}

func (s *Collaborations) warnIdle(ctx context.Context, c *store.CollabTx) (int, error) {
	due, err := c.IdleCollaborations(ctx, s.now().Add(s.cfg.CollabWarn-s.cfg.CollabIdle), true, jobBatch)
	if err != nil {
		return 0, err
	}
	return len(due), s.warn(ctx, c, due, texts.CollabIdleSubject, texts.CollabIdleBody,
		func(o store.Collaboration) time.Time { return o.Active.Add(s.cfg.CollabIdle) })
}

func (s *Collaborations) warn(ctx context.Context, c *store.CollabTx, due []store.Collaboration, subject, body texts.ID, end func(store.Collaboration) time.Time) error {
	for _, o := range due {
		moved, err := c.WarnCollaboration(ctx, o.ID, o.Warned)
		if err != nil {
			return err
		}
		if !moved || !s.now().Before(end(o)) {
			continue
		}
		uids, err := s.admins(ctx, c, o.ID)
		if err == nil {
			err = s.tell(ctx, c, uids, subject, body, "collaboration", o.Name, "until", end(o).Format(time.DateOnly))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Collaborations) endCollabs(ctx context.Context, c *store.CollabTx) (int, error) {
	due, err := c.DueCollaborations(ctx, s.now(), false, jobBatch)
	if err != nil {
		return 0, err
	}
	return len(due), s.end(ctx, c, due, Expired)
}

func (s *Collaborations) suspendIdle(ctx context.Context, c *store.CollabTx) (int, error) {
	due, err := c.IdleCollaborations(ctx, s.now().Add(-s.cfg.CollabIdle), false, jobBatch)
	if err != nil {
		return 0, err
	}
	return len(due), s.end(ctx, c, due, Suspended)
}

func (s *Collaborations) end(ctx context.Context, c *store.CollabTx, due []store.Collaboration, status string) error {
	var notes []store.Record
	for _, o := range due {
		moved, err := c.EndCollaboration(ctx, o.ID, status)
		if err != nil {
			return err
		}
		if moved {
			notes = append(notes, jobNote(adapter.EventCollabEnded, 0, "collaboration "+o.Identifier+" "+status))
		}
	}
	return c.Note(ctx, notes...)
}

func (s *Collaborations) purgeCollabs(ctx context.Context, c *store.CollabTx) (int, error) {
	over, err := c.OverCollaborations(ctx, s.now().Add(-s.cfg.CollabPurge), jobBatch)
	var notes []store.Record
	for _, o := range over {
		switch deleteErr := c.DeleteCollaboration(ctx, o); {
		case missing(deleteErr):
		case deleteErr != nil:
			return 0, deleteErr
		default:
			notes = append(notes, jobNote(adapter.EventCollabEnded, 0, "collaboration "+o.Identifier+" deleted"))
		}
	}
	if err == nil {
		err = c.Note(ctx, notes...)
	}
	return len(over), err
}
