package rules_test

import (
	"os"
	"path/filepath"
	"testing"

	"portico/testenv/rules"
)

// parsed makes one file of a made-up repository.
func parsed(t *testing.T, name, text string) []*rules.File {
	t.Helper()
	root := t.TempDir()
	full := filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := rules.GoFiles(root)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestChecksFindFaults proves that each check sees what it is there for, and leaves good code alone.
func TestChecksFindFaults(t *testing.T) {
	t.Parallel()
	const code, test = "a/b.go", "a/b_test.go"
	sizes := func(files []*rules.File) []rules.Fault { return rules.Sizes(files, 10, 3) }
	for name, c := range map[string]struct {
		check func([]*rules.File) []rules.Fault
		file  string
		text  string
		want  int
	}{
		"unauthenticated bind":          {rules.BannedNames, code, "package b\nfunc f() { c.UnauthenticatedBind(x) }", 1},
		"empty password":                {rules.BannedNames, code, "package b\nfunc f() { r.AllowEmptyPassword = true }", 1},
		"empty password sent by a test": {rules.BannedNames, test, "package b\nfunc f() { r.AllowEmptyPassword = true }", 0},
		"global log":                    {rules.BannedNames, code, "package b\nimport \"log\"\nfunc f() { log.Print() }", 1},
		"type of log":                   {rules.BannedNames, code, "package b\nimport \"log\"\nvar _ *log.Logger = nil", 0},
		"test support":                  {rules.BannedImports, "a/btest/b.go", "package btest\nimport _ \"math/rand/v2\"", 0},
		"sentinel of a type":            {rules.SharedState, code, "package b\nvar errX = &Error{}", 0},
		"two from a call":               {rules.SharedState, code, "package b\nvar one, two = f()", 0},
		"default client":                {rules.BannedNames, code, "package b\nimport \"net/http\"\nvar c = http.DefaultClient", 1},
		"default client, renamed":       {rules.BannedNames, code, "package b\nimport web \"net/http\"\nvar c = web.DefaultClient", 1},
		"default client in a test":      {rules.BannedNames, test, "package b\nimport \"net/http\"\nvar c = http.DefaultClient", 0},
		"skipped test":                  {rules.BannedNames, test, "package b\nfunc f() { t.Skip() }", 1},
		"short":                         {rules.BannedNames, test, "package b\nimport \"testing\"\nfunc f() { testing.Short() }", 1},
		"insecure literal":              {rules.UnverifiedTLS, code, "package b\nvar c = &tls.Config{InsecureSkipVerify: true}", 1},
		"insecure assignment":           {rules.UnverifiedTLS, code, "package b\nfunc f() { c.InsecureSkipVerify = true }", 1},
		"field of ours":                 {rules.UnverifiedTLS, code, "package b\nvar c = TLS{InsecureSkipVerify: true}", 0},
		"smtp":                          {rules.BannedImports, code, "package b\nimport _ \"net/smtp\"", 1},
		"csrf":                          {rules.BannedImports, code, "package b\nimport _ \"github.com/gorilla/csrf/x\"", 1},
		"randomness":                    {rules.BannedImports, code, "package b\nimport _ \"math/rand/v2\"", 1},
		"randomness in a test":          {rules.BannedImports, test, "package b\nimport _ \"math/rand/v2\"", 0},
		"slog is not log":               {rules.BannedImports, code, "package b\nimport _ \"log/slog\"", 0},
		"SQL by Sprintf":                {rules.BuiltQueries, code, "package b\nvar q = fmt.Sprintf(\"SELECT %s FROM t\", x)", 1},
		"filter by Sprintf":             {rules.BuiltQueries, code, "package b\nvar q = fmt.Sprintf(\"(&(uid=%s))\", x)", 1},
		"filter by plus":                {rules.BuiltQueries, code, "package b\nvar q = \"(uid=\" + x + \")\"", 1},
		"escaped filter":                {rules.BuiltQueries, code, "package b\nvar q = \"(uid=\" + ldap.EscapeFilter(x) + \")\"", 0},
		"an ordinary text":              {rules.BuiltQueries, code, "package b\nvar q = fmt.Sprintf(\"%d of %s\", x, y)", 0},
		"init":                          {rules.SharedState, code, "package b\nfunc init() {}", 1},
		"variable without value":        {rules.SharedState, code, "package b\nvar n int", 1},
		"made map":                      {rules.SharedState, code, "package b\nvar m = make(map[int]int)", 1},
		"pointer":                       {rules.SharedState, code, "package b\nvar m = &T{}", 1},
		"mutex":                         {rules.SharedState, code, "package b\nvar m = sync.Mutex{}", 1},
		"changed table":                 {rules.SharedState, code, "package b\nvar m = map[int]int{}\nfunc f() { m[1] = 2 }", 1},
		"emptied table":                 {rules.SharedState, code, "package b\nvar m = map[int]int{1: 1}\nfunc f() { delete(m, 1) }", 1},
		"table":                         {rules.SharedState, code, "package b\nvar m = map[int]int{1: 1}\nfunc f() int { return m[1] }", 0},
		"sentinel and assertion":        {rules.SharedState, code, "package b\nvar errX = errors.New(\"x\")\nvar _ I = (*T)(nil)", 0},
		"embedded":                      {rules.SharedState, code, "package b\n//go:embed x.sql\nvar x string", 0},
		"long function":                 {sizes, code, "package b\nfunc f() {\n\n\n}", 1},
		"long file":                     {sizes, code, "package b\n\n\n\n\n\n\n\n\n\n\n\n", 1},
		"long test":                     {sizes, test, "package b\n\n\n\n\n\n\n\n\n\n\n\n", 0},
		"no package comment":            {rules.PackageComments, code, "package b", 1},
		"package comment":               {rules.PackageComments, code, "// Package b is.\npackage b", 0},
		"put off":                       {rules.Unfinished, code, "package b\n// TO" + "DO: later", 1},
	} {
		if faults := c.check(parsed(t, c.file, c.text+"\n")); len(faults) != c.want {
			t.Errorf("%s: %q, want %d", name, faults, c.want)
		}
	}
}

func TestLayers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		folder, imported string
		allowed          bool
	}{
		{"httpapi/action", "portico/adapter", true},
		{"httpapi/action", "portico/httpapi", true},
		{"httpapi/action", "portico/httpapi/integration", false},
		{"httpapi/action", "portico/scim", false},
		{"httpapi/action", "portico/directory", false},
		{"httpapi/action", "portico/adapter/store", false},
		{"scim", "portico/adapter", true},
		{"scim", "portico/httpapi/action", false},
		{"directory/client", "net/http", false},
		{"directory/mirror", "portico/adapter", false},
		{"directory/mirror", "database/sql", true},
		{"adapter", "portico/directory", true},
		{"adapter", "portico/adapter/store", true},
		{"adapter", "net/http", false},
		{"adapter/store", "github.com/go-ldap/ldap/v3", false},
		{"adapter/store", "github.com/jackc/pgx/v5", true},
		{"cmd/portico", "portico/configs", true},
		{"directory/client", "portico/configs", false},
		{"cmd/portico", "portico/testenv", false},
	} {
		if fault := rules.LayerFault(rules.Layers(), c.folder, c.imported); (fault == "") != c.allowed {
			t.Errorf("%s imports %s: %q, want allowed %v", c.folder, c.imported, fault, c.allowed)
		}
	}
}
