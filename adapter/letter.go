package adapter

import (
	"context"
	"html/template"
	"net/url"
	"strings"

	"portico/adapter/store"
	"portico/internal/texts"
)

// Letter is a mail to one person in the words of the catalogue: paragraphs, and
// at most one link. It is sent as text and as HTML that says the same.
type Letter struct {
	To     string // one plain address; see MailAddress
	ToName string
	// Subject and Body are texts of the catalogue; empty lines part the
	// paragraphs of the body. Values fill their placeholders, names and values by
	// turns; "site" is the title of the service.
	Subject texts.ID
	Body    texts.ID
	Values  []string
	// Button is the text of the link to Path, which stands below the body; Path
	// is made by PublicPath. "" for a letter without a link.
	Button texts.ID
	Path   string
	// Other is the text of a second, smaller link to OtherPath; "" for none.
	Other     texts.ID
	OtherPath string
	Footer    texts.ID // small print below the link; "" for none
}

// CanMail tells whether mail leaves this installation at all.
func (a *Adapter) CanMail() bool {
	c := a.cfg.Mail
	return c.Mailer != nil && MailAddress(c.From) && c.Texts != nil
}

// QueueLetter puts a letter into the outbox. Errors: Invalid "to" when that is no
// plain mail address, Unavailable "mail" when none can be sent or too much waits.
func (a *Adapter) QueueLetter(ctx context.Context, l Letter) error {
	m, err := a.compose(l)
	if err != nil {
		return err
	}
	return a.QueueMail(ctx, m)
}

// compose makes the message of a letter, for those who store it together with
// something else. Errors: as QueueLetter.
func (a *Adapter) compose(l Letter) (store.Message, error) {
	if !MailAddress(l.To) {
		return store.Message{}, invalid("to", "is no plain mail address")
	}
	if !a.CanMail() {
		return store.Message{}, &Error{Kind: Unavailable, Field: "mail", Text: "no mail server is configured"}
	}
	c := a.cfg.Mail
	site := c.Title
	if site == "" {
		site = "Portico"
	}
	values := []string{"site", site}
	for _, v := range l.Values {
		values = append(values, oneLine(v))
	}
	page := letterPage{
		Subject: c.Texts.Format(l.Subject, values...),
		Body:    paragraphs(c.Texts.Format(l.Body, values...)),
	}
	if l.Path != "" {
		page.Link, page.Button = PublicLink(c.BaseURL, l.Path), c.Texts.Format(l.Button, values...)
		page.Hint = c.Texts.Format(texts.LetterLinkHint, values...)
	}
	if l.OtherPath != "" {
		page.OtherLink, page.Other = PublicLink(c.BaseURL, l.OtherPath), c.Texts.Format(l.Other, values...)
	}
	if l.Footer != "" {
		page.Footer = c.Texts.Format(l.Footer, values...)
	}
	html, err := page.html()
	if err != nil {
		return store.Message{}, &Error{Kind: Internal, Field: "mail", Cause: err}
	}
	return store.Message{
		To: l.To, ToName: oneLine(l.ToName), From: oneLine(site),
		Subject: oneLine(page.Subject), Text: page.text(), HTML: html,
	}, nil
}

// PublicLink joins the public URL of the service and a path below it. The result
// always begins with the former: a path that names a host of its own is taken as
// a path.
func PublicLink(baseURL, path string) string {
	return strings.TrimRight(baseURL, "/") + "/" + strings.TrimLeft(path, "/")
}

// PublicPath makes the path of a link from words, each encoded.
func PublicPath(words ...string) string {
	var b strings.Builder
	for _, w := range words {
		b.WriteString("/" + url.PathEscape(w))
	}
	return b.String()
}

func paragraphs(text string) []string {
	var list []string
	for p := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			list = append(list, p)
		}
	}
	return list
}

// letterPage is what both forms of a letter show.
type letterPage struct {
	Subject string
	Body    []string
	Link    string
	Button  string
	Hint    string
	Footer  string

	Other, OtherLink string
}

func (p letterPage) text() string {
	parts := append([]string{}, p.Body...)
	if p.Link != "" {
		parts = append(parts, p.Button+":\n"+p.Link)
	}
	if p.OtherLink != "" {
		parts = append(parts, p.Other+":\n"+p.OtherLink)
	}
	if p.Footer != "" {
		parts = append(parts, "-- \n"+p.Footer)
	}
	return strings.Join(parts, "\n\n") + "\n"
}

// letterHTML needs nothing from elsewhere: no picture, no script, no style sheet.
const letterHTML = `<!doctype html>
<html><head><meta charset="utf-8"><title>{{.Subject}}</title></head>
<body style="font-family:sans-serif;line-height:1.5;color:#1a1a1a;background:#ffffff;margin:0;padding:24px">
<div style="max-width:36em;margin:0 auto">
{{range .Body}}<p style="white-space:pre-line">{{.}}</p>
{{end}}{{if .Link}}<p style="margin:2em 0"><a href="{{.Link}}" style="background:#1a4f8b;color:#ffffff;padding:12px 20px;border-radius:6px;text-decoration:none">{{.Button}}</a></p>
<p style="font-size:small;color:#555555">{{.Hint}}<br><a href="{{.Link}}" style="word-break:break-all">{{.Link}}</a></p>
{{end}}{{if .OtherLink}}<p><a href="{{.OtherLink}}">{{.Other}}</a></p>
{{end}}{{with .Footer}}<p style="font-size:small;color:#555555;border-top:1px solid #cccccc;padding-top:1em">{{.}}</p>
{{end}}</div></body></html>
`

func (p letterPage) html() (string, error) {
	t, err := template.New("letter").Parse(letterHTML)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, p)
	return b.String(), err
}
