package feed

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/testenv"
)

// shortADOperations is the length of TestADRandomOperations in every run; the
// variables of TestRandomOperations make it longer:
//
//	FEED_OPERATIONS=20000 go test ./directory/feed -run ADRandomOperations -timeout 60m
const shortADOperations = 500

// Whatever happens to the domain, the connections and the processes: in the end
// the store says what the directory says.
func TestADRandomOperations(t *testing.T) {
	w := newADWorld(t, chaosConfig(ModeAuto), "OU=People,")
	proxy := testenv.OpenProxy(t, w.samba.Address())
	w.dir.url = proxy.URL("ldap")
	w.chaos(proxy, shortADOperations)
}

// The same with the real mirror behind the feed and the real client before it.
func TestADRandomOperationsOnTheMirror(t *testing.T) {
	w := newADWorld(t, chaosConfig(ModeAuto), "OU=People,")
	proxy := testenv.OpenProxy(t, w.samba.Address())
	w.real(proxy.URL("ldap"))
	w.chaos(proxy, shortADOperations/2)
}

// chaos makes random changes and faults and compares now and then.
func (w *adWorld) chaos(proxy *testenv.Proxy, usual int) {
	w.t.Helper()
	w.cfg.Reconcile = time.Hour // every change is found by its number, not by reading everything again
	total := fromEnvironment(w.t, operationsVariable, usual)
	seed := fromEnvironment(w.t, seedVariable, int(time.Now().UnixNano()%1_000_000))
	w.t.Logf("%s=%d", seedVariable, seed)
	c := newADChaos(w, proxy, uint64(seed))
	w.start()
	every := total / max(4, total/1000)
	for i := range total {
		c.step()
		if i%every == every-1 {
			w.equal()
		}
	}
	w.equal()
	s := w.feed.Status()
	w.t.Logf("%d operations, %d people, %d groups; since the last start %d changes, %d transactions, %d full reads, %d reconnects; refused: %v",
		total, len(c.people), len(c.groups), s.Changes, s.Batches, s.Refreshes, s.Reconnects, c.refused)
}

// adChaos makes changes and faults and remembers what there is.
type adChaos struct {
	w       *adWorld
	proxy   *testenv.Proxy
	r       *rand.Rand
	people  []string
	groups  []string
	units   []string // the last one lies outside the base
	next    int
	refused map[uint16]int
}

func newADChaos(w *adWorld, proxy *testenv.Proxy, seed uint64) *adChaos {
	c := &adChaos{w: w, proxy: proxy, r: rand.New(rand.NewPCG(seed, 11)), refused: map[uint16]int{}}
	for i := range 3 {
		c.units = append(c.units, fmt.Sprintf("OU=unit%d,OU=People,%s", i, w.samba.BaseDN))
	}
	c.units = append(c.units, "OU=outside,OU=Groups,"+w.samba.BaseDN)
	for _, dn := range c.units {
		w.addOU(dn)
	}
	return c
}

func (c *adChaos) pick(list []string) (int, string) {
	if len(list) == 0 {
		return -1, "CN=nobody," + c.w.samba.BaseDN
	}
	i := c.r.IntN(len(list))
	return i, list[i]
}

// unit is mostly one inside the base.
func (c *adChaos) unit() string {
	if c.r.IntN(8) == 0 {
		return c.units[3]
	}
	return c.units[c.r.IntN(3)]
}

func (c *adChaos) done(err error) bool {
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

func (c *adChaos) step() {
	switch n := c.r.IntN(1000); {
	case n < 3:
		c.w.samba.Kill()
		c.w.must(c.w.samba.Start(context.Background()))
		c.w.admin = c.w.samba.Admin(c.w.t)
	case n < 4:
		c.w.must(c.w.samba.Reincarnate())
		c.w.admin = c.w.samba.Admin(c.w.t)
	case n < 14:
		c.proxy.Cut()
	case n < 19:
		c.proxy.CutAfter(int64(c.r.IntN(100_000)))
	case n < 24:
		c.w.stop()
		c.w.start()
	case n < 30:
		c.renameUnit()
	case n < 300:
		c.addPerson()
	case n < 370:
		c.addGroup()
	case n < 390:
		c.remove(&c.groups)
	case n < 490:
		c.remove(&c.people)
	case n < 640:
		c.change()
	case n < 850:
		c.membership()
	default:
		c.move()
	}
}

func (c *adChaos) addPerson() {
	name := fmt.Sprintf("%s %d", oddNames[c.r.IntN(len(oddNames))], c.next)
	if c.r.IntN(4) == 0 && c.next > 10 {
		name = fmt.Sprintf("again %d", c.r.IntN(20)) // names come back
	}
	c.next++
	login := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`"/\[]:;|=,+*?<>@`, r) {
			return '_'
		}
		return r
	}, name)
	dn := "CN=" + ldap.EscapeDN(name) + "," + c.unit()
	if c.done(c.w.addUserAt(dn, login)) {
		c.people = append(c.people, dn)
	}
}

