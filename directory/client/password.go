package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// passwordModifyOID is the extended operation of RFC 3062.
const passwordModifyOID = "1.3.6.1.4.1.4203.1.11.1"

// errNeedsTLS: Active Directory takes passwords over TLS only, and refuses
// others after they were on the wire.
var errNeedsTLS = errors.New("passwords can be changed over TLS only: use ldaps:// URLs or start_tls: true")

// ChangePassword changes a person's password after the old one was verified by a
// bind. It is done on a connection of its own, bound as that person; only where
// the server does not let the person in for it (expired) or gives no right to
// it, the service account does it. What the person's policy says holds either
// way. Nothing is repeated.
//
// Errors: *directory.PasswordError for a refusal; directory.ErrUnavailable
// wrapped, also when the server is not set up for it.
func (c *Client) ChangePassword(ctx context.Context, change directory.PasswordChange) error {
	if !presentable(change.DN, change.Old) {
		return &directory.PasswordError{Fault: directory.PasswordOldWrong, Detail: "refused here: empty, too long, or with a NUL"}
	}
	if !presentable(change.DN, change.New) {
		return &directory.PasswordError{Detail: "refused here: empty, too long, or with a NUL"}
	}
	if change.ActiveDirectory {
		return c.changeUnicodePassword(ctx, change)
	}
	done, err := c.changeAsPerson(ctx, change)
	if done || err != nil {
		return err
	}
	return c.changeAsService(ctx, change)
}

// changeAsPerson is false without an error when the old password is right and
// the service account has to do it.
func (c *Client) changeAsPerson(ctx context.Context, change directory.PasswordChange) (done bool, err error) {
	cut := c.once(ctx, forStrangers, func(k *conn) {
		bind := ldap.NewSimpleBindRequest(change.DN, change.Old, []ldap.Control{ldap.NewControlBeheraPasswordPolicy()})
		var controls []ldap.Control
		answer, bindErr := k.l.SimpleBind(bind)
		if answer != nil {
			controls = answer.Controls
		}
		verdict := judge(controls, bindErr)
		switch verdict.Verdict {
		case directory.VerdictSignedIn, directory.VerdictGrace, directory.VerdictMustChange:
		case directory.VerdictPasswordExpired:
			return
		default:
			err = c.notVerified(verdict)
			return
		}
		_, err = k.l.Extended(passwordModify(change, true))
		if withoutRight(err) {
			err = nil
			return
		}
		done = err == nil
	})
	if cut != nil {
		return false, cut
	}
	return done, c.passwordFault(err)
}

// withoutRight tells whether err means that this person's entry may be changed
// by others only, without the policy saying so.
func withoutRight(err error) bool {
	return ldap.IsErrorWithCode(err, ldap.LDAPResultInsufficientAccessRights) && policyErrorOf(err) == policyNone
}

func (c *Client) changeAsService(ctx context.Context, change directory.PasswordChange) error {
	err := c.Do(ctx, func(l *ldap.Conn) error {
		_, err := l.Extended(passwordModify(change, false))
		return err
	})
	if err != nil {
		return c.passwordFault(err)
	}
	// A policy may say that what others set must be changed again: here the
	// person has set it.
	if c.Bind(ctx, change.DN, change.New).Verdict != directory.VerdictMustChange {
		return nil
	}
	err = c.Do(ctx, func(l *ldap.Conn) error {
		reset := ldap.NewModifyRequest(change.DN, nil)
		reset.Replace("pwdReset", nil)
		return l.Modify(reset)
	})
	if err != nil {
		c.log.Warn("a password was changed, but the server wants it changed again: the service account may not clear pwdReset",
			"dn", change.DN, "error", err)
	}
	return nil
}

// passwordModify makes the request of RFC 3062 §2.
func passwordModify(change directory.PasswordChange, withOld bool) *ldap.ExtendedRequest {
	value := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	value.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, change.DN, ""))
	if withOld {
		value.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 1, change.Old, ""))
	}
	value.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 2, change.New, ""))
	request := ldap.NewExtendedRequest(passwordModifyOID, value)
	request.Controls = []ldap.Control{ldap.NewControlBeheraPasswordPolicy()}
	return request
}

