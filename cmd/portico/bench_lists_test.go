package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"portico/adapter"
	"portico/directory"
	"portico/testenv/sample"
)

// benchLists: look-ups, filters and pages of 100 straight from the adapter, so
// that two sizes of directories can be compared without HTTP between. The first
// and the last page by position must cost the same.
func benchLists(b *testing.B, s *service, d *sample.Directory) {
	for began := time.Now(); !s.app.mirror.Listed(); time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > 20*time.Minute {
			b.Fatal("the indexes of lists are not built")
		}
	}
	ctx, a, people := b.Context(), s.app.adapter, normalPeople(d, 2000)
	list := func(q adapter.ListQuery) adapter.EntryPage {
		q.Kind = adapter.KindPerson
		page, err := a.Entries(ctx, q)
		if err != nil {
			b.Fatal(err)
		}
		return page
	}
	run := func(name string, f func(i int) bool) {
		b.Run(name, func(b *testing.B) {
			i := 0
			for b.Loop() {
				if !f(i) {
					b.Fatal("nothing was found")
				}
				i++
			}
		})
	}
	total := list(adapter.ListQuery{Limit: -1, Total: true}).Total
	for _, by := range []string{directory.AttrID, directory.AttrFamilyName, directory.AttrModified} {
		last := list(adapter.ListQuery{SortBy: by, Limit: 1, Offset: total - 102}).Next
		run("page/"+by+"/first", func(int) bool {
			return len(list(adapter.ListQuery{SortBy: by, Limit: 100, Total: true}).Entries) == 100
		})
		run("page/"+by+"/last", func(int) bool {
			return len(list(adapter.ListQuery{SortBy: by, Limit: 100, Total: true, After: last}).Entries) == 100
		})
		run("page/"+by+"/offset", func(int) bool {
			return len(list(adapter.ListQuery{SortBy: by, Limit: 100, Total: true, Offset: total - 101}).Entries) == 100
		})
	}
	equal := func(attribute string, value func(i int) string) {
		run("equal/"+attribute, func(i int) bool {
			p := directory.Compare(attribute, directory.OpEqual, value(i))
			return list(adapter.ListQuery{Where: p, Limit: 100, Total: true}).Total > 0
		})
	}
	equal(directory.AttrLogin, func(i int) string { return people[i%len(people)].UID })
	equal(directory.AttrMail, func(i int) string { return people[i%len(people)].Mail[0] })
	run("contains/login", func(i int) bool {
		p := directory.Compare(directory.AttrLogin, directory.OpContains, people[i%len(people)].UID[2:])
		return list(adapter.ListQuery{Where: p, Limit: 100, Total: true}).Total > 0
	})
	run("login", func(i int) bool {
		_, err := a.PersonEntry(ctx, adapter.ByUsername(people[i%len(people)].UID))
		return err == nil
	})
	b.Run("member-of-largest", func(b *testing.B) { benchMembers(ctx, b, a) })
	b.Run("disk", func(b *testing.B) {
		for b.Loop() {
			st, err := os.Stat(filepath.Join(s.app.mirrorFolder, "mirror.db"))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(st.Size())/1e6, "MB")
		}
	})
}

// benchMembers asks whether a page of people are in the largest group.
func benchMembers(ctx context.Context, b *testing.B, a *adapter.Adapter) {
	var largest adapter.ID
	most := 0
	groups, err := a.Entries(ctx, adapter.ListQuery{Kind: adapter.KindGroup, SortBy: directory.AttrLogin, Limit: 2000})
	if err != nil {
		b.Fatal(err)
	}
	for _, g := range groups.Entries {
		n, err := a.CountMembers(ctx, g.ID)
		if err != nil {
			b.Fatal(err)
		}
		if n > most {
			most, largest = n, g.ID
		}
	}
	page, err := a.Entries(ctx, adapter.ListQuery{Kind: adapter.KindPerson, Limit: 100})
	if err != nil {
		b.Fatal(err)
	}
	ids := make([]adapter.ID, len(page.Entries))
	for i, e := range page.Entries {
		ids[i] = e.ID
	}
	b.ReportMetric(float64(most), "members")
	for b.Loop() {
		if _, err := a.AreMembers(ctx, largest, ids); err != nil {
			b.Fatal(err)
		}
	}
}
