package collaboration

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"portico/adapter"
	collab "portico/adapter/collaboration"
)

// ask sends one request; key is the name of one, "" for none.
func (h *house) ask(method, path, key, body string, headers ...string) (status int, header http.Header, text string) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, "http://"+h.addr+path, strings.NewReader(body))
	must(h.t, err)
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+h.keys[key])
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	resp, err := client.Do(r)
	must(h.t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	must(h.t, err)
	return resp.StatusCode, resp.Header, string(data)
}

func creation(name string, more string) string {
	return fmt.Sprintf(`{"name":%q,"description":"d","disable_join_requests":false,"disclose_member_information":true,`+
		`"disclose_email_information":true,"administrators":[]%s}`, name, more)
}

// TestAbuse_D05_EveryRouteEveryRole: the table names every route of the router;
// one without a line fails.
func TestAbuse_D05_EveryRouteEveryRole(t *testing.T) {
	h := newHouse(t, "")
	v, err := newSolar(h)
	must(t, err)
	gone := "6b1f0a52-6a57-4a53-9d0e-2f6f0b0d7f11"
	co, id := v.Identifier, "/api/collaborations/v1/{co}"
	const inv = "/api/invitations/v1"
	const srv = "/api/collaborations_services/v1"
	// What nobody, a reading key, a key of another organisation and one of other units get.
	matrix := map[string]struct {
		body  string
		roles [4]int
	}{
		"POST /api/collaborations/v1":                           {creation("Role", ""), [4]int{401, 403, 201, 201}},
		"GET " + id:                                             {"", [4]int{401, 200, 403, 403}},
		"PATCH " + id:                                           {`{"expiry_date":null}`, [4]int{401, 403, 403, 403}},
		"DELETE " + id:                                          {"", [4]int{401, 403, 403, 403}},
		"PUT " + id + "/members":                                {`{"uid":"2","role":"admin"}`, [4]int{401, 403, 403, 403}},
		"DELETE " + id + "/members/{uid}":                       {"", [4]int{401, 403, 403, 403}},
		"PUT " + id + "/units":                                  {`[]`, [4]int{401, 403, 404, 403}},
		"PUT " + srv + "/connect_collaboration_service":         {`{"short_name":"solar","service_entity_id":"https://wiki.example.org"}`, [4]int{401, 403, 403, 403}},
		"PUT " + srv + "/connect_collaboration_service/{co}":    {`{"service_entity_id":"https://wiki.example.org"}`, [4]int{401, 403, 403, 403}},
		"PUT " + srv + "/disconnect_collaboration_service":      {`{"short_name":"solar","service_entity_id":"https://wiki.example.org"}`, [4]int{401, 403, 403, 403}},
		"PUT " + srv + "/disconnect_collaboration_service/{co}": {`{"service_entity_id":"https://wiki.example.org"}`, [4]int{401, 403, 403, 403}},
		"GET " + srv + "/{co}":                                  {"", [4]int{401, 200, 403, 403}},
		"PUT " + inv + "/collaboration_invites":                 {`{"short_name":"solar","invites":["q@example.org"]}`, [4]int{401, 403, 403, 403}},
		"PUT " + inv + "/resend/{invitation}":                   {"", [4]int{401, 403, 403, 403}},
		"PATCH " + inv + "/update/{invitation}":                 {`{}`, [4]int{401, 403, 403, 403}},
		"GET " + inv + "/invitations/{co}":                      {"", [4]int{401, 200, 403, 403}},
		"POST " + inv + "/accept":                               {`{"token":"x"}`, [4]int{401, 401, 401, 401}},
		"POST " + inv + "/decline":                              {`{"token":"x"}`, [4]int{404, 404, 404, 404}},
		"GET " + inv + "/{invitation}":                          {"", [4]int{401, 200, 403, 403}},
		"DELETE " + inv + "/{invitation}":                       {"", [4]int{401, 403, 403, 403}},
		"GET /api/organisations/v1":                             {"", [4]int{401, 200, 200, 200}},
		"POST /api/groups/v1":                                   {`{"collaboration_identifier":"{co}","name":"g","short_name":"g"}`, [4]int{401, 403, 403, 403}},
		"PUT /api/groups/v1/{group}":                            {`{}`, [4]int{401, 403, 403, 403}},
		"DELETE /api/groups/v1/{group}":                         {"", [4]int{401, 403, 403, 403}},
		"POST /api/groups/v1/{group}":                           {`{"uid":"2"}`, [4]int{401, 403, 403, 403}},
		"DELETE /api/groups/v1/{group}/members/{uid}":           {"", [4]int{401, 403, 403, 403}},
		"GET /api/images/{type}/{uuid4}":                        {"", [4]int{404, 404, 404, 404}},
	}
	acme := h.caller("K-ACME")
	sent, err := h.collabs.Invite(t.Context(), acme, collab.Bulk{ShortName: "solar", Emails: []string{"i@example.org"}})
	must(t, err)
	group, err := h.collabs.CreateGroup(t.Context(), acme, collab.NewGroup{Collaboration: co, Name: "Team", ShortName: "team"})
	must(t, err)
	fill := strings.NewReplacer("{co}", co, "{uid}", "2", "{invitation}", sent[0].Identifier, "{group}", group.Identifier, "{type}", "services", "{uuid4}", gone)
	// The paths are those of the router itself, the methods those of its table.
	paths := map[string]bool{}
	router := mux.NewRouter()
	(&API{}).Mount(router)
	must(t, router.Walk(func(r *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		if path, err := r.GetPathTemplate(); err == nil && r.GetHandler() != nil && !strings.HasSuffix(path, "/") {
			paths[path] = true
		}
		return nil
	}))
	for _, rt := range routes() {
		delete(paths, rt.path)
		name := rt.method + " " + rt.path
		line, ok := matrix[name]
		if !ok {
			t.Errorf("%s is not in the table", name)
			continue
		}
		for i, key := range []string{"", "K-READER", "K-ZETA", "K-NORTH"} {
			body := strings.Replace(fill.Replace(line.body), `"Role"`, fmt.Sprintf(`"Role %d"`, i), 1)
			if status, _, text := h.ask(rt.method, fill.Replace(rt.path), key, body); status != line.roles[i] {
				t.Errorf("%s as %q: %d, want %d: %s", name, key, status, line.roles[i], text)
			}
		}
		delete(matrix, name)
	}
	for name := range matrix {
		t.Errorf("%s is no route", name)
	}
	for path := range paths {
		t.Errorf("the router has %s, the table has not", path)
	}
}

