package main

import (
	"bytes"
	"errors"
	"flag"
	"strings"
	"testing"
)

func TestGenerate(t *testing.T) {
	t.Parallel()
	var one, two bytes.Buffer
	for _, out := range []*bytes.Buffer{&one, &two} {
		if err := run([]string{"-people", "50", "-base", "-posix"}, out); err != nil {
			t.Fatal(err)
		}
	}
	if one.String() != two.String() || strings.Count(one.String(), "inetOrgPerson") != 50 {
		t.Errorf("two runs: %d and %d bytes", one.Len(), two.Len())
	}
}

func TestGenerateHelp(t *testing.T) {
	t.Parallel()
	if err := run([]string{"-h"}, &bytes.Buffer{}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("help: %v", err)
	}
	if err := run([]string{"-persons", "5"}, &bytes.Buffer{}); err == nil {
		t.Error("an unknown flag was accepted")
	}
}
