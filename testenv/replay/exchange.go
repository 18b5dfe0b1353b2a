// Package replay plays recorded HTTP exchanges against a server and compares the
// answers. The same files serve the tests of an API over a fake and the tests of
// the whole program over real servers.
//
// A file is a session of exchanges. Between the request and the answer stands a
// line of four dashes, between exchanges one of four equals signs:
//
//	# what it shows
//	! directive
//	POST /accounthub/api.php HTTP/1.1
//	Content-Type: application/x-www-form-urlencoded
//
//	action=ping&key=K123
//	----
//	200 application/json
//	Access-Control-Allow-Origin: *
//	!Set-Cookie
//
//	{"status":"OK"}
//	====
//
// Host and Content-Length are added. Below the status and the beginning of the
// type stand headers that must be there, with "*" for any value, or, with "!",
// must not be; then the body. JSON is compared by value, anything else to the
// byte; "*" is any body. Location, Set-Cookie and Server must not be there unless
// they are named, X-Request-Id must.
//
// {{name}} in a directive or a request stands for a variable. A JSON text that is
// {{name}}, {{name:string}} or {{name:number}} keeps what was answered there in
// that variable; when the variable is known already, both must be equal.
//
// Directives belong to the caller, but for two: "prefix PATH", which the first
// exchange of a file may have (see [Prefix]), and "crlf", which makes the body's
// line ends CR LF.
package replay

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Exchange is one recorded request with its expected answer.
type Exchange struct {
	Where      string // file and line of its beginning
	Directives []string
	Method     string
	Status     string
	MediaType  string   // beginning of the content type
	Headers    []string // "Name: value", or "!Name" for one that must be absent
	Body       string

	head []string // lines of the request
	sent string   // body of the request
}

// ReadFile reads a file of recorded exchanges.
func ReadFile(name string) ([]Exchange, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return Parse(filepath.Base(name), string(data))
}

// Parse reads recorded exchanges; name is for messages.
func Parse(name, text string) ([]Exchange, error) {
	var list []Exchange
	line := 1
	for block := range strings.SplitSeq(text, "\n====\n") {
		e := Exchange{Where: fmt.Sprintf("%s:%d", name, line)}
		line += strings.Count(block, "\n") + 2
		if err := e.parse(block); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Where, err)
		}
		list = append(list, e)
	}
	return list, nil
}

func (e *Exchange) parse(block string) error {
	request, answer, ok := strings.Cut(strings.Trim(block, "\n")+"\n", "\n----\n")
	if !ok {
		return fmt.Errorf("no line of four dashes")
	}
	for strings.HasPrefix(request, "#") || strings.HasPrefix(request, "!") {
		var first string
		first, request, _ = strings.Cut(request, "\n")
		if directive, ok := strings.CutPrefix(first, "! "); ok {
			e.Directives = append(e.Directives, directive)
		}
	}
	head, body, _ := strings.Cut(request, "\n\n")
	e.head = strings.Split(head, "\n")
	if e.Method, _, ok = strings.Cut(e.head[0], " "); !ok || !strings.Contains(e.head[0], " HTTP/1.") {
		return fmt.Errorf("no request line: %q", e.head[0])
	}
	if slices.Contains(e.Directives, "crlf") {
		body = strings.ReplaceAll(body, "\n", "\r\n")
	}
	e.sent = body
	head, body, _ = strings.Cut(answer, "\n\n")
	lines := strings.Split(strings.TrimRight(head, "\n"), "\n")
	e.Status, e.MediaType, _ = strings.Cut(lines[0], " ")
	e.Headers, e.Body = lines[1:], strings.TrimRight(body, "\n")
	return nil
}

// Prefix is the argument of the directive "prefix" in the first exchange, or
// otherwise when there is none.
func Prefix(list []Exchange, otherwise string) string {
	if len(list) == 0 {
		return otherwise
	}
	for _, d := range list[0].Directives {
		if prefix, ok := strings.CutPrefix(d+" ", "prefix "); ok {
			return strings.TrimSpace(prefix)
		}
	}
	return otherwise
}

// request puts the bytes to send together; expand fills in what is variable.
func (e *Exchange) request(expand func(string) (string, error)) ([]byte, error) {
	body, err := expand(e.sent)
	if err != nil {
		return nil, err
	}
	head, err := expand(strings.Join(e.head, "\r\n"))
	if err != nil {
		return nil, err
	}
	has := func(name string) bool { return strings.Contains(strings.ToLower(head), "\r\n"+name+":") }
	if !has("host") && strings.HasSuffix(e.head[0], "1.1") {
		head += "\r\nHost: id.example.org"
	}
	if body != "" && !has("content-length") && !has("transfer-encoding") {
		head += fmt.Sprintf("\r\nContent-Length: %d", len(body))
	}
	return []byte(head + "\r\n\r\n" + body), nil
}
