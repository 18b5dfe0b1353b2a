package adapter

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp"

	"portico/directory"
)

const testSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

// code gives the code of a secret at an offset of steps from now.
func (h *house) code(t testing.TB, secret string, steps int64) string {
	t.Helper()
	code, err := totpCode(secret, h.clock.Now().Unix()/totpPeriod+steps)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestTOTPCode_RFC6238(t *testing.T) {
	// RFC 6238, appendix B: the last six of eight digits of the SHA-1 column.
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	for seconds, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		if got, err := totpCode(secret, seconds/totpPeriod); err != nil || got != want {
			t.Errorf("%d: %s, %v, want %s", seconds, got, err, want)
		}
	}
}

func TestVerifyTOTP_Steps(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	ann := ByUsername("ann")
	if ok, err := h.VerifyTOTP(ctx, ann, "anything", testClient()); err != nil || !ok {
		t.Errorf("without TOTP: %v, %v", ok, err)
	}
	if ok, err := h.VerifyTOTP(ctx, ByUsername("nobody"), "123456", testClient()); err != nil || ok {
		t.Errorf("nobody: %v, %v", ok, err)
	}
	must(t, h.SetTOTP(ctx, ann, testSecret, "admin", testClient()))
	for step, want := range map[int64]bool{-2: false, -1: true, 0: true, 1: true, 2: false} {
		code := h.code(t, testSecret, step)
		if ok, err := h.VerifyTOTP(ctx, ann, code, testClient()); err != nil || ok != want {
			t.Errorf("step %d: %v, %v", step, ok, err)
		}
		spaced := " " + code[:3] + " " + code[3:]
		if ok, err := h.VerifyTOTP(ctx, ann, spaced, testClient()); err != nil || ok != want {
			t.Errorf("step %d with spaces: %v, %v", step, ok, err)
		}
	}
	if n := h.count(t, EventAPIBadTOTP); n != 5 {
		t.Errorf("%d bad codes logged, want 5", n)
	}
	h.dir.set(func() { h.dir.down = true })
	_, err := h.VerifyTOTP(ctx, ann, "123456", testClient())
	wantKind(t, err, Unavailable, "")
}

func TestAbuse_C02_CodesThatAreNotSixDigits(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.FailureLimit = 3 })
	ctx := t.Context()
	ann := ByUsername("ann")
	must(t, h.SetTOTP(ctx, ann, testSecret, "admin", testClient()))
	code := h.code(t, testSecret, 0)
	wide := strings.Map(func(r rune) rune { return r - '0' + '０' }, code)
	arabic := strings.Map(func(r rune) rune { return r - '0' + '٠' }, code)
	for _, bad := range []string{
		"", code[:5], code + "0", code + "\t", code + "\n", "\u00a0" + code, wide, arabic, "+" + code[1:], "-" + code[1:],
		"0x" + code[2:], code + "\x00", "abcdef",
	} {
		if ok, err := h.VerifyTOTP(ctx, ann, bad, testClient()); err != nil || ok {
			t.Errorf("verifytotp %q: %v, %v", bad, ok, err)
		}
		if ok, err := h.CheckTOTP(ctx, ann, bad, testClient()); err != nil || ok {
			t.Errorf("browser %q: %v, %v", bad, ok, err)
		}
	}
	for _, bad := range []string{" " + code, code + " ", code[:3] + " " + code[3:]} {
		if ok, err := h.CheckTOTP(ctx, ann, bad, testClient()); err != nil || ok {
			t.Errorf("browser %q: %v, %v", bad, ok, err)
		}
	}
	if ok, err := h.CheckTOTP(ctx, ann, code, testClient()); err != nil || !ok {
		t.Errorf("nonsense was counted as guesses: %v, %v", ok, err)
	}
}

func TestAbuse_C01_C04_EachCodeOnceInTheBrowser(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	ann := ByUsername("ann")
	must(t, h.SetTOTP(ctx, ann, testSecret, "admin", testClient()))
	h.settled(t)
	check := func(a *Adapter, step int64, want bool) {
		t.Helper()
		if ok, err := a.CheckTOTP(ctx, ann, h.code(t, testSecret, step), testClient()); err != nil || ok != want {
			t.Errorf("step %d: %v, %v, want %v", step, ok, err, want)
		}
	}
	check(h.Adapter, 0, true)
	check(h.Adapter, 0, false)
	check(h.other, 0, false)
	check(h.other, -1, false)
	check(h.other, 1, true)
	if n := h.count(t, EventPortalLoginOK); n != 2 {
		t.Errorf("%d sign-ins logged, want 2", n)
	}
	if n := h.count(t, EventPortalBadTOTP); n != 3 {
		t.Errorf("%d bad codes logged, want 3", n)
	}
	// Off, verifytotp takes a code as often as it comes; clients try again.
	for range 2 {
		if ok, err := h.VerifyTOTP(ctx, ann, h.code(t, testSecret, 0), testClient()); err != nil || !ok {
			t.Errorf("verifytotp: %v, %v", ok, err)
		}
	}
}

