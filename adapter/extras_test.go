package adapter

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"portico/directory"
)

func (h *house) extraOf(t *testing.T, login, domain string) Extra {
	t.Helper()
	id := directory.ID{Directory: "corp", Stable: "id-" + login}
	if e, err := h.dir.PersonByLogin(t.Context(), login); err == nil {
		id = e.ID
	}
	all, err := h.Extras(t.Context(), []ID{id}, domain)
	must(t, err)
	return all[id]
}

func extras(externalID string, pairs ...string) *ExtraChange {
	c := &ExtraChange{Domain: "hr", Values: map[string]json.RawMessage{}}
	if externalID != "-" {
		c.ExternalID = &externalID
	}
	for i := 0; i < len(pairs); i += 2 {
		c.Values[pairs[i]] = json.RawMessage(pairs[i+1])
	}
	return c
}

func TestSC008_ExternalIDsFollowTheDirectory(t *testing.T) {
	h := newHouse(t)
	w := h.writable()
	mail := map[string][]string{"mail": {"x@example.org"}}
	change := func(who string, c PersonChange) error {
		_, err := h.ChangePerson(t.Context(), ByUsername(who), c, admin)
		return err
	}
	must(t, change("ann", PersonChange{Attributes: mail, Extras: extras("X1", "ims", `[{"value":"a"}]`)}))
	if x := h.extraOf(t, "ann", "hr"); x.ExternalID != "X1" || x.Revision != 1 || string(x.Values["ims"]) != `[{"value":"a"}]` {
		t.Errorf("%+v", x)
	}
	if x := h.extraOf(t, "ann", "other"); x.ExternalID != "" {
		t.Errorf("another domain sees %+v", x)
	}
	written := len(w.changes)
	wantKind(t, change("bob", PersonChange{Attributes: mail, Extras: extras("X1")}), Conflict, FieldExternalID)
	wantKind(t, change("bob", PersonChange{Extras: extras("X1")}), Conflict, FieldExternalID)
	wantKind(t, change("bob", PersonChange{Attributes: mail, Extras: extras("a\x00")}), Invalid, FieldExtras)
	stale := extras("-", "a", "1")
	stale.IfRevision = new(int64)
	wantKind(t, change("ann", PersonChange{Extras: stale}), Conflict, FieldVersion)
	wantKind(t, change("ann", PersonChange{Attributes: mail, Extras: stale}), Conflict, FieldVersion)
	if len(w.changes) != written {
		t.Error("the directory was changed by a change that was refused")
	}
	w.before = func(string) error { return &directory.WriteError{Fault: directory.WriteInvalid} }
	if err := change("bob", PersonChange{Attributes: mail, Extras: extras("X2")}); KindOf(err) != Invalid {
		t.Error(err)
	}
	w.before = nil
	if x := h.extraOf(t, "bob", "hr"); x.Revision != 0 || x.ExternalID != "" {
		t.Errorf("the directory refused, and this was stored: %+v", x)
	}
	must(t, change("cid", PersonChange{Extras: extras("X2")})) // it is free
	if ids, err := h.FindByExternalID(t.Context(), KindPerson, "hr", "X2"); err != nil || len(ids) != 1 {
		t.Errorf("%v %v", ids, err)
	}
	if ids, err := h.FindByExternalID(t.Context(), KindGroup, "hr", "X2"); err != nil || len(ids) != 0 {
		t.Errorf("%v %v", ids, err)
	}
	must(t, h.DeletePerson(t.Context(), ByUsername("cid"), "", admin))
	must(t, change("bob", PersonChange{Extras: extras("X2")}))
	p, err := h.CreatePerson(t.Context(), NewPerson{Username: "eve", Extras: extras("X3", "nickName", `"E"`)}, admin)
	must(t, err)
	if x := h.extraOf(t, p.Username, "hr"); x.ExternalID != "X3" || string(x.Values["nickName"]) != `"E"` {
		t.Errorf("%+v", x)
	}
}

