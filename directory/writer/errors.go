package writer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/client"
)

func fail(f directory.WriteFault, attribute, format string, args ...any) error {
	return &directory.WriteError{Fault: f, Attribute: attribute, Detail: fmt.Sprintf(format, args...)}
}

// code is the result code that a server answered with; 0 where it did not.
func code(err error) uint16 {
	var e *ldap.Error
	if errors.As(err, &e) && e.ResultCode < ldap.ErrorNetwork {
		return e.ResultCode
	}
	return 0
}

// explain turns the error of a request into a *directory.WriteError. name is
// Portico's attribute that a collision is about.
func (w *Writer) explain(kind directory.Kind, what string, err error) error {
	var done *directory.WriteError
	var refused *directory.PasswordError
	var elsewhere *client.ReferralError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &done):
		return err
	case errors.As(err, &refused):
		return &directory.WriteError{Fault: directory.WritePassword, Attribute: "password", Err: err}
	case errors.As(err, &elsewhere):
		return &directory.WriteError{Fault: directory.WriteMisconfigured, Detail: what + ": " + elsewhere.Error(), Err: err}
	case errors.Is(err, client.ErrOutcomeUnknown):
		return &directory.WriteError{Fault: directory.WriteUnknown, Detail: what, Err: err}
	case errors.Is(err, directory.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &directory.WriteError{Fault: directory.WriteUnavailable, Detail: what, Err: err}
	}
	return w.byCode(kind, what, err)
}

// byCode judges a server's refusal. What servers say of bad values may hold the
// value: only the attribute is taken from it.
func (w *Writer) byCode(kind directory.Kind, what string, err error) error {
	c := code(err)
	text := ""
	var e *ldap.Error
	if errors.As(err, &e) && e.Err != nil {
		text = strings.ToLower(e.Err.Error())
	}
	bare := fmt.Sprintf("%s: %d %s", what, c, ldap.LDAPResultCodeMap[c])
	switch c {
	case ldap.LDAPResultEntryAlreadyExists:
		return fail(directory.WriteExists, w.nameOf(kind), "%s", bare)
	case ldap.LDAPResultConstraintViolation:
		if strings.Contains(text, "already exists") || strings.Contains(text, "not unique") || strings.Contains(text, "000021c8") {
			return fail(directory.WriteExists, w.attributeIn(kind, text, w.nameOf(kind)), "%s", bare)
		}
		return fail(directory.WriteInvalid, w.attributeIn(kind, text, ""), "%s", bare)
	case ldap.LDAPResultUndefinedAttributeType, ldap.LDAPResultInvalidAttributeSyntax, ldap.LDAPResultObjectClassViolation,
		ldap.LDAPResultNoSuchAttribute, ldap.LDAPResultAttributeOrValueExists, ldap.LDAPResultInvalidDNSyntax,
		ldap.LDAPResultNamingViolation, ldap.LDAPResultNotAllowedOnRDN, ldap.LDAPResultInappropriateMatching:
		return fail(directory.WriteInvalid, w.attributeIn(kind, text, ""), "%s", bare)
	case ldap.LDAPResultNoSuchObject:
		return &directory.WriteError{Fault: directory.WriteNotFound, Detail: bare}
	case ldap.LDAPResultAssertionFailed:
		return fail(directory.WriteStale, "", "%s", bare)
	case ldap.LDAPResultNotAllowedOnNonLeaf:
		return fail(directory.WriteNotLeaf, "", "%s", bare)
	case ldap.LDAPResultInsufficientAccessRights:
		return fail(directory.WriteDenied, "", "%s: the service account has no right to it", bare)
	case ldap.LDAPResultConfidentialityRequired, ldap.LDAPResultStrongAuthRequired, ldap.LDAPResultUnwillingToPerform:
		return &directory.WriteError{Fault: directory.WriteMisconfigured, Detail: bare, Err: err}
	}
	return &directory.WriteError{Fault: directory.WriteFailed, Detail: bare, Err: err}
}

// nameOf is Portico's attribute that names entries of a kind.
func (w *Writer) nameOf(kind directory.Kind) string {
	if kind == directory.KindGroup {
		return directory.AttrName
	}
	return directory.AttrUsername
}

// attributeIn finds the attribute that a server's text is about, by Portico's name.
func (w *Writer) attributeIn(kind directory.Kind, text, otherwise string) string {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-')
	})
	for _, word := range words {
		if found := w.enc.AttributeOf(kind, word); found != "" {
			return found
		}
	}
	return otherwise
}

// look tells whether a write was carried out.
type look func(ctx context.Context) (done bool, err error)

// surely runs a write. Where its answer is lost it looks, until what was asked
// for shows, or has not shown for a while, or the directory stays away. It never
// writes twice.
func (w *Writer) surely(ctx context.Context, what string, write func(context.Context) error, look look) error {
	err := write(ctx)
	if !errors.Is(err, client.ErrOutcomeUnknown) {
		return err
	}
	w.log.WarnContext(ctx, "the answer to a write was lost; looking whether it was carried out", "write", what, "error", err)
	giveUp := time.Now().Add(w.cfg.Patience)
	var settled time.Time // when an outcome that does not show counts as "not carried out"
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		done, lookErr := look(ctx)
		now := time.Now()
		switch {
		case lookErr == nil && done:
			w.log.InfoContext(ctx, "the write was carried out", "write", what)
			return nil
		case lookErr == nil && settled.IsZero():
			settled = now.Add(w.cfg.Settle)
		case lookErr == nil && now.After(settled):
			return fail(directory.WriteUnavailable, "", "%s: the answer was lost, and the directory shows that it was not carried out", what)
		case now.After(giveUp) || ctx.Err() != nil:
			return &directory.WriteError{Fault: directory.WriteUnknown, Detail: what, Err: err}
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// patiently does what belongs to a write that is made already, and may be
// repeated: while the directory is away it is tried again for a while.
func (w *Writer) patiently(ctx context.Context, do func() error) error {
	giveUp := time.Now().Add(w.cfg.Patience)
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := do()
		if !errors.Is(err, directory.ErrUnavailable) || time.Now().After(giveUp) || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}
