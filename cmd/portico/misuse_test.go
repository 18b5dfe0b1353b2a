package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portico/testenv"
)

// misuse is one wrong command line or configuration: the exit code, and what the
// message must say.
type misuse struct {
	name string
	args []string
	code int
	says []string
}

func (m misuse) run(t *testing.T) {
	t.Helper()
	t.Run(m.name, func(t *testing.T) {
		code, out, errOut := command(t, m.args...)
		if code != m.code {
			t.Errorf("exit code %d, want %d", code, m.code)
		}
		for _, want := range m.says {
			if !strings.Contains(out+errOut, want) {
				t.Errorf("it does not say %q", want)
			}
		}
		if strings.Contains(out+errOut, "goroutine ") || strings.Contains(out+errOut, "panic") {
			t.Error("it broke")
		}
		if m.code != 0 && strings.Contains(errOut, "Usage:") {
			t.Error("the reason drowns in the usage")
		}
		if t.Failed() {
			t.Logf("portico %s\nout: %s\nerr: %s", strings.Join(m.args, " "), out, errOut)
		}
	})
}

func TestCommandLineMisuse(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	for _, m := range []misuse{
		{"serve without configuration", []string{"serve"}, 2, []string{"--config FILE"}},
		{"check without configuration", []string{"check"}, 2, []string{"--config FILE"}},
		{"explain without configuration", []string{"explain", "jdoe"}, 2, []string{"--config FILE"}},
		{"key without configuration", []string{"key", "list"}, 2, []string{"--config FILE"}},
		{"no such file", []string{"serve", "--config", missing}, 1, []string{missing}},
		{"a folder", []string{"serve", "--config", t.TempDir()}, 1, []string{"not a regular file"}},
		{"no such flag", []string{"serve", "--konfig", "x"}, 2, []string{"--konfig", "--help"}},
		{"no such command", []string{"serv"}, 2, []string{"serv"}},
		{"no such key command", []string{"key", "destroy"}, 2, []string{"destroy"}},
		{"too many arguments", []string{"serve", "--config", missing, "more"}, 2, []string{"more"}},
		{"explain nobody", []string{"explain", "--config", missing}, 2, []string{"explain"}},
		{"revoke nothing", []string{"key", "revoke", "--config", missing}, 2, []string{"revoke"}},
		{"revoke a word", []string{"key", "revoke", "--config", missing, "first"}, 2, []string{"key list"}},
		{"a time in words", []string{"key", "create", "--config", missing, "--expires", "tomorrow"}, 2, []string{"90d"}},
		{"sample", []string{"sample"}, 0, []string{"directories:", "base_dn"}},
		{"version", []string{"--version"}, 0, []string{"portico"}},
		{"help", []string{"--help"}, 0, []string{"serve", "check", "explain", "key", "sample"}},
	} {
		m.run(t)
	}
}

func TestConfigurationMisuse(t *testing.T) {
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "portico.yaml")
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	const directory = "directories:\n  - {name: corp, preset: openldap, urls: [\"ldap://127.0.0.1:1\"], base_dn: \"dc=example,dc=com\"}\n"
	for _, command := range []string{"serve", "check"} {
		for _, m := range []misuse{
			{"empty", []string{write("")}, 1, []string{"directories"}},
			{"not YAML", []string{write("listen: [")}, 1, []string{":2:", "not YAML"}},
			{"misspelt key", []string{write("listn: 127.0.0.1:0\n" + directory)}, 1, []string{"listn", "listen", ":1"}},
			{"several faults at once", []string{write("listen: x\nlog: {level: loud}\n" + directory)}, 1, []string{"listen", "loud", "info"}},
			{"unit", []string{write("limits: {read_timeout: 5 parsecs}\n" + directory)}, 1, []string{"read_timeout", "5 parsecs"}},
			{"duplicate key", []string{write("listen: a:1\nlisten: b:1\n" + directory)}, 1, []string{"listen"}},
			{"unknown preset", []string{write(strings.Replace(directory, "openldap", "opendlap", 1))}, 1, []string{"opendlap", "openldap"}},
			{"secret twice", []string{write(strings.Replace(directory, "base_dn", "bind_dn: cn=x, bind_password: a, bind_password_file: /b, base_dn", 1))}, 1, []string{"bind_password"}},
		} {
			m.name, m.args = command+" "+m.name, []string{command, "--config", m.args[0]}
			m.run(t)
		}
	}
	t.Run("environment", func(t *testing.T) {
		var out, errOut logBuffer
		environ := []string{"PORTICO_LISTN=127.0.0.1:0"}
		if code := run(context.Background(), []string{"check", "--config", write(directory)}, environ, &out, &errOut); code != 1 {
			t.Errorf("exit code %d", code)
		}
		if !strings.Contains(errOut.String(), "PORTICO_LISTN") || !strings.Contains(errOut.String(), "PORTICO_LISTEN") {
			t.Error(errOut.String())
		}
	})
}