// TestAbuse_D06_ForeignGroupsInInvitations: ids of another collaboration are
// unknown, as random ones are.
func TestAbuse_D06_ForeignGroupsInInvitations(t *testing.T) {
	h := newHouse(t, "")
	_, err := newSolar(h)
	must(t, err)
	acme := h.caller("K-ACME")
	other, err := h.collabs.Create(t.Context(), acme, collab.NewCollaboration{Name: "Other", Description: "d", ShortName: "other"})
	must(t, err)
	group, err := h.collabs.CreateGroup(t.Context(), acme, collab.NewGroup{Collaboration: other.Identifier, Name: "g", ShortName: "g"})
	must(t, err)
	var answers []string
	for _, id := range []string{group.Identifier, "6b1f0a52-6a57-4a53-9d0e-2f6f0b0d7f11"} {
		status, _, text := h.ask("PUT", "/api/invitations/v1/collaboration_invites", "K-ACME", `{"short_name":"solar","invites":["a@example.org"],"groups":["`+id+`"]}`)
		answers = append(answers, fmt.Sprint(status, text))
	}
	if answers[0] != answers[1] || !strings.HasPrefix(answers[0], "400") {
		t.Errorf("answers %q", answers)
	}
}

func TestAbuse_D13_ConfusableNames(t *testing.T) {
	h := newHouse(t, "")
	if status, _, text := h.ask("POST", "/api/collaborations/v1", "K-ACME", creation("Admin", `,"short_name":"a1"`)); status != 201 {
		t.Fatal(text)
	}
	for _, name := range []string{"admin", " ADMIN ", "Аdmin", "Adm\u200bin", "Ａｄｍｉｎ", "Admın"} {
		if status, _, text := h.ask("POST", "/api/collaborations/v1", "K-ACME", creation(name, `,"short_name":"a2"`)); status != 400 {
			t.Errorf("%q: %d %s", name, status, text)
		}
	}
}

func TestAbuse_D14_OnlyTheConfiguredIDIsOne(t *testing.T) {
	h := newHouse(t, "")
	for _, uid := range []string{"bob", "stable-bob", "stable-bob@corp", "bob@example.org", "02", "+2", "2.0", "2 ", "0", "-1", "99999999999999999999"} {
		status, _, text := h.ask("POST", "/api/collaborations/v1", "K-ACME", creation("x", fmt.Sprintf(`,"short_name":"x","administrator":%q`, uid)))
		if status != 400 || !strings.Contains(text, "administrator") {
			t.Errorf("%q: %d %s", uid, status, text)
		}
	}
}

