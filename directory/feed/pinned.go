package feed

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// Limits of one request on a pinned connection.
const (
	oneEntry = 10 * time.Second // a request for one entry
	onePage  = 2 * time.Minute
)

// errPagingStuck is a server that gives the same empty page for ever.
var errPagingStuck = errors.New("the server repeats an empty page, or a page came without its control")

// pinned reads a directory over one connection, so that one server answers all.
type pinned struct {
	mu   sync.Mutex // one request at a time: the time-out belongs to the connection
	conn *ldap.Conn
	stop func() bool
}

// pin takes over a connection; the end of ctx closes it.
func pin(ctx context.Context, conn *ldap.Conn) *pinned {
	return &pinned{conn: conn, stop: context.AfterFunc(ctx, func() { _ = conn.Close() })}
}

func (p *pinned) close() {
	p.stop()
	_ = p.conn.Close()
}

// Dedicated implements Directory; there is no other connection to be had.
func (p *pinned) Dedicated(context.Context) (conn *ldap.Conn, server string, err error) {
	return nil, "", directory.ErrUnavailable
}

// Search implements Directory.
func (p *pinned) Search(ctx context.Context, req *ldap.SearchRequest) (*ldap.SearchResult, error) {
	return p.search(ctx, req, oneEntry)
}

func (p *pinned) search(ctx context.Context, req *ldap.SearchRequest, limit time.Duration) (*ldap.SearchResult, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.conn.SetTimeout(limit)
	res, err := p.conn.Search(req)
	if err == nil && p.conn.IsClosing() {
		err = fmt.Errorf("the connection was lost: %w", directory.ErrUnavailable)
	}
	return res, err
}

// SearchPaged implements Directory. A page is read whole before it is handed over,
// so that the connection is free for what each asks.
func (p *pinned) SearchPaged(ctx context.Context, req *ldap.SearchRequest, size uint32, each func(*ldap.Entry) error) error {
	var cookie []byte
	for first := true; ; first = false {
		paging := ldap.NewControlPaging(size)
		paging.SetCookie(cookie)
		page := *req
		page.Controls = append(append([]ldap.Control(nil), req.Controls...), paging)
		res, err := p.search(ctx, &page, onePage)
		if err != nil {
			return err
		}
		for _, e := range res.Entries {
			if err := each(e); err != nil {
				return err
			}
		}
		answer, ok := ldap.FindControl(res.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
		switch {
		case !ok && !first, ok && len(res.Entries) == 0 && len(answer.Cookie) > 0 && string(answer.Cookie) == string(cookie):
			return errPagingStuck
		case !ok || len(answer.Cookie) == 0:
			return nil
		}
		cookie = answer.Cookie
	}
}
