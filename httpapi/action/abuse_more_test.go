package action

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"portico/adapter"
	"portico/httpapi"
)

const mobileRoot = "/mobile/index.php"

// Where no key is needed, nobody, a wrong password, a locked account and a
// protected one look the same to who did not prove the password.
func TestAbuse_B02_PairingTellsNobodyApart(t *testing.T) {
	s := startService(t, "")
	for _, name := range []string{"nobody", "jdoe", "locked", "expired", "termin", "alerty", "admin"} {
		status, got := s.ask(t, "POST "+mobileRoot, formType, "action=generatesynccode&key=x&password=wrong&username="+name)
		if status != 200 || got != `{"status":"ERROR","msg":"login incorrect"}` {
			t.Errorf("%s: %d %s", name, status, got)
		}
	}
	for _, name := range []string{"nobody", "jdoe", "locked", "admin"} {
		s.fake.set(func() { s.fake.now = s.fake.now.Add(3 * time.Second) })
		status, got := s.ask(t, "POST "+mobileRoot, formType, "action=hasotp&key=0000&username="+name)
		if status != 200 || got != `{"status":"ERROR","msg":"mobile credentials invalid"}` {
			t.Errorf("%s: %d %s", name, status, got)
		}
	}
}

// Codes go to the adapter as they were sent; nothing here makes a right code of a
// wrong one.
func TestAbuse_C02_OddCodes(t *testing.T) {
	s := startService(t, "")
	right := s.fake.totpCode(0)
	for _, code := range []string{
		right + "%0A", right + "%09", "%C2%A0" + right, "%2B" + right, "-" + right, "0x" + right, right + "0", right[:5], right + ".0",
		right + "%00", "%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96", "%D9%A1%D9%A2%D9%A3%D9%A4%D9%A5%D9%A6",
	} {
		status, got := s.ask(t, "POST /api.php", formType, "action=verifytotp&key=K123&username=jdoe&code="+code)
		if status != 200 || !strings.Contains(got, `"valid":false`) {
			t.Errorf("%s: %d %s", code, status, got)
		}
	}
	for _, code := range []string{`true`, `[123456]`, `{}`, `null`} {
		status, got := s.ask(t, "POST /api/", "", `{"action":"verifytotp","key":"K123","username":"jdoe","code":`+code+`}`)
		if status != 400 || !strings.Contains(got, "variable code") {
			t.Errorf("%s: %d %s", code, status, got)
		}
	}
}

// Guessing is stopped by the adapter; what it says is not a breakdown, and B12: a
// 429 tells when to come again.
func TestAbuse_C05_GuessingIsAnsweredCalmly(t *testing.T) {
	s := startService(t, "")
	if err := s.direct("adapter busy"); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		"verifytotp&username=jdoe&code=1", "checkpin&username=jdoe&pin=1", "codelogin&code=100000", "auth&username=jdoe&password=x",
	} {
		if status, got := s.ask(t, "POST /api.php", formType, "key=K123&action="+query); status != 200 || !strings.Contains(got, `"slow down"`) {
			t.Errorf("%s: %d %s", query, status, got)
		}
	}
	for _, query := range []string{"login&username=jdoe&password=x", "alertemail&username=jdoe"} {
		resp, got, err := s.send("GET", []byte("GET /api.php?key=K123&action="+query+" HTTP/1.1\r\nHost: x\r\n\r\n"))
		if err != nil || resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %v %v %s", query, err, resp, got)
		}
	}
}

