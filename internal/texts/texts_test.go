package texts

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "texts.json")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestEveryLanguageHasEveryText(t *testing.T) {
	placeholder := regexp.MustCompile(`\{\w+\}`)
	english, err := Load("en", "")
	if err != nil {
		t.Fatal(err)
	}
	if languages := Languages(); !slices.Equal(languages, []string{"de", "en", "nl"}) {
		t.Errorf("languages %v", languages)
	}
	for _, language := range Languages() {
		c := &Catalogue{text: map[ID]string{}}
		if err := c.addLanguage(language); err != nil {
			t.Fatal(err)
		}
		if len(c.text) != len(All()) {
			t.Errorf("%s has %d texts, there are %d ids", language, len(c.text), len(All()))
		}
		for _, id := range All() {
			text, ok := c.text[id]
			if !ok || strings.TrimSpace(text) == "" {
				t.Errorf("%s: %q is %q", language, id, text)
			}
			want, got := placeholder.FindAllString(english.Get(id), -1), placeholder.FindAllString(text, -1)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Errorf("%s: %q has the placeholders %v, want %v", language, id, got, want)
			}
			if language != "en" && text == english.Get(id) {
				t.Errorf("%s: %q is not translated", language, id)
			}
		}
	}
}

func TestLoad(t *testing.T) {
	for language, want := range map[string]string{
		"": "There is no such user.", "EN": "There is no such user.", "en_us": "There is no such user.",
		"nl": "Deze gebruiker bestaat niet.", "nl-BE": "Deze gebruiker bestaat niet.",
		"De_AT": "Diesen Benutzer gibt es nicht.",
	} {
		c, err := Load(language, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Get(NoUser); got != want {
			t.Errorf("%q: %q", language, got)
		}
		if got := c.Get("no such text"); got != "no such text" {
			t.Errorf("a missing text shows %q", got)
		}
	}
}

func TestOverride(t *testing.T) {
	c, err := Load("nl", write(t, `{"account locked":"Bel 4711.","account terminated":null,"of my own":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[ID]string{
		Locked: "Bel 4711.", Terminated: "Dit account is opgeheven.", NoUser: "Deze gebruiker bestaat niet.", "of my own": "x",
	} {
		if got := c.Get(id); got != want {
			t.Errorf("%q: %q, want %q", id, got, want)
		}
	}
}

func TestFallBackToEnglish(t *testing.T) {
	c := &Catalogue{text: map[ID]string{}}
	for _, text := range []string{`{"a":"English a","b":"English b"}`, `{"a":"Nederlands a"}`} {
		if err := c.add([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if c.Get("a") != "Nederlands a" || c.Get("b") != "English b" {
		t.Errorf("got %v", c.text)
	}
}

func TestLoadErrors(t *testing.T) {
	for _, language := range []string{"xx", "../en", "en.json", "/"} {
		if _, err := Load(language, ""); err == nil {
			t.Errorf("language %q was accepted", language)
		}
	}
	for _, file := range []string{
		"/nowhere/texts.json", t.TempDir(), write(t, `[]`), write(t, `{"a":1}`), write(t, `{`), write(t, `null`),
		write(t, `{"a":"`+strings.Repeat("x", maxFile)+`"}`),
	} {
		if _, err := Load("en", file); err == nil {
			t.Errorf("file %s was accepted", file)
		}
	}
}

func TestFormat(t *testing.T) {
	c := &Catalogue{text: map[ID]string{"x": "{a} and {b}, {c}"}}
	if got := c.Format("x", "a", "{b}", "b", "two"); got != "{b} and two, {c}" {
		t.Errorf("got %q", got)
	}
}
