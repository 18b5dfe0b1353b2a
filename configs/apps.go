package configs

import (
	"bytes"
	"encoding/json"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// Apps are the programs that the action API's listapps names, in the order of
// the file.
type Apps []App

// App is one of them. URL, MobileAPI, Icon and Title must be set.
type App struct {
	Name      string // its key
	URL       string
	MobileAPI string
	Icon      string
	Title     string
	// JSON is the whole entry as one JSON object, keys in the order of the
	// file, those that Portico does not know included.
	JSON json.RawMessage
}

// appKeys are the keys that every app must have, all of them text.
var appKeys = [...]string{"url", "mobileapi", "icon", "title"}

// decodeNode reads the map of apps. It is not strict about an app's further
// keys, for clients read keys there that Portico does not.
func (a *Apps) decodeNode(w *walker, n *yaml.Node, key string) {
	*a = nil
	for _, pair := range w.pairs(n, key) {
		app := App{Name: pair[0].Value}
		path := childKey(key, clip(app.Name))
		entry, ok := w.enter(pair[1], path)
		if !ok {
			continue
		}
		values := make(map[string]string)
		for _, field := range w.pairs(entry, path) {
			if field[1].Kind == yaml.ScalarNode && field[1].ShortTag() == "!!str" {
				values[field[0].Value] = field[1].Value
			}
		}
		for _, name := range appKeys {
			if values[name] == "" {
				w.fault(path, "has no %s; every app needs url, mobileapi, icon and title as text", name)
			}
		}
		app.URL, app.MobileAPI, app.Icon, app.Title = values["url"], values["mobileapi"], values["icon"], values["title"]
		var b bytes.Buffer
		w.json(&b, pair[1], path, 0)
		if json.Valid(b.Bytes()) {
			app.JSON = b.Bytes()
		}
		*a = append(*a, app)
	}
}

// MarshalYAML writes the apps as they were read.
func (a Apps) MarshalYAML() (any, error) {
	node := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, app := range a {
		value := yaml.Node{Content: []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!null"}}}
		if err := yaml.Unmarshal(app.JSON, &value); err != nil {
			return nil, err
		}
		name := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: app.Name}
		node.Content = append(node.Content, name, value.Content[0])
	}
	return node, nil
}

// json writes a node as JSON, keys in order.
func (w *walker) json(b *bytes.Buffer, n *yaml.Node, key string, depth int) {
	n, ok := w.enter(n, key)
	switch {
	case !ok:
		return
	case depth > maxDepth:
		w.faultAt(n, key, "is nested too deeply")
	case n.Kind == yaml.SequenceNode:
		b.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			w.json(b, item, key+"["+itoa(i)+"]", depth+1)
		}
		b.WriteByte(']')
	case n.Kind == yaml.MappingNode:
		b.WriteByte('{')
		for i, pair := range w.pairs(n, key) {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSONText(b, pair[0].Value)
			b.WriteByte(':')
			w.json(b, pair[1], childKey(key, clip(pair[0].Value)), depth+1)
		}
		b.WriteByte('}')
	default:
		writeJSONScalar(b, n)
	}
}

// writeJSONScalar writes null, a boolean, a plain whole number, or text.
func writeJSONScalar(b *bytes.Buffer, n *yaml.Node) {
	switch n.ShortTag() {
	case "!!null":
		b.WriteString("null")
	case "!!bool":
		var value bool
		_ = n.Decode(&value) // the tag was resolved from the value
		b.WriteString(strconv.FormatBool(value))
	case "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			b.WriteString(n.Value)
			return
		}
		writeJSONText(b, n.Value)
	default:
		writeJSONText(b, n.Value)
	}
}

// writeJSONText writes a JSON string without escaping <, > and &.
func writeJSONText(b *bytes.Buffer, text string) {
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // text into a buffer cannot fail
	b.Truncate(b.Len() - 1)  // its line end
}
