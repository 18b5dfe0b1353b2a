package action

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
)

// readBody reads the whole body into the call's own memory.
func (a *API) readBody(c *call, w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil, nil
	}
	if r.ContentLength > a.cfg.MaxBody {
		w.Header().Set("Connection", "close")
		return nil, errTooLarge
	}
	buf := bytes.NewBuffer(c.body[:0])
	_, err := buf.ReadFrom(io.LimitReader(r.Body, a.cfg.MaxBody+1))
	c.body = buf.Bytes()
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), int64(len(c.body)) > a.cfg.MaxBody:
		w.Header().Set("Connection", "close")
		return nil, errTooLarge
	case err != nil:
		w.Header().Set("Connection", "close")
		return nil, errBrokenBody
	}
	return c.body, nil
}

// mergePHP gathers query, then body, of a request to api.php.
func (c *call) mergePHP(r *http.Request, body []byte) error {
	if err := c.params.addQuery(r.URL.RawQuery); err != nil {
		return err
	}
	return c.mergeBody(r, body)
}

// mergePath gathers body, path, then query, of a request to api/. path is the
// encoded path behind "/api".
func (c *call) mergePath(r *http.Request, body []byte, path string) error {
	if err := c.mergeBody(r, body); err != nil {
		return err
	}
	if err := c.params.addPath(path); err != nil {
		return err
	}
	return c.params.addQuery(r.URL.RawQuery)
}

// mergeBody adds the form body, then the JSON body. A form is read only as its
// Content-Type says and not with GET or HEAD; JSON is read whatever the type says.
// A body that is neither is no parameters.
func (c *call) mergeBody(r *http.Request, body []byte) error {
	if len(body) == 0 {
		return nil
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if err := c.params.addForm(r.Header.Get("Content-Type"), body); err != nil {
			return err
		}
	}
	return c.params.addJSON(body)
}

// addQuery adds the pairs of a query or form body. Only "&" separates. A "%"
// that begins no escape stands for itself.
func (p *params) addQuery(query string) error {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		if err := p.addNamed(unescape(name, true), unescape(value, true)); err != nil {
			return err
		}
	}
	return nil
}

// addNamed adds a pair of a form; a name with brackets makes a list of it.
func (p *params) addNamed(name, value string) error {
	if base, _, list := strings.Cut(name, "["); list && base != "" {
		return p.add(base, "", kindList)
	}
	return p.add(name, value, kindText)
}

// unescape decodes once and never fails.
func unescape(s string, plus bool) string {
	if strings.IndexByte(s, '%') < 0 && (!plus || strings.IndexByte(s, '+') < 0) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+' && plus:
			b.WriteByte(' ')
		case s[i] == '%' && i+2 < len(s) && hex(s[i+1]) >= 0 && hex(s[i+2]) >= 0:
			b.WriteByte(byte(hex(s[i+1])<<4 | hex(s[i+2])))
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func hex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// addPath adds what stands in "/action/key/name=value/...". Empty segments are
// passed over but keep their place; segments after the key without "=" mean nothing.
func (p *params) addPath(path string) error {
	if path == "/index.php" || strings.HasPrefix(path, "/index.php/") {
		path = path[len("/index.php"):]
	}
	path = strings.TrimPrefix(path, "/")
	for place := 0; path != ""; place++ {
		var segment string
		segment, path, _ = strings.Cut(path, "/")
		if segment == "" {
			continue
		}
		var err error
		switch place {
		case 0:
			err = p.add("action", unescape(segment, false), kindText)
		case 1:
			err = p.add("key", unescape(segment, false), kindText)
		default:
			if name, value, ok := strings.Cut(segment, "="); ok {
				err = p.addNamed(unescape(name, false), unescape(value, false))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addForm adds a form body, if the content type says that it is one.
func (p *params) addForm(contentType string, body []byte) error {
	const encoded = "application/x-www-form-urlencoded"
	if contentType == encoded {
		return p.addQuery(string(body))
	}
	if contentType == "" || contentType == "application/json" {
		return nil
	}
	media, args, err := mime.ParseMediaType(contentType)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return nil // as good as no type
	}
	switch media {
	case encoded:
		return p.addQuery(string(body))
	case "multipart/form-data":
		return p.addMultipart(args["boundary"], body)
	}
	return nil
}

// addMultipart adds the fields of a multipart form; files are passed over. A body
// that breaks off gives what came before.
func (p *params) addMultipart(boundary string, body []byte) error {
	if boundary == "" {
		return nil
	}
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for range maxParams + 1 {
		part, err := reader.NextRawPart()
		if err != nil {
			return nil
		}
		name := part.FormName()
		if name == "" || part.FileName() != "" {
			continue
		}
		value, err := io.ReadAll(part) // the body was bounded when it was read
		if err != nil {
			return nil
		}
		if err := p.addNamed(name, string(value)); err != nil {
			return err
		}
	}
	return errTooMany
}

// maxDepth is how deep a JSON body may nest.
const maxDepth = 32

// addJSON adds the members of a body that is one JSON object; any other body is
// passed over. The last of members with the same name wins; names differ by case.
func (p *params) addJSON(body []byte) error {
	body = bytes.TrimLeft(body, " \t\r\n")
	if len(body) == 0 || body[0] != '{' || tooDeep(body) {
		return nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return nil
	}
	for name, raw := range members {
		value, k := jsonValue(raw)
		if k == kindAbsent {
			continue
		}
		if err := p.add(name, value, k); err != nil {
			return err
		}
	}
	return nil
}

// tooDeep counts brackets outside of strings.
func tooDeep(body []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// jsonValue takes one valid JSON value apart.
func jsonValue(raw json.RawMessage) (string, kind) {
	switch raw[0] {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return "", kindAbsent
		}
		return s, kindText
	case 't':
		return "", kindTrue
	case 'f':
		return "", kindFalse
	case 'n':
		return "", kindAbsent
	case '[', '{':
		if inner := bytes.TrimSpace(raw[1 : len(raw)-1]); len(inner) == 0 {
			return "", kindEmptyList
		}
		return "", kindList
	}
	return string(raw), kindNumber
}
