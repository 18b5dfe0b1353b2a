package collaboration

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	collab "portico/adapter/collaboration"
)

// Limits of a body: the larger one is for requests that may hold a picture.
const (
	maxBody  = 1 << 20
	maxLarge = 4 << 20
	maxDepth = 32
	maxOnce  = 255
)

// LargerBodies are the paths that take more than other requests, with the limit.
func LargerBodies() map[string]int64 {
	return map[string]int64{"/api/collaborations/v1": maxLarge, "/api/collaborations/v1/": maxLarge}
}

func (a *API) readBody(rt route, x *call, w http.ResponseWriter) error {
	if kind := x.Header.Get("Content-Type"); kind != "" {
		media, _, err := mime.ParseMediaType(kind)
		if err != nil || media != "application/json" && !strings.HasSuffix(media, "+json") && media != "text/plain" {
			return errType
		}
		if media == "text/plain" { // a browser sends that across sites without asking
			return errType
		}
	}
	limit := int64(maxBody)
	if rt.name == "C1" {
		limit = maxLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, x.Body, limit))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return errLarge
	}
	x.body = body
	if err != nil {
		return bad("body", "the body cannot be read")
	}
	return nil
}

// idempotency takes the Idempotency-Key; the same request has the same method,
// path and body.
func idempotency(x *call) error {
	values := x.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return nil
	}
	if len(values) > 1 || values[0] == "" || len(values[0]) > maxOnce {
		return bad("idempotency_key", "Idempotency-Key has 1 to 255 characters")
	}
	sum := sha256.Sum256([]byte(x.Method + "\x00" + strings.TrimRight(x.URL.EscapedPath(), "/") + "\x00" + string(x.body)))
	x.caller.Once, x.caller.Fingerprint = values[0], sum[:]
	return nil
}

// strictJSON checks one JSON text: UTF-8, one value and nothing behind it, no
// name twice in an object, not nested too deep. encoding/json would let the last
// of two names win.
func strictJSON(body []byte) error {
	if !utf8.Valid(body) {
		return errors.New("the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := strictValue(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more behind the JSON value")
	}
	return nil
}

func strictValue(d *json.Decoder, depth int) error {
	token, err := d.Token()
	if err != nil {
		return errors.New("the body is no JSON")
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if depth >= maxDepth {
		return errors.New("the body is nested too deep")
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			name, err := d.Token()
			text, isText := name.(string)
			if err != nil || !isText {
				return errors.New("the body is no JSON")
			}
			if seen[text] {
				return errors.New("a member is in the body twice: " + strconv.Quote(text))
			}
			seen[text] = true
		}
		if err := strictValue(d, depth+1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errors.New("the body is no JSON")
	}
	return nil
}

// fields is a JSON object on its way into a request. The first fault is kept;
// values read after it are empty.
type fields struct {
	values map[string]json.RawMessage
	fault  error
}

// object reads a body that must be a JSON object.
func object(body []byte) (*fields, error) {
	if err := strictJSON(body); err != nil {
		return nil, bad("body", err.Error())
	}
	f := &fields{}
	if err := json.Unmarshal(body, &f.values); err != nil || f.values == nil {
		return nil, bad("body", "the body must be a JSON object")
	}
	return f, nil
}

// present tells whether a member is there, whatever it holds but null.
func (f *fields) present(name string) bool {
	raw, ok := f.values[name]
	return ok && string(raw) != "null"
}

// need names all required members that are missing, in one error.
func (f *fields) need(names ...string) error {
	var missing []string
	for _, name := range names {
		if !f.present(name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return bad(missing[0], "missing: "+strings.Join(missing, ", "))
}

func (f *fields) wrong(name, want string) {
	if f.fault == nil {
		f.fault = bad(name, name+" must be "+want)
	}
}

// text reads a string; absent and null are "".
func (f *fields) text(name string) string {
	if !f.present(name) || f.fault != nil {
		return ""
	}
	var text string
	if json.Unmarshal(f.values[name], &text) != nil {
		f.wrong(name, "a string")
	}
	if strings.ContainsRune(text, 0) {
		f.wrong(name, "a string without NUL")
	}
	return text
}

func (f *fields) boolean(name string) bool {
	if !f.present(name) || f.fault != nil {
		return false
	}
	var b bool
	if json.Unmarshal(f.values[name], &b) != nil {
		f.wrong(name, "true or false")
	}
	return b
}

// list reads an array of strings; absent, null and "" are none.
func (f *fields) list(name string) []string {
	if !f.present(name) || f.fault != nil || string(f.values[name]) == `""` {
		return nil
	}
	var list []string
	if json.Unmarshal(f.values[name], &list) != nil {
		f.wrong(name, "an array of strings")
	}
	return list
}

// date reads a date under any of its names: seconds or milliseconds, a number or
// a numeric string; absent, null, 0 and "" are none.
func (f *fields) date(names ...string) time.Time {
	for _, name := range names {
		if !f.present(name) || f.fault != nil {
			continue
		}
		text := string(f.values[name])
		if json.Unmarshal(f.values[name], &text) == nil && strings.TrimSpace(text) == "" {
			continue
		}
		number, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		t, ok := collab.Date(number)
		if err != nil || !ok {
			f.wrong(name, "a date, in seconds since 1970")
			continue
		}
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// emails reads an array of addresses, or of objects with the member "email".
func (f *fields) emails(name string) []string {
	var raw []json.RawMessage
	if json.Unmarshal(f.values[name], &raw) != nil || raw == nil {
		f.wrong(name, "an array of addresses")
		return nil
	}
	list := make([]string, 0, len(raw))
	for _, one := range raw {
		var text string
		var wrapped struct {
			Email string `json:"email"`
		}
		switch {
		case json.Unmarshal(one, &text) == nil:
			list = append(list, text)
		case json.Unmarshal(one, &wrapped) == nil:
			list = append(list, wrapped.Email)
		default:
			list = append(list, "") // skipped like every invalid entry
		}
	}
	return list
}
