package writer

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/mapping"
)

// LockMethod is a way in which a server disables an account.
type LockMethod string

// The methods.
const (
	// LockNone: accounts cannot be disabled here.
	LockNone LockMethod = "none"
	// LockPPolicy: OpenLDAP's pwdAccountLockedTime, which holds only for people to
	// whom a policy with pwdLockout TRUE applies.
	LockPPolicy LockMethod = "ppolicy"
	// LockNS: nsAccountLock of 389 DS and FreeIPA.
	LockNS LockMethod = "nsaccountlock"
	// LockUAC: the bit ACCOUNTDISABLE of Active Directory's userAccountControl.
	LockUAC LockMethod = "useraccountcontrol"
	// LockShadow: shadowExpire of RFC 2307.
	LockShadow LockMethod = "shadow"
	// LockAttribute: a configured attribute with a configured value. Portico heeds
	// it; that the directory does is a matter of its access rules.
	LockAttribute LockMethod = "attribute"
)

// Lock says how accounts are disabled.
type Lock struct {
	Method           LockMethod
	Attribute, Value string // LockAttribute
	PolicyDN         string // LockPPolicy: the default policy; "" where it is not known
}

const (
	lockedForEver  = "000001010000Z"
	accountDisable = 0x2
	normalAccount  = 0x200
)

// locked tells whether an account is disabled by the writer's method.
func (w *Writer) locked(now *ldap.Entry) bool {
	first := now.GetEqualFoldAttributeValue
	switch w.cfg.Lock.Method {
	case LockPPolicy:
		return first("pwdAccountLockedTime") == lockedForEver
	case LockNS:
		return strings.EqualFold(first("nsAccountLock"), "true")
	case LockUAC:
		n, err := strconv.ParseInt(first("userAccountControl"), 10, 64)
		return err == nil && n&accountDisable != 0
	case LockShadow:
		return first("shadowExpire") == "1"
	case LockAttribute:
		for _, v := range now.GetEqualFoldAttributeValues(w.cfg.Lock.Attribute) {
			if strings.EqualFold(v, w.cfg.Lock.Value) {
				return true
			}
		}
	}
	return false
}

// lockChanges are what makes an account disabled or enabled; none where it is so
// already.
func (w *Writer) lockChanges(ctx context.Context, now *ldap.Entry, disabled bool) ([]ldap.Change, error) {
	if w.cfg.Lock.Method == LockNone {
		return nil, fail(directory.WriteMisconfigured, "disabled", "accounts of this directory cannot be disabled; set write.disable")
	}
	if w.locked(now) == disabled {
		return nil, nil
	}
	replace := func(name string, values ...string) []ldap.Change {
		return []ldap.Change{{Operation: ldap.ReplaceAttribute, Modification: ldap.PartialAttribute{Type: name, Vals: values}}}
	}
	switch w.cfg.Lock.Method {
	case LockPPolicy:
		if !disabled {
			return replace("pwdAccountLockedTime"), nil
		}
		return replace("pwdAccountLockedTime", lockedForEver), w.enforced(ctx, now.GetEqualFoldAttributeValue("pwdPolicySubentry"))
	case LockNS:
		if !disabled {
			return replace("nsAccountLock"), nil
		}
		return replace("nsAccountLock", "true"), nil
	case LockUAC:
		return w.controlChanges(now, disabled)
	case LockShadow:
		if !disabled {
			return replace("shadowExpire"), nil
		}
		changes := replace("shadowExpire", "1")
		if !hasClass(now, "shadowAccount") {
			changes = append(changes, ldap.Change{
				Operation:    ldap.AddAttribute,
				Modification: ldap.PartialAttribute{Type: "objectClass", Vals: []string{"shadowAccount"}},
			})
		}
		return changes, nil
	}
	if !disabled {
		return replace(w.cfg.Lock.Attribute), nil
	}
	return replace(w.cfg.Lock.Attribute, w.cfg.Lock.Value), nil
}

func hasClass(e *ldap.Entry, class string) bool {
	for _, c := range e.GetEqualFoldAttributeValues("objectClass") {
		if strings.EqualFold(c, class) {
			return true
		}
	}
	return false
}

