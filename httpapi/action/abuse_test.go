package action

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"portico/adapter"
)

const formType = "Content-Type: application/x-www-form-urlencoded"

// ask sends one request with a body and gives status and body of the answer.
func (s *service) ask(t *testing.T, requestLine, header, body string) (int, string) {
	t.Helper()
	head := requestLine + " HTTP/1.1\r\nHost: x\r\n"
	if header != "" {
		head += header + "\r\n"
	}
	method, _, _ := strings.Cut(requestLine, " ")
	resp, got, err := s.send(method, fmt.Appendf(nil, "%sContent-Length: %d\r\n\r\n%s", head, len(body), body))
	if err != nil {
		t.Fatalf("%s: %v", requestLine, err)
	}
	return resp.StatusCode, string(got)
}

func TestAbuse_A01_EmptyPassword(t *testing.T) {
	s := startService(t, "")
	for _, action := range []string{"auth", "login"} {
		for _, body := range []string{"password=", "", "password=x&password=", "password=0"} {
			status, got := s.ask(t, "POST /api/"+action+"/K123/?username=jdoe", formType, body)
			if status != 400 || !strings.Contains(got, "variable password") {
				t.Errorf("%s %q: %d %s", action, body, status, got)
			}
		}
	}
	if len(s.fake.signIns) > 0 {
		t.Errorf("%d passwords were checked", len(s.fake.signIns))
	}
}

func TestAbuse_A02_PasswordOfAnotherType(t *testing.T) {
	s := startService(t, "")
	for _, password := range []string{`null`, `[]`, `["jdoe-pw"]`, `{}`, `{"a":"jdoe-pw"}`, `true`, `false`, `0`} {
		status, got := s.ask(t, "POST /api/", "", `{"action":"auth","key":"K123","username":"jdoe","password":`+password+`}`)
		if status != 400 || !strings.Contains(got, "variable password") {
			t.Errorf("%s: %d %s", password, status, got)
		}
	}
	s.ask(t, "POST /api.php", formType, "action=auth&key=K123&username=jdoe&password[]=jdoe-pw")
	if len(s.fake.signIns) > 0 {
		t.Errorf("%d passwords were checked", len(s.fake.signIns))
	}
	// A number is taken as it was written; of a repeated field the last one counts.
	s.ask(t, "POST /api/", "", `{"action":"auth","key":"K123","username":"jdoe","password":007e1}`) // no JSON: nothing happens
	s.ask(t, "POST /api/", "", `{"action":"auth","key":"K123","username":"jdoe","password":1.50}`)
	s.ask(t, "POST /api.php", formType, "action=auth&key=K123&username=jdoe&password=one&password=two")
	if len(s.fake.signIns) != 2 || s.fake.signIns[0].Password != "1.50" || s.fake.signIns[1].Password != "two" {
		t.Errorf("checked %+v", s.fake.signIns)
	}
}

func TestAbuse_A05_EmptyUserName(t *testing.T) {
	s := startService(t, "")
	for _, name := range []string{"", "+", "+++", "%09%0A", "%C2%A0"} {
		for _, action := range []string{"auth", "login", "acctstatus", "userinfo", "userexists", "getmanaged"} {
			status, got := s.ask(t, "POST /api.php", formType, "action="+action+"&key=K123&password=x&username="+name)
			if status != 400 {
				t.Errorf("%s %q: %d %s", action, name, status, got)
			}
		}
	}
	status, got := s.ask(t, "POST /api.php", formType, "action=auth&key=K123&password=jdoe-pw&username=uid%3Djdoe%2Cdc%3Dexample%2Cdc%3Dorg")
	if status != 200 || !strings.Contains(got, "login incorrect") {
		t.Errorf("a DN: %d %s", status, got)
	}
}

func TestAbuse_A06_SearchSyntaxInUserName(t *testing.T) {
	s := startService(t, "")
	for _, name := range []string{"*", "j*", "*)(uid=*))(|(uid=*", `\6adoe`, ")(cn=", "jdoe%00", "%00", "%FF%FE"} {
		status, got := s.ask(t, "POST /api.php", formType, "action=auth&key=K123&password=jdoe-pw&username="+name)
		if status != 200 || !strings.Contains(got, "login incorrect") {
			t.Errorf("%q: %d %s", name, status, got)
		}
	}
	for _, in := range s.fake.signIns {
		if strings.Contains(in.Username, "\x00") {
			t.Errorf("NUL in %q went further in", in.Username)
		}
	}
}

