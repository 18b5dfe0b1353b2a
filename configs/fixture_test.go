package configs

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what was found into the fixtures of testdata/cases")

// The parts of a fixture. Input comes first; the environment may be left out.
const (
	partEnvironment = "---- environment ----\n"
	partFaults      = "---- faults ----\n"
	partWarnings    = "---- warnings ----\n"
)

// TestEveryFixtureGivesItsFaults reads testdata/cases: each file is one way in
// which a configuration can be wrong or doubtful. A new case needs no Go; run
// with -update to have its outcome written, then read that.
func TestEveryFixtureGivesItsFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("testdata") // fixtures name files/...
	hideFromOthers(t, filepath.Join(root, "testdata/files"))
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			path := filepath.Join(root, file)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			input, environ, marker, want := splitFixture(t, string(data))
			got := outcome(input, environ)
			if *update {
				if i := strings.LastIndex(string(data), marker); i >= 0 {
					data = append(data[:i+len(marker)], got...)
				}
				if err := os.WriteFile(path, data, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("wrong outcome (- wanted, + found):\n%s", diff)
			}
		})
	}
}

// splitFixture takes a fixture apart.
func splitFixture(t *testing.T, text string) (input string, environ []string, marker, want string) {
	t.Helper()
	for _, marker = range []string{partFaults, partWarnings} {
		before, after, found := strings.Cut(text, marker)
		if !found {
			continue
		}
		input, env, _ := strings.Cut(before, partEnvironment)
		return input, strings.Split(strings.TrimSpace(env), "\n"), marker, after
	}
	t.Fatalf("the fixture has neither %q nor %q", partFaults, partWarnings)
	return
}

// outcome loads a configuration and gives its faults, or else its warnings, one a line.
func outcome(input string, environ []string) string {
	cfg, err := Parse("portico.yaml", []byte(input), environ)
	if err != nil {
		return err.Error() + "\n"
	}
	var b strings.Builder
	for _, w := range cfg.Warnings {
		if w.Insecure {
			b.WriteString("insecure: ")
		}
		b.WriteString(w.String() + "\n")
	}
	return b.String()
}

// hideFromOthers takes away the world's right to read, which a checkout grants.
func hideFromOthers(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.Chmod(filepath.Join(dir, f.Name()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
