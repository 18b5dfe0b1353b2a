package embedded

import (
	"encoding/hex"
	"slices"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// States of an entry, RFC 4533 §2.3.
const (
	syncAdd    = 1
	syncModify = 2
	syncDelete = 3

	syncNewCookie = -1 // not on the wire: something changed that the search does not see
)

// idSetSize is how many ids go into one sync info message.
const idSetSize = 500

// sessionLog remembers which entries changed lately, in order.
type sessionLog struct {
	size  int
	floor string // nothing is known of changes up to this CSN
	list  []logged
}

type logged struct{ csn, uuid string }

func (l *sessionLog) add(csn, uuid string) {
	l.list = append(l.list, logged{csn, uuid})
	if over := len(l.list) - l.size; over > 0 {
		l.floor = l.list[over-1].csn
		l.list = slices.Delete(l.list, 0, over)
	}
}

// reset forgets everything up to csn, as a restart does.
func (l *sessionLog) reset(csn string) { l.floor, l.list = csn, nil }

// since lists the entries that changed after csn, each once; ok is false where
// the log does not reach back that far.
func (l *sessionLog) since(csn string) (uuids []string, ok bool) {
	if csn < l.floor {
		return nil, false
	}
	seen := map[string]bool{}
	for _, x := range l.list {
		if x.csn > csn && !seen[x.uuid] {
			seen[x.uuid] = true
			uuids = append(uuids, x.uuid)
		}
	}
	return uuids, true
}

// refresh is the first stage of a synchronization.
type refresh struct {
	views    []view   // to send as added
	ids      []string // present or deleted, as deletes says
	deletes  bool     // delete phase; else present phase
	cookie   string   // new cookie, "" where nothing is new
	fault    *fault
	consumer *feed
}

// synchronize answers a search with the sync request control.
func (c *conn) synchronize(o *operation, q query, x *options) *fault {
	if c.srv.faults().StaleCookie && x.sync.cookie != "" {
		return refuse(resultSyncRefreshRequired, "sync cookie is stale")
	}
	r := c.store.refresh(o, q, x.sync)
	if r.consumer != nil {
		defer c.store.unfollow(r.consumer)
		c.mu.Lock()
		c.persistent++
		c.mu.Unlock()
		defer func() {
			c.mu.Lock()
			c.persistent--
			c.mu.Unlock()
		}()
	}
	if err := c.sendRefresh(o, q, r); err != nil {
		return nil
	}
	if r.fault != nil {
		return r.fault
	}
	if !x.sync.persist {
		x.replies = append(x.replies, syncDone(r.cookie, r.deletes))
		return nil
	}
	if err := o.send(refreshDone(r.cookie, r.deletes), nil); err != nil {
		return nil
	}
	return c.persist(o, q, r.consumer)
}

func (c *conn) sendRefresh(o *operation, q query, r refresh) error {
	for ids := range slices.Chunk(r.ids, idSetSize) {
		cookie := ""
		if r.deletes {
			cookie = r.cookie
		}
		if err := o.send(idSet(ids, r.deletes, cookie), nil); err != nil {
			return err
		}
	}
	for i, v := range r.views {
		state := syncState(syncAdd, c.store.schema.uuid(v.entry), "")
		if err := c.sendView(o, q, v, i, []reply{state}); err != nil {
			return err
		}
	}
	return nil
}

// refresh finds out what the consumer with that cookie lacks, and begins to
// follow changes for a persistent search, both at one moment.
func (st *store) refresh(o *operation, q query, req *syncRequest) refresh {
	st.mu.Lock()
	defer st.mu.Unlock()
	since := cookieCSN(req.cookie)
	if since > st.context {
		return refresh{fault: refuse(resultUnwilling, "consumer state is newer than provider!")}
	}
	got := st.findLocked(q, o)
	if got.fault != nil && got.fault.code != resultSizeLimit {
		return refresh{fault: got.fault}
	}
	r := refresh{deletes: true, cookie: st.cookie(), fault: got.fault}
	changed, logged := st.log.since(since)
	switch {
	case since == "":
		r.views = got.views
		if req.cookie != "" && !strings.HasPrefix(req.cookie, "rid=") {
			r.cookie = "" // as OpenLDAP does with what it cannot read at all
		}
	case since == st.context:
		r.cookie, r.fault = "", nil
	case logged:
		st.deletePhase(&r, got.views, changed)
	default:
		st.presentPhase(&r, got.views, since)
	}
	if req.persist && r.fault == nil {
		r.consumer = newFeed(st, q)
		st.follow(r.consumer)
	}
	return r
}

// deletePhase sends what changed and still matches, and names what changed and
// no longer does.
func (st *store) deletePhase(r *refresh, matching []view, changed []string) {
	byID := make(map[string]view, len(matching))
	for _, v := range matching {
		byID[st.schema.uuid(v.entry)] = v
	}
	for _, id := range changed {
		if v, ok := byID[id]; ok {
			r.views = append(r.views, v)
		} else {
			r.ids = append(r.ids, id)
		}
	}
}

// presentPhase sends what changed and names all that there is.
func (st *store) presentPhase(r *refresh, matching []view, since string) {
	r.deletes = false
	for _, v := range matching {
		r.ids = append(r.ids, st.schema.uuid(v.entry))
		if v.entry.first(st.schema.entryCSN) > since {
			r.views = append(r.views, v)
		}
	}
}

// cookie is OpenLDAP's form of a sync cookie for the present state.
func (st *store) cookie() string { return cookieOf(st.context) }

func cookieOf(csn string) string { return "rid=000,sid=" + serverID + ",csn=" + csn }

// cookieCSN finds this server's CSN in a cookie. What is not a cookie of this
// form counts as none.
func cookieCSN(cookie string) string {
	for part := range strings.SplitSeq(cookie, ",") {
		list, ok := strings.CutPrefix(part, "csn=")
		if !ok {
			continue
		}
		for csn := range strings.SplitSeq(list, ";") {
			if validCSN(csn) && strings.Contains(csn, "#"+serverID+"#") {
				return csn
			}
		}
	}
	return ""
}

func uuidBytes(id string) string {
	raw, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil {
		return ""
	}
	return string(raw)
}

func syncState(state int, id, cookie string) reply {
	v := sequence(enumerated(state), octets(uuidBytes(id)))
	if cookie != "" {
		v.AppendChild(octets(cookie))
	}
	return reply{oid: oidSyncState, value: v}
}

func syncDone(cookie string, deletes bool) reply {
	v := sequence()
	if cookie != "" {
		v.AppendChild(octets(cookie))
	}
	if deletes {
		v.AppendChild(boolean(true))
	}
	return reply{oid: oidSyncDone, value: v}
}

// refreshDone announces the end of the refresh stage of a persistent search.
func refreshDone(cookie string, deletes bool) *ber.Packet {
	tag := ber.Tag(2)
	if deletes {
		tag = 1
	}
	v := constructed(ber.ClassContext, tag)
	if cookie != "" {
		v.AppendChild(octets(cookie))
	}
	return intermediate(oidSyncInfo, v)
}

// newCookie tells of a change that the search does not see.
func newCookie(cookie string) *ber.Packet {
	return intermediate(oidSyncInfo, contextOctets(0, cookie))
}

func idSet(ids []string, deletes bool, cookie string) *ber.Packet {
	v := constructed(ber.ClassContext, 3)
	if cookie != "" {
		v.AppendChild(octets(cookie))
	}
	if deletes {
		v.AppendChild(boolean(true))
	}
	set := constructed(ber.ClassUniversal, ber.TagSet)
	for _, id := range ids {
		set.AppendChild(octets(uuidBytes(id)))
	}
	v.AppendChild(set)
	return intermediate(oidSyncInfo, v)
}