func TestAbuse_D02_KeyIsNowhereInTheLog(t *testing.T) {
	s := startService(t, "/accounthub")
	const secret = "SecretKey77"
	s.fake.set(func() {
		s.fake.keys[secret] = adapter.Caller{KeyID: 77, Level: adapter.LevelFull}
	})
	for _, line := range []string{
		"GET /accounthub/api/userinfo/" + secret + "/?uid=2", "GET /accounthub/api.php?action=ping&key=" + secret,
		"GET /accounthub/api/ping/X" + secret + "/", "GET /wrong/api/ping/" + secret + "/", "GET /" + secret,
		"GET /accounthub/api/" + secret, "GET /accounthub/api.php/" + secret, "GET /accounthub/api/auth/" + secret,
	} {
		s.ask(t, line, "Referer: http://x/?key="+secret, "")
	}
	s.fake.set(func() { s.fake.panics = true })
	if status, body := s.ask(t, "GET /accounthub/api/userinfo/"+secret+"/uid=2", "", ""); status != 500 || strings.Contains(body, secret) {
		t.Errorf("%d %s", status, body)
	}
	log := s.log.String()
	if strings.Contains(log, secret) {
		t.Errorf("the key is in the log:\n%s", log)
	}
	for _, want := range []string{"operation=userinfo", "key=77", "route=/accounthub/api/", "route=(none)/*/api/*/*/", "panic in a handler"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
}

func TestAbuse_F05_WhatIsCheckedIsWhatIsRun(t *testing.T) {
	s := startService(t, "")
	// A weak key in one place and a strong one in another: the winner is both
	// looked up and used, and the same action is judged and run.
	for line, want := range map[string]int{
		"POST /api.php?key=K123&action=userinfo":            403, // the body's key wins
		"POST /api/userinfo/K123/":                          403 + 1000,
		"POST /api/userinfo/?key=K123":                      200, // the query wins
		"POST /api/ping/NONEKEY/?key=K123&action=userinfo":  200,
		"POST /api/userinfo/K123/?key=NONEKEY":              403,
		"POST /api/userinfo/K123/key=NONEKEY":               403, // within the path the last one
		"POST /api/userinfo/NONEKEY/key=K123/?key=AUTHKEY":  403,
		"POST /api/userinfo/NONEKEY/action=userinfo/uid=2/": 403,
	} {
		if want > 1000 {
			want = 200 // the path beats the body
		}
		if status, got := s.ask(t, line, formType, "key=NONEKEY&uid=2"); status != want {
			t.Errorf("%s: %d %s, want %d", line, status, got, want)
		}
	}
}

func TestAbuse_F07_TooManyParts(t *testing.T) {
	s := startService(t, "")
	var body bytes.Buffer
	for range 10000 {
		body.WriteString("--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n")
	}
	body.WriteString("--X--\r\n")
	if status, got := s.ask(t, "POST /api/ping/K123/", "Content-Type: multipart/form-data; boundary=X", body.String()); status != 400 {
		t.Errorf("%d %s", status, got)
	}
	if status, got := s.ask(t, "POST /api/ping/K123/", formType, strings.Repeat("a=b&", 10000)); status != 400 {
		t.Errorf("%d %s", status, got)
	}
	if status, _ := s.ask(t, "POST /api/ping/K123/", strings.Repeat("X-A: b\r\n", 10000)+"X: y", ""); status != 431 {
		t.Errorf("10,000 headers: %d", status)
	}
	name := strings.Repeat("n", 200_000)
	if status, got := s.ask(t, "POST /api/ping/K123/", "Content-Type: multipart/form-data; boundary=X",
		"--X\r\nContent-Disposition: form-data; name=\""+name+"\"\r\n\r\nb\r\n--X--\r\n"); status != 200 {
		t.Errorf("a huge name: %d %s", status, got)
	}
}

func TestAbuse_F08_EndlessBody(t *testing.T) {
	s := startService(t, "")
	if status, _ := s.ask(t, "POST /api/ping/K123/", formType+"\r\nContent-Length: 1073741824", ""); status != 400 {
		t.Errorf("two lengths: %d", status)
	}
	resp, _, err := s.send("POST", []byte("POST /api/ping/K123/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\nabc"))
	if err != nil || resp.StatusCode != 413 {
		t.Errorf("1 GB: %v %v", resp, err)
	}
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := io.WriteString(conn, "POST /api/ping/K123/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	sent, chunk := 0, []byte("10000\r\n"+strings.Repeat("x", 0x10000)+"\r\n")
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	for sent < 64<<20 {
		n, err := conn.Write(chunk)
		if sent += n; err != nil {
			break
		}
	}
	answer, _ := io.ReadAll(conn)
	runtime.ReadMemStats(&after)
	if sent > 32<<20 {
		t.Errorf("%d bytes of an endless body were taken", sent)
	}
	if len(answer) > 0 && !bytes.HasPrefix(answer, []byte("HTTP/1.1 413 ")) {
		t.Errorf("answer %.80q", answer)
	}
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 16<<20 {
		t.Errorf("memory grew by %d bytes", grown)
	}
}

func TestAbuse_F18_SearchTextIsLiteral(t *testing.T) {
	s := startService(t, "")
	for _, text := range []string{"'%20OR%20''='", "%25%25%25", "___", "a*b", `"%20OR%20x%3A*`, "abc%00"} {
		if status, got := s.ask(t, "GET /api/usersearch/K123/?search="+text, "", ""); status != 200 || got != `{"status":"OK","result":[]}` {
			t.Errorf("%s: %d %s", text, status, got)
		}
	}
}

func TestAbuse_F19_LogForging(t *testing.T) {
	s := startService(t, "")
	s.ask(t, "GET /api/%0Alevel=ERROR%20msg=forged/K123/?uid=2", "", "")
	s.ask(t, "GET /%1B[31m%0Alevel=ERROR", "", "")
	s.ask(t, "POST /api.php", formType, "action=%0Aforged&key=K123%0Aforged")
	for line := range strings.Lines(s.log.String()) {
		if !strings.HasPrefix(line, "time=") || strings.Contains(line, "forged") || strings.Contains(line, "\x1b") {
			t.Errorf("line %q", line)
		}
	}
}

func TestAbuse_G09_NothingInternalInAnswers(t *testing.T) {
	s := startService(t, "")
	for _, fault := range []string{"broken", "panics"} {
		if err := s.direct("adapter " + fault); err != nil {
			t.Fatal(err)
		}
		status, got := s.ask(t, "GET /api/userinfo/K123/?uid=2", "", "")
		if status != 500 || !strings.HasPrefix(got, "500 Internal Server Error (request ") || len(got) > 80 {
			t.Errorf("%s: %d %q", fault, status, got)
		}
	}
	if log := s.log.String(); !strings.Contains(log, "secret detail") || !strings.Contains(log, "request_id=") {
		t.Errorf("the log does not say what happened:\n%s", log)
	}
}

func TestUnenforcedLevelWarnsOnce(t *testing.T) {
	s := startService(t, "")
	for range 3 {
		if status, got := s.ask(t, "GET /api/userinfo/OLDKEY/?uid=2", "", ""); status != 200 {
			t.Fatalf("%d %s", status, got)
		}
	}
	s.ask(t, "GET /api/getgroups/OLDKEY/", "", "")
	if n := strings.Count(s.log.String(), "level=WARN"); n != 2 {
		t.Errorf("%d warnings, want one for each action:\n%s", n, s.log)
	}
	s.ask(t, "GET /api/userinfo/AUTHKEY/?uid=2", "", "")
	if len(s.fake.refused) != 1 || s.fake.refused[0] != "userinfo" {
		t.Errorf("the security log was told of %v", s.fake.refused)
	}
}

func TestEveryActionIsRecorded(t *testing.T) {
	recorded := recordedText(t)
	for _, act := range table() {
		if !strings.Contains(recorded, "action="+act.name) && !strings.Contains(recorded, `"action":"`+act.name+`"`) {
			t.Errorf("no recorded exchange has the action %s", act.name)
		}
	}
}

func TestPrefix(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for _, bad := range []string{"accounthub", "/a b", "/a%20b", "/{x}", "/a//b", "/ä", "/a?b"} {
		if _, err := New(Config{Prefix: bad}, newFake(), log); err == nil {
			t.Errorf("prefix %q was accepted", bad)
		}
	}
	for _, good := range []string{"", "/", "/accounthub", "/accounthub/", "/$x/y.z"} {
		if _, err := New(Config{Prefix: good}, newFake(), log); err != nil {
			t.Errorf("prefix %q: %v", good, err)
		}
	}
}
