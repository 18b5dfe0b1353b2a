package writer

import (
	"context"
	"crypto/rand"
	"math/big"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/client"
	"portico/directory/mapping"
)

// Numbers says how new people get a uidNumber. The zero value gives none.
type Numbers struct {
	Mode        string // off, counter, range; "" is off
	Counter     string // counter: DN of the entry that holds the next number
	Attribute   string // counter: its attribute; uidNumber
	First, Last int    // range
}

const uidNumber = "uidNumber"

// numberDraft gives a new person a number, unless the draft has one.
func (w *Writer) numberDraft(ctx context.Context, d *mapping.Draft) error {
	if d.Kind != directory.KindPerson || d.Has(uidNumber) {
		return nil
	}
	var n int64
	var err error
	switch w.cfg.Numbers.Mode {
	case "counter":
		n, err = w.fromCounter(ctx)
	case "range":
		n, err = w.fromRange(ctx)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	d.Set(uidNumber, strconv.FormatInt(n, 10))
	d.AddClass("posixAccount")
	return nil
}

// fromCounter takes the number that the counter holds and leaves the next one: in
// one request where the server increments and tells (RFC 4525, RFC 4527), else by
// deleting the old value and adding the new one, which fails for the slower of two.
func (w *Writer) fromCounter(ctx context.Context) (int64, error) {
	attribute := w.cfg.Numbers.Attribute
	if attribute == "" {
		attribute = uidNumber
	}
	for range 50 {
		result, err := w.ldap.Search(ctx, ldap.NewSearchRequest(w.cfg.Numbers.Counter, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false,
			"(objectClass=*)", []string{attribute}, nil))
		if err != nil || len(result.Entries) != 1 {
			return 0, fail(directory.WriteMisconfigured, directory.AttrNumber, "the counter %s cannot be read", w.cfg.Numbers.Counter)
		}
		old := result.Entries[0].GetEqualFoldAttributeValue(attribute)
		n, err := strconv.ParseInt(old, 10, 64)
		if err != nil || n < 1 {
			return 0, fail(directory.WriteMisconfigured, directory.AttrNumber, "the counter %s holds no number", w.cfg.Numbers.Counter)
		}
		taken, again, err := w.takeNumber(ctx, attribute, n)
		if err != nil || !again {
			return taken, err
		}
	}
	return 0, fail(directory.WriteStale, directory.AttrNumber, "the counter %s is changed by others all the time", w.cfg.Numbers.Counter)
}

// takeNumber moves the counter on. A lost answer skips a number.
func (w *Writer) takeNumber(ctx context.Context, attribute string, n int64) (taken int64, again bool, err error) {
	features, err := w.ldap.Features(ctx)
	if err != nil {
		return 0, false, w.explain(0, "ask what the server offers", err)
	}
	if features.Increment && features.PostRead {
		req := ldap.NewModifyRequest(w.cfg.Numbers.Counter, []ldap.Control{client.PostRead([]string{attribute})})
		req.Increment(attribute, "1")
		post, err := w.ldap.Modify(ctx, req)
		if err != nil {
			return 0, false, w.explain(0, "take a number", err)
		}
		if post != nil {
			next, err := strconv.ParseInt(post.GetEqualFoldAttributeValue(attribute), 10, 64)
			if err == nil {
				return next - 1, false, nil
			}
		}
		return 0, true, nil
	}
	req := ldap.NewModifyRequest(w.cfg.Numbers.Counter, nil)
	req.Delete(attribute, []string{strconv.FormatInt(n, 10)})
	req.Add(attribute, []string{strconv.FormatInt(n+1, 10)})
	_, err = w.ldap.Modify(ctx, req)
	if code(err) == ldap.LDAPResultNoSuchAttribute {
		return 0, true, nil
	}
	return n, false, w.explain(0, "take a number", err)
}

// fromRange looks for a number that nobody has. Others may take it at the same
// time: numberIsUnique looks again afterwards.
func (w *Writer) fromRange(ctx context.Context) (int64, error) {
	for range 50 {
		offset, err := rand.Int(rand.Reader, big.NewInt(int64(w.cfg.Numbers.Last-w.cfg.Numbers.First+1)))
		if err != nil {
			return 0, &directory.WriteError{Fault: directory.WriteFailed, Err: err}
		}
		n := int64(w.cfg.Numbers.First) + offset.Int64()
		holders, err := w.holders(ctx, strconv.FormatInt(n, 10))
		if err != nil {
			return 0, err
		}
		if len(holders) == 0 {
			return n, nil
		}
	}
	return 0, fail(directory.WriteFailed, directory.AttrNumber, "no free number was found between %d and %d: widen write.numbers",
		w.cfg.Numbers.First, w.cfg.Numbers.Last)
}

func (w *Writer) holders(ctx context.Context, number string) ([]*ldap.Entry, error) {
	result, err := w.ldap.Search(ctx, ldap.NewSearchRequest(w.m.BaseDN(), ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 10, 0, false,
		"("+uidNumber+"="+ldap.EscapeFilter(number)+")", []string{"1.1"}, nil))
	if err != nil {
		return nil, w.explain(0, "look for a number", err)
	}
	return result.Entries, nil
}

// numberIsUnique looks whether a new entry is the only one with its number. The
// holder whose DN is not the first takes another number.
func (w *Writer) numberIsUnique(ctx context.Context, d *mapping.Draft) error {
	if w.cfg.Numbers.Mode != "range" || !d.Has(uidNumber) {
		return nil
	}
	for range 10 {
		holders, err := w.holders(ctx, d.First(uidNumber))
		if err != nil {
			return err
		}
		first := true
		for _, h := range holders {
			first = first && (same(h.DN, d.DN) || strings.ToLower(h.DN) > strings.ToLower(d.DN))
		}
		if first {
			return nil
		}
		n, err := w.fromRange(ctx)
		if err != nil {
			return err
		}
		d.Set(uidNumber, strconv.FormatInt(n, 10))
		err = w.modify(ctx, d.Kind, d.DN, []ldap.Change{{
			Operation: ldap.ReplaceAttribute, Modification: ldap.PartialAttribute{Type: uidNumber, Vals: []string{d.First(uidNumber)}},
		}}, nil)
		if err != nil {
			return err
		}
	}
	return fail(directory.WriteStale, directory.AttrNumber, "no number stays unique")
}