// The process dies before or after the directory was changed: what is stored here
// follows the directory.
func TestAbuse_J07_StoredAttributesFollowADeath(t *testing.T) {
	for name, c := range map[string]struct {
		before bool
		do     func(h *house) error
		who    string
	}{
		"edit": {who: "ann", do: func(h *house) error {
			_, err := h.ChangePerson(t.Context(), ByUsername("ann"), PersonChange{Attributes: map[string][]string{"mail": {"x"}}, Extras: extras("X1", "a", "1")}, admin)
			return err
		}},
		"edit, not done": {who: "ann", before: true, do: func(h *house) error {
			_, err := h.ChangePerson(t.Context(), ByUsername("ann"), PersonChange{Attributes: map[string][]string{"mail": {"x"}}, Extras: extras("X1", "a", "1")}, admin)
			return err
		}},
		"create": {who: "eve", do: func(h *house) error {
			_, err := h.CreatePerson(t.Context(), NewPerson{Username: "eve", Extras: extras("X1", "a", "1")}, admin)
			return err
		}},
		"create, not done": {who: "eve", before: true, do: func(h *house) error {
			_, err := h.CreatePerson(t.Context(), NewPerson{Username: "eve", Extras: extras("X1", "a", "1")}, admin)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			w := h.writable()
			h.dir.set(func() {
				for _, e := range h.dir.people {
					e.Version = "1"
				}
			})
			die := func(string) error { panic("the process dies") }
			if c.before {
				w.before = die
			} else {
				w.after = func(string) error {
					h.dir.set(func() {
						for _, e := range h.dir.people {
							e.Version = "2"
						}
					})
					panic("the process dies")
				}
			}
			func() {
				defer func() { _ = recover() }()
				_ = c.do(h)
			}()
			w.before, w.after = nil, nil
			if x := h.extraOf(t, c.who, "hr"); x.Revision != 0 {
				t.Fatalf("stored before its time: %+v", x)
			}
			h.clock.add(intentLease + time.Second)
			must(t, h.other.Mend(t.Context()))
			h.settled(t)
			if n, err := h.store.OpenIntents(t.Context()); err != nil || n != 0 {
				t.Errorf("%d changes under way, %v", n, err)
			}
			x := h.extraOf(t, c.who, "hr")
			if done := x.ExternalID == "X1" && string(x.Values["a"]) == "1"; done == c.before || c.before && x.Revision != 0 {
				t.Errorf("after mending: %+v", x)
			}
			_, err := h.ChangePerson(t.Context(), ByUsername("bob"), PersonChange{Extras: extras("X1")}, admin)
			if c.before && err != nil || !c.before && KindOf(err) != Conflict {
				t.Errorf("the external id is free: %v", err)
			}
		})
	}
}

func TestL56_AnExternalIDOfNobodyIsFree(t *testing.T) {
	h := newHouse(t)
	h.writable()
	for i, who := range []string{"ann", "bob"} {
		if i == 1 { // somebody else deletes ann in the directory
			h.dir.set(func() { h.dir.people = h.dir.people[1:] })
		}
		_, err := h.ChangePerson(t.Context(), ByUsername(who), PersonChange{Attributes: map[string][]string{"mail": {"x"}}, Extras: extras("X1")}, admin)
		must(t, err)
	}
	if x := h.extraOf(t, "bob", "hr"); x.ExternalID != "X1" {
		t.Errorf("%+v", x)
	}
}

