package usermanagement

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// parseJSON reads one object and nothing else. Member names are turned into the
// words of XML; a name that stands there twice is refused.
func parseJSON(body []byte) (*node, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	r := jsonReader{d: d}
	n := &node{}
	if err := r.value(n, 0); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, badBody("There is more after the JSON value")
	}
	return n, nil
}

type jsonReader struct {
	d      *json.Decoder
	values int
}

var errNoJSON = badBody("Request is not well-formed JSON")

func (r *jsonReader) value(n *node, depth int) error {
	if r.values++; r.values > maxElements {
		return badBody("Request has too many values")
	}
	if depth > maxDepth {
		return badBody("Request is nested too deeply")
	}
	token, err := r.d.Token()
	if err != nil {
		return errNoJSON
	}
	switch t := token.(type) {
	case json.Delim:
		n.list = t == '['
		return r.parts(n, depth)
	case string:
		n.text = strings.TrimSpace(t)
	case json.Number:
		n.text = t.String()
	case bool:
		n.text = map[bool]string{true: "true", false: "false"}[t]
	default:
		n.null = true
	}
	return nil
}

func (r *jsonReader) parts(n *node, depth int) error {
	seen := map[string]bool{}
	for r.d.More() {
		child := &node{}
		if !n.list {
			token, err := r.d.Token()
			name, ok := token.(string)
			if err != nil || !ok {
				return errNoJSON
			}
			child.name = strings.ReplaceAll(name, "_", "-")
			if seen[child.name] {
				return badBody("Member " + child.name + " stands there twice")
			}
			seen[child.name] = true
		}
		if err := r.value(child, depth+1); err != nil {
			return err
		}
		n.children = append(n.children, child)
	}
	if _, err := r.d.Token(); err != nil {
		return errNoJSON
	}
	return nil
}