func TestAbuse_C03_OneCodeAtTheSameInstant(t *testing.T) {
	for _, c := range []struct {
		name  string
		check func(*Adapter, string) (bool, error)
	}{
		{"browser", func(a *Adapter, code string) (bool, error) {
			return a.CheckTOTP(context.Background(), ByUsername("ann"), code, testClient())
		}},
		{"verifytotp", func(a *Adapter, code string) (bool, error) {
			return a.VerifyTOTP(context.Background(), ByUsername("ann"), code, testClient())
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, func(cfg *Config) { cfg.TOTPReplay = true; cfg.FailureLimit = 100 })
			must(t, h.SetTOTP(t.Context(), ByUsername("ann"), testSecret, "admin", testClient()))
			h.settled(t)
			code := h.code(t, testSecret, 0)
			var winners atomic.Int32
			var group sync.WaitGroup
			for i := range 16 {
				group.Go(func() {
					ok, err := c.check(h.both()[i%2], code)
					if err != nil {
						t.Error(err)
					}
					if ok {
						winners.Add(1)
					}
				})
			}
			group.Wait()
			if winners.Load() != 1 {
				t.Errorf("%d of 16 got in with one code", winners.Load())
			}
		})
	}
}

func TestAbuse_C05_B08_B11_GuessedCodes(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	ann := ByUsername("ann")
	must(t, h.SetTOTP(ctx, ann, testSecret, "admin", testClient()))
	h.settled(t)
	wrong := h.code(t, testSecret, 40)
	for i := range 10 {
		// Abuse B11: the right password in between clears nothing.
		r, err := h.CheckPassword(ctx, SignIn{Surface: SurfacePortal, Username: "ann", Password: "ann-pw", Client: testClient()})
		if err != nil || r.OK || !r.NeedsCode {
			t.Fatalf("password: %+v, %v", r, err)
		}
		if ok, err := h.both()[i%2].CheckTOTP(ctx, ann, wrong, testClient()); err != nil || ok {
			t.Fatalf("guess: %v, %v", ok, err)
		}
	}
	for _, a := range h.both() {
		for step := range int64(2) {
			if ok, err := a.CheckTOTP(ctx, ann, h.code(t, testSecret, step), testClient()); err != nil || ok {
				t.Errorf("browser, the right code after ten wrong ones: %v, %v", ok, err)
			}
			if ok, err := a.VerifyTOTP(ctx, ann, h.code(t, testSecret, step), testClient()); err != nil || ok {
				t.Errorf("verifytotp, the right code after ten wrong ones: %v, %v", ok, err)
			}
		}
	}
	if n := h.count(t, EventPortalLoginOK); n != 0 {
		t.Errorf("%d sign-ins logged", n)
	}
	h.clock.add(5*time.Minute + time.Second)
	if ok, err := h.CheckTOTP(ctx, ann, h.code(t, testSecret, 0), testClient()); err != nil || !ok {
		t.Errorf("after the wait: %v, %v", ok, err)
	}
}