// changeUnicodePassword deletes the old value and adds the new one in one
// request, which Active Directory takes for the person's own change whoever
// sends it (MS-ADTS §3.1.1.3.1.5): the person's policy holds.
func (c *Client) changeUnicodePassword(ctx context.Context, change directory.PasswordChange) error {
	if !c.encrypted() {
		return c.unavailable("password", errNeedsTLS)
	}
	if verdict := c.Bind(ctx, change.DN, change.Old); !verdict.PasswordRight || verdict.Verdict == directory.VerdictDisabled {
		return c.notVerified(verdict)
	}
	err := c.Do(ctx, func(l *ldap.Conn) error {
		modify := ldap.NewModifyRequest(change.DN, nil)
		modify.Delete("unicodePwd", []string{unicodePassword(change.Old)})
		modify.Add("unicodePwd", []string{unicodePassword(change.New)})
		return l.Modify(modify)
	})
	var e *ldap.Error
	if errors.As(err, &e) && e.ResultCode == ldap.LDAPResultConstraintViolation && strings.Contains(e.Error(), "00000056") {
		return &directory.PasswordError{Fault: directory.PasswordOldWrong, Detail: clean(e.Error())}
	}
	return c.passwordFault(err)
}

// encrypted tells whether all servers are spoken to over TLS or a local socket.
func (c *Client) encrypted() bool {
	for _, s := range c.servers {
		if s.scheme == "ldap" && !c.cfg.StartTLS {
			return false
		}
	}
	return true
}

// unicodePassword is the password in double quotes as UTF-16, low byte first.
func unicodePassword(password string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(`"` + password + `"`)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return string(b)
}

// notVerified is the error for a bind that did not prove the old password.
func (c *Client) notVerified(r directory.BindResult) error {
	switch r.Verdict {
	case directory.VerdictWrong:
		return &directory.PasswordError{Fault: directory.PasswordOldWrong, Detail: r.Detail}
	case directory.VerdictLocked, directory.VerdictDisabled:
		return &directory.PasswordError{Fault: directory.PasswordAccountClosed, Detail: r.Detail}
	}
	return c.unavailable("password", errors.New(r.Detail))
}

// passwordFault turns a server's refusal of a new password into ours.
func (c *Client) passwordFault(err error) error {
	var e *ldap.Error
	if err == nil || !errors.As(err, &e) || !answered(err) || errors.Is(err, directory.ErrUnavailable) {
		return c.wrap("password", err)
	}
	text := ""
	if e.Err != nil {
		text = strings.ToLower(e.Err.Error())
	}
	refusal := &directory.PasswordError{
		Fault:  faultOf(policyErrorOf(err), text),
		Detail: clean(fmt.Sprintf("%d %s: %s", e.ResultCode, ldap.LDAPResultCodeMap[e.ResultCode], text)),
	}
	switch e.ResultCode {
	case ldap.LDAPResultConstraintViolation, ldap.LDAPResultInvalidAttributeSyntax:
		return refusal
	case ldap.LDAPResultUnwillingToPerform:
		if strings.Contains(text, "old password") {
			refusal.Fault = directory.PasswordOldWrong
		}
		return refusal
	case ldap.LDAPResultInsufficientAccessRights:
		if policyErrorOf(err) != policyNone {
			refusal.Fault = directory.PasswordNotAllowed
			return refusal
		}
	}
	// Everything else is a matter of how server and service account are set up.
	return c.unavailable("password", err)
}

// faultOf reads the error of the policy control (draft-behera §6.2), else the
// words with which OpenLDAP and 389 DS say the same.
func faultOf(policy int8, text string) directory.PasswordFault {
	says := func(part string) bool { return strings.Contains(text, part) }
	switch {
	case policy == 3:
		return directory.PasswordNotAllowed
	case policy == 6, says("too short"), says("length"):
		return directory.PasswordTooShort
	case policy == 7, says("too young"), says("minimum age"), says("within password minimum"):
		return directory.PasswordTooYoung
	case policy == 8, says("history"), says("not being changed"):
		return directory.PasswordInHistory
	case policy == 5, says("quality"), says("syntax"), says("trivial"), says("dictionary"):
		return directory.PasswordTooWeak
	}
	return directory.PasswordRefused
}

// policyErrorOf finds the password policy control in an answer that is an error.
func policyErrorOf(err error) int8 {
	var e *ldap.Error
	if !errors.As(err, &e) || e.Packet == nil || len(e.Packet.Children) < 3 {
		return policyNone
	}
	for _, child := range e.Packet.Children[2].Children {
		control, err := ldap.DecodeControl(child)
		if p, ok := control.(*ldap.ControlBeheraPasswordPolicy); ok && err == nil {
			return p.Error
		}
	}
	return policyNone
}
