package feed

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/testenv"
)

// Environment variables of TestRandomOperations. Its short form is part of every
// run; the long one is started by hand:
//
//	FEED_OPERATIONS=20000 go test ./directory/feed -run RandomOperations -timeout 60m
//
// FEED_SEED repeats a run: the test prints the seed that it used.
const (
	operationsVariable = "FEED_OPERATIONS"
	seedVariable       = "FEED_SEED"
	shortOperations    = 1200
)

func fromEnvironment(t testing.TB, name string, otherwise int) int {
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

// Whatever happens to the directory, the connections and the processes: in the
// end the store says what the directory says.
func TestRandomOperations(t *testing.T) {
	modes(t, func(t *testing.T, mode Mode) {
		w := newWorld(t, chaosConfig(mode), testenv.WithSessionLog(50))
		proxy := testenv.OpenProxy(t, w.server.Address())
		w.dir.url = proxy.URL("ldap")
		w.chaos(proxy, shortOperations)
	})
}

func chaosConfig(mode Mode) Config {
	return Config{
		Mode: mode, Heartbeat: 500 * time.Millisecond, Patience: 2 * time.Second, Reconcile: 5 * time.Second,
		Verify: 300 * time.Millisecond, Lag: 200 * time.Millisecond,
	}
}

// chaos makes random changes and faults and compares now and then.
func (w *world) chaos(proxy *testenv.Proxy, usual int) {
	w.t.Helper()
	total := fromEnvironment(w.t, operationsVariable, usual)
	if w.cfg.Mode == ModePoll {
		total /= 2
	}
	seed := fromEnvironment(w.t, seedVariable, int(time.Now().UnixNano()%1_000_000))
	w.t.Logf("%s=%d", seedVariable, seed)
	c := newChaos(w, proxy, uint64(seed))
	w.start()
	for i := range total {
		c.step()
		if i%(total/4) == total/4-1 {
			c.settle()
		}
	}
	c.settle()
	s := w.feed.Status()
	w.t.Logf("%d operations, %d people, %d groups; %d events, %d transactions, %d full reads, %d reconnects, refused: %v",
		total, len(c.people), len(c.groups), s.Events, s.Batches, s.Refreshes, s.Reconnects, c.refused)
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
	refused map[uint16]int
}

func newChaos(w *world, proxy *testenv.Proxy, seed uint64) *chaos {
	c := &chaos{w: w, proxy: proxy, r: rand.New(rand.NewPCG(seed, 7)), refused: map[uint16]int{}}
	for i := range 4 {
		dn := fmt.Sprintf("ou=unit%d,ou=people,%s", i, w.server.BaseDN)
		w.addOU(dn)
		c.units = append(c.units, dn)
	}
	return c
}

func (c *chaos) pick(list []string) (int, string) {
	if len(list) == 0 {
		return -1, "cn=nobody," + c.w.server.BaseDN
	}
	i := c.r.IntN(len(list))
	return i, list[i]
}

// done counts a refusal by the server; anything else that fails ends the test.
func (c *chaos) done(err error) bool {
	if err == nil {
		return true
	}
	e, ok := err.(*ldap.Error) //nolint:errorlint // go-ldap does not wrap it
	if !ok || e.ResultCode >= ldap.ErrorNetwork {
		c.w.t.Fatal(err)
	}
	c.refused[e.ResultCode]++
	return false
}

func (c *chaos) step() {
	switch n := c.r.IntN(1000); {
	case n < 5:
		c.w.server.Kill()
		c.w.must(c.w.server.Start(context.Background()))
		c.w.admin = c.w.server.Admin(c.w.t)
	case n < 15:
		c.proxy.Cut()
	case n < 20:
		c.proxy.CutAfter(int64(c.r.IntN(100_000)))
	case n < 25:
		c.w.stop()
		c.w.start()
	case n < 30:
		c.renameUnit()
	case n < 300:
		c.addPerson()
	case n < 380:
		c.addGroup()
	case n < 400:
		c.remove(&c.groups)
	case n < 500:
		c.remove(&c.people)
	case n < 650:
		c.change()
	case n < 850:
		c.membership()
	default:
		c.move()
	}
}

func (c *chaos) settle() {
	c.w.equal()
	if testing.Verbose() {
		c.w.t.Logf("equal at %d entries", len(c.w.dump()))
	}
}

var oddNames = [...]string{"plain", "comma, name", "plus+name", `quote"name`, `back\slash`, "semi;colon", "less<more>", "#hash", "ümlaut", "equal=sign"}

func (c *chaos) addPerson() {
	_, unit := c.pick(c.units)
	uid := fmt.Sprintf("%s %d", oddNames[c.r.IntN(len(oddNames))], c.next)
	if c.r.IntN(4) == 0 && c.next > 10 {
		uid = fmt.Sprintf("again %d", c.r.IntN(20)) // names come back
	}
	c.next++
	dn := "uid=" + ldap.EscapeDN(uid) + "," + unit
	if c.done(c.w.addPersonAt(dn, uid)) {
		c.people = append(c.people, dn)
	}
}

func (c *chaos) addGroup() {
	c.next++
	dn := c.w.group(fmt.Sprintf("group %d", c.next))
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"groupOfNames"})
	members := []string{dn}
	for range c.r.IntN(5) {
		if _, m := c.pick(c.people); m != members[len(members)-1] {
			members = append(members, m)
		}
	}
	if _, g := c.pick(c.groups); c.r.IntN(3) == 0 && len(c.groups) > 0 {
		members = append(members, g)
	}
	req.Attribute("member", members)
	if c.done(c.w.admin.Add(req)) {
		c.groups = append(c.groups, dn)
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
	switch c.r.IntN(4) {
	case 0:
		req.Replace("mail", []string{fmt.Sprintf("m%d@example.com", c.r.IntN(1000)), "second@example.com"})
	case 1:
		req.Replace("displayName", []string{fmt.Sprintf("Name %d ü", c.r.IntN(1000))})
	case 2:
		_, boss := c.pick(c.people)
		req.Replace("manager", []string{boss})
	default:
		req.Replace("employeeType", []string{[]string{"hidden", "open"}[c.r.IntN(2)]})
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
	rdn := "uid=" + ldap.EscapeDN(fmt.Sprintf("moved, %d", c.next))
	if c.done(c.w.admin.ModifyDN(ldap.NewModifyDNRequest(dn, rdn, true, unit))) {
		c.people[i] = rdn + "," + unit
	}
}

func (c *chaos) renameUnit() {
	i, dn := c.pick(c.units)
	c.next++
	rdn := fmt.Sprintf("ou=unit%d", c.next)
	if !c.done(c.w.admin.ModifyDN(ldap.NewModifyDNRequest(dn, rdn, true, ""))) {
		return
	}
	_, parent, _ := strings.Cut(dn, ",")
	c.units[i] = rdn + "," + parent
	for j, p := range c.people {
		if rest, ok := strings.CutSuffix(p, ","+dn); ok {
			c.people[j] = rest + "," + c.units[i]
		}
	}
}
