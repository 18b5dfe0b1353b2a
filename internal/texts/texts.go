// Package texts holds what Portico says to people, in English, Dutch and German:
// the messages of the action API and its mobile API, the words of the pages, the
// alert mail. Nothing here is logic, and no program compares a text.
//
// A catalogue is one JSON object, text id to text. English comes first, then the
// configured language, then the administrator's own file: the later ones replace
// the earlier, so that a text that is missing falls back to English, and one
// that nobody has shows its id. The language is the server's, never a request's.
//
// The ids are those that AccountHub has; ids of our own are written alike.
package texts

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// ID names a text.
type ID string

//go:embed *.json
var embedded embed.FS

// maxFile bounds the administrator's file.
const maxFile = 1 << 20

// Catalogue is the texts in use. It does not change and may be shared.
type Catalogue struct{ text map[ID]string }

// Load reads the catalogue of a language ("" is English; of "de_at" and "de-AT"
// the first part counts) and the administrator's file, "" for none. Errors: an
// unknown language, a file that cannot be read or is no JSON object of texts.
func Load(language, file string) (*Catalogue, error) {
	c := &Catalogue{text: map[ID]string{}}
	if err := c.addLanguage("en"); err != nil {
		return nil, err
	}
	language, _, _ = strings.Cut(strings.ReplaceAll(strings.ToLower(language), "_", "-"), "-")
	if language != "" && language != "en" {
		if err := c.addLanguage(language); err != nil {
			return nil, err
		}
	}
	if file == "" {
		return c, nil
	}
	data, err := readFile(file)
	if err != nil {
		return nil, fmt.Errorf("texts: %w", err)
	}
	if err := c.add(data); err != nil {
		return nil, fmt.Errorf("texts %s: %w", file, err)
	}
	return c, nil
}

func readFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxFile)
	}
	return data, err
}

func (c *Catalogue) addLanguage(language string) error {
	if strings.ContainsAny(language, `/\.`) {
		return fmt.Errorf("texts: no language %q", language)
	}
	data, err := embedded.ReadFile(language + ".json")
	if err != nil {
		return fmt.Errorf("texts: no language %q; there are %s", language, strings.Join(Languages(), ", "))
	}
	if err := c.add(data); err != nil {
		return fmt.Errorf("texts in %s: %w", language, err)
	}
	return nil
}

// add puts the texts of a JSON object over those that are there.
func (c *Catalogue) add(data []byte) error {
	var more map[ID]*string
	if err := json.Unmarshal(data, &more); err != nil {
		return err
	}
	if more == nil {
		return errors.New("want a JSON object, text id to text")
	}
	for id, text := range more {
		if text != nil {
			c.text[id] = *text
		}
	}
	return nil
}

// Languages are the languages that there is a catalogue for.
func Languages() []string {
	files, err := embedded.ReadDir(".")
	if err != nil {
		return nil
	}
	var list []string
	for _, f := range files {
		list = append(list, strings.TrimSuffix(f.Name(), ".json"))
	}
	return list
}

// Get gives a text, or the id when there is none.
func (c *Catalogue) Get(id ID) string {
	if text, ok := c.text[id]; ok {
		return text
	}
	return string(id)
}

// Format gives a text with its {placeholders} filled in: names and values by
// turns. Values are put in as they are, once; braces in them mean nothing.
func (c *Catalogue) Format(id ID, namesAndValues ...string) string {
	pairs := make([]string, 0, len(namesAndValues))
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		pairs = append(pairs, "{"+namesAndValues[i]+"}", namesAndValues[i+1])
	}
	return strings.NewReplacer(pairs...).Replace(c.Get(id))
}
