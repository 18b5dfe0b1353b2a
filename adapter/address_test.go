package adapter

import (
	"context"
	"fmt"
	"testing"

	"portico/adapter/store"
)

// One password tried on everybody stops the address, not the people; whoever
// comes from elsewhere is let in. An application's address is not limited: it
// stands for everybody who uses the application.
func TestAbuse_B05_OnePasswordForEverybody(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.FailureLimit = 3 })
	ctx := t.Context()
	try := func(surface Surface, name, password, address string) (bool, error) {
		r, err := h.CheckPassword(ctx, SignIn{
			Surface: surface, Username: name, Password: password, Client: Client{Address: address},
		})
		return err == nil && r.OK, err
	}
	stopped := 0
	for i := range 40 {
		if _, err := try(SurfacePortal, fmt.Sprintf("name%d", i), "Spring2026!", "2001:db8::7"); KindOf(err) == Throttled && err != nil {
			stopped++
		}
	}
	if stopped != 40-15 {
		t.Errorf("%d of 40 attempts were stopped, want all after 15", stopped)
	}
	if _, err := try(SurfacePortal, "ann", "ann-pw", "2001:db8::8"); KindOf(err) != Throttled {
		t.Errorf("another address of the same network: %v", err)
	}
	if ok, err := try(SurfacePortal, "ann", "ann-pw", "2001:db8:1::8"); !ok {
		t.Errorf("another network: %v", err)
	}
	for i := range 40 {
		if _, err := try(SurfaceAPI, fmt.Sprintf("other%d", i), "Spring2026!", "192.0.2.9"); err != nil {
			t.Fatalf("an application was stopped: %v", err)
		}
	}
	h.clock.add(h.cfg.FailureWindow)
	if ok, err := try(SurfacePortal, "ann", "ann-pw", "2001:db8::7"); !ok {
		t.Errorf("after the window: %v", err)
	}
	for range 40 { // right ones count for nothing
		if ok, err := try(SurfacePortal, "ann", "ann-pw", "2001:db8::7"); !ok {
			t.Fatalf("a right password was counted: %v", err)
		}
	}
}

// A key is good for one API only, and elsewhere it is as unknown as any other.
func TestAbuse_D04_KeyOfAnotherAPI(t *testing.T) {
	h := newHouse(t)
	for _, own := range APINames() {
		req := KeyRequest{API: own, Label: own, Level: "full"}
		if own == "collaboration" {
			req.Org = "lab"
			must(t, h.store.Collab(t.Context(), "org", func(ctx context.Context, c *store.CollabTx) error {
				return c.PutOrg(ctx, &store.Org{Identifier: "1", UUID4: "2", ShortName: req.Org, Name: "Lab"})
			}))
		}
		_, key, err := h.CreateKey(t.Context(), req)
		must(t, err)
		for _, api := range APINames() {
			caller, err := h.KeyCaller(t.Context(), api, key, testClient())
			if api == own && (err != nil || caller.API != own) {
				t.Errorf("key of %s: %v", own, err)
			}
			if api != own && (err == nil || KindOf(err) != Unauthenticated) {
				t.Errorf("key of %s at %s: %+v, %v", own, api, caller, err)
			}
		}
	}
}