// controlChanges sets or clears one bit. The old value is deleted and the new one
// added in one request, so that a change by somebody else in between makes it fail
// instead of being lost.
func (w *Writer) controlChanges(now *ldap.Entry, disabled bool) ([]ldap.Change, error) {
	old := now.GetEqualFoldAttributeValue("userAccountControl")
	n, err := strconv.ParseInt(old, 10, 64)
	if err != nil {
		return nil, fail(directory.WriteDenied, "disabled", "userAccountControl cannot be read")
	}
	fresh := n &^ accountDisable
	if disabled {
		fresh = n | accountDisable
	}
	changes := []ldap.Change{
		{Operation: ldap.DeleteAttribute, Modification: ldap.PartialAttribute{Type: "userAccountControl", Vals: []string{old}}},
		{Operation: ldap.AddAttribute, Modification: ldap.PartialAttribute{Type: "userAccountControl", Vals: []string{strconv.FormatInt(fresh, 10)}}},
	}
	if since := now.GetEqualFoldAttributeValue("lockoutTime"); !disabled && since != "" && since != "0" {
		changes = append(changes, ldap.Change{
			Operation:    ldap.ReplaceAttribute,
			Modification: ldap.PartialAttribute{Type: "lockoutTime", Vals: []string{"0"}},
		})
	}
	return changes, nil
}

// lockDraft makes a new account a disabled one.
func (w *Writer) lockDraft(ctx context.Context, d *mapping.Draft) error {
	switch w.cfg.Lock.Method {
	case LockPPolicy:
		d.Set("pwdAccountLockedTime", lockedForEver)
		return w.enforced(ctx, "")
	case LockNS:
		d.Set("nsAccountLock", "true")
	case LockUAC: // every account is born so
	case LockShadow:
		d.Set("shadowExpire", "1")
		d.AddClass("shadowAccount")
	case LockAttribute:
		d.Set(w.cfg.Lock.Attribute, w.cfg.Lock.Value)
	default:
		return fail(directory.WriteMisconfigured, "disabled", "accounts of this directory cannot be disabled; set write.disable")
	}
	return nil
}

// enforced makes sure that OpenLDAP heeds the lock: it stores it in any case, and
// lets the account bind unless a policy with pwdLockout TRUE applies to it.
func (w *Writer) enforced(ctx context.Context, policyDN string) error {
	const advice = "; set pwdLockout: TRUE in the policy, or disable accounts in another way (write.disable)"
	if policyDN == "" {
		policyDN = w.cfg.Lock.PolicyDN
	}
	if policyDN == "" {
		return fail(directory.WriteMisconfigured, "disabled",
			"no password policy is known that would keep a disabled account out; set password_policy to its DN"+advice)
	}
	req := ldap.NewSearchRequest(policyDN, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false, "(objectClass=*)",
		mapping.PolicyAttributes(), nil)
	result, err := w.ldap.Search(ctx, req)
	switch {
	case err != nil && code(err) == 0:
		return w.explain(directory.KindPerson, "read the password policy", err)
	case err != nil || len(result.Entries) != 1:
		return fail(directory.WriteMisconfigured, "disabled", "the password policy %s cannot be read%s", policyDN, advice)
	case !mapping.Policy(result.Entries[0]).Lockout:
		return fail(directory.WriteMisconfigured, "disabled",
			"the password policy %s has no pwdLockout TRUE: a disabled account could still sign in%s", policyDN, advice)
	}
	return nil
}

// Lockable tells whether disabling an account keeps it out, as far as can be told
// without trying. Errors: *directory.WriteError.
func (w *Writer) Lockable(ctx context.Context) error {
	switch w.cfg.Lock.Method {
	case LockNone:
		return fail(directory.WriteMisconfigured, "disabled", "accounts of this directory cannot be disabled; set write.disable")
	case LockPPolicy:
		return w.enforced(ctx, "")
	}
	return nil
}

// String names the method and what it needs, for checks and logs.
func (l Lock) String() string {
	if l.Method == LockAttribute {
		return fmt.Sprintf("%s %s: %s", l.Method, l.Attribute, l.Value)
	}
	return string(l.Method)
}
