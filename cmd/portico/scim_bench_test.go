package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/adapter"
	"portico/testenv"
	"portico/testenv/sample"
)

// scimBench is SCIM in front of OpenLDAP with the people of the budgets, and a raw
// connection beside it.
type scimBench struct {
	b      *testing.B
	s      *service
	server *testenv.LDAPServer
	people *sample.Directory
	n      int
	key    string
	raw    *ldap.Conn
	client *http.Client
	ids    []string
	serial int
}

// BenchmarkSCIM measures the budgets P-01 to P-09 in one run, each beside the raw
// LDAP operations or a bare handler: rounds alternate, so that what else the machine
// does hits both. BENCH_PEOPLE is the number of people, by default 10,000.
func BenchmarkSCIM(b *testing.B) {
	n := 10_000
	if os.Getenv(peopleVariable) != "" {
		n = largePeople(b)
	}
	server, people := startSample(b, n, testenv.WithOptions(func(o *testenv.LDAPOptions) {
		o.DataFolder, o.MaxSize = os.Getenv(dataVariable), 64<<30
	}))
	s := start(b, server, setup{
		top:       "log: {level: warn}\nlimits: {closings: 1000000}\napis:\n  scim: {rate: 1000000}\n",
		directory: fmt.Sprintf("    write: {enabled: true, user_container: %q, group_container: %q}\n", "ou=people,"+server.BaseDN, "ou=groups,"+server.BaseDN),
	})
	s.waitLong()
	_, key, err := s.app.adapter.CreateKey(b.Context(), adapter.KeyRequest{API: "scim", Label: "bench", Scopes: []string{"read", "write", "password"}})
	if err != nil {
		b.Fatal(err)
	}
	conn, err := ldap.DialURL(server.URL())
	if err == nil {
		err = conn.Bind(server.ServiceDN, server.ServicePassword)
	}
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	x := &scimBench{b: b, s: s, server: server, people: people, n: n, key: key, raw: conn, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
	x.readIDs()
	b.Run("P01-get", func(b *testing.B) { x.beside(b, "/Users/%s", x.anyID) })
	b.Run("P02-username", func(b *testing.B) { x.beside(b, "/Users?filter=userName%%20eq%%20%%22%s%%22", x.anyName) })
	b.Run("P02-username-miss", func(b *testing.B) {
		x.plain(b, func(i int) string { return fmt.Sprintf("/Users?filter=userName%%20eq%%20%%22nobody%d%%22", i) })
	})
	b.Run("P03-page", func(b *testing.B) {
		x.plain(b, func(i int) string { return fmt.Sprintf("/Users?count=100&startIndex=%d", 1+i*7919%(n-100)) })
	})
	b.Run("P03-page-bare", func(b *testing.B) { x.beside(b, "/Users?count=100&startIndex=%s", func(int) string { return "1" }) })
	b.Run("P04-sorted", func(b *testing.B) {
		x.plain(b, func(i int) string {
			return fmt.Sprintf("/Users?count=100&sortBy=name.familyName&startIndex=%d", 1+i*7919%(n-100))
		})
	})
	b.Run("P04-cursor-first", func(b *testing.B) { x.plain(b, func(int) string { return "/Users?count=100&cursor=" }) })
	last := x.lastCursor()
	b.Run("P04-cursor-last", func(b *testing.B) { x.plain(b, func(int) string { return "/Users?count=100&cursor=" + last }) })
	b.Run("P05-groups", func(b *testing.B) {
		x.plain(b, func(i int) string {
			return fmt.Sprintf("/Groups?count=100&excludedAttributes=members&startIndex=%d", 1+i*37%300)
		})
	})
	b.Run("P06-post", x.post)
	b.Run("P06-patch", x.patch)
	b.Run("P06-delete", x.remove)
	b.Run("P07-members", x.members)
	b.Run("P08-mixed", x.mixed)
}

func (x *scimBench) readIDs() {
	for start := 1; start <= min(x.n, 2000); start += 1000 {
		var page struct{ Resources []struct{ ID string } }
		if err := json.Unmarshal(x.do("GET", fmt.Sprintf("/Users?attributes=id&count=1000&startIndex=%d", start), "", 200), &page); err != nil {
			x.b.Fatal(err)
		}
		for _, r := range page.Resources {
			x.ids = append(x.ids, r.ID)
		}
	}
}

func (x *scimBench) anyID(i int) string   { return x.ids[i*7919%len(x.ids)] }
func (x *scimBench) anyName(i int) string { return url.QueryEscape(x.people.UID(i * 7919 % x.n)) }

// do sends a request and gives the body of the answer.
func (x *scimBench) do(method, path, body string, want int) []byte {
	status, text := x.send(x.s.url+"/scim/v2"+path, method, body)
	if status != want {
		x.b.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	return text
}

func (x *scimBench) send(address, method, body string) (int, []byte) {
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		x.b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+x.key)
	if body != "" {
		r.Header.Set("Content-Type", "application/scim+json")
	}
	resp, err := x.client.Do(r)
	if err != nil {
		x.b.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		x.b.Fatal(err)
	}
	return resp.StatusCode, text
}

// times are lengths of the rounds of one side.
type times []time.Duration

func (t *times) of(do func()) {
	begin := time.Now()
	do()
	*t = append(*t, time.Since(begin))
}

func (t times) at(part float64) float64 {
	slices.Sort(t)
	return float64(t[int(part*float64(len(t)-1))].Nanoseconds()) / 1e6
}

func (t times) report(b *testing.B, suffix string) {
	b.ReportMetric(t.at(0.5), "ms-p50"+suffix)
	b.ReportMetric(t.at(0.95), "ms-p95"+suffix)
}

// ratio reports ours in terms of another, by the medians.
func ratio(b *testing.B, ours, other times) {
	ours.report(b, "")
	other.report(b, "-other")
	b.ReportMetric(ours.at(0.5)/other.at(0.5), "times")
	b.ReportMetric(0, "ns/op")
}

// beside alternates requests with ones to a server that answers the same bytes.
func (x *scimBench) beside(b *testing.B, path string, value func(int) string) {
	body := x.do("GET", fmt.Sprintf(path, value(0)), "", 200)
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/scim+json")
		_, _ = w.Write(body)
	}))
	defer bare.Close()
	var ours, other times
	for i := 0; b.Loop(); i++ {
		ours.of(func() { x.do("GET", fmt.Sprintf(path, value(i)), "", 200) })
		other.of(func() { x.send(bare.URL, "GET", "") })
	}
	ratio(b, ours, other)
}