// TestAbuse_C08_NoWayAroundTheSecondFactor asks everything that takes a password
// with the right password of a person who has TOTP.
func TestAbuse_C08_NoWayAroundTheSecondFactor(t *testing.T) {
	s := startService(t, "")
	cases := map[string]string{
		"auth":  "documented as the first factor only: hastotp and verifytotp follow",
		"login": "documented likewise",
	}
	for _, act := range table() {
		for _, r := range act.params {
			if r.name == "password" && cases[act.name] == "" {
				t.Errorf("%s takes a password; how does it treat people with TOTP?", act.name)
			}
		}
	}
	for _, action := range []string{"auth", "login"} {
		if _, got := s.ask(t, "POST /api.php", formType, "key=K123&username=jdoe&password=jdoe-pw&apppass=1&action="+action); !strings.Contains(got, "login incorrect") {
			t.Errorf("%s for a client that cannot ask for a code: %s", action, got)
		}
	}
	for _, act := range mobileTable() {
		s.fake.set(func() { s.fake.now = s.fake.now.Add(3 * time.Second) })
		_, got := s.ask(t, "POST "+mobileRoot, formType, "username=jdoe&key=x&password=jdoe-pw&action="+act.name)
		if strings.Contains(got, `"OK"`) {
			t.Errorf("%s without the sync code, which is the second factor: %s", act.name, got)
		}
	}
}

func TestAbuse_D02_MobileSecretsAreNowhereInTheLog(t *testing.T) {
	s := startService(t, "")
	const sync, password = "0123456789ABCDEF0123", "jdoe-pw"
	for _, action := range []string{"check_key", "check_password", "zzz", "start_session", "generatesynccode", "gencode"} {
		s.fake.set(func() { s.fake.now = s.fake.now.Add(3 * time.Second) })
		query := "action=" + action + "&username=jdoe&key=" + sync + "&password=" + password
		s.ask(t, "GET "+mobileRoot+"?"+query, "Referer: http://x/?"+query, "")
		s.ask(t, "POST /mobile/"+sync+"?"+query, formType, query)
	}
	s.ask(t, "GET /api/checkpin/K123/?username=jdoe&pin=0123", "", "")
	s.fake.set(func() { s.fake.panics = true })
	if status, got := s.ask(t, "GET "+mobileRoot+"?action=check_key&username=jdoe&key="+sync, "", ""); status != 500 || got != `{"status":"ERROR","msg":"internal error"}` {
		t.Errorf("%d %s", status, got)
	}
	log := s.log.String()
	for _, secret := range []string{sync, password, "0123&", "pin="} {
		if strings.Contains(log, secret) {
			t.Errorf("%q is in the log:\n%s", secret, log)
		}
	}
	if !strings.Contains(log, "operation=mobile/check_password") {
		t.Errorf("the log does not name the operation:\n%s", log)
	}
}

