package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// compareBody says what is wrong with the body of an answer, or "".
func (t *Target) compareBody(e *Exchange, body []byte) string {
	switch {
	case e.Body == "*":
		return ""
	case (e.MediaType == "application/json" || e.MediaType == "application/scim+json") && e.Method != http.MethodHead:
		want, err := decode([]byte(e.Body))
		if err != nil {
			return "the expected body is no JSON: " + err.Error()
		}
		got, err := decode(body)
		if err != nil {
			return "the body is no JSON: " + err.Error()
		}
		if why := t.compareJSON("", got, want); why != "" {
			return why + "; want " + e.Body
		}
	case string(body) != e.Body:
		return fmt.Sprintf("want %q", e.Body)
	}
	return ""
}

func decode(data []byte) (any, error) {
	var value any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, fmt.Errorf("there is more behind the first value")
	}
	return value, nil
}

// compareJSON says where two values differ, or "". Variables in want are kept.
func (t *Target) compareJSON(path string, got, want any) string {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return differs(path, got, want)
		}
		for name := range object {
			if _, ok := want[name]; !ok {
				return fmt.Sprintf("%s/%s should not be there", path, name)
			}
		}
		for name := range want {
			if _, ok := object[name]; !ok {
				return fmt.Sprintf("%s/%s is missing", path, name)
			}
			if why := t.compareJSON(path+"/"+name, object[name], want[name]); why != "" {
				return why
			}
		}
		return ""
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return differs(path, got, want)
		}
		for i := range want {
			if why := t.compareJSON(fmt.Sprintf("%s/%d", path, i), list[i], want[i]); why != "" {
				return why
			}
		}
		return ""
	case string:
		return t.compareText(path, got, want)
	default:
		if got != want {
			return differs(path, got, want)
		}
		return ""
	}
}

// compareText compares with a text that may be a variable.
func (t *Target) compareText(path string, got any, want string) string {
	name, variable := strings.CutPrefix(want, "{{")
	if !variable {
		if got != any(want) {
			return differs(path, got, want)
		}
		return ""
	}
	name, kind, _ := strings.Cut(strings.TrimSuffix(name, "}}"), ":")
	text, isText := got.(string)
	number, isNumber := got.(json.Number)
	switch {
	case isNumber && kind != "string":
		text = number.String()
	case isText && kind != "number":
	default:
		return differs(path, got, want)
	}
	if known, ok := t.kept[name]; ok && known != text {
		return differs(path, got, known)
	}
	t.keep(name, text)
	return ""
}

func differs(path string, got, want any) string {
	return fmt.Sprintf("%s is %v (%T), want %v", path, got, got, want)
}