func (c *adChaos) addGroup() {
	c.next++
	name := fmt.Sprintf("group %d", c.next)
	dn := "CN=" + name + "," + c.unit()
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"group"})
	req.Attribute("sAMAccountName", []string{name})
	var members []string
	for range c.r.IntN(4) {
		if i, m := c.pick(c.people); i >= 0 && (len(members) == 0 || members[len(members)-1] != m) {
			members = append(members, m)
		}
	}
	if i, g := c.pick(c.groups); i >= 0 && c.r.IntN(3) == 0 {
		members = append(members, g)
	}
	if len(members) > 0 {
		req.Attribute("member", members)
	}
	if c.done(c.w.admin.Add(req)) {
		c.groups = append(c.groups, dn)
	}
}

func (c *adChaos) remove(list *[]string) {
	i, dn := c.pick(*list)
	if i >= 0 && c.done(c.w.admin.Del(ldap.NewDelRequest(dn, nil))) {
		*list = append((*list)[:i], (*list)[i+1:]...)
	}
}

func (c *adChaos) change() {
	_, dn := c.pick(c.people)
	req := ldap.NewModifyRequest(dn, nil)
	switch c.r.IntN(5) {
	case 0:
		req.Replace("mail", []string{fmt.Sprintf("m%d@example.com", c.r.IntN(1000))})
	case 1:
		req.Replace("displayName", []string{fmt.Sprintf("Name %d ü", c.r.IntN(1000))})
	case 2:
		if i, boss := c.pick(c.people); i >= 0 {
			req.Replace("manager", []string{boss})
		}
	case 3:
		if i, g := c.pick(c.groups); i >= 0 {
			c.primary(dn, g)
		}
		return
	default:
		req.Replace("employeeType", []string{[]string{"hidden", "open"}[c.r.IntN(2)]})
	}
	c.done(c.w.admin.Modify(req))
}

// primary makes a group somebody's primary one, or the usual one again.
func (c *adChaos) primary(dn, group string) {
	number := "513"
	if c.r.IntN(2) == 0 {
		res, err := c.w.admin.Search(ldap.NewSearchRequest(group, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", []string{"objectSid"}, nil))
		if !c.done(err) {
			return
		}
		sid := res.Entries[0].GetRawAttributeValue("objectSid")
		number = fmt.Sprint(binary.LittleEndian.Uint32(sid[len(sid)-4:]))
		add := ldap.NewModifyRequest(group, nil)
		add.Add("member", []string{dn}) // who becomes a primary member must be a member before
		c.done(c.w.admin.Modify(add))
	}
	req := ldap.NewModifyRequest(dn, nil)
	req.Replace("primaryGroupID", []string{number})
	c.done(c.w.admin.Modify(req))
}

func (c *adChaos) membership() {
	_, group := c.pick(c.groups)
	_, member := c.pick(c.people)
	req := ldap.NewModifyRequest(group, nil)
	switch c.r.IntN(10) {
	case 0, 1, 2:
		req.Delete("member", []string{member})
	case 3:
		req.Replace("member", nil)
	default:
		req.Add("member", []string{member})
	}
	c.done(c.w.admin.Modify(req))
}

// move renames somebody, often into another unit.
func (c *adChaos) move() {
	i, dn := c.pick(c.people)
	if i < 0 {
		return
	}
	unit := c.unit()
	c.next++
	rdn := "CN=" + ldap.EscapeDN(fmt.Sprintf("moved, %d", c.next))
	if c.done(c.w.admin.ModifyDN(ldap.NewModifyDNRequest(dn, rdn, true, unit))) {
		c.people[i] = rdn + "," + unit
	}
}

// renameUnit renames a unit, and now and then moves one out of the base and
// another one into it.
func (c *adChaos) renameUnit() {
	i := c.r.IntN(len(c.units))
	c.next++
	rdn := fmt.Sprintf("OU=unit%d", c.next)
	_, parent, _ := strings.Cut(c.units[i], ",")
	c.renameTo(i, rdn, parent)
	if c.r.IntN(3) == 0 {
		j := c.r.IntN(3)
		_, inside, _ := strings.Cut(c.units[j], ",")
		_, outside, _ := strings.Cut(c.units[3], ",")
		if c.renameTo(j, fmt.Sprintf("OU=out%d", c.next), outside) && c.renameTo(3, fmt.Sprintf("OU=in%d", c.next), inside) {
			c.units[j], c.units[3] = c.units[3], c.units[j]
		}
	}
}

func (c *adChaos) renameTo(i int, rdn, parent string) bool {
	dn := c.units[i]
	if !c.done(c.w.admin.ModifyDN(ldap.NewModifyDNRequest(dn, rdn, true, parent))) {
		return false
	}
	c.units[i] = rdn + "," + parent
	for _, list := range [][]string{c.people, c.groups} {
		for j, p := range list {
			if rest, ok := strings.CutSuffix(p, ","+dn); ok {
				list[j] = rest + "," + c.units[i]
			}
		}
	}
	return true
}
