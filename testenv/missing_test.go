package testenv

import (
	"errors"
	"strings"
	"testing"
)

func TestFindProgram(t *testing.T) {
	t.Parallel()
	if path, err := findProgram("sh", "dash"); err != nil || !strings.HasSuffix(path, "/sh") {
		t.Errorf("sh: %q, %v", path, err)
	}
	_, err := findProgram("no-such-program", "some-package", "/usr/lib/nothing/*/bin")
	if _, ok := errors.AsType[*MissingError](err); !ok {
		t.Fatalf("%v, want a MissingError", err)
	}
	for _, part := range []string{"no-such-program", "./testenv/install.sh", "apt-get install", "some-package"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}
