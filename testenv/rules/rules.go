// Package rules reads the source of this repository and says where it breaks the rules that no linter knows: which
// package may import which, how long files and functions are, names that must not be used, one package comment for each
// package, no shared state, no skipped test, no path of somebody's machine.
//
// The rules themselves are the tests of this package; what is here reads and parses. It looks at what is in the
// folders, not at what is in git, so that a rule is heard of before the commit.
package rules

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Module is the name of the module whose packages the rules are about.
const Module = "portico"

// File is one Go file of the repository.
type File struct {
	Path   string // relative to the root, with slashes, such as directory/client/pool.go
	Text   string
	Syntax *ast.File
	Set    *token.FileSet
}

// Package is the folder of the file, relative to the root; "." for the root itself.
func (f *File) Package() string { return path.Dir(f.Path) }

// Test tells whether the file is a test, or part of a package that only tests use: those are called something-test, such
// as adapter/store/storetest.
func (f *File) Test() bool {
	return strings.HasSuffix(f.Path, "_test.go") || strings.HasSuffix(f.Package(), "test")
}

// At gives a place in the file for a message, such as directory/client/pool.go:12.
func (f *File) At(node ast.Node) string {
	return fmt.Sprintf("%s:%d", f.Path, f.Set.Position(node.Pos()).Line)
}

// Lines is the number of lines.
func (f *File) Lines() int { return strings.Count(f.Text, "\n") }

// Imports lists the imported packages and the names they have in this file.
func (f *File) Imports() map[string]string {
	found := map[string]string{}
	for _, spec := range f.Syntax.Imports {
		imported := strings.Trim(spec.Path.Value, `"`)
		name := path.Base(imported)
		if rest, ok := versionSuffix(name); ok {
			name = path.Base(strings.TrimSuffix(imported, rest))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		found[imported] = name
	}
	return found
}

// versionSuffix recognises the /v3 at the end of a module path.
func versionSuffix(name string) (string, bool) {
	if len(name) < 2 || name[0] != 'v' || name[1] < '0' || name[1] > '9' {
		return "", false
	}
	return "/" + name, true
}

// Root finds the root of the repository from the working folder upwards.
func Root() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("root of the repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder, nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", fmt.Errorf("root of the repository: %w", fs.ErrNotExist)
		}
		folder = parent
	}
}

// skipped are folders that hold nothing of ours.
func skipped(name string) bool {
	return name == ".git" || name == "testdata" || name == "bin" || name == "dist" || name == ".cache" || name == "node_modules"
}

// GoFiles reads and parses every Go file below the root.
func GoFiles(root string) ([]*File, error) {
	set := token.NewFileSet()
	var files []*File
	err := walk(root, func(name, full string) error {
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		file, err := parse(set, name, full)
		if err != nil {
			return err
		}
		files = append(files, file)
		return nil
	})
	return files, err
}

// parse reads one Go file.
func parse(set *token.FileSet, name, full string) (*File, error) {
	text, err := os.ReadFile(full)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	syntax, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	return &File{Path: name, Text: string(text), Syntax: syntax, Set: set}, nil
}

// TextFiles reads every file below the root that is text and smaller than a megabyte.
func TextFiles(root string) (map[string]string, error) {
	texts := map[string]string{}
	err := walk(root, func(name, full string) error {
		info, err := os.Stat(full)
		if err != nil || info.Size() > 1<<20 {
			return err
		}
		text, err := os.ReadFile(full)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if !strings.ContainsRune(string(text), 0) {
			texts[name] = string(text)
		}
		return nil
	})
	return texts, err
}

// walk visits the regular files of the repository by their names relative to the root.
func walk(root string, visit func(name, full string) error) error {
	err := filepath.WalkDir(root, func(full string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case full != root && skipped(entry.Name()) && entry.IsDir():
			return filepath.SkipDir
		case !entry.Type().IsRegular() || entry.Name() == ".git":
			return nil
		}
		name, err := filepath.Rel(root, full)
		if err != nil {
			return fmt.Errorf("name of %s: %w", full, err)
		}
		return visit(filepath.ToSlash(name), full)
	})
	if err != nil {
		return fmt.Errorf("read the repository: %w", err)
	}
	return nil
}
