package embedded

import "strconv"

// pages is what is left of a paged search. A connection has one at a time.
type pages struct {
	cookie string
	uuids  []string
	sent   int
	fault  *fault // to end with
}

// searchPage sends one page of a search (RFC 2696). Entries are read again for
// each page, so that deleted ones do not appear.
func (c *conn) searchPage(o *operation, q query, x *options, fl *Faults) *fault {
	c.mu.Lock()
	left := c.pages
	c.pages = nil
	c.mu.Unlock()
	if x.paging.cookie != "" && (left == nil || left.cookie != x.paging.cookie) {
		return refuse(resultProtocolError, "paged results cookie is invalid")
	}
	var refs [][]string
	if x.paging.cookie == "" {
		got := c.store.find(q, o)
		if got.fault != nil && got.fault.code != resultSizeLimit {
			return got.fault
		}
		left = &pages{fault: got.fault}
		for _, v := range got.views {
			left.uuids = append(left.uuids, c.store.schema.uuid(v.entry))
		}
		refs = got.references
	}
	size := int(min(x.paging.size, 1<<31-1))
	if size == 0 && x.paging.cookie != "" { // the client has enough
		x.replies = append(x.replies, pageReply(""))
		return nil
	}
	if size > 0 {
		size = least(size, fl.PageLimit)
	}
	page := left.uuids[:min(size, len(left.uuids))]
	left.uuids = left.uuids[len(page):]
	if f := c.sendFound(o, q, found{views: c.store.reread(page), references: refs}); f != nil {
		return f
	}
	if len(left.uuids) == 0 {
		x.replies = append(x.replies, pageReply(""))
		return left.fault
	}
	left.sent += len(page)
	left.cookie = "page" + strconv.Itoa(left.sent)
	c.mu.Lock()
	c.pages = left
	c.mu.Unlock()
	x.replies = append(x.replies, pageReply(left.cookie))
	return nil
}

func pageReply(cookie string) reply {
	return reply{oid: oidPaging, value: sequence(integer(0), octets(cookie))}
}

// reread gives the present state of entries by their ids.
func (st *store) reread(uuids []string) []view {
	st.mu.RLock()
	defer st.mu.RUnlock()
	var views []view
	for _, id := range uuids {
		if e := st.tree.byUUID(id); e != nil {
			views = append(views, st.view(e))
		}
	}
	return views
}
