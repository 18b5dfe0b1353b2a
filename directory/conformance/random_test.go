package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/configs"
	"portico/testenv"
)

// Environment variables of the random operations. The short form is part of every
// run; the long one is started by hand:
//
//	FEED_MINUTES=10 go test ./directory/conformance -run RandomOperations/389 -timeout 60m
//
// FEED_OPERATIONS sets the number of operations instead, and FEED_SEED repeats a
// run: the test prints the seed that it used.
const (
	minutesVariable    = "FEED_MINUTES"
	operationsVariable = "FEED_OPERATIONS"
	seedVariable       = "FEED_SEED"
	shortOperations    = 250
	betweenComparisons = 125
)

// TestRandomOperations makes random changes and faults: in the end the mirror says
// what the directory says. OpenLDAP has the same test beside the feeds.
func TestRandomOperations(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testenv.DS389Server) *fixture{"389": ds389For, "freeipa": freeIPAFor} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := []testenv.DS389Option{policies389}
			if name == "freeipa" {
				options = append(options, testenv.WithFreeIPA())
			}
			randomOperations(t, open(testenv.DS389(t, options...)))
		})
	}
}

func fromEnvironment(t testing.TB, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

func randomOperations(t *testing.T, f *fixture) {
	proxy := testenv.OpenProxy(t, f.addr)
	w := newWorld(t, f, func(d *configs.Directory) {
		preset, err := d.Resolve()
		if err != nil {
			t.Fatal(err)
		}
		d.Users.Filter = "(&" + preset.People.ObjectFilter + "(!(description=hidden)))"
		scheme, _, _ := strings.Cut(d.URLs[0], "://")
		d.URLs = []string{scheme + "://localhost:" + proxy.Address()[strings.LastIndexByte(proxy.Address(), ':')+1:]}
	})
	w.feeds.Reconcile, w.feeds.Verify, w.feeds.Lag = 5*time.Second, 300*time.Millisecond, 200*time.Millisecond
	seed := fromEnvironment(t, seedVariable, int(time.Now().UnixNano()%1_000_000))
	total := fromEnvironment(t, operationsVariable, shortOperations)
	until := time.Now()
	if minutes := fromEnvironment(t, minutesVariable, 0); minutes > 0 {
		total, until = 0, until.Add(time.Duration(minutes)*time.Minute)
	}
	t.Logf("%s=%d", seedVariable, seed)
	c := &chaos{w: w, proxy: proxy, r: rand.New(rand.NewPCG(uint64(seed), 7)), refused: map[uint16]int{}}
	for i := range 3 {
		c.units = append(c.units, w.addContainer(fmt.Sprintf("unit%d", i), w.people))
	}
	w.start()
	n := 0
	for ; n < total || time.Now().Before(until); n++ {
		c.step()
		if n%betweenComparisons == betweenComparisons-1 {
			w.equal()
		}
	}
	w.equal()
	s := w.feed.Status()
	t.Logf("%d operations, %d kills, %d people, %d groups; %d events, %d transactions, %d full reads, %d reconnects, refused: %v",
		n, c.kills, len(c.people), len(c.groups), s.Events, s.Batches, s.Refreshes, s.Reconnects, c.refused)
}

// chaos makes changes and faults and remembers what there is.
type chaos struct {
	w       *world
	proxy   *testenv.Proxy
	r       *rand.Rand
	people  []string // DNs
	groups  []string
	units   []string
	next    int
	kills   int
	refused map[uint16]int
}

func (c *chaos) pick(list []string) (int, string) {
	if len(list) == 0 {
		return -1, "cn=nobody," + c.w.cfg.BaseDN
	}
	i := c.r.IntN(len(list))
	return i, list[i]
}

// done counts a refusal by the server; anything else that fails ends the test.
func (c *chaos) done(err error) bool {
	if err == nil {
		return true
	}
	var e *ldap.Error
	if !errors.As(err, &e) || e.ResultCode >= ldap.ErrorNetwork {
		c.w.t.Fatal(err)
	}
	c.refused[e.ResultCode]++
	return false
}

func (c *chaos) step() {
	switch n := c.r.IntN(1000); {
	case n < 4:
		c.kills++
		c.w.f.life.Kill()
		c.w.must(c.w.f.life.Start(context.Background()))
		c.w.reconnect()
	case n < 15:
		c.proxy.Cut()
	case n < 22:
		c.proxy.CutAfter(int64(c.r.IntN(100_000)))
	case n < 32:
		c.w.stop()
		if c.r.IntN(2) == 0 { // something happens while nobody listens
			c.change()
			c.membership()
			c.remove(&c.people)
		}
		c.w.start()
	case n < 36:
		c.renameUnit()
	case n < 300:
		c.addPerson()
	case n < 380:
		c.addGroup()
	case n < 400:
		c.remove(&c.groups)
	case n < 500:
		c.remove(&c.people)
	case n < 660:
		c.change()
	case n < 850:
		c.membership()
	default:
		c.move()
	}
}

func (c *chaos) addPerson() {
	odd := [...]string{"plain", "comma, name", "plus+name", `quote"name`, `back\slash`, "semi;colon", "less<more>", "#hash", "equal=sign"}
	_, unit := c.pick(c.units)
	uid := fmt.Sprintf("%s %d", odd[c.r.IntN(len(odd))], c.next)
	if c.r.IntN(4) == 0 && c.next > 10 {
		uid = fmt.Sprintf("again %d", c.r.IntN(20)) // names come back
	}
	c.next++
	dn := below(c.w.f.layout.personRDN, uid, unit)
	if c.done(c.w.admin.Add(c.w.f.layout.person(dn, uid, password(uid)))) {
		c.people = append(c.people, dn)
	}
}

func (c *chaos) addGroup() {
	c.next++
	members := map[string]bool{}
	for range c.r.IntN(5) {
		_, m := c.pick(c.people)
		members[m] = true
	}
	if _, g := c.pick(c.groups); c.r.IntN(3) == 0 {
		members[g] = true
	}
	var list []string
	for m := range members {
		list = append(list, m)
	}
	req := c.w.newGroup(fmt.Sprintf("group %d", c.next), list...)
	if c.done(c.w.admin.Add(req)) {
		c.groups = append(c.groups, req.DN)
	}
}

func (c *chaos) remove(list *[]string) {
	i, dn := c.pick(*list)
	if i >= 0 && c.done(c.w.admin.Del(ldap.NewDelRequest(dn, nil))) {
		*list = append((*list)[:i], (*list)[i+1:]...)
	}
}

func (c *chaos) change() {
	_, dn := c.pick(c.people)
	req := ldap.NewModifyRequest(dn, nil)
	switch c.r.IntN(5) {
	case 0:
		req.Replace("mail", []string{fmt.Sprintf("m%d@example.com", c.r.IntN(1000)), "second@example.com"})
	case 1:
		req.Replace("displayName", []string{fmt.Sprintf("Name %d ü", c.r.IntN(1000))})
	case 2:
		_, boss := c.pick(c.people)
		req.Replace("manager", []string{boss})
	case 3:
		req.Replace("nsAccountLock", []string{[]string{"true", "false"}[c.r.IntN(2)]})
	default:
		req.Replace("description", []string{[]string{"hidden", "open"}[c.r.IntN(2)]})
	}
	c.done(c.w.admin.Modify(req))
}

func (c *chaos) membership() {
	_, group := c.pick(c.groups)
	_, member := c.pick(c.people)
	req := ldap.NewModifyRequest(group, nil)
	if c.r.IntN(3) == 0 {
		req.Delete("member", []string{member})
	} else {
		req.Add("member", []string{member})
	}
	c.done(c.w.admin.Modify(req))
}

// move renames somebody, often into another unit.
func (c *chaos) move() {
	i, dn := c.pick(c.people)
	if i < 0 {
		return
	}
	_, unit := c.pick(c.units)
	c.next++
	rdn := c.w.f.layout.personRDN + "=" + ldap.EscapeDN(fmt.Sprintf("moved, %d", c.next))
	if c.done(c.w.admin.ModifyDN(ldap.NewModifyDNRequest(dn, rdn, true, unit))) {
		c.people[i] = rdn + "," + unit
	}
}

func (c *chaos) renameUnit() {
	i, dn := c.pick(c.units)
	c.next++
	rdn := fmt.Sprintf("%s=unit%d", c.w.f.layout.containerRDN, c.next)
	if !c.done(c.w.admin.ModifyDN(ldap.NewModifyDNRequest(dn, rdn, true, ""))) {
		return
	}
	c.units[i] = rdn + "," + c.w.people
	for j, p := range c.people {
		if rest, ok := strings.CutSuffix(p, ","+dn); ok {
			c.people[j] = rest + "," + c.units[i]
		}
	}
}
