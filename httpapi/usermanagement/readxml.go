package usermanagement

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// parseXML reads one element and nothing else. Document types, entities beyond
// the five of XML, processing instructions, XInclude and anything before or after
// the element are refused at the first sight of them.
func parseXML(body []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	d.Strict = true
	r := xmlReader{}
	for {
		start := d.InputOffset()
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, badBody("Request is not well-formed XML")
		}
		if err := r.take(token, start); err != nil {
			return nil, err
		}
	}
	if r.root == nil || len(r.open) > 0 {
		return nil, badBody("Request is not well-formed XML")
	}
	return r.root, nil
}

// xmlReader builds the tree.
type xmlReader struct {
	root     *node
	open     []*node
	names    []string // of the open elements, as written
	elements int
}

func (r *xmlReader) take(token xml.Token, at int64) error {
	switch t := token.(type) {
	case xml.Directive:
		return badBody("Document types are not allowed")
	case xml.ProcInst:
		if t.Target != "xml" || at != 0 {
			return badBody("Processing instructions are not allowed")
		}
		return declaration(string(t.Inst))
	case xml.StartElement:
		return r.start(t)
	case xml.EndElement:
		return r.end(t)
	case xml.CharData:
		if len(r.open) == 0 {
			if len(bytes.TrimSpace(t)) > 0 {
				return badBody("There is text outside the root element")
			}
			return nil
		}
		top := r.open[len(r.open)-1]
		top.text += string(t)
	}
	return nil
}

// declaration refuses every encoding but UTF-8.
func declaration(text string) error {
	_, rest, found := strings.Cut(strings.ToLower(text), "encoding")
	if !found {
		return nil
	}
	name := strings.Trim(rest, " \t\r\n=\"'")
	name, _, _ = strings.Cut(name, " ")
	switch strings.Trim(name, "\"'") {
	case "utf-8", "utf8", "us-ascii":
		return nil
	}
	return badBody("Encoding must be UTF-8")
}

func (r *xmlReader) start(t xml.StartElement) error {
	if r.elements++; r.elements > maxElements {
		return badBody("Request has too many elements")
	}
	switch {
	case len(r.open) >= maxDepth:
		return badBody("Request is nested too deeply")
	case len(r.open) == 0 && r.root != nil:
		return badBody("There is more than one root element")
	case t.Name.Space != "":
		return badBody("Element names have no prefix")
	case len(t.Attr) > maxDepth:
		return badBody("Element has too many attributes")
	}
	n := &node{name: t.Name.Local}
	seen := map[xml.Name]bool{}
	for _, attr := range t.Attr {
		if seen[attr.Name] {
			return badBody("Attribute stands there twice")
		}
		seen[attr.Name] = true
		if attr.Name.Local == "nil" && strings.TrimSpace(attr.Value) == "true" {
			n.null = true
		}
	}
	if len(r.open) == 0 {
		r.root = n
	} else {
		top := r.open[len(r.open)-1]
		top.children = append(top.children, n)
	}
	r.open, r.names = append(r.open, n), append(r.names, t.Name.Local)
	return nil
}

func (r *xmlReader) end(t xml.EndElement) error {
	last := len(r.open) - 1
	if last < 0 || r.names[last] != t.Name.Local || t.Name.Space != "" {
		return badBody("Request is not well-formed XML")
	}
	top := r.open[last]
	top.text = strings.TrimSpace(top.text)
	r.open, r.names = r.open[:last], r.names[:last]
	return nil
}
