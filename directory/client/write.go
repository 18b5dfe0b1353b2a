package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// Object identifiers of what a server may offer for writes.
const (
	assertionOID  = "1.3.6.1.1.12"            // RFC 4528
	postReadOID   = "1.3.6.1.1.13.2"          // RFC 4527
	incrementOID  = "1.3.6.1.1.14"            // RFC 4525
	permissiveOID = "1.2.840.113556.1.4.1413" // Active Directory: adding twice is no error
)

// Features are what a server offers for writes. They come from its root DSE and
// never from trying: a server may ignore a critical control that it does not know.
type Features struct {
	Vendor         string
	Assertion      bool
	PostRead       bool
	Permissive     bool
	Increment      bool
	PasswordModify bool
}

// featuresFor is how long the features of a server are believed.
const featuresFor = time.Minute

type knownFeatures struct {
	Features
	read time.Time
}

// Features reads what the server in use offers, and remembers it for a minute.
func (c *Client) Features(ctx context.Context) (Features, error) {
	if k := c.features.Load(); k != nil && time.Since(k.read) < featuresFor {
		return k.Features, nil
	}
	dse, err := c.RootDSE(ctx)
	if err != nil {
		return Features{}, err
	}
	f := Features{
		Vendor: dse.Vendor, Assertion: dse.Has(assertionOID), PostRead: dse.Has(postReadOID), Permissive: dse.Has(permissiveOID),
		Increment: dse.Has(incrementOID), PasswordModify: dse.Has(passwordModifyOID),
	}
	c.features.Store(&knownFeatures{f, time.Now()})
	return f, nil
}

// Assert makes the control that lets a write happen only while the filter is
// true of its target (RFC 4528): else it answers 122. The filter's values are escaped.
func Assert(filter string) (ldap.Control, error) {
	packet, err := ldap.CompileFilter(filter)
	if err != nil {
		return nil, fmt.Errorf("assertion: %w", err)
	}
	return ldap.NewControlString(assertionOID, true, string(packet.Bytes())), nil
}

// PostRead makes the control that sends attributes of the entry back as they are
// after the write (RFC 4527).
func PostRead(attributes []string) ldap.Control {
	list := ber.NewSequence("")
	for _, name := range attributes {
		list.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, name, ""))
	}
	return ldap.NewControlString(postReadOID, false, string(list.Bytes()))
}

// Permissive makes the control with which a value that is there, or not there,
// already is no error.
func Permissive() ldap.Control { return ldap.NewControlString(permissiveOID, false, "") }

// Add makes an entry. Errors as of Do.
func (c *Client) Add(ctx context.Context, req *ldap.AddRequest) error {
	return c.Do(ctx, func(l *ldap.Conn) error { return l.Add(req) })
}

// Modify changes an entry and gives what a post-read control brought; nil
// without one. Errors as of Do.
func (c *Client) Modify(ctx context.Context, req *ldap.ModifyRequest) (post *ldap.Entry, err error) {
	err = c.Do(ctx, func(l *ldap.Conn) error {
		result, err := l.ModifyWithResult(req)
		if err != nil {
			return err
		}
		post = postRead(result.Controls)
		return nil
	})
	return post, err
}

// ModifyDN renames or moves an entry. Errors as of Do.
func (c *Client) ModifyDN(ctx context.Context, req *ldap.ModifyDNRequest) error {
	return c.Do(ctx, func(l *ldap.Conn) error { return l.ModifyDN(req) })
}

// Delete removes an entry. Errors as of Do.
func (c *Client) Delete(ctx context.Context, req *ldap.DelRequest) error {
	return c.Do(ctx, func(l *ldap.Conn) error { return l.Del(req) })
}

// SetPassword sets somebody's password as the service account, by the extended
// operation of RFC 3062, or by Active Directory's unicodePwd. Errors: as of Do,
// and *directory.PasswordError for a refusal.
func (c *Client) SetPassword(ctx context.Context, dn, password string, activeDirectory bool) error {
	if !presentable(dn, password) {
		return &directory.PasswordError{Detail: "refused here: empty, too long, or with a NUL"}
	}
	if activeDirectory && !c.encrypted() {
		return c.unavailable("password", errNeedsTLS)
	}
	err := c.Do(ctx, func(l *ldap.Conn) error {
		if activeDirectory {
			modify := ldap.NewModifyRequest(dn, nil)
			modify.Replace("unicodePwd", []string{unicodePassword(password)})
			return l.Modify(modify)
		}
		_, err := l.Extended(passwordModify(directory.PasswordChange{DN: dn, New: password}, false))
		return err
	})
	if err == nil || errors.Is(err, ErrOutcomeUnknown) || ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		return err
	}
	return c.passwordFault(err)
}

// Encrypted tells whether passwords can be sent: all servers are spoken to over
// TLS or a local socket.
func (c *Client) Encrypted() bool { return c.encrypted() }

// postRead finds the entry that a post-read control holds.
func postRead(controls []ldap.Control) *ldap.Entry {
	for _, control := range controls {
		c, ok := control.(*ldap.ControlString)
		if !ok || c.ControlType != postReadOID {
			continue
		}
		packet, err := ber.DecodePacketErr([]byte(c.ControlValue))
		if err != nil || len(packet.Children) < 2 {
			return nil
		}
		return decodeEntry(packet)
	}
	return nil
}

// decodeEntry reads a SearchResultEntry (RFC 4511 §4.5.2); nil where it is none.
func decodeEntry(packet *ber.Packet) *ldap.Entry {
	dn, ok := packet.Children[0].Value.(string)
	if !ok {
		return nil
	}
	entry := &ldap.Entry{DN: dn}
	for _, item := range packet.Children[1].Children {
		if len(item.Children) < 2 {
			return nil
		}
		name, ok := item.Children[0].Value.(string)
		if !ok {
			return nil
		}
		a := &ldap.EntryAttribute{Name: name}
		for _, value := range item.Children[1].Children {
			raw := value.Data.Bytes()
			a.Values, a.ByteValues = append(a.Values, string(raw)), append(a.ByteValues, raw)
		}
		entry.Attributes = append(entry.Attributes, a)
	}
	return entry
}
