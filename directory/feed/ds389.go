package feed

import (
	"context"
	"fmt"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// idsInFilter is how many entries are asked for in one request.
const idsInFilter = 50

// reread replaces the entries of a resume on 389 DS by what an ordinary search
// says. There a resume ignores the list of attributes and sends all user
// attributes and no operational ones: a disabled account would look like any
// other. Who is not found any more is gone, or leaves the filter with an event
// that is still to come.
func (s *syncrepl) reread(ctx context.Context, ops []op) error {
	var ids []string
	for _, o := range ops {
		if o.entry != nil {
			ids = append(ids, o.stable)
		}
	}
	found := make(map[string]*ldap.Entry, len(ids))
	for len(ids) > 0 {
		n := min(len(ids), idsInFilter)
		req, err := s.m.ByStableIDs(ids[:n])
		if err != nil {
			return fmt.Errorf("read changed entries: %w", err)
		}
		ids = ids[n:]
		res, err := s.dir.Search(ctx, req)
		if err != nil {
			return fmt.Errorf("read changed entries: %w", err)
		}
		for _, e := range res.Entries {
			found[s.m.Stable(e)] = e
		}
	}
	for i := range ops {
		if ops[i].entry != nil {
			ops[i].entry = found[ops[i].stable]
		}
	}
	return nil
}

// distrust plans a reconciliation at once after a resume on 389 DS in which
// anything happened: who stopped matching the filter while nobody listened is not
// mentioned.
func (s *syncrepl) distrust() {
	if s.server.vendor != vendor389 || !s.resumed {
		return
	}
	before, _ := cookie389(s.began)
	after, ok := cookie389(s.cookie)
	if !ok || before != after {
		s.nextFull = s.now()
	}
}

// probeLimit finds out why a refresh stands still. 389 DS that has reached a limit
// of the service account while it sends a refresh says nothing more, for ever. The
// same search without synchronisation is answered with the error.
func (s *syncrepl) probeLimit(ctx context.Context) error {
	st := s.status.get()
	if s.server.vendor != vendor389 || st.Phase != PhaseRefreshing {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	conn, _, err := s.dir.Dedicated(ctx)
	if err != nil {
		cancel()
		return nil //nolint:nilerr // a later heartbeat asks again
	}
	defer conn.Close()
	defer cancel()
	req := s.m.IDs()
	req.SizeLimit = int(min(st.Entries+1, 1<<30))
	stream, count := conn.SearchAsync(ctx, req, streamBuffer), int64(0)
	last := time.Now()
	for stream.Next() {
		if stream.Entry() != nil {
			count++
		}
		if time.Since(last) > time.Second { // the refresh may have gone on
			if last = time.Now(); s.pump.silence() < s.cfg.Heartbeat/2 {
				return nil
			}
		}
	}
	switch err := stream.Err(); code(err) {
	case ldap.LDAPResultSizeLimitExceeded:
		if count <= st.Entries {
			return err
		}
	case ldap.LDAPResultTimeLimitExceeded, ldap.LDAPResultAdminLimitExceeded:
		return err
	}
	return nil
}