// plain measures requests alone.
func (x *scimBench) plain(b *testing.B, path func(int) string) {
	var ours times
	begin := time.Now()
	x.do("GET", path(0), "", 200)
	b.ReportMetric(float64(time.Since(begin).Microseconds())/1000, "ms-first")
	for i := 0; b.Loop(); i++ {
		ours.of(func() { x.do("GET", path(i), "", 200) })
	}
	ours.report(b, "")
	b.ReportMetric(float64(len(ours)), "rounds")
}

// lastCursor goes through all people to the cursor of the last page.
func (x *scimBench) lastCursor() string {
	size, cursor := "100", ""
	for {
		var page struct{ NextCursor string }
		if err := json.Unmarshal(x.do("GET", "/Users?attributes=id&count="+size+"&cursor="+cursor, "", 200), &page); err != nil {
			x.b.Fatal(err)
		}
		if page.NextCursor == "" {
			break
		}
		cursor = page.NextCursor
	}
	// A cursor belongs to its question: the same steps with all attributes.
	full := ""
	for {
		var page struct{ NextCursor string }
		if err := json.Unmarshal(x.do("GET", "/Users?count="+size+"&cursor="+full, "", 200), &page); err != nil {
			x.b.Fatal(err)
		}
		if page.NextCursor == "" {
			return full
		}
		full = page.NextCursor
	}
}

func (x *scimBench) next() string {
	x.serial++
	return "bench" + strconv.Itoa(x.serial)
}

func (x *scimBench) dn(name string) string { return "uid=" + name + ",ou=people," + x.server.BaseDN }

func (x *scimBench) must(err error) {
	if err != nil {
		x.b.Fatal(err)
	}
}

// rawAdd makes an entry and reads it back, as whoever answers with it has to.
func (x *scimBench) rawAdd(name string) {
	req := ldap.NewAddRequest(x.dn(name), nil)
	for attribute, value := range map[string]string{"uid": name, "cn": "Ada Miller", "sn": "Miller", "givenName": "Ada", "displayName": "Ada Miller", "mail": name + "@example.com", "title": "Head"} {
		req.Attribute(attribute, []string{value})
	}
	req.Attribute("objectClass", []string{"inetOrgPerson"})
	x.must(x.raw.Add(req))
	x.rawRead(name)
}

func (x *scimBench) rawRead(name string) {
	_, err := x.raw.Search(ldap.NewSearchRequest(x.dn(name), ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false, "(objectClass=*)", []string{"*", "+"}, nil))
	x.must(err)
}

func (x *scimBench) rawDelete(name string) {
	dn := ldap.EscapeFilter(x.dn(name))
	_, err := x.raw.Search(ldap.NewSearchRequest(x.server.BaseDN, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, "(|(member="+dn+")(manager="+dn+"))", []string{"1.1"}, nil))
	x.must(err)
	x.must(x.raw.Del(ldap.NewDelRequest(x.dn(name), nil)))
}

