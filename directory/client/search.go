package client

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Search runs one search as the service account and gives everything or an
// error. After a failed connection it is tried once more on a fresh one.
//
// Errors wrap directory.ErrUnavailable (no answer), directory.ErrIncomplete
// (size, time or administrative limit, also the request's own SizeLimit), a
// *ReferralError, or the *ldap.Error with the server's code.
func (c *Client) Search(ctx context.Context, req *ldap.SearchRequest) (*ldap.SearchResult, error) {
	for again := false; ; again = true {
		k, err := c.service.acquire(ctx, again)
		if err != nil {
			return nil, c.unavailable("search", err)
		}
		res, err, lost := c.searchOn(ctx, k, req)
		if lost && !again {
			c.retries.Add(1)
			continue
		}
		if err != nil {
			return nil, err
		}
		c.noteReferrals(len(res.Referrals))
		return res, nil
	}
}

// searchOn searches on k and gives it back. lost is true when the connection
// failed and was not cut by us.
func (c *Client) searchOn(ctx context.Context, k *conn, req *ldap.SearchRequest) (res *ldap.SearchResult, err error, lost bool) {
	keep := false
	defer func() { c.service.release(k, keep) }()
	err, cut := k.within(ctx, c.cfg.Timeout, func() (err error) {
		res, err = k.l.Search(req)
		return err
	})
	if err == nil {
		err = k.strange()
	}
	keep = cut == nil && (err == nil || answered(err) || ldap.IsErrorWithCode(err, ldap.ErrorFilterCompile))
	switch {
	case err == nil:
		return res, nil, false
	case cut != nil && !answered(err):
		return nil, c.cut("search", k, cut), false
	}
	return nil, c.wrap("search", err), !keep
}

// cut explains a request that was ended from our side.
func (c *Client) cut(what string, k *conn, why error) error {
	if errors.Is(why, errNoAnswer) || timeout(why) {
		k.srv.suspect()
	}
	if errors.Is(why, errNoAnswer) {
		why = fmt.Errorf("no answer within %s (pool.timeout)", c.cfg.Timeout)
	}
	return c.unavailable(what, why)
}

// Do lends one service connection to f, for a write and what belongs to it.
// f must not bind on it, and must not keep it; all of it must end within the
// time-out of one request. Nothing is repeated.
//
// When something was sent and the connection failed, the error wraps
// ErrOutcomeUnknown and directory.ErrUnavailable. A server's refusal comes as
// the *ldap.Error, code 10 as a *ReferralError; other errors of f come as they are.
func (c *Client) Do(ctx context.Context, f func(*ldap.Conn) error) error {
	k, err := c.service.acquire(ctx, false)
	if err != nil {
		return c.unavailable("request", err)
	}
	keep := false
	defer func() { c.service.release(k, keep) }()
	before := k.w.sent.Load()
	err, cut := k.within(ctx, c.cfg.Timeout, func() error { return f(k.l) })
	keep = cut == nil && !k.broken()
	var e *ldap.Error
	isLDAP := errors.As(err, &e)
	switch {
	case err == nil:
		return nil
	case answered(err), isLDAP && e.ResultCode == ldap.ErrorFilterCompile:
		return c.wrap("request", err)
	case keep && !isLDAP && !strings.HasPrefix(err.Error(), "ldap: "):
		return err // of f itself; go-ldap's "ldap: unexpected response" is no answer
	}
	keep = false
	if cut != nil {
		err = c.cut("request", k, cut)
	} else {
		err = c.unavailable("request", err)
	}
	if k.w.sent.Load() > before {
		err = fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
	}
	return err
}

// Dedicated makes a service connection for one feed. It has no time-out, only
// TCP keep-alive; the caller ends his stream's context and then closes it. The
// URL says which server it is on.
func (c *Client) Dedicated(ctx context.Context) (conn *ldap.Conn, server string, err error) {
	k, err := c.dialAny(ctx, forService)
	if err != nil {
		return nil, "", c.unavailable("connect", err)
	}
	return k.l, k.srv.raw, nil
}

// Ping asks for a sign of life: the root DSE without attributes.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.Search(ctx, pingRequest())
	return err
}

func pingRequest() *ldap.SearchRequest {
	return ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"1.1"}, nil)
}

// noteReferrals counts referrals and continuation references, and says once
// that there are any.
func (c *Client) noteReferrals(n int) {
	if n == 0 {
		return
	}
	c.referrals.Add(int64(n))
	if c.referralLogged.CompareAndSwap(false, true) {
		c.log.Info("the directory refers to other servers for parts of its tree; referrals are not followed")
	}
}
