package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory/mapping"
)

// fakeAD answers as a domain controller does: change numbers, ranges of 1500.
type fakeAD struct {
	mu      sync.Mutex
	name    string
	usn     int
	entries map[string]*ldap.Entry // by DN
	at      map[string]int         // their change numbers
	ranged  int                    // requests for more of an attribute
	stuck   bool                   // the same range again and again
}

func newFakeAD() *fakeAD {
	return &fakeAD{name: "CN=NTDS Settings,CN=DC1", usn: 1000, entries: map[string]*ldap.Entry{}, at: map[string]int{}}
}

func (f *fakeAD) put(dn string, attributes map[string][]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.usn++
	attributes["uSNChanged"] = []string{strconv.Itoa(f.usn)}
	f.entries[dn], f.at[dn] = ldap.NewEntry(dn, attributes), f.usn
}

func (f *fakeAD) remove(dn string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.usn++
	delete(f.entries, dn)
}

func (f *fakeAD) Dedicated(context.Context) (*ldap.Conn, string, error) {
	return nil, "", errors.New("no content synchronisation here")
}

const fakeRange = 1500

func (f *fakeAD) Search(_ context.Context, req *ldap.SearchRequest) (*ldap.SearchResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if req.BaseDN == "" {
		return &ldap.SearchResult{Entries: []*ldap.Entry{ldap.NewEntry("", map[string][]string{
			"supportedCapabilities": {oidADFamily}, "supportedControl": {oidSyncRequest},
			"highestCommittedUSN": {strconv.Itoa(f.usn)}, "dsServiceName": {f.name},
		})}}, nil
	}
	var from int
	if _, err := fmt.Sscanf(req.Attributes[0], "member;range=%d-*", &from); err != nil {
		return nil, err
	}
	f.ranged++
	if f.stuck {
		from = fakeRange
	}
	return &ldap.SearchResult{Entries: []*ldap.Entry{f.ranges(f.entries[req.BaseDN], from)}}, nil
}

// ranges shows a part of a long member attribute.
func (f *fakeAD) ranges(e *ldap.Entry, from int) *ldap.Entry {
	out := &ldap.Entry{DN: e.DN}
	for _, a := range e.Attributes {
		if a.Name != "member" || len(a.Values) <= fakeRange {
			out.Attributes = append(out.Attributes, ldap.NewEntryAttribute(a.Name, slices.Clone(a.Values)))
			continue
		}
		to, name := min(from+fakeRange, len(a.Values)), "*"
		if to < len(a.Values) {
			name = strconv.Itoa(to - 1)
		}
		out.Attributes = append(out.Attributes, ldap.NewEntryAttribute("member", nil),
			ldap.NewEntryAttribute(fmt.Sprintf("member;range=%d-%s", from, name), slices.Clone(a.Values[from:to])))
	}
	return out
}

func (f *fakeAD) SearchPaged(_ context.Context, req *ldap.SearchRequest, _ uint32, each func(*ldap.Entry) error) error {
	f.mu.Lock()
	since := 0
	if _, rest, ok := strings.Cut(req.Filter, "(uSNChanged>="); ok {
		digits, _, _ := strings.Cut(rest, ")")
		since, _ = strconv.Atoi(digits)
	}
	var list []*ldap.Entry
	for dn, e := range f.entries {
		if f.at[dn] >= since {
			list = append(list, f.ranges(e, 0))
		}
	}
	f.mu.Unlock()
	for _, e := range list {
		if err := each(e); err != nil {
			return err
		}
	}
	return nil
}

func guid(n int) []string { return []string{string([]byte{15: byte(n), 14: byte(n >> 8)})} }

func (f *fakeAD) user(n int, name string) {
	f.put("CN="+name+",CN=Users,DC=corp", map[string][]string{
		"objectClass": {"top", "person", "organizationalPerson", "user"}, "objectGUID": guid(n), "sAMAccountName": {name},
		"objectCategory": {"CN=Person,CN=Schema,CN=Configuration,DC=corp"},
	})
}

// follow runs a feed on the fake.
func (f *fakeAD) follow(t *testing.T) (*memStore, Feed) {
	t.Helper()
	m, err := mapping.New(mapping.Config{
		Directory: "corp", BaseDN: "DC=corp", UserFilter: "(&(objectCategory=person)(objectClass=user))", GroupFilter: "(objectClass=group)",
		UserAttributes: map[string][]string{"username": {"sAMAccountName"}}, GroupAttributes: map[string][]string{"name": {"cn"}},
		MemberAttributes: []string{"member"}, StableID: []string{"objectGUID"}, StableIDFormat: mapping.FormatGUID,
		Modified: "whenChanged", Version: "uSNChanged", StatusRules: mapping.RulesActiveDirectory,
	})
	if err != nil {
		t.Fatal(err)
	}
	store := newMemStore()
	feed, err := New(Config{
		Directory: "corp", Mode: ModeAuto, Interval: 10 * time.Millisecond, Sweep: 30 * time.Millisecond,
		MinWait: 10 * time.Millisecond, MaxWait: 50 * time.Millisecond,
	}, f, m, store, slog.New(slog.NewTextHandler(t.Output(), nil)), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- feed.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return store, feed
}

func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func TestDR17_RangesAreCompleted(t *testing.T) {
	ad := newFakeAD()
	var members []string
	for i := range 3100 {
		members = append(members, fmt.Sprintf("CN=user%d,CN=Users,DC=corp", i))
	}
	ad.put("CN=All,CN=Users,DC=corp", map[string][]string{
		"objectClass": {"group"}, "cn": {"All"}, "objectGUID": guid(500), "member": members,
	})
	store, _ := ad.follow(t)
	wait(t, "the group", func() bool { return len(store.byName("All")) == 1 })
	if got := store.byName("All")[0].Members; !slices.Equal(got, members) {
		t.Errorf("%d members of %d", len(got), len(members))
	}
}

func TestDR17_RangesThatDoNotEnd(t *testing.T) {
	ad := newFakeAD()
	ad.stuck = true
	members := make([]string, 5000)
	for i := range members {
		members[i] = fmt.Sprintf("CN=user%d,CN=Users,DC=corp", i)
	}
	ad.put("CN=All,CN=Users,DC=corp", map[string][]string{
		"objectClass": {"group"}, "cn": {"All"}, "objectGUID": guid(500), "member": members,
	})
	store, feed := ad.follow(t)
	wait(t, "the failure", func() bool { return feed.Status().Phase == PhaseWaiting })
	if len(store.byName("All")) != 0 {
		t.Error("a part of the group was taken for the whole")
	}
}
