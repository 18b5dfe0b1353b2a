package rules

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
)

// Fault is one breach of a rule: where, and what.
type Fault string

// bannedImports may be imported by nothing here. The value is the reason.
func bannedImports() map[string]string {
	return map[string]string{
		"github.com/gorilla/csrf":       "CVE-2025-47909, no fixed release; use net/http.CrossOriginProtection",
		"gopkg.in/yaml.v3":              "unmaintained; use go.yaml.in/yaml/v3",
		"gopkg.in/yaml.v2":              "unmaintained; use go.yaml.in/yaml/v3",
		"net/smtp":                      "frozen, lets line breaks into addresses; use github.com/wneessen/go-mail",
		"math/rand":                     "use math/rand/v2 in tests, crypto/rand elsewhere",
		"github.com/jimlambrt/gldap":    "decodes modify requests wrongly",
		"github.com/mattn/go-sqlite3":   "cgo; use modernc.org/sqlite",
		"github.com/lib/pq":             "use github.com/jackc/pgx/v5",
		"github.com/stretchr/testify":   "use testing and go-cmp",
		"github.com/spf13/viper":        "loose keys; the package configs reads the configuration",
		"github.com/skip2/go-qrcode":    "use github.com/boombuler/barcode",
		"golang.org/x/image":            "decompression bombs; PNG and JPEG only",
		"github.com/gorilla/sessions":   "sessions live on the server; use github.com/alexedwards/scs/v2",
		"github.com/pkg/errors":         "use errors and fmt.Errorf",
		"github.com/elimity-com/scim":   "not to be had from the module proxy",
		"expvar":                        "publishes by being imported",
		"net/http/pprof":                "publishes by being imported",
		"github.com/golang/mock/gomock": "write fakes by hand",
	}
}

// jitter names the files that use math/rand/v2 to spread load over time, and for nothing else.
func jitter() []string {
	return []string{"adapter/store/tx.go", "directory/client/client.go", "directory/feed/feed.go"}
}

// BannedImports finds imports that nothing here may have, and those that only tests may have.
func BannedImports(files []*File) []Fault {
	banned := bannedImports()
	var faults []Fault
	for _, f := range files {
		for _, spec := range f.Syntax.Imports {
			imported := strings.Trim(spec.Path.Value, `"`)
			for path, reason := range banned {
				// The standard library's packages are whole paths: math/rand/v2 is another one than math/rand.
				if imported == path || strings.Contains(path, ".") && below(imported, path) {
					faults = append(faults, Fault(f.At(spec)+": import of "+imported+": "+reason))
				}
			}
			if imported == "math/rand/v2" && !f.Test() && !below(f.Package(), "testenv") && !slices.Contains(jitter(), f.Path) {
				faults = append(faults, Fault(f.At(spec)+": math/rand/v2 outside tests: secrets come from crypto/rand, "+
					"and a file that only spreads load is to be named in testenv/rules"))
			}
		}
	}
	return faults
}

// bannedNames are selectors package.Name, by import path, that nothing but tests may use.
func bannedNames() map[string][]string {
	return map[string][]string{
		"net/http": {
			"DefaultClient", "DefaultTransport", "DefaultServeMux", "Get", "Post", "PostForm", "Head", "Handle",
			"HandleFunc", "ListenAndServe", "ListenAndServeTLS",
		},
		"log": {
			"Default", "SetOutput", "SetFlags", "SetPrefix", "Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln",
			"Panic", "Panicf", "Panicln",
		},
		"log/slog": {"Default", "SetDefault", "Debug", "Info", "Warn", "Error"},
		"github.com/prometheus/client_golang/prometheus": {"DefaultRegisterer", "DefaultGatherer", "MustRegister", "Register"},
	}
}

// BannedNames finds names that break the rules about binds, shared state and skipped tests.
func BannedNames(files []*File) []Fault {
	var faults []Fault
	for _, f := range files {
		imports := map[string]string{}
		for path, name := range f.Imports() {
			imports[name] = path
		}
		ast.Inspect(f.Syntax, func(node ast.Node) bool {
			selector, ok := node.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if reason := bannedSelector(f, imports, selector); reason != "" {
				faults = append(faults, Fault(f.At(node)+": "+selector.Sel.Name+": "+reason))
			}
			return true
		})
	}
	return faults
}

// bannedSelector returns why a selector must not be used here, or "".
func bannedSelector(f *File, imports map[string]string, selector *ast.SelectorExpr) string {
	left, _ := selector.X.(*ast.Ident)
	name := selector.Sel.Name
	switch {
	case !f.Test() && (name == "UnauthenticatedBind" || name == "AllowEmptyPassword"):
		return "an empty password never reaches a bind"
	case left == nil:
		return ""
	case f.Test() && slices.Contains([]string{"t", "b", "tb", "f"}, left.Name) && (name == "Skip" || name == "Skipf" || name == "SkipNow"):
		return "a missing server is a failure, not a reason to skip"
	case imports[left.Name] == "testing" && name == "Short":
		return "every test runs every time"
	case !f.Test() && slices.Contains(bannedNames()[imports[left.Name]], name):
		return "shared state, or no time-outs"
	default:
		return ""
	}
}

