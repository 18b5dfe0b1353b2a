package usermanagement

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// F01: document types, entities, processing instructions and XInclude are refused
// before anything is looked at.
func TestAbuse_F01_DocumentTypes(t *testing.T) {
	for _, text := range []string{
		`<!DOCTYPE user><user/>`,
		`<!DOCTYPE user [<!ENTITY a "b">]><user>&a;</user>`,
		`<?xml version="1.0"?><!DOCTYPE user SYSTEM "http://127.0.0.1/x.dtd"><user/>`,
		`<user>&a;</user>`,
		`<user><!ENTITY a "b"></user>`,
		`<?php echo 1 ?><user/>`,
		`<user><?xml-stylesheet href="x"?></user>`,
		`<user xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd"/></user>`,
	} {
		if n, err := parseXML([]byte(text)); err == nil {
			t.Errorf("%s was read as %+v", text, n)
		}
	}
}

// F02: what is too deep, too much, not UTF-8, or around the root is refused.
func TestAbuse_F02_Limits(t *testing.T) {
	for name, text := range map[string]string{
		"deep":               strings.Repeat("<user>", 100_000),
		"deep and closed":    strings.Repeat("<a>", 40) + strings.Repeat("</a>", 40),
		"many":               "<user>" + strings.Repeat("<a/>", 100_000) + "</user>",
		"attributes":         "<user " + strings.Repeat("a='1' ", 30) + "/>",
		"attribute twice":    "<user nil='true' nil='false'/>",
		"charset":            `<?xml version="1.0" encoding="iso-8859-1"?><user/>`,
		"UTF-16":             "\xfe\xff\x00<\x00a\x00/\x00>",
		"before":             "x<user/>",
		"after":              "<user/>x",
		"two roots":          "<user/><user/>",
		"declaration inside": "<user><?xml version='1.0'?></user>",
		"unclosed":           "<user>",
		"wrong end":          "<user></users>",
		"empty":              "",
		"prefix":             "<a:user/>",
	} {
		if n, err := parseXML([]byte(text)); err == nil {
			t.Errorf("%s was read as %+v", name, n)
		}
	}
	for name, text := range map[string]string{
		"twice":    `{"user": {}, "user": {}}`,
		"trailing": `{"user": {}} x`,
		"deep":     strings.Repeat("[", 10_000),
		"NaN":      `{"user": NaN}`,
		"cut":      `{"user": {"a"`,
	} {
		if n, err := parseJSON([]byte(text)); err == nil {
			t.Errorf("JSON %s was read as %+v", name, n)
		}
	}
}

// F03: whatever the directory holds, what is written is well-formed.
func TestAbuse_F03_HostileValues(t *testing.T) {
	hostile := "a\x00b\x1b]]><user>&amp;\xed\xa0\x80\xff\ufffe\r\n\t\"'ü"
	for _, json := range []bool{false, true} {
		var b bytes.Buffer
		w := &writer{b: bufio.NewWriter(&b)}
		r := record{{name: "name", value: hostile}, {name: "list", value: []string{hostile}, item: "item"}, {name: "none"}}
		if json {
			w.jsonRecord(r)
		} else {
			w.xmlHead()
			w.xmlRecord("user", r, 0)
		}
		_ = w.flush()
		if json {
			if _, err := parseJSON(b.Bytes()); err != nil {
				t.Errorf("%v in %q", err, b.String())
			}
			continue
		}
		d := xml.NewDecoder(&b)
		text := ""
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v in %q", err, b.String())
			}
			if data, ok := token.(xml.CharData); ok {
				text += string(data)
			}
		}
		if !strings.Contains(text, "a\uFFFDb\uFFFD]]><user>&amp;") || !strings.Contains(text, "\r\n\t\"'ü") {
			t.Errorf("%q", text)
		}
	}
}

func FuzzParseXML(f *testing.F) {
	f.Add([]byte(`<?xml version="1.0"?><user><a nil="true">b</a><!-- c --><![CDATA[d]]></user>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		n, err := parseXML(body)
		if err == nil && (n == nil || n.name == "") {
			t.Errorf("%q was read as nothing", body)
		}
	})
}

func TestReadIDs(t *testing.T) {
	for _, text := range []string{
		`{"users": {"user": [{"id": 5}, {"id": "6"}]}}`, `{"users": [{"id": 5}, {"user": {"id": 6}}]}`,
	} {
		n, err := parseJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if n, err = n.child("users"); err != nil {
			t.Fatal(err)
		}
		if ids, err := readIDs(n); err != nil || len(ids) != 2 || ids[0] != 5 || ids[1] != 6 {
			t.Errorf("%s: %v %v", text, ids, err)
		}
	}
	n, err := parseXML([]byte(`<users><user><id>5</id></user><user><id>x</id></user></users>`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readIDs(n); err == nil {
		t.Error("an id that is no number was taken")
	}
}
