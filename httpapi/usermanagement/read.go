package usermanagement

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of what is read from outside, besides the size.
const (
	maxDepth    = 16
	maxElements = 20_000
)

// node is an element of XML or a value of JSON. Names are written with dashes.
type node struct {
	name     string
	text     string // of a value without parts, trimmed
	null     bool
	list     bool // a JSON array: the children have no names
	children []*node
}

// badBody is a body that cannot be read; the text may be shown.
type badBody string

// Error says what is wrong.
func (b badBody) Error() string { return string(b) }

// readBody reads a body whose root is called root.
func (a *API) readBody(c *call, root string) (*node, error) {
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, a.cfg.MaxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, refusal{status: http.StatusRequestEntityTooLarge, texts: []string{"Request is too large"}}
		}
		return nil, badBody("Request is incomplete")
	}
	json, err := bodyIsJSON(c.r.Header.Get("Content-Type"), body)
	if err != nil {
		return nil, err
	}
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(body) {
		return nil, badBody("Request is not UTF-8")
	}
	var n *node
	if json {
		n, err = parseJSON(body)
	} else {
		n, err = parseXML(body)
	}
	if err != nil {
		return nil, err
	}
	if json {
		n, err = n.child(root)
		if err != nil {
			return nil, err
		}
	}
	if n == nil || n.name != root {
		return nil, badBody("Root element must be " + root)
	}
	return n, nil
}

// bodyIsJSON goes by the content type, or by the first character where that tells
// nothing.
func bodyIsJSON(header string, body []byte) (bool, error) {
	kind, params, err := mime.ParseMediaType(header)
	if err != nil {
		kind, params = strings.ToLower(strings.TrimSpace(strings.Split(header, ";")[0])), nil
	}
	if charset := strings.ToLower(params["charset"]); charset != "" && charset != "utf-8" && charset != "us-ascii" && charset != "utf8" {
		return false, refusal{status: http.StatusUnsupportedMediaType, texts: []string{"Character set must be UTF-8"}}
	}
	switch kind {
	case "application/json", "text/json":
		return true, nil
	case "application/xml", "text/xml":
		return false, nil
	case "", "application/x-www-form-urlencoded", "application/octet-stream":
	default:
		return false, refusal{status: http.StatusUnsupportedMediaType, texts: []string{"Content type must be application/xml or application/json"}}
	}
	switch text := bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), " \t\r\n"); {
	case bytes.HasPrefix(text, []byte("{")):
		return true, nil
	case bytes.HasPrefix(text, []byte("<")):
		return false, nil
	}
	return false, badBody("Request is neither XML nor JSON")
}

// child finds the one child of a name; nil when there is none.
func (n *node) child(name string) (*node, error) {
	var found *node
	for _, c := range n.children {
		if c.name != name {
			continue
		}
		if found != nil {
			return nil, badBody("Element " + name + " stands there twice")
		}
		found = c
	}
	return found, nil
}

// value reads a child that is a text; "" and false for one that is null, and for
// none.
func (n *node) value(name string) (string, bool, error) {
	c, err := n.child(name)
	switch {
	case err != nil:
		return "", false, err
	case c == nil || c.null:
		return "", false, nil
	case len(c.children) > 0 || c.list:
		return "", false, badBody("Element " + name + " must be a text")
	}
	return c.text, true, nil
}

// number reads a child that is a whole number; nil for none, null and "".
func (n *node) number(name string) (*int64, error) {
	text, ok, err := n.value(name)
	if err != nil || !ok || text == "" {
		return nil, err
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		id = -1 // nobody has that number
	}
	return &id, nil
}