// UnverifiedTLS finds the files, tests left out, that switch off the verification of certificates. The field of our own
// configuration that is called the same does not count: only what goes into a tls.Config.
func UnverifiedTLS(files []*File) []Fault {
	const field = "InsecureSkipVerify"
	var faults []Fault
	for _, f := range files {
		if f.Test() {
			continue
		}
		ast.Inspect(f.Syntax, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.CompositeLit:
				if !isSelector(n.Type, "tls", "Config") {
					return true
				}
				for _, element := range n.Elts {
					if pair, ok := element.(*ast.KeyValueExpr); ok && isIdent(pair.Key, field) {
						faults = append(faults, Fault(f.At(pair)))
					}
				}
			case *ast.AssignStmt:
				for _, left := range n.Lhs {
					if selector, ok := left.(*ast.SelectorExpr); ok && selector.Sel.Name == field {
						faults = append(faults, Fault(f.At(n)))
					}
				}
			}
			return true
		})
	}
	return faults
}

// What a text looks like that becomes SQL or an LDAP filter by Sprintf.
var (
	looksLikeSQL    = regexp.MustCompile(`(?is)^\s*(select|insert|update|delete|create|drop|alter|with|pragma)\s.*%`)
	looksLikeFilter = regexp.MustCompile(`\([\w;.:-]+[~<>:]?=[^)]*%|\([&|!]+%|\(%[sv][~<>:]?=`)
	openAssertion   = regexp.MustCompile(`\([\w;.:-]+[~<>:]?=\*?$`)
)

// BuiltQueries finds SQL and LDAP filters that are put together from values by fmt or by +.
func BuiltQueries(files []*File) []Fault {
	var faults []Fault
	for _, f := range files {
		if f.Test() || below(f.Package(), "testenv") {
			continue
		}
		ast.Inspect(f.Syntax, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.CallExpr:
				if formatsQuery(n) {
					faults = append(faults, Fault(f.At(n)+": SQL or a filter by fmt: bind parameters, escape values"))
				}
			case *ast.BinaryExpr:
				if n.Op == token.ADD && opensAssertion(n.X) && !escapes(n.Y) {
					faults = append(faults, Fault(f.At(n)+": a filter by + without escaping the value"))
				}
			}
			return true
		})
	}
	return faults
}

// formatsQuery tells whether a call formats something that looks like a query.
func formatsQuery(call *ast.CallExpr) bool {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !strings.HasSuffix(selector.Sel.Name, "f") {
		return false
	}
	if strings.HasPrefix(selector.Sel.Name, "Error") { // the text of an error is never run
		return false
	}
	for _, argument := range call.Args {
		if text, ok := literal(argument); ok && (looksLikeSQL.MatchString(text) || looksLikeFilter.MatchString(text)) {
			return true
		}
	}
	return false
}

// opensAssertion tells whether a text ends in the middle of an assertion, such as "(uid=".
func opensAssertion(expression ast.Expr) bool {
	if sum, ok := expression.(*ast.BinaryExpr); ok {
		expression = sum.Y
	}
	text, ok := literal(expression)
	return ok && openAssertion.MatchString(text)
}

// escapes tells whether an operand is a literal or the result of a function that escapes.
func escapes(expression ast.Expr) bool {
	if _, ok := literal(expression); ok {
		return true
	}
	call, ok := expression.(*ast.CallExpr)
	if !ok {
		return false
	}
	name := ""
	switch function := call.Fun.(type) {
	case *ast.SelectorExpr:
		name = function.Sel.Name
	case *ast.Ident:
		name = function.Name
	}
	return strings.HasPrefix(strings.ToLower(name), "escape")
}

// literal is the text of a string literal.
func literal(expression ast.Expr) (string, bool) {
	value, ok := expression.(*ast.BasicLit)
	if !ok || value.Kind != token.STRING {
		return "", false
	}
	return strings.Trim(value.Value, "`\""), true
}

// isSelector tells whether an expression is left.right.
func isSelector(expression ast.Expr, left, right string) bool {
	selector, ok := expression.(*ast.SelectorExpr)
	return ok && selector.Sel.Name == right && isIdent(selector.X, left)
}

// isIdent tells whether an expression is the name.
func isIdent(expression ast.Expr, name string) bool {
	ident, ok := expression.(*ast.Ident)
	return ok && ident.Name == name
}

// Sizes finds files and functions that are too long, tests left out.
func Sizes(files []*File, lines, functionLines int) []Fault {
	var faults []Fault
	for _, f := range files {
		if f.Test() {
			continue
		}
		if f.Lines() > lines {
			faults = append(faults, Fault(fmt.Sprintf("%s: %d lines, at most %d", f.Path, f.Lines(), lines)))
		}
		for _, declaration := range f.Syntax.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok {
				continue
			}
			length := f.Set.Position(function.End()).Line - f.Set.Position(function.Pos()).Line + 1
			if length > functionLines {
				faults = append(faults, Fault(fmt.Sprintf("%s: %s has %d lines, at most %d",
					f.At(function), function.Name.Name, length, functionLines)))
			}
		}
	}
	return faults
}
