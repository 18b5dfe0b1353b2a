package action

import (
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// textID names a text of the catalogues. A text that no catalogue has shows its id.
type textID string

// The texts that this API gives.
const (
	textLoginOK           textID = "login successful"
	textLoginIncorrect    textID = "login incorrect"
	textLocked            textID = "account locked"
	textTerminated        textID = "account terminated"
	textExpired           textID = "password expired"
	textStateError        textID = "account state error"
	textNoUser            textID = "user does not exist"
	textNoGroup           textID = "group does not exist"
	textInvalidParameters textID = "invalid parameters"
	textDirectoryError    textID = "ldap error"
	textSlowDown          textID = "slow down"
)

//go:embed texts/*.json
var catalogues embed.FS

// texts is the catalogue in use: English, then the language, then the
// administrator's own file, the later ones replacing the earlier. Read-only.
type texts struct{ text map[textID]string }

// loadTexts reads the catalogues. Errors: an unknown language, a file that
// cannot be read or is no JSON object of texts.
func loadTexts(language, override string) (*texts, error) {
	t := &texts{text: map[textID]string{}}
	if err := t.embedded("en"); err != nil {
		return nil, err
	}
	if language = strings.ToLower(language); language != "" && language != "en" {
		if err := t.embedded(language); err != nil {
			return nil, err
		}
	}
	if override != "" {
		data, err := os.ReadFile(override)
		if err != nil {
			return nil, fmt.Errorf("texts: %w", err)
		}
		if err := json.Unmarshal(data, &t.text); err != nil {
			return nil, fmt.Errorf("texts %s: %w", override, err)
		}
	}
	return t, nil
}

func (t *texts) embedded(language string) error {
	if strings.ContainsAny(language, "/\\.") {
		return fmt.Errorf("texts: no language %q", language)
	}
	data, err := catalogues.ReadFile("texts/" + language + ".json")
	if err != nil {
		return fmt.Errorf("texts: no language %q", language)
	}
	if err := json.Unmarshal(data, &t.text); err != nil {
		return fmt.Errorf("texts in %s: %w", language, err)
	}
	return nil
}

func (t *texts) get(id textID) string {
	if text, ok := t.text[id]; ok {
		return text
	}
	return string(id)
}
