package scim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"portico/testenv/replay"
)

// description checks exchanges against the OpenAPI document: path, method, parameters, bodies, status, headers.
type description struct {
	doc      map[string]any
	compiler *jsonschema.Compiler
	seen     map[string]bool // operations and statuses
}

func newDescription(tb testing.TB, s *service) *description {
	tb.Helper()
	text := s.do("GET", "/openapi.json", "").want(200).text
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		tb.Fatal(err)
	}
	d := &description{doc: parsed.(map[string]any), compiler: jsonschema.NewCompiler(), seen: map[string]bool{}}
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource("https://id.example.net/openapi.json", parsed); err != nil {
		tb.Fatal(err)
	}
	return d
}

// at follows a pointer, through references.
func (d *description) at(pointer string) (any, string) {
	var value any = d.doc
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "#/"), "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		switch v := value.(type) {
		case map[string]any:
			value = v[part]
		case []any:
			i, _ := strconv.Atoi(part)
			value = v[i]
		}
	}
	if ref, ok := value.(map[string]any)["$ref"].(string); ok {
		return d.at(ref)
	}
	return value, pointer
}

func escape(text string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(text) }

// path finds the template of a path below the prefix.
func (d *description) path(path string) string {
	paths := d.doc["paths"].(map[string]any)
	if path == "" {
		path = "/"
	}
	if paths[path] != nil {
		return path
	}
	if i := strings.LastIndexByte(path, '/'); i > 0 && paths[path[:i]+"/{id}"] != nil {
		return path[:i] + "/{id}"
	}
	return ""
}

func (d *description) check(pointer string, value any) error {
	compiled, err := d.compiler.Compile("https://id.example.net/openapi.json" + pointer)
	if err != nil {
		return err
	}
	return compiled.Validate(value)
}

// exchange says what the document does not know of an exchange.
func (d *description) exchange(r *http.Request, body []byte, w *httptest.ResponseRecorder) error {
	template := d.path(strings.TrimPrefix(r.URL.EscapedPath(), "/scim/v2"))
	if template == "" {
		if w.Code != 404 && w.Code != 400 {
			return fmt.Errorf("no such path, and %d", w.Code)
		}
		return nil
	}
	item := "#/paths/" + escape(template)
	at := item + "/" + strings.ToLower(r.Method)
	path, _ := d.at(item)
	operation, ok := path.(map[string]any)[strings.ToLower(r.Method)].(map[string]any)
	if !ok {
		if w.Code != 405 {
			return fmt.Errorf("no such method, and %d", w.Code)
		}
		return nil
	}
	if w.Code < 300 {
		if err := d.request(r, body, path.(map[string]any), operation, item, at); err != nil {
			return err
		}
	}
	d.seen[r.Method+" "+template+" "+strconv.Itoa(w.Code)] = true
	if operation["responses"].(map[string]any)[strconv.Itoa(w.Code)] == nil {
		return fmt.Errorf("status %d is not there", w.Code)
	}
	return d.answer(r, w, at+"/responses/"+strconv.Itoa(w.Code))
}

// request checks parameters and body of a request that was carried out.
func (d *description) request(r *http.Request, body []byte, path, operation map[string]any, item, at string) error {
	known := map[string]string{}
	for owner, list := range map[string]any{item: path["parameters"], at: operation["parameters"]} {
		parameters, _ := list.([]any)
		for i := range parameters {
			p, pointer := d.at(owner + "/parameters/" + strconv.Itoa(i))
			known[p.(map[string]any)["in"].(string)+" "+p.(map[string]any)["name"].(string)] = pointer
		}
	}
	for name, values := range r.URL.Query() {
		pointer := known["query "+name]
		if pointer == "" {
			return fmt.Errorf("the parameter %s is not there", name)
		}
		var value any = values[0]
		if n, err := strconv.Atoi(values[0]); err == nil && (name == "count" || name == "startIndex") {
			value = n
		}
		if err := d.check(pointer+"/schema", value); err != nil {
			return fmt.Errorf("parameter %s: %w", name, err)
		}
	}
	for _, name := range []string{"If-Match", "If-None-Match"} {
		if r.Header.Get(name) != "" && known["header "+name] == "" {
			return fmt.Errorf("the header %s is not there", name)
		}
	}
	if len(body) == 0 || operation["requestBody"] == nil {
		return nil
	}
	_, pointer := d.at(at + "/requestBody")
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media == "" {
		media = "application/scim+json"
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return d.check(pointer+"/content/"+escape(media)+"/schema", value)
}

// answer checks headers and body of an answer.
func (d *description) answer(r *http.Request, w *httptest.ResponseRecorder, at string) error {
	response, pointer := d.at(at)
	headers, _ := response.(map[string]any)["headers"].(map[string]any)
	for name, h := range headers {
		if required, _ := h.(map[string]any)["required"].(bool); required && w.Header().Get(name) == "" {
			return fmt.Errorf("the header %s is missing", name)
		}
		if text := w.Header().Get(name); text != "" {
			_, place := d.at(pointer + "/headers/" + name)
			if err := d.check(place+"/schema", text); err != nil {
				return fmt.Errorf("header %s: %w", name, err)
			}
		}
	}
	content, _ := response.(map[string]any)["content"].(map[string]any)
	if w.Body.Len() == 0 || r.Method == http.MethodHead {
		return nil
	}
	media := w.Header().Get("Content-Type")
	if content[media] == nil {
		return fmt.Errorf("a body of %q is not there", media)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		return err
	}
	return d.check(pointer+"/content/"+escape(media)+"/schema", value)
}

// watch checks everything that passes through a handler.
func (d *description) watch(tb testing.TB, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			tb.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		recorded := httptest.NewRecorder()
		handler.ServeHTTP(recorded, r)
		if err := d.exchange(r, body, recorded); err != nil {
			tb.Errorf("%s %s answered %d %s\nis not in the description: %v", r.Method, r.URL, recorded.Code, recorded.Body, err)
		}
		maps.Copy(w.Header(), recorded.Header())
		w.WriteHeader(recorded.Code)
		_, _ = w.Write(recorded.Body.Bytes())
	})
}