func TestSCIMKeys(t *testing.T) {
	h := newHouse(t)
	h.writable()
	ctx := t.Context()
	make := func(r KeyRequest) (int64, string) {
		t.Helper()
		r.API, r.Label = "scim", "entra"
		info, plain, err := h.CreateKey(ctx, r)
		must(t, err)
		return info.ID, plain
	}
	id, token := make(KeyRequest{Scopes: []string{"password", "read", "write"}, Profile: "entra", Domain: "corp", Directory: "corp", User: ByUsername("ann")})
	c, err := h.SCIMKey(ctx, token, testClient())
	must(t, err)
	if !c.Scopes.Read || !c.Scopes.Write || !c.Scopes.Password || c.Profile != "entra" || c.Domain != "corp" || c.Directory != "corp" || c.Person.Stable == "" || c.Caller.Label != "entra" {
		t.Errorf("%+v", c)
	}
	newID, other := make(KeyRequest{Scopes: []string{"read"}, Domain: "corp"}) // two of one domain at a time
	if c, err := h.SCIMKey(ctx, other, testClient()); err != nil || c.Scopes != (SCIMScopes{Read: true}) || c.Profile != "lenient" || c.Domain != "corp" {
		t.Errorf("%+v %v", c, err)
	}
	keys, err := h.ListKeys(ctx, "scim")
	if err != nil || len(keys) != 2 || len(keys[0].Scopes) != 3 || keys[0].Scopes[0] != "read" || keys[1].Domain != "corp" {
		t.Errorf("%+v %v", keys, err)
	}
	h.writeKeyUses(ctx)
	if k, err := h.store.Key(ctx, newID); err != nil || k.LastUsed.IsZero() {
		t.Errorf("last use %+v %v", k, err)
	}
	must(t, h.RevokeKey(ctx, id))
	h.settled(t)
	_, err = h.SCIMKey(ctx, token, testClient())
	wantKind(t, err, Unauthenticated, "key")
	if _, err := h.SCIMKey(ctx, other, testClient()); err != nil {
		t.Errorf("the second key: %v", err)
	}
	t.Run("Abuse_D08_KeyEndsBetweenCheckAndWrite", func(t *testing.T) {
		for _, c := range []PersonChange{
			{Attributes: map[string][]string{"mail": {"x"}}}, {Extras: extras("-", "a", "1")}, {Extras: extras("Y", "a", "1"), Attributes: map[string][]string{"mail": {"x"}}},
		} {
			_, err := h.ChangePerson(ctx, ByUsername("ann"), c, By{Actor: "entra", KeyID: id})
			wantKind(t, err, Unauthenticated, "key")
		}
		if x := h.extraOf(t, "ann", "hr"); x.Revision != 0 {
			t.Errorf("%+v", x)
		}
		_, err := h.ChangePerson(ctx, ByUsername("ann"), PersonChange{Extras: extras("Y")}, By{Actor: "entra", KeyID: newID})
		must(t, err)
	})
	t.Run("Abuse_D03_RefusedAlike", func(t *testing.T) {
		h.clock.add(time.Minute)
		for _, bad := range []string{"", "pk_s_", token, "pk_s_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", other + "x"} {
			_, err := h.SCIMKey(context.Background(), bad, testClient())
			wantKind(t, err, Unauthenticated, "key")
		}
		_, expiring := make(KeyRequest{Expires: time.Minute})
		h.clock.add(2 * time.Minute)
		_, err := h.SCIMKey(ctx, expiring, testClient())
		wantKind(t, err, Unauthenticated, "key")
	})
	t.Run("the person of a key is disabled", func(t *testing.T) {
		_, his := make(KeyRequest{User: ByUsername("bob")})
		yes := true
		_, err := h.ChangePerson(ctx, ByUsername("bob"), PersonChange{Disabled: &yes}, admin)
		must(t, err)
		h.settled(t)
		_, err = h.SCIMKey(ctx, his, testClient())
		wantKind(t, err, Unauthenticated, "key")
	})
	for field, r := range map[string]KeyRequest{
		"scope":   {API: "scim", Label: "x", Scopes: []string{"all"}},
		"profile": {API: "scim", Label: "x", Profile: "lax"},
		"domain":  {API: "scim", Label: "x", Domain: "a b"},
	} {
		_, _, err := h.CreateKey(ctx, r)
		wantKind(t, err, Invalid, field)
	}
	_, _, err = h.CreateKey(ctx, KeyRequest{API: "action", Label: "x", Scopes: []string{"read"}})
	wantKind(t, err, Invalid, "scope")
	_, _, err = h.CreateKey(ctx, KeyRequest{API: "scim", Label: "x", Scopes: []string{"read", "password"}})
	wantKind(t, err, Invalid, "scope")
}
