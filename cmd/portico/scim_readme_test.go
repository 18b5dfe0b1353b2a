package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"portico/adapter"
	"portico/testenv"
)

// TestREADMEOfSCIM does what the README says, word by word, against a real OpenLDAP: only addresses and passwords are
// those of the test.
func TestREADMEOfSCIM(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "## SCIM 2.0\n")
	if !ok {
		t.Fatal("the README has no such section")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	server := testenv.OpenLDAP(t, testenv.WithBaseDN("dc=example,dc=org"))
	s := start(t, server, setup{directory: `    write:
      enabled: true
      user_container: ou=people,dc=example,dc=org
      group_container: ou=groups,dc=example,dc=org
      protected_groups: [admins]
`})
	w := &scimWorld{service: s, t: t, ldap: server, base: s.url + "/scim/v2"}
	w.waitReady()
	w.key = w.newKey(adapter.KeyRequest{Label: "entra", Profile: "entra", Domain: "entra", Scopes: allScopes})
	var script strings.Builder
	fmt.Fprintf(&script, "KEY=%s\nBASE=%s\n", w.key, w.base)
	for line := range strings.Lines(section) {
		line, code := strings.CutPrefix(line, "    ")
		switch {
		case !code, strings.HasPrefix(line, "KEY="), strings.HasPrefix(line, "BASE="):
		case strings.HasPrefix(line, "ldapsearch"):
			line = strings.Replace(line, "ldap://127.0.0.1", server.URL(), 1)
			script.WriteString(strings.Replace(line, " -W ", " -w '"+server.AdminPassword+"' ", 1))
		case script.Len() > 0 && (strings.Contains(line, "scim ") || strings.Contains(line, "() {") || strings.HasPrefix(line, "PATCH=")):
			script.WriteString(line)
		}
	}
	out, err := exec.CommandContext(t.Context(), "bash", "-euc", script.String()).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		`"totalResults":0`, `"title":"Engineer"`, `"value":"+49 30 1"`, `"display":"Ops"`, `"active":false`, "pwdAccountLockedTime: 000001010000Z",
		"dn: cn=Ops,ou=groups,dc=example,dc=org", "mobile: +49 30 1", `"familyName":"Nowak"`,
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("nowhere: %s", want)
		}
	}
	if strings.Contains(string(out), `"status":"4`) || strings.Contains(string(out), `"status":"5`) || w.person("nina") != nil {
		t.Error("something was refused, or is left")
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}
