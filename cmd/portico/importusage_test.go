package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestImportAccountHub_Usage(t *testing.T) {
	for name, args := range map[string][]string{
		"no address": {}, "both": {"--dsn", "mysql://u:p@h/d", "--dsn-file", "x"},
		"not an address": {"--dsn", "u:geheim@tcp(h)/d"}, "bad escape": {"--dsn", "mysql://u:geheim%zz@h/d"},
		"no database": {"--dsn", "mysql://u:geheim@h/"}, "groups cannot be kept here": {"--dsn", "mysql://u:geheim@h/d", "--keep-groups"},
		"parameter": {"--dsn", "mysql://u:geheim@h/d?allowAllFiles=true"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			code := run(t.Context(), append([]string{"import", "accounthub"}, args...), nil, &out, &errOut)
			if code != 2 || strings.Contains(errOut.String(), "geheim") {
				t.Errorf("%d, %s", code, errOut.String())
			}
		})
	}
}
