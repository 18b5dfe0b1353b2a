package main

import (
	"context"
	"crypto/rand"
	"strings"

	"portico/directory"
	"portico/directory/writer"
)

// writes tells whether changes would work, by making a disabled person of a
// random name and taking him away again: access rules are hard to read and easy
// to try. Whether the directory keeps a disabled account out is tried with him.
func (d *directoryCheck) writes(ctx context.Context) bool {
	if d.writer == nil {
		d.ok("read-only (write.enabled is off)")
		return true
	}
	canLock := d.writer.Lockable(ctx)
	if canLock != nil {
		d.fail("see write.disable and password_policy", "people cannot be disabled: %v", canLock)
	}
	password := rand.Text() + "-aA1"
	n := writer.NewEntry{NewEntry: directory.NewEntry{
		Kind: directory.KindPerson, Name: "portico-check-" + strings.ToLower(rand.Text()[:10]), Password: password, Disabled: canLock == nil,
	}}
	made, err := d.writer.Create(ctx, n)
	if err != nil {
		d.fail("give "+or(d.cfg.BindDN, "the service account")+" the right to write below "+d.preset.Write.UserContainer+", or correct write",
			"a person for the test could not be made: %v", err)
		return true
	}
	if canLock == nil {
		if v := d.client.Bind(ctx, made.Entry.DN, password); v.SignedIn() || v.Verdict == directory.VerdictMustChange {
			d.fail("make the server heed the mark of a disabled account, or use another write.disable",
				"a disabled person could sign in to the directory; Portico itself keeps him out")
		} else {
			d.ok("disabled people are kept out by the directory (%s)", d.preset.Write.Disable)
		}
	}
	if err := d.writer.Delete(ctx, made.Entry, ""); err != nil {
		d.fail("delete "+made.Entry.DN, "the person that was made for the test could not be deleted: %v", err)
		return true
	}
	d.ok("people can be made and deleted below %s", d.preset.Write.UserContainer)
	return true
}