// F04: JSON where a form is expected is read by one written rule: a broken body is
// no parameters, of repeated keys the last one counts, names differ by case.
func TestAbuse_F04_OddJSONInTheMobileAPI(t *testing.T) {
	s := startService(t, "")
	for body, want := range map[string]int{
		`{"username":"jdoe","key":"0123456789ABCDEF0123","action":"check_key"}`:                                        200,
		`{"username":"jdoe","key":"x","key":"0123456789ABCDEF0123","action":"check_key"}`:                              200,
		`{"Username":"jdoe","KEY":"0123456789ABCDEF0123","action":"check_key"}`:                                        401,
		`{"username":"jdoe","key":"0123456789ABCDEF0123","action":"check_key"}{}`:                                      401,
		"\ufeff" + `{"username":"jdoe","key":"0123456789ABCDEF0123","action":"check_key"}`:                             401,
		`{"username":"jdoe","key":NaN,"action":"check_key"}`:                                                           401,
		`{"username":["jdoe"],"key":"0123456789ABCDEF0123","action":"check_key"}`:                                      401,
		`{"username":"jdoe","key":"0123456789ABCDEF0123","action":["check_key"]}`:                                      404,
		`{"x":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `,"action":"ping"}`:                        401,
		`{"username":"jdoe","key":"0123456789ABCDEF0123","action":"readnotification","id":1e308}`:                      200,
		`{"username":"jdoe","key":"0123456789ABCDEF0123","action":"readnotification","id":99999999999999999999999999}`: 200,
	} {
		if status, got := s.ask(t, "POST "+mobileRoot, "Content-Type: application/json", body); status != want || !strings.HasPrefix(got, `{"status":`) {
			t.Errorf("%.120s: %d %s, want %d", body, status, got, want)
		}
	}
}

// F05: the user who is checked is the user who is served, wherever the names come from.
func TestAbuse_F05_MobileServesWhoWasChecked(t *testing.T) {
	s := startService(t, "")
	s.ask(t, "POST /api.php", formType, "key=K123&action=addnotification&uid=1&title=secret&content=x")
	const jdoe = "username=jdoe&key=0123456789ABCDEF0123"
	for _, request := range [][3]string{
		{"?username=admin&uid=1", formType, jdoe + "&uid=1&action=checknotifications"},
		{"?" + jdoe, formType, "uid=1&action=checknotifications"},
		{"?" + jdoe + "&action=checknotifications", "Content-Type: application/json", `{"uid":1}`},
	} {
		if status, got := s.ask(t, "POST "+mobileRoot+request[0], request[1], request[2]); status != 200 || got != `{"status":"OK","notifications":[]}` {
			t.Errorf("%v: %d %s", request, status, got)
		}
	}
}

// F06 to F09: odd types, endless, broken and packed bodies get JSON from the mobile
// API, and are not read far.
func TestAbuse_F06_F09_OddBodiesInTheMobileAPI(t *testing.T) {
	s := startService(t, "")
	check := "action=check_key&username=jdoe&key=0123456789ABCDEF0123"
	if status, got := s.ask(t, "POST "+mobileRoot, "Content-Type: text/plain", check); status != 401 {
		t.Errorf("F06, a form that is not said to be one: %d %s", status, got)
	}
	if status, got := s.ask(t, "POST "+mobileRoot, formType, strings.Repeat("a=b&", 5000)); status != 400 || got != `{"status":"ERROR","msg":"400 Bad request: too many parameters"}` {
		t.Errorf("F07: %d %s", status, got)
	}
	resp, got, err := s.send("POST", []byte("POST "+mobileRoot+" HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\nabc"))
	if err != nil || resp.StatusCode != 413 {
		t.Errorf("F08: %v %v %s", err, resp, got)
	}
	if status, got := s.ask(t, "POST "+mobileRoot, formType+"\r\nContent-Encoding: gzip", check); status != 415 {
		t.Errorf("F09: %d %s", status, got)
	}
}

// F12: what was sent as a name does not get into the mail's application name but
// as one text; F15: what is stored comes back as text that no page runs.
func TestAbuse_F12_F15_TextStaysText(t *testing.T) {
	s := startService(t, "")
	s.ask(t, "POST /api.php", formType, "key=K123&action=alertemail&username=alerty&appname=x%0D%0ABcc:+a@b")
	if len(s.fake.mails) != 1 || s.fake.mails[0] != "alerty x\r\nBcc: a@b" {
		t.Errorf("F12: the mailer is told %q, and encodes it", s.fake.mails)
	}
	script := "%3Cscript%3Ealert(1)%3C/script%3E"
	s.ask(t, "POST /api.php", formType, "key=K123&action=addnotification&uid=2&title="+script+"&content="+script+"&url=javascript:alert(1)")
	resp, got, err := s.send("GET", []byte("GET /api.php?key=K123&action=getnotifications&uid=2 HTTP/1.1\r\nHost: x\r\n\r\n"))
	if err != nil || strings.Contains(string(got), "<") || resp.Header.Get("X-Content-Type-Options") != "nosniff" ||
		resp.Header.Get("Content-Type") != "application/json" || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("F15: %v %v %s", err, resp.Header, got)
	}
}

// K02: whoever asks, the adapter, which writes the security log, learns from where
// and for whom, once for each request.
func TestAbuse_K02_TheAdapterLearnsWhoAndFromWhere(t *testing.T) {
	s := startService(t, "")
	s.ask(t, "POST /api.php", formType, "key=K123&action=auth&username=jdoe&password=x")
	s.ask(t, "POST "+mobileRoot, formType, "action=check_password&username=JDOE&key=0123456789ABCDEF0123&password=x")
	s.ask(t, "POST "+mobileRoot, formType, "action=generatesynccode&username=jdoe&key=x&password=x")
	if len(s.fake.signIns) != 3 {
		t.Fatalf("%d checks for three requests", len(s.fake.signIns))
	}
	for i, want := range []adapter.SignIn{
		{Username: "jdoe", Password: "x"},
		{Username: "jdoe", Password: "x", FullSignIn: true, Surface: adapter.SurfaceMobile},
		{Username: "jdoe", Password: "x", Surface: adapter.SurfaceMobile, AppPasswordOnly: true},
	} {
		got := s.fake.signIns[i]
		if got.Client.Address != "127.0.0.1" || got.Client.RequestID == "" || (got.Caller != nil) == (got.Surface == adapter.SurfaceMobile) {
			t.Errorf("check %d: %+v", i, got)
		}
		got.Client, got.Caller = adapter.Client{}, nil
		if got != want {
			t.Errorf("check %d: %+v, want %+v", i, got, want)
		}
	}
	if _, got := s.ask(t, "POST /api.php", formType, "key=K123&action=addapppassword&desc=d&username=jdoe"); !strings.Contains(got, `"pass"`) || len(s.fake.told) != 1 {
		t.Errorf("%s, told %q", got, s.fake.told)
	}
}

// TestHostHeader: without a base URL the request says where the service is, but a
// host that is none is not repeated.
func TestHostHeader(t *testing.T) {
	s := startWith(t, Config{Mobile: true})
	own := "http://" + s.addr
	for header, want := range map[string]string{
		"Host: id.example.org:8443": "http://id.example.org:8443", "Host: [::1]:80": "http://[::1]:80",
		`Host: x"y`: own, "Host: x/y": own, "Host: " + strings.Repeat("x", 300): own, "Host:": own,
	} {
		resp, got, err := s.send("GET", []byte("GET /api/listapps/K123/ HTTP/1.1\r\n"+header+"\r\n\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode == 400 && strings.ContainsAny(header, `"/`) {
			continue // the server did not even take it
		}
		if !strings.Contains(string(got), `"url":"`+want+`/qwikclock"`) {
			t.Errorf("%.40s: %s", header, got)
		}
	}
	resp, got, err := s.send("GET", []byte("GET /api/getloginkey/K123/appname=x HTTP/1.0\r\n\r\n"))
	if err != nil || !strings.Contains(string(got), `"loginurl":"`+own+`/login/"`) {
		t.Errorf("HTTP/1.0 without a host: %v %v %s", err, resp, got)
	}
}

func TestListAppsKeepsOrder(t *testing.T) {
	s := startWith(t, Config{BaseURL: "https://id.example.org:8443/sso/"})
	_, got := s.ask(t, "GET /api/listapps/K123/", "", "")
	const want = `{"status":"OK","apps":{"qwikclock":{"url":"https://id.example.org:8443/qwikclock","mobileapi":"/mobile/index.php",` +
		`"icon":"/static/img/logo.svg","title":"QwikClock","station_features":["qwikclock_punchinout"],"card":{"color":"blue","string":"Punch in"}},` +
		`"binstack":{"title":"Bin\u003cStack\u003e","url":"https://apps.example.org:8443/bin","mobileapi":"/m","icon":"https://x/i.svg","own":null}}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, got := s.ask(t, "GET /api/getloginkey/K123/appname=x", "", ""); !strings.Contains(got, `"https://id.example.org:8443/sso/login/"`) {
		t.Errorf("loginurl: %s", got)
	}
	log := slog.New(httpapi.LogHandler(slog.DiscardHandler))
	api, err := New(Config{}, newFake(), log)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%s", api.apps.pieces); got != "[{}]" {
		t.Errorf("no apps: %s", got)
	}
}

func TestNewErrors(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for name, cfg := range map[string]Config{
		"base URL":     {BaseURL: "id.example.org"},
		"other scheme": {BaseURL: "ftp://id.example.org"},
		"app list":     {Apps: []App{{"x", []byte(`[]`)}}},
		"app broken":   {Apps: []App{{"x", []byte(`{"a":`)}}},
		"no app":       {Apps: []App{{Name: "x"}}},
		"language":     {Language: "xx"},
		"texts":        {TextsFile: "/nowhere"},
	} {
		if _, err := New(cfg, newFake(), log); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
