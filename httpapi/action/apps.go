package action

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// App is one program that listapps names.
type App struct {
	Name string // its key
	// JSON is the entry, one object. All of it is handed on in its order; a url
	// without scheme and host is made absolute.
	JSON json.RawMessage
}

// appList is the JSON object of all apps, cut where the origin goes that a
// request came to. With a configured base URL it is one piece.
type appList struct{ pieces [][]byte }

// newAppList writes the apps down; origin is scheme and host, or "".
func newAppList(apps []App, origin string) (appList, error) {
	var l appList
	out := []byte{'{'}
	for i, app := range apps {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendString(out, app.Name), ':')
		var err error
		if out, err = l.add(out, app.JSON, origin); err != nil {
			return l, fmt.Errorf("app %s: %w", app.Name, err)
		}
	}
	l.pieces = append(l.pieces, append(out, '}'))
	return l, nil
}

// add writes one entry behind out, member by member.
func (l *appList) add(out []byte, entry json.RawMessage, origin string) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(entry))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("want a JSON object, got %.40q", entry)
	}
	out = append(out, '{')
	for first := true; d.More(); first = false {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if !first {
			out = append(out, ',')
		}
		out = append(appendString(out, key.(string)), ':')
		var text string
		if key == "url" && json.Unmarshal(value, &text) == nil && !absolute(text) {
			out = l.addURL(out, "/"+strings.TrimLeft(text, "/"), origin)
			continue
		}
		if value, err = json.Marshal(value); err != nil { // compact, and "<" escaped
			return nil, err
		}
		out = append(out, value...)
	}
	return append(out, '}'), nil
}

func (l *appList) addURL(out []byte, path, origin string) []byte {
	if origin != "" {
		return appendString(out, origin+path)
	}
	l.pieces = append(l.pieces, append(out, '"'))
	return appendString(nil, path)[1:]
}

func absolute(text string) bool {
	text = strings.ToLower(text)
	return strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://")
}

func listApps(a *API, c *call) error {
	c.ok()
	c.member("apps")
	for i, piece := range a.apps.pieces {
		if i > 0 {
			c.out = append(c.out, requestOrigin(c.r)...)
		}
		c.out = append(c.out, piece...)
	}
	c.close()
	return nil
}

// baseURL is where people reach this service, without a slash at the end.
func (a *API) baseURL(r *http.Request) string {
	if a.cfg.BaseURL != "" {
		return a.cfg.BaseURL
	}
	return requestOrigin(r)
}

// originOf is scheme and host of a base URL.
func originOf(base string) (string, error) {
	if base == "" {
		return "", nil
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("base URL %q: want one such as https://id.example.org", base)
	}
	return u.Scheme + "://" + u.Host, nil
}

// requestOrigin is scheme and host as the request says, for services that have no
// base URL. A host that is none becomes the address that the request came to.
func requestOrigin(r *http.Request) string {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	if saneHost(r.Host) {
		return scheme + r.Host
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		return scheme + local.String()
	}
	return scheme + "localhost"
}

// saneHost accepts host[:port] of letters, digits, '-', '.', '_' and IPv6 brackets.
func saneHost(host string) bool {
	const most = 260
	for i := range len(host) {
		c := host[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && strings.IndexByte("-._:[]", c) < 0 {
			return false
		}
	}
	return host != "" && len(host) <= most
}
