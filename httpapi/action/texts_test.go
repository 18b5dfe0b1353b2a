package action

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTexts(t *testing.T) {
	write := func(text string) string {
		name := filepath.Join(t.TempDir(), "texts.json")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	t.Run("English", func(t *testing.T) {
		for _, language := range []string{"", "en", "EN"} {
			texts, err := loadTexts(language, "")
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range allTexts() {
				if got := texts.get(id); got == string(id) || !strings.HasSuffix(got, ".") {
					t.Errorf("%q: %q", id, got)
				}
			}
			if got := texts.get("no such text"); got != "no such text" {
				t.Errorf("a missing text shows %q", got)
			}
		}
	})
	t.Run("Override", func(t *testing.T) {
		texts, err := loadTexts("en", write(`{"account locked":"Call 4711."}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := texts.get(textLocked); got != "Call 4711." {
			t.Errorf("got %q", got)
		}
		if got := texts.get(textNoUser); got == string(textNoUser) {
			t.Error("the other texts are gone")
		}
	})
	t.Run("Errors", func(t *testing.T) {
		for _, language := range []string{"xx", "../en", "en.json"} {
			if _, err := loadTexts(language, ""); err == nil {
				t.Errorf("language %q was accepted", language)
			}
		}
		for _, file := range []string{"/nowhere/texts.json", write(`[]`), write(`{"a":1}`), write(`{`)} {
			if _, err := loadTexts("en", file); err == nil {
				t.Errorf("file %s was accepted", file)
			}
		}
	})
}

func allTexts() []textID {
	return []textID{
		textLoginOK, textLoginIncorrect, textLocked, textTerminated, textExpired, textStateError,
		textNoUser, textNoGroup, textInvalidParameters, textDirectoryError, textSlowDown,
	}
}
