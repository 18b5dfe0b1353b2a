package integration

import (
	"bytes"
	"html/template"
	"strings"
)

// information says where everything is and what is on. It needs no key and takes
// any method.
func (a *API) information(c *call) error {
	n, err := a.adapter.IntegrationKeys(c.r.Context())
	if err != nil {
		return err
	}
	root := a.cfg.BaseURL + a.cfg.Prefix + "/"
	info := facts{
		URLs:        urls{root + "members/", root + "member/", root + "teams/", root + "team/"},
		Integration: n > 0, EmailListing: a.cfg.AllowEmail,
	}
	if a.cfg.ShowKeys {
		info.Keys = &n
	}
	h := c.w.Header()
	var body []byte
	if wantsJSON(c.r.Header.Get("Accept")) {
		h.Set("Content-Type", "application/json")
		if body, err = encode(info); err != nil {
			return err
		}
	} else {
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		if body, err = a.page(info); err != nil {
			return err
		}
	}
	h.Set("Vary", "Accept")
	_, _ = c.w.Write(body) // the client may be gone
	return nil
}

// facts is what the information page tells.
type facts struct {
	URLs         urls `json:"urls"`
	Integration  bool `json:"integration"`
	EmailListing bool `json:"email_listing"`
	Keys         *int `json:"keys,omitempty"`
}

type urls struct {
	Members string `json:"members"`
	Member  string `json:"member"`
	Teams   string `json:"teams"`
	Team    string `json:"team"`
}

// wantsJSON tells whether JSON is named before HTML.
func wantsJSON(accept string) bool {
	for kind := range strings.SplitSeq(strings.ToLower(accept), ",") {
		kind, _, _ = strings.Cut(kind, ";")
		switch strings.TrimSpace(kind) {
		case "application/json":
			return true
		case "text/html", "application/xhtml+xml":
			return false
		}
	}
	return false
}

const pageText = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Integration – {{.Title}}</title>
<style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.4rem .6rem;border-bottom:1px solid #8886;vertical-align:top}code{overflow-wrap:anywhere}</style></head>
<body><main>
<h1>Integration</h1>
<p>Programs read the members and teams of {{.Title}} here, and check a member's password. Each resource takes a POST with the form field <code>key</code>.</p>
<table><thead><tr><th scope="col">Resource</th><th scope="col">Address</th><th scope="col">Further fields</th></tr></thead><tbody>
<tr><td>Members</td><td><code>{{.Facts.URLs.Members}}</code></td><td><code>email</code> (optional)</td></tr>
<tr><td>Member</td><td><code>{{.Facts.URLs.Member}}</code></td><td><code>username</code>, <code>password</code></td></tr>
<tr><td>Teams</td><td><code>{{.Facts.URLs.Teams}}</code></td><td>none</td></tr>
<tr><td>Team</td><td><code>{{.Facts.URLs.Team}}</code></td><td><code>teamname</code></td></tr>
</tbody></table>
<ul>
<li>The interface is {{if .Facts.Integration}}<strong>on</strong>{{with .Facts.Keys}}; keys: {{.}}{{end}}{{else}}<strong>off</strong>, because no key is configured{{end}}.</li>
<li>Listing mail addresses is {{if .Facts.EmailListing}}<strong>on</strong>{{else}}<strong>off</strong>{{end}}.</li>
</ul>
{{with .Docs}}<p><a href="{{.}}" rel="noreferrer">Documentation</a></p>{{end}}
</main></body></html>
`

func (a *API) page(info facts) ([]byte, error) {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		Title, Docs string
		Facts       facts
	}{a.cfg.Title, a.cfg.DocsURL, info})
	return b.Bytes(), err
}
