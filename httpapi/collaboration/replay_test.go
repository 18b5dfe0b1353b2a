package collaboration

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	collab "portico/adapter/collaboration"
	"portico/testenv/replay"
)

// direct changes the fixture before a request: "wait DURATION" moves the clock,
// "jobs" runs what is due.
func (h *house) direct(directive string) error {
	verb, arg, _ := strings.Cut(directive, " ")
	switch verb {
	case "wait":
		d, err := time.ParseDuration(arg)
		h.clock.set(h.clock.Now().Add(d))
		return err
	case "jobs":
		h.collabs.RunJobs(h.t.Context())
		return nil
	}
	return fmt.Errorf("no such directive: %q", directive)
}

// variable gives the token of the newest mail: {{mail ADDRESS}}.
func (h *house) variable(name string) (string, error) {
	if to, ok := strings.CutPrefix(name, "mail "); ok {
		return h.letters.token(to)
	}
	return "", fmt.Errorf("no variable %q", name)
}

func (h *house) play(t *testing.T, list []replay.Exchange) {
	t.Helper()
	target := replay.Target{Addr: h.addr, Replace: h.keys, Var: h.variable, Direct: h.direct}
	target.Play(t, list)
}

// TestReplay sends every recorded exchange, on both stores. A file is one
// session: its fixture is fresh, its exchanges follow each other.
func TestReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files of exchanges, %v", len(files), err)
	}
	for _, file := range files {
		list, err := replay.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			stores(t, func(t *testing.T, url string) {
				newHouse(t, url, func(c *collab.Config) { c.Cleanse = replay.Prefix(list, "") == "cleanse" }).play(t, list)
			})
		})
	}
}
