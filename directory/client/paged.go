package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// defaultPage is the page size where the caller gives none; Active Directory's
// limit is 1000.
const defaultPage = 500

// errPagingStuck is a server that gives the same empty page for ever.
var errPagingStuck = errors.New("the server repeats an empty page")

// SearchPaged reads any number of entries in pages (RFC 2696) on a connection
// of its own and hands each to each, in order, as it arrives. nil means that
// each saw all of them; after any error it has seen a part that must not be
// taken for the whole. An error of each ends the read and is returned as it is.
// Only silence is limited in time, not the whole read.
func (c *Client) SearchPaged(ctx context.Context, req *ldap.SearchRequest, pageSize uint32, each func(*ldap.Entry) error) error {
	if err := c.enterStream(ctx); err != nil {
		return c.unavailable("paged search", err)
	}
	defer func() { <-c.streams }()
	k, err := c.dialAny(ctx, forService)
	if err != nil {
		return c.unavailable("paged search", err)
	}
	whole := false
	defer func() {
		if whole {
			k.close()
		} else {
			k.kill()
		}
	}()
	if pageSize == 0 {
		pageSize = defaultPage
	}
	var cookie []byte
	for first := true; ; first = false {
		p := page{c: c, k: k, each: each}
		if err := p.read(ctx, req, pageSize, cookie); err != nil {
			return err
		}
		switch {
		case !p.paged && !first:
			return c.wrap("paged search", ldap.NewError(ldap.ErrorUnexpectedResponse, errors.New("a page came without its control")))
		case len(p.cookie) == 0:
			whole = true
			return nil
		case p.entries == 0 && string(p.cookie) == string(cookie):
			return c.wrap("paged search", ldap.NewError(ldap.ErrorUnexpectedResponse, errPagingStuck))
		}
		cookie = p.cookie
	}
}

func (c *Client) enterStream(ctx context.Context) error {
	timer := time.NewTimer(c.cfg.Timeout)
	defer timer.Stop()
	select {
	case c.streams <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return fmt.Errorf("%d paged reads are under way already", maxStreams)
	}
}

// page reads one page.
type page struct {
	c       *Client
	k       *conn
	each    func(*ldap.Entry) error
	entries int
	paged   bool // the answer had the paging control
	cookie  []byte
}

func (p *page) read(ctx context.Context, req *ldap.SearchRequest, size uint32, cookie []byte) error {
	const what = "paged search"
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(ctx, p.k.kill)
	defer stop()
	silence := time.AfterFunc(p.c.cfg.Timeout, func() { cancel(errNoAnswer) })
	defer silence.Stop()

	paging := ldap.NewControlPaging(size)
	paging.SetCookie(cookie)
	own := *req // go-ldap's own paging appends to the caller's request; we do not
	own.Controls = append(append([]ldap.Control(nil), req.Controls...), paging)
	stream := p.k.l.SearchAsync(ctx, &own, 64)
	for stream.Next() {
		silence.Stop()
		if err := p.take(stream); err != nil {
			return err
		}
		silence.Reset(p.c.cfg.Timeout)
	}
	silence.Stop()
	err := stream.Err()
	switch {
	case err != nil && answered(err):
		return p.c.wrap(what, err)
	case errors.Is(context.Cause(ctx), errNoAnswer):
		return p.c.cut(what, p.k, errNoAnswer)
	case ctx.Err() != nil:
		return p.c.cut(what, p.k, ctx.Err())
	case err == nil && p.k.broken():
		// go-ldap ends the stream without a word in some cases.
		err = ldap.NewError(ldap.ErrorNetwork, errors.New("the connection was lost"))
	case err == nil:
		err = p.k.strange()
	}
	return p.c.wrap(what, err)
}

func (p *page) take(stream ldap.Response) error {
	if stream.Referral() != "" {
		p.c.noteReferrals(1)
	}
	for _, control := range stream.Controls() {
		if c, ok := control.(*ldap.ControlPaging); ok {
			p.paged, p.cookie = true, c.Cookie
		}
	}
	if e := stream.Entry(); e != nil {
		p.entries++
		return p.each(e)
	}
	return nil
}