func (x *scimBench) user(name string) string {
	body := fmt.Sprintf(`{"schemas":[%q],"userName":%q,"displayName":"Ada Miller","name":{"givenName":"Ada","familyName":"Miller"},"title":"Head","emails":[{"value":"%s@example.com","type":"work"}]}`, userURN, name, name)
	var made struct{ ID string }
	x.must(json.Unmarshal(x.do("POST", "/Users", body, 201), &made))
	return made.ID
}

func (x *scimBench) post(b *testing.B) {
	var ours, other times
	for b.Loop() {
		ours.of(func() { x.user(x.next()) })
		other.of(func() { x.rawAdd(x.next()) })
	}
	ratio(b, ours, other)
}

func (x *scimBench) patch(b *testing.B) {
	name, twin := x.next(), x.next()
	id := x.user(name)
	x.rawAdd(twin)
	var ours, other times
	for i := 0; b.Loop(); i++ {
		body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"title","value":"T%d"}]}`, i)
		ours.of(func() { x.do("PATCH", "/Users/"+id, body, 200) })
		other.of(func() {
			req := ldap.NewModifyRequest(x.dn(twin), nil)
			req.Replace("title", []string{"T" + strconv.Itoa(i)})
			x.must(x.raw.Modify(req))
			x.rawRead(twin)
		})
	}
	ratio(b, ours, other)
}

func (x *scimBench) remove(b *testing.B) {
	var ours, other times
	for b.Loop() {
		id, twin := x.user(x.next()), x.next()
		x.rawAdd(twin)
		ours.of(func() { x.do("DELETE", "/Users/"+id, "", 204) })
		other.of(func() { x.rawDelete(twin) })
	}
	ratio(b, ours, other)
}

// members adds one member to a group of half of all people, and takes it out again.
func (x *scimBench) members(b *testing.B) {
	var list bytes.Buffer
	for i, id := range x.ids {
		if i > 0 {
			list.WriteByte(',')
		}
		fmt.Fprintf(&list, `{"value":%q}`, id)
	}
	extra, dn := x.user(x.next()), "cn=benchgroup,ou=groups,"+x.server.BaseDN
	var group struct{ ID string }
	begin := time.Now()
	x.must(json.Unmarshal(x.do("POST", "/Groups", fmt.Sprintf(`{"schemas":[%q],"displayName":"benchgroup","members":[%s]}`, groupURN, list.String()), 201), &group))
	b.ReportMetric(float64(time.Since(begin).Milliseconds()), "ms-create-group")
	var ours, other times
	for i := 0; b.Loop(); i++ {
		change := `{"op":"add","path":"members","value":[{"value":"` + extra + `"}]}`
		if i%2 == 1 {
			change = `{"op":"remove","path":"members[value eq \"` + extra + `\"]"}`
		}
		ours.of(func() {
			x.do("PATCH", "/Groups/"+group.ID, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`+change+`]}`, 204)
		})
		other.of(func() {
			req := ldap.NewModifyRequest(dn, nil)
			if i%2 == 0 {
				req.Add("member", []string{"uid=raw,ou=people," + x.server.BaseDN})
			} else {
				req.Delete("member", []string{"uid=raw,ou=people," + x.server.BaseDN})
			}
			x.must(x.raw.Modify(req))
		})
	}
	ratio(b, ours, other)
	b.ReportMetric(float64(len(x.ids)), "members")
	x.do("DELETE", "/Groups/"+group.ID, "", 204)
}

// mixed sends 100 requests a round from 16 clients: 80 look-ups, 10 pages of ten, 10 changes.
func (x *scimBench) mixed(b *testing.B) {
	own := make([]string, 16)
	for i := range own {
		own[i] = x.user(x.next())
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var sent atomic.Int64
	begin := time.Now()
	for b.Loop() {
		var clients sync.WaitGroup
		for client := range own {
			clients.Go(func() {
				for i := range 100 {
					switch at := client*100 + i; {
					case i%10 == 8:
						x.do("GET", fmt.Sprintf("/Users?count=10&startIndex=%d", at), "", 200)
					case i%10 == 9:
						x.do("PATCH", "/Users/"+own[client], fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"title","value":"M%d"}]}`, i), 200)
					case i%2 == 0:
						x.do("GET", "/Users/"+x.anyID(at), "", 200)
					default:
						x.do("GET", "/Users?filter=userName%20eq%20%22"+x.anyName(at)+"%22", "", 200)
					}
					sent.Add(1)
				}
			})
		}
		clients.Wait()
	}
	b.ReportMetric(float64(sent.Load())/time.Since(begin).Seconds(), "requests/s")
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/(1<<20), "MB-heap-more")
	b.ReportMetric(float64(sent.Load()), "requests")
}