// TestOpenAPIRecordedExchanges checks every recorded exchange against the OpenAPI document that the service serves.
func TestOpenAPIRecordedExchanges(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	count := 0
	for _, file := range files {
		list, err := replay.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := newService(t)
		d := newDescription(t, s)
		server := httptest.NewServer(d.watch(t, s.handler))
		target := replay.Target{Addr: server.Listener.Addr().String()}
		target.Play(t, list)
		server.Close()
		count += len(list)
	}
	t.Logf("%d exchanges", count)
}

// TestOpenAPIEveryOperation sends each operation that the document names, and some that are refused.
func TestOpenAPIEveryOperation(t *testing.T) {
	s := newService(t)
	d := newDescription(t, s)
	s.handler = d.watch(t, s.handler)
	ada, group := s.user("ada", full), s.group("ops")
	s.token = "me"
	for _, c := range [][3]string{
		{"GET", "/?filter=id%20pr", ""},
		{"GET", "/", ""},
		{"POST", "/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"id pr","count":1}`},
		{"GET", "/Users?count=1&startIndex=1&sortBy=userName&sortOrder=descending", ""},
		{"GET", "/Users?cursor=&count=1", ""},
		{"HEAD", "/Users", ""},
		{"GET", "/Users/" + ada + "?attributes=name", ""},
		{"HEAD", "/Users/" + ada, ""},
		{"GET", "/Users/none", ""},
		{"GET", "/Users?filter=x", ""},
		{"PUT", "/Users/" + ada, `{` + userURN + `,"userName":"ada2"}`},
		{"POST", "/Users", `{` + userURN + `,"userName":"ada2"}`},
		{"POST", "/Users", `{`},
		{"POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"attributes":["userName"]}`},
		{"PATCH", "/Groups/" + group, `{` + patchURN + `,"Operations":[{"op":"add","path":"members","value":[{"value":"` + ada + `"}]}]}`},
		{"GET", "/Groups", ""},
		{"GET", "/Groups/" + group, ""},
		{"DELETE", "/Groups/" + group, ""},
		{"OPTIONS", "/Users", ""},
		{"TRACE", "/Users", ""},
		{"POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"POST","path":"/Users","bulkId":"b","data":{` + userURN + `,"userName":"bulk"}},{"method":"DELETE","path":"/Users/none"}]}`},
		{"GET", "/ServiceProviderConfig", ""},
		{"GET", "/ResourceTypes", ""},
		{"GET", "/ResourceTypes/User", ""},
		{"GET", "/Schemas", ""},
		{"GET", "/Schemas?filter=x", ""},
		{"GET", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", ""},
		{"GET", "/Schemas/none", ""},
		{"GET", "/openapi.json", ""},
		{"GET", "/nothing/here/at/all", ""},
		{"PATCH", "/Users/" + ada, `{` + patchURN + `,"Operations":[{"op":"add","path":"title","value":"x"}]}`},
		{"DELETE", "/Users/" + ada, ""},
	} {
		s.do(c[0], c[1], c[2])
	}
	s.token = "wrong"
	s.do("GET", "/Users", "")
	missing := 0
	for template, item := range d.doc["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			if method == "parameters" || method == "options" || method == "head" || template == "/Me" {
				continue
			}
			tried := false
			for seen := range d.seen {
				tried = tried || strings.HasPrefix(seen, strings.ToUpper(method)+" "+template+" 2")
			}
			if !tried && !strings.HasPrefix(template, "/Groups") {
				missing++
				t.Errorf("%s %s was not carried out", method, template)
			}
		}
	}
	if text, err := json.Marshal(d.doc["openapi"]); err != nil || string(text) != `"3.1.0"` || missing > 0 {
		t.Errorf("%s %v", text, err)
	}
}
