package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"portico/adapter"
	"portico/testenv/replay"
)

// TestQ01ToQ34OverOpenLDAP plays what clients send to the whole service. Times are the directory's here, so each
// may be any.
func TestQ01ToQ34OverOpenLDAP(t *testing.T) {
	files, err := filepath.Glob("../../scim/testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	anyTime := regexp.MustCompile(`\{\{time\}\}`)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			w := startSCIM(t, setup{})
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			recorded := anyTime.ReplaceAllStringFunc(string(text), func(string) string {
				n++
				return fmt.Sprintf("{{time%d}}", n)
			})
			for _, profile := range []string{"entra", "okta", "full"} {
				r := adapter.KeyRequest{Label: profile, Scopes: []string{"read", "write", "password"}, Profile: profile}
				if profile == "full" {
					r.Profile = "lenient"
				}
				recorded = strings.ReplaceAll(recorded, "Bearer "+profile+"\n", "Bearer "+w.newKey(r)+"\n")
			}
			list, err := replay.Parse(file, recorded)
			if err != nil {
				t.Fatal(err)
			}
			target := replay.Target{Addr: strings.TrimPrefix(w.url, "http://")}
			target.Play(t, list)
		})
	}
}
