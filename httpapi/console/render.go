package console

import (
	"bytes"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"image/png"
	"io"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"

	"portico/adapter"
	"portico/internal/texts"
)

const (
	sessionModified  = scs.Modified
	sessionDestroyed = scs.Destroyed
)

var zeroTime time.Time

//go:embed templates/*.html
var templates embed.FS

//go:embed texts/*.json
var catalogues embed.FS

// labels are the words of the pages. What the installation's own catalogue has
// under the same id goes before.
type labels struct {
	language string
	text     map[string]string
	shared   *texts.Catalogue
}

func loadLabels(language string, shared *texts.Catalogue) (*labels, error) {
	language, _, _ = strings.Cut(strings.ReplaceAll(strings.ToLower(language), "_", "-"), "-")
	if language == "" {
		language = "en"
	}
	l := &labels{language: language, text: map[string]string{}, shared: shared}
	for _, name := range []string{"en", language} {
		if strings.ContainsAny(name, `/\.`) {
			return nil, fmt.Errorf("pages: no language %q", name)
		}
		data, err := catalogues.ReadFile("texts/" + name + ".json")
		if err != nil {
			return nil, fmt.Errorf("pages: no language %q", name)
		}
		if err := json.Unmarshal(data, &l.text); err != nil {
			return nil, fmt.Errorf("pages in %s: %w", name, err)
		}
	}
	if l.shared == nil {
		var err error
		if l.shared, err = texts.Load(language, ""); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// get gives a label with its {placeholders} filled in, names and values by turns.
func (l *labels) get(id string, namesAndValues ...string) string {
	text := l.shared.Get(texts.ID(id))
	if text == id {
		if own, ok := l.text[id]; ok {
			text = own
		}
	}
	pairs := make([]string, 0, len(namesAndValues))
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		pairs = append(pairs, "{"+namesAndValues[i]+"}", namesAndValues[i+1])
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// message gives a text that the APIs have, too.
func (l *labels) message(id texts.ID) string { return l.shared.Get(id) }

// view is what a template gets.
type view struct {
	Title     string // label of the page
	Error     string
	Notice    string
	Data      any
	Status    int
	RequestID string

	Site     string
	Language string
	Path     string // prefix
	Style    string
	Crumb    bool // a way up to the overview
	Person   *adapter.Person

	person *adapter.Person
}

func (c *Console) parsePages() (map[string]*template.Template, error) {
	functions := template.FuncMap{
		"t": c.labels.get,
		"when": func(t time.Time) string {
			return t.In(c.cfg.Timezone).Format("2006-01-02 15:04")
		},
		"machine": func(t time.Time) string { return t.In(c.cfg.Timezone).Format(time.RFC3339) },
		"web": func(address string) bool {
			return strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://")
		},
	}
	layout, err := template.New("layout.html").Funcs(functions).ParseFS(templates, "templates/layout.html")
	if err != nil {
		return nil, err
	}
	files, err := templates.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, file := range files {
		if file.Name() == "layout.html" {
			continue
		}
		page, err := layout.Clone()
		if err != nil {
			return nil, err
		}
		if page, err = page.ParseFS(templates, "templates/"+file.Name()); err != nil {
			return nil, err
		}
		pages[strings.TrimSuffix(file.Name(), ".html")] = page
	}
	return pages, nil
}

func (c *Console) render(w io.Writer, a *answer) error {
	v := a.data
	v.Site, v.Language, v.Path, v.Person = c.cfg.Title, c.labels.language, c.cfg.Prefix, v.person
	v.Style = c.path(stylePath())
	v.Crumb = a.page != "overview" && a.page != "home"
	if v.Title == "" {
		v.Title = "page." + a.page
	}
	return c.pages[a.page].ExecuteTemplate(w, "layout.html", v)
}

const qrSize = 264

// qrPicture is a text as a QR code, as the address of an embedded PNG. It is
// part of its page, so that nothing secret has an address of its own.
func qrPicture(text string) (template.URL, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", err
	}
	size := code.Bounds().Dx()
	const quiet = 4 // modules of margin that scanners want
	scaled, err := barcode.Scale(code, size*max(1, qrSize/(size+2*quiet)), size*max(1, qrSize/(size+2*quiet)))
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := png.Encode(&b, scaled); err != nil {
		return "", err
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), nil //nolint:gosec // made here, of nothing but base64
}