func TestAbuse_F04_StrictJSON(t *testing.T) {
	h := newHouse(t, "")
	good := creation("x", `,"short_name":"x"`)
	for name, body := range map[string]string{
		"repeated":    strings.Replace(good, `"name"`, `"name":"a","name"`, 1),
		"escaped":     strings.Replace(good, `"name"`, `"n\u0061me":"a","name"`, 1),
		"other case":  strings.Replace(good, `"name"`, `"Name"`, 1),
		"trailing":    good + `{}`,
		"deep":        strings.Replace(good, `"d"`, `"d","x":`+strings.Repeat("[", 10000)+strings.Repeat("]", 10000), 1),
		"huge number": strings.Replace(good, `"short_name"`, `"expiry_date":1e308,"short_name"`, 1),
		"too huge":    strings.Replace(good, `"short_name"`, `"expiry_date":1e999,"short_name"`, 1),
		"NaN":         strings.Replace(good, `"short_name"`, `"expiry_date":NaN,"short_name"`, 1),
		"NaN text":    strings.Replace(good, `"short_name"`, `"expiry_date":"NaN","short_name"`, 1),
		"BOM":         "\ufeff" + good,
		"not UTF-8":   strings.Replace(good, `"d"`, "\"\xff\"", 1),
		"NUL":         strings.Replace(good, `"d"`, `"\u0000"`, 1),
		"empty":       "",
	} {
		status, _, text := h.ask("POST", "/api/collaborations/v1", "K-ACME", body)
		var answer struct {
			Error   bool   `json:"error"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil || status != 400 || !answer.Error || answer.Message == "" {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if status, _, text := h.ask("POST", "/api/collaborations/v1", "K-ACME", good); status != 201 {
		t.Errorf("%d %s", status, text)
	}
	if status, _, _ := h.ask("POST", "/api/collaborations/v1", "K-ACME", `"`+strings.Repeat("x", maxLarge)+`"`); status != 413 {
		t.Errorf("4 MiB and more: %d", status)
	}
}

// bomb is a PNG that says it is 30,000 pixels wide and high.
func bomb() []byte {
	head := append([]byte("IHDR"), 0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30, 8, 2, 0, 0, 0)
	out := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d")
	out = append(out, head...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(head))
	return append(out, bytes.Repeat([]byte{0}, 50000)...)
}

func TestAbuse_F10_Logos(t *testing.T) {
	h := newHouse(t, "")
	var small, photo bytes.Buffer
	must(t, png.Encode(&small, image.NewRGBA(image.Rect(0, 0, 1, 1))))
	must(t, jpeg.Encode(&photo, image.NewRGBA(image.Rect(0, 0, 2000, 1000)), nil))
	page := append(append([]byte{}, photo.Bytes()...), "<html><script>alert(1)</script>"...)
	b64 := base64.StdEncoding.EncodeToString
	refused := map[string]string{
		"bomb": b64(bomb()), "GIF": b64([]byte("GIF89a\x01\x00\x01\x00")), "SVG": b64([]byte("<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>")),
		"truncated": b64(photo.Bytes()[:len(photo.Bytes())/2]), "text": "hello world!", "SVG in data": "data:image/svg+xml;base64," + b64([]byte("<svg/>")),
		"HTML in data": "data:text/html;base64," + b64(small.Bytes()), "script": "data:text/html,<script>", "too many bytes": strings.Repeat("A", 3<<20),
	}
	for name, logo := range refused {
		status, _, text := h.ask("POST", "/api/collaborations/v1", "K-ACME", creation("logo", `,"short_name":"logo","logo":"`+logo+`"`))
		if status != 400 || !strings.Contains(text, "logo") {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	for name, logo := range map[string]string{
		"1x1": b64(small.Bytes()), "photo": b64(photo.Bytes()), "page behind it": b64(page), "in data": "data:image/png;base64," + b64(small.Bytes()),
		"lines": b64(photo.Bytes())[:76] + `\r\n` + b64(photo.Bytes())[76:],
	} {
		status, _, text := h.ask("POST", "/api/collaborations/v1", "K-ACME", creation(name, `,"logo":"`+logo+`"`))
		var made struct{ Logo string }
		if err := json.Unmarshal([]byte(text), &made); err != nil || status != 201 {
			t.Errorf("%s: %d %s", name, status, text)
			continue
		}
		status, header, data := h.ask("GET", strings.TrimPrefix(made.Logo, "https://id.example.org"), "", "")
		picture, kind, err := image.Decode(strings.NewReader(data))
		if err != nil || status != 200 || kind != "png" || picture.Bounds().Dx() != 480 || picture.Bounds().Dy() != 348 {
			t.Errorf("%s: %d %s %v", name, status, kind, err)
		}
		if strings.Contains(data, "script") || header.Get("Content-Type") != "image/png" || header.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.Contains(header.Get("Content-Security-Policy"), "sandbox") || header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %v", name, header)
		}
	}
}

func TestAbuse_F12_F13_Addresses(t *testing.T) {
	h := newHouse(t, "")
	_, err := newSolar(h)
	must(t, err)
	hostile := []string{
		"a@example.org\r\nBcc: b@example.org", "a@example.org\n", "a\x00@example.org", "a@b>c", `"a b"@example.org`, "a@x,b@y", "<a@example.org>",
		strings.Repeat("a", 100<<10) + "@example.org", strings.Repeat("(", 50000) + "@x", "a@example.org;b@example.org",
	}
	body, err := json.Marshal(map[string]any{"short_name": "solar", "invites": append(hostile, "fine@example.org"), "sender_name": "A\r\nBcc: x@example.org", "message": "m\r\n.\r\n"})
	must(t, err)
	status, _, text := h.ask("PUT", "/api/invitations/v1/collaboration_invites", "K-ACME", string(body))
	var sent []struct{ Email string }
	// A line end around an address is white space, and cut off.
	if err := json.Unmarshal([]byte(text), &sent); err != nil || status != 201 || len(sent) > 2 || sent[len(sent)-1].Email != "fine@example.org" {
		t.Fatalf("%d %s", status, text)
	}
	for _, m := range h.letters.list {
		if strings.ContainsAny(m.To+m.ToName+m.Subject+m.From, "\r\n\x00") || strings.Contains(m.To, ",") {
			t.Errorf("letter %+v", m)
		}
	}
}

func TestAbuse_F14_ForgedHost(t *testing.T) {
	h := newHouse(t, "")
	status, _, text := h.ask("POST", "/api/collaborations/v1", "K-ACME", strings.Replace(creation("Forged", ""), "[]", `["v@example.org"]`, 1),
		"X-Forwarded-Host", "evil.example", "Forwarded", "host=evil.example")
	if status != 201 || strings.Contains(text, "evil") {
		t.Errorf("%d %s", status, text)
	}
	for _, m := range h.letters.list {
		if strings.Contains(m.Text+m.HTML, "evil") || !strings.Contains(m.Text, "https://id.example.org/account/join?token=") {
			t.Errorf("letter %s", m.Text)
		}
	}
}

func TestAbuse_G05_G09_CORSAndErrors(t *testing.T) {
	h := newHouse(t, "")
	for _, origin := range []string{"null", "https://id.example.org.evil.example", "https://evil.example"} {
		_, header, _ := h.ask("GET", "/api/organisations/v1", "K-ACME", "", "Origin", origin)
		if header.Get("Access-Control-Allow-Origin") != "" || header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %v", origin, header)
		}
	}
	must(t, h.store.Close())
	status, _, text := h.ask("GET", "/api/organisations/v1", "K-ACME", "")
	for _, word := range []string{"store", "sql", "SQL", ".go", "portico", "/tmp"} {
		if strings.Contains(text, word) {
			t.Errorf("%d %s", status, text)
		}
	}
}

// TestAbuse_G10_TokensCannotBeTriedForEver: they are 130 bits, and a wrong one
// changes nothing; wrong keys are slowed down.
func TestAbuse_G10_TokensCannotBeTriedForEver(t *testing.T) {
	h := newHouse(t, "")
	_, err := newSolar(h, "x@example.org")
	must(t, err)
	token, err := h.letters.token("x@example.org")
	must(t, err)
	for i := range 20 {
		wrong := token[:25] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i])
		if wrong == token {
			continue
		}
		if err := h.collabs.Decline(t.Context(), wrong, 0, adapter.Client{}); adapter.KindOf(err) != adapter.NotFound {
			t.Errorf("%v", err)
		}
	}
	if _, err := h.collabs.ByToken(t.Context(), token); err != nil {
		t.Error(err)
	}
}
