package rules

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// SharedState finds package variables that can change, and functions called init. A package variable is a table, a
// sentinel error, a compiled pattern, an embedded file or an assertion of an interface; it has a value where it is
// declared, and nothing in its package assigns to it, takes its address or deletes from it. Tests are left out.
func SharedState(files []*File) []Fault {
	var faults []Fault
	variables := map[string]map[string]string{} // folder → name → where
	for _, f := range files {
		if f.Test() {
			continue
		}
		for _, declaration := range f.Syntax.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					faults = append(faults, Fault(f.At(d)+": init: effects at import"))
				}
			case *ast.GenDecl:
				if d.Tok == token.VAR {
					faults = append(faults, declared(f, d, variables)...)
				}
			}
		}
	}
	for _, f := range files {
		if !f.Test() {
			faults = append(faults, written(f, variables[f.Package()])...)
		}
	}
	return faults
}

// declared judges the variables of one declaration and remembers their names.
func declared(f *File, declaration *ast.GenDecl, variables map[string]map[string]string) []Fault {
	var faults []Fault
	for _, spec := range declaration.Specs {
		values, ok := spec.(*ast.ValueSpec)
		if !ok {
			continue
		}
		embedded := embeds(declaration.Doc) || embeds(values.Doc)
		for i, name := range values.Names {
			if name.Name == "_" {
				continue
			}
			if variables[f.Package()] == nil {
				variables[f.Package()] = map[string]string{}
			}
			variables[f.Package()][name.Name] = f.At(name)
			switch {
			case embedded:
			case len(values.Values) == 0:
				faults = append(faults, Fault(f.At(name)+": "+name.Name+": a package variable without a value"))
			case i < len(values.Values) && mutable(values.Values[i]) && !sentinel(name.Name):
				faults = append(faults, Fault(f.At(name)+": "+name.Name+": a package variable that is there to change"))
			}
		}
	}
	return faults
}

// sentinel tells whether a variable is an error to compare with, by its name.
func sentinel(name string) bool {
	return strings.HasPrefix(name, "err") || strings.HasPrefix(name, "Err")
}

// embeds tells whether a comment embeds a file.
func embeds(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, "//go:embed ")
	})
}

// mutable tells whether a value makes sense only if it is changed later.
func mutable(value ast.Expr) bool {
	switch v := value.(type) {
	case *ast.UnaryExpr:
		return v.Op == token.AND
	case *ast.CallExpr:
		return isIdent(v.Fun, "make") || isIdent(v.Fun, "new")
	case *ast.CompositeLit:
		selector, ok := v.Type.(*ast.SelectorExpr)
		return ok && (isIdent(selector.X, "sync") || isIdent(selector.X, "atomic"))
	default:
		return false
	}
}

// written finds where package variables are changed. Names are compared as text; a local variable with the name of a
// package variable is taken for it, and is better called something else.
func written(f *File, variables map[string]string) []Fault {
	var faults []Fault
	report := func(node ast.Node, expression ast.Expr) {
		name := root(expression)
		if where, known := variables[name]; known {
			faults = append(faults, Fault(f.At(node)+": changes the package variable "+name+" of "+where))
		}
	}
	ast.Inspect(f.Syntax, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				return true
			}
			for _, left := range n.Lhs {
				report(n, left)
			}
		case *ast.IncDecStmt:
			report(n, n.X)
		case *ast.CallExpr:
			if (isIdent(n.Fun, "delete") || isIdent(n.Fun, "clear")) && len(n.Args) > 0 {
				report(n, n.Args[0])
			}
		}
		return true
	})
	return faults
}

// root is the variable that an expression such as table[key].field begins with, or "".
func root(expression ast.Expr) string {
	for {
		switch e := expression.(type) {
		case *ast.Ident:
			return e.Name
		case *ast.IndexExpr:
			expression = e.X
		case *ast.SelectorExpr:
			expression = e.X
		case *ast.ParenExpr:
			expression = e.X
		case *ast.StarExpr:
			expression = e.X
		default:
			return ""
		}
	}
}

// PackageComments finds packages with no package comment or with more than one.
func PackageComments(files []*File) []Fault {
	comments := map[string][]string{}
	for _, f := range files {
		if f.Test() {
			continue
		}
		found := comments[f.Package()]
		if f.Syntax.Doc != nil {
			found = append(found, f.Path)
		}
		comments[f.Package()] = found
	}
	var faults []Fault
	for folder, found := range comments {
		switch len(found) {
		case 0:
			faults = append(faults, Fault(folder+": no package comment"))
		case 1:
		default:
			faults = append(faults, Fault(folder+": more than one package comment: "+strings.Join(found, ", ")))
		}
	}
	return faults
}

// Unfinished finds comments that put work off.
func Unfinished(files []*File) []Fault {
	marks := []string{"TO" + "DO", "FIX" + "ME", "XX" + "X:", "not " + "implemented"}
	var faults []Fault
	for _, f := range files {
		for _, group := range f.Syntax.Comments {
			for _, comment := range group.List {
				for _, mark := range marks {
					if strings.Contains(comment.Text, mark) {
						faults = append(faults, Fault(f.At(comment)+": unfinished: "+mark))
					}
				}
			}
		}
	}
	return faults
}
