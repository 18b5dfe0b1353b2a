package configs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParse holds for any file and variable: no panic; either faults with
// texts, or a configuration that validates and survives being written out.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/cases/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		input, _, _ := strings.Cut(string(data), "----")
		f.Add([]byte(input), "PORTICO_LISTEN=:1")
	}
	f.Add(Sample(), "PORTICO_DIRECTORIES_0_USERS_ATTRIBUTES={name: cn}")
	f.Fuzz(func(t *testing.T, data []byte, variable string) {
		cfg, err := Parse("f", data, []string{variable})
		if err != nil {
			var faults Faults
			if !errors.As(err, &faults) || len(faults) == 0 || len(faults) > maxFaults+1 {
				t.Fatalf("not faults: %v", err)
			}
			for _, fault := range faults {
				if fault.Text == "" || fault.Line < 0 || !utf8.ValidString(fault.Text) {
					t.Fatalf("bad fault %+v", fault)
				}
			}
			return
		}
		if err := cfg.Validate(); err != nil {
			t.Fatalf("valid at first, then: %v", err)
		}
		for i := range cfg.Directories {
			if _, err := cfg.Directories[i].Resolve(); err != nil {
				t.Fatal(err)
			}
		}
		text, err := cfg.Redacted()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse("again", text, nil); err != nil && !strings.Contains(string(text), masked) {
			t.Fatalf("written out it is refused: %v\n%s", err, text)
		}
	})
}