// TestLiveMisuse: what only a server or the machine can refuse.
func TestLiveMisuse(t *testing.T) {
	server := startOpenLDAP(t)
	good := writeConfig(t, server, setup{})
	change := func(old, by string) string {
		text, err := os.ReadFile(writeConfig(t, server, setup{}))
		must(t, err)
		if !strings.Contains(string(text), old) {
			t.Fatalf("no %q in %s", old, text)
		}
		path := filepath.Join(t.TempDir(), "portico.yaml")
		must(t, os.WriteFile(path, []byte(strings.Replace(string(text), old, by, 1)), 0o600))
		return path
	}
	taken := testenv.OpenProxy(t, server.Address()).Address()
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	down := fmt.Sprintf("ldap://127.0.0.1:%d", testenv.FreePort(t))
	for _, m := range []misuse{
		{"check", []string{"check", "--config", good}, 0, []string{"people", "syncrepl", "portico key create"}},
		{"check as JSON", []string{"check", "--json", "--config", good}, 0, []string{`"level": "ok"`}},
		{"check with a wrong password", []string{"check", "--config", change(server.ServicePassword, "wrong")}, 1, []string{"bind_password", "failure"}},
		{"check of a server that is down", []string{"check", "--config", change(server.URL(), down)}, 1, []string{"urls", "refused"}},
		{"check of another base", []string{"check", "--config", change(`base_dn: "dc=example,dc=com"`, `base_dn: "dc=other,dc=com"`)}, 1, []string{"dc=example,dc=com", "base_dn"}},
		{"explain", []string{"explain", "--config", good, "jdoe"}, 0, []string{"uid=jdoe,ou=people,dc=example,dc=com", "Sales"}},
		{"explain a stranger", []string{"explain", "--config", good, "stranger"}, 1, []string{"portico check"}},
		{"explain a star", []string{"explain", "--config", good, "*"}, 1, []string{"portico check"}},
		{"explain while down", []string{"explain", "--config", change(server.URL(), down), "jdoe"}, 1, []string{"does not answer"}},
		{"key for no API", []string{"key", "create", "--config", good, "--label", "x"}, 1, []string{"action"}},
		{"key for another API", []string{"key", "create", "--config", good, "--api", "acton", "--label", "x"}, 1, []string{"action"}},
		{"key of no level", []string{"key", "create", "--config", good, "--api", "action", "--level", "root", "--label", "x"}, 1, []string{"full"}},
		{"revoke a key that is not there", []string{"key", "revoke", "--config", good, "99"}, 1, []string{"portico key list"}},
		{"port that is taken", []string{"serve", "--config", change("127.0.0.1:0", taken)}, 1, []string{"in use"}},
		{"data folder is a file", []string{"serve", "--config", change("data_dir: ", "data_dir: "+file+" #")}, 1, []string{"data_dir"}},
		{"database that does not answer", []string{"serve", "--config", change(`store: {url: ""}`, `store: {url: "postgres://x:marked-pw@127.0.0.1:1/x"}`)}, 1, []string{"127.0.0.1"}},
	} {
		m.run(t)
	}
	t.Run("key from start to end", func(t *testing.T) {
		code, key, errOut := command(t, "key", "create", "--config", good, "--api", "action", "--level", "auth", "--expires", "90d", "--label", "an app")
		if code != 0 || strings.Count(key, "\n") != 1 {
			t.Fatalf("%d %q %s", code, key, errOut)
		}
		_, list, _ := command(t, "key", "list", "--config", good)
		if !strings.Contains(list, "an app") || strings.Contains(list, strings.TrimSpace(key)) || !strings.Contains(list, "until "+time.Now().AddDate(0, 0, 90).UTC().Format("2006")) {
			t.Errorf("list: %s", list)
		}
		if code, _, errOut := command(t, "key", "revoke", "--config", good, "1"); code != 0 {
			t.Errorf("revoke: %d %s", code, errOut)
		}
		if _, list, _ := command(t, "key", "list", "--config", good); !strings.Contains(list, "revoked") {
			t.Errorf("list: %s", list)
		}
	})
}
