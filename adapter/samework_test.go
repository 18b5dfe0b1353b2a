package adapter

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
)

// work is what a refusal cost, as far as it can be counted.
type work struct {
	Searches, Binds, Records int
	Rows, Failures           int // of the throttle
}

// spent counts the searches and binds of the directory and what the store holds.
func (h *house) spent(t *testing.T) work {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(h.data, "portico.db"))
	must(t, err)
	defer db.Close()
	w := work{Searches: h.dir.searches(), Binds: h.dir.binds}
	must(t, db.QueryRowContext(t.Context(), "SELECT count(*), coalesce(sum(failures), 0) FROM throttle").Scan(&w.Rows, &w.Failures))
	must(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM audit").Scan(&w.Records))
	return w
}

func (w work) minus(v work) work {
	return work{w.Searches - v.Searches, w.Binds - v.Binds, w.Records - v.Records, w.Rows - v.Rows, w.Failures - v.Failures}
}

// TestAbuse_B01_B02_SameWorkForNobody: a wrong password, code or sync code costs
// the same searches, binds, records and counters whether or not somebody has the
// name, from the first try until long after the throttle has stopped it.
func TestAbuse_B01_B02_SameWorkForNobody(t *testing.T) {
	ctx := context.Background()
	for name, try := range map[string]func(h *house, user string) (any, error){
		"auth": func(h *house, user string) (any, error) {
			r, err := h.CheckPassword(ctx, SignIn{Username: user, Password: "wrong", Client: testClient()})
			return r != nil && r.OK, err
		},
		"auth with an app password": func(h *house, user string) (any, error) {
			r, err := h.CheckPassword(ctx, SignIn{Username: user, Password: "AAAAA-BBBBB-CCCCC-DDDDD", Client: testClient()})
			return r != nil && r.OK, err
		},
		"portal": func(h *house, user string) (any, error) {
			r, err := h.CheckPassword(ctx, SignIn{Username: user, Password: "wrong", Client: testClient(), Surface: SurfacePortal})
			return r != nil && r.OK, err
		},
		"verifytotp": func(h *house, user string) (any, error) {
			return h.VerifyTOTP(ctx, ByUsername(user), "123456", testClient())
		},
		"verifytotp, no code": func(h *house, user string) (any, error) {
			return h.VerifyTOTP(ctx, ByUsername(user), "12345", testClient())
		},
		"mobilevalid": func(h *house, user string) (any, error) {
			return h.MobileCodeValid(ctx, user, "0123456789ABCDEF0123")
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, func(c *Config) { c.FailureLimit = 5 })
			must(t, h.SetTOTP(ctx, ByUsername("ann"), testSecret, "admin", Client{}))
			_, err := try(h, "bob") // what is read once only
			must(t, err)
			for round := range 8 {
				before := h.spent(t)
				known, err := try(h, "ann")
				between := h.spent(t)
				unknown, err2 := try(h, "nobody")
				after := h.spent(t)
				if known != unknown || KindOf(err) != KindOf(err2) {
					t.Errorf("try %d: %v, %v for somebody, %v, %v for nobody", round, known, err, unknown, err2)
				}
				one, other := between.minus(before), after.minus(between)
				if name == "portal" && round == 0 {
					one.Rows = other.Rows // the address is counted once
				}
				if one != other {
					t.Errorf("try %d: %+v for somebody, %+v for nobody", round, one, other)
				}
			}
		})
	}
}
