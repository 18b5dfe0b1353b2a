package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/embedded"
	"portico/directory/mapping"
)

// largeGroups starts a server with Active Directory's limits, which Samba does not
// have: pages of 1000 entries, values in ranges of 1500.
func largeGroups(t *testing.T, members int) (*embedded.Server, *mapping.Mapper) {
	t.Helper()
	const base = "dc=example,dc=org"
	s, err := embedded.New(embedded.Config{Suffix: base, ServiceDN: "cn=portico," + base, ServicePassword: "portico-service"})
	if err != nil {
		t.Fatal(err)
	}
	var ldif strings.Builder
	fmt.Fprintf(&ldif, "dn: %[1]s\nobjectClass: domain\ndc: example\n\ndn: ou=people,%[1]s\nobjectClass: organizationalUnit\nou: people\n\n", base)
	group := "dn: cn=all,dc=example,dc=org\nobjectClass: groupOfNames\ncn: all\n"
	for i := range members {
		fmt.Fprintf(&ldif, "dn: uid=user%[1]d,ou=people,%[2]s\nobjectClass: inetOrgPerson\nuid: user%[1]d\ncn: User\nsn: User\n\n", i, base)
		group += fmt.Sprintf("member: uid=user%d,ou=people,%s\n", i, base)
	}
	if err := s.LoadLDIF(strings.NewReader(ldif.String() + group)); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.SetFaults(embedded.Faults{PageLimit: 1000, RangeLimit: 1500})
	m, err := mapping.New(testMapping(base))
	if err != nil {
		t.Fatal(err)
	}
	return s, m
}

const largeMembers = 3000

func TestDR17_RangesAndPagesAreCompleted(t *testing.T) {
	server, m := largeGroups(t, largeMembers)
	dir := &direct{url: server.URL(), dn: "cn=portico,dc=example,dc=org", password: "portico-service"}
	store := newMemStore()
	feed, err := New(Config{Directory: "corp", Mode: ModePoll, PageSize: 1000}, dir, m, store, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- feed.Run(ctx) }()
	for deadline := time.Now().Add(20 * time.Second); feed.Status().Phase != PhaseFollowing; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never complete: %+v", feed.Status())
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := store.byName("all"); len(got) != 1 || len(got[0].Members) != largeMembers {
		t.Errorf("the group: %d found", len(got))
	}
	if n := feed.Status().Entries; n != largeMembers+3 {
		t.Errorf("%d entries read", n)
	}
}

// The same over the one connection of the feed of Active Directory.
func TestDR17_OverOneConnection(t *testing.T) {
	server, m := largeGroups(t, largeMembers)
	dir := &direct{url: server.URL(), dn: "cn=portico,dc=example,dc=org", password: "portico-service"}
	conn, _, err := dir.Dedicated(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := pin(t.Context(), conn)
	defer p.close()
	f := &follower{m: m, status: &board{now: time.Now}, log: slog.New(slog.DiscardHandler)}
	people, members := 0, 0
	err = p.SearchPaged(t.Context(), m.All(0), 700, func(e *ldap.Entry) error {
		entry, err := f.whole(t.Context(), p, e)
		if err == nil && entry != nil && entry.Kind == directory.KindPerson {
			people++
		}
		if err == nil && entry != nil && entry.Kind == directory.KindGroup {
			members += len(entry.Members)
		}
		return err
	})
	if err != nil || people != largeMembers || members != largeMembers {
		t.Errorf("%d people, %d members, %v", people, members, err)
	}
}

// stuckRanges answers the same part of a long attribute again and again.
type stuckRanges struct{ direct }

func (s *stuckRanges) Search(context.Context, *ldap.SearchRequest) (*ldap.SearchResult, error) {
	return &ldap.SearchResult{Entries: []*ldap.Entry{{Attributes: []*ldap.EntryAttribute{
		ldap.NewEntryAttribute("member;range=0-1", []string{"cn=a", "cn=b"}),
	}}}}, nil
}

func TestDR17_RangesThatDoNotEnd(t *testing.T) {
	e := &ldap.Entry{DN: "cn=all", Attributes: []*ldap.EntryAttribute{
		ldap.NewEntryAttribute("member", nil), ldap.NewEntryAttribute("member;range=0-1", slices.Repeat([]string{"cn=a"}, 2)),
	}}
	if err := fetchRanges(t.Context(), &stuckRanges{}, e); !errors.Is(err, directory.ErrIncomplete) {
		t.Errorf("a part of the group was taken for the whole: %v", err)
	}
}