func TestTOTPEnrolment(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	ann, bob := ByUsername("ann"), ByUsername("bob")
	wantKind(t, h.ConfirmTOTP(ctx, ann, "123456", testClient()), NotFound, "enrolment")
	secret, address, err := h.BeginTOTP(ctx, ann)
	must(t, err)
	key, err := otp.NewKeyFromURL(address)
	if err != nil || key.Secret() != secret || key.Issuer() != "Portico" || key.AccountName() != "ann@example.org" || len(secret) != 32 {
		t.Errorf("%s: %v", address, err)
	}
	if p, err := h.Person(ctx, ann); err != nil || p.HasTOTP {
		t.Errorf("active before it was proven: %v", err)
	}
	// Abuse C06: only the person's own secret counts.
	bobs, _, err := h.BeginTOTP(ctx, bob)
	must(t, err)
	for _, bad := range []string{h.code(t, bobs, 0), h.code(t, secret, 5), " " + h.code(t, secret, 0)} {
		wantKind(t, h.ConfirmTOTP(ctx, ann, bad, testClient()), Denied, "code")
	}
	must(t, h.ConfirmTOTP(ctx, ann, h.code(t, secret, 0), testClient()))
	if p, err := h.Person(ctx, ann); err != nil || !p.HasTOTP {
		t.Errorf("not active: %v", err)
	}
	// Abuse C07: the code of the enrolment is used up.
	if ok, err := h.CheckTOTP(ctx, ann, h.code(t, secret, 0), testClient()); err != nil || ok {
		t.Errorf("the code of the enrolment: %v, %v", ok, err)
	}
	_, _, err = h.BeginTOTP(ctx, ann)
	wantKind(t, err, Conflict, "totp")
	h.clock.add(15 * time.Minute)
	wantKind(t, h.ConfirmTOTP(ctx, bob, h.code(t, bobs, 0), testClient()), NotFound, "enrolment")
	if n := h.count(t, EventTOTPAdded); n != 1 {
		t.Errorf("%d additions logged", n)
	}
}

func TestAbuse_C09_ReplacingAndRemovingTOTP(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	ann := ByUsername("ann")
	wantKind(t, h.RemoveTOTP(ctx, ann, "123456", "", testClient()), NotFound, "totp")
	must(t, h.SetTOTP(ctx, ann, testSecret, "admin", testClient()))
	_, _, err := h.ReplaceTOTP(ctx, ann, h.code(t, testSecret, 9), testClient())
	wantKind(t, err, Denied, "code")
	wantKind(t, h.RemoveTOTP(ctx, ann, h.code(t, testSecret, 9), "", testClient()), Denied, "code")
	wantKind(t, h.RemoveTOTP(ctx, ann, "", "", testClient()), Denied, "code")
	fresh := h.code(t, testSecret, 0)
	secret, _, err := h.ReplaceTOTP(ctx, ann, fresh, testClient())
	must(t, err)
	wantKind(t, h.RemoveTOTP(ctx, ann, fresh, "", testClient()), Denied, "code") // used
	if ok, err := h.CheckTOTP(ctx, ann, h.code(t, testSecret, 1), testClient()); err != nil || !ok {
		t.Errorf("the old secret is good until the new one is proven: %v, %v", ok, err)
	}
	h.clock.add(2 * time.Minute)
	must(t, h.ConfirmTOTP(ctx, ann, h.code(t, secret, -1), testClient()))
	if ok, err := h.CheckTOTP(ctx, ann, h.code(t, testSecret, 0), testClient()); err != nil || ok {
		t.Errorf("the old secret: %v, %v", ok, err)
	}
	must(t, h.RemoveTOTP(ctx, ann, h.code(t, secret, 0), "", testClient()))
	must(t, h.SetTOTP(ctx, ann, testSecret, "admin", testClient()))
	must(t, h.RemoveTOTP(ctx, ann, "", "admin", testClient()))
	if p, err := h.Person(ctx, ann); err != nil || p.HasTOTP {
		t.Errorf("removed: %v", err)
	}
	if n := h.count(t, EventTOTPRemoved); n != 2 {
		t.Errorf("%d removals logged, want 2", n)
	}
	for _, bad := range []string{"", "short", "not base32 at all!!!!", strings.Repeat("A", 104)} {
		wantKind(t, h.SetTOTP(ctx, ann, bad, "admin", testClient()), Invalid, "secret")
	}
}

func TestAbuse_C13_HostileNamesInTheAddress(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Issuer = "Evil: & Co?secret=AAAA\r\n" })
	h.dir.people[0].Attributes = directory.Attributes{directory.AttrName: {"a:b?secret=X&issuer=Y#\x00\"<é" + strings.Repeat("x", 500)}}
	secret, address, err := h.BeginTOTP(t.Context(), ByUsername("ann"))
	must(t, err)
	u, err := url.Parse(address)
	must(t, err)
	q := u.Query()
	if u.Scheme != "otpauth" || u.Host != "totp" || u.Fragment != "" || len(q) != 2 ||
		q.Get("secret") != secret || q.Get("issuer") != "Evil  & Co?secret=AAAA" || len(address) > 800 {
		t.Errorf("address %q", address)
	}
	key, err := otp.NewKeyFromURL(address)
	if err != nil || key.Secret() != secret || !strings.HasPrefix(key.AccountName(), "a b?secret=X&issuer=Y#\"<é") {
		t.Errorf("account %q, %v", key.AccountName(), err)
	}
}
