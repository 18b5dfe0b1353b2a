package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-ldap/ldap/v3"
)

var errNoRootDSE = errors.New("the server shows no root DSE")

// Weaknesses asks the server, on connections that are thrown away, for two
// settings that are dangerous behind careless programs, and gives a sentence
// for each that it has: it answers anonymous searches below base, or lets
// somebody in with a DN and no password. Portico does not depend on either; the
// administrator should know.
func (c *Client) Weaknesses(ctx context.Context, base string) ([]string, error) {
	var found []string
	err := c.once(ctx, forStrangers, func(k *conn) {
		res, err := k.l.Search(ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 1, 0, false,
			"(objectClass=*)", []string{"1.1"}, nil))
		if err == nil && len(res.Entries) > 0 || ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
			found = append(found, fmt.Sprintf("the directory answers anonymous searches below %q", base))
		}
	})
	if err != nil {
		return nil, err
	}
	err = c.once(ctx, forBinds, func(k *conn) {
		// The only empty password that ever leaves this program: for a DN that
		// nobody has, to see whether the server would take it for anonymous.
		if _, err := k.x.simpleBind(DummyDN(base), ""); err == nil {
			found = append(found, "the directory accepts a bind with a DN and no password (an unauthenticated bind) as a success")
		}
	})
	return found, err
}

// once runs f on a connection that is made for it and thrown away.
func (c *Client) once(ctx context.Context, p purpose, f func(*conn)) error {
	k, err := c.dialAny(ctx, p)
	if err != nil {
		return c.unavailable("weaknesses", err)
	}
	defer k.kill()
	if _, cut := k.within(ctx, c.cfg.Timeout, func() error { f(k); return nil }); cut != nil {
		return c.cut("weaknesses", k, cut)
	}
	return nil
}
