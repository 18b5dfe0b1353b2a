package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds configuration files. A thousand directories fit.
const maxFile = 1 << 20

// Load reads the configuration file at path (none, if path is ""), puts the
// PORTICO_ variables of environ ("NAME=value") over it, reads secrets from
// their files and validates the whole. The error is of type Faults and holds
// everything that is wrong. Relative paths in the file are relative to the
// working directory.
func Load(path string, environ []string) (*Config, error) {
	if path == "" {
		return Parse("", nil, environ)
	}
	data, err := readRegular(path, maxFile)
	if err != nil {
		return nil, Faults{{File: path, Text: reason(err)}}
	}
	cfg, err := Parse(path, data, environ)
	if err != nil {
		return nil, err
	}
	if worldReadable(path) && cfg.holdsInlineSecret() {
		cfg.Warnings = append(cfg.Warnings, Warning{
			Fault:    Fault{File: path, Text: "holds secrets and every user of this machine can read it; chmod 0640 it, or move the secrets to files of their own"},
			Insecure: true,
		})
	}
	return cfg, nil
}

// Parse is Load for a file that is already in memory; name stands for it in
// faults.
func Parse(name string, data []byte, environ []string) (*Config, error) {
	cfg := Default()
	w := newWalker(name)
	if root := w.parse(data); root != nil {
		w.decode(root, reflect.ValueOf(cfg).Elem(), "")
	}
	w.overlayEnvironment(cfg, environ)
	w.readSecrets(cfg)
	cfg.where = w.where
	validate(cfg, &w.report)
	if err := w.err(); err != nil {
		return nil, err
	}
	cfg.Warnings = w.warnings
	return cfg, nil
}

// Validate checks a configuration that was made or changed in code and renews
// its Warnings. The error is of type Faults. It reads no secrets from files.
func (c *Config) Validate() error {
	r := report{where: c.where, broken: make(map[string]bool)}
	validate(c, &r)
	c.Warnings = r.warnings
	return r.err()
}

// parse reads the one document of a file. It gives nil for an empty file and
// after a fault of syntax.
func (w *walker) parse(data []byte) *yaml.Node {
	w.broken[""] = true // until it is known to be a document
	if len(data) > maxFile {
		w.add(Fault{File: w.file, Text: fmt.Sprintf("is larger than %s", Size(maxFile))})
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			delete(w.broken, "")
			return nil
		}
		w.add(syntaxFault(w.file, data, err))
		return nil
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		w.add(Fault{File: w.file, Line: second.Line, Text: "a second document begins here; a configuration is one document: remove what follows the `---`"})
	} else if !errors.Is(err, io.EOF) {
		w.add(syntaxFault(w.file, data, err))
	}
	w.broken[""] = len(w.faults) > 0
	if len(document.Content) == 0 || isNull(document.Content[0]) {
		return nil
	}
	return document.Content[0]
}

var (
	syntaxLine   = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?`)
	parserSyntax = regexp.MustCompile(`^did not find expected (key|node content|'-'|',' or|<)`)
	aliasSyntax  = regexp.MustCompile(`while scanning an (alias|anchor)|alphabetic or numeric`)
	unknownAlias = regexp.MustCompile(`^unknown anchor '(.*)' referenced`)
)

// syntaxFault words an error of the YAML parser. It leaves out what the parser
// quotes, for that may be part of a password which lacks quotation marks.
func syntaxFault(file string, data []byte, err error) Fault {
	text := err.Error()
	f := Fault{File: file, Line: 1} // the parser names no line where it is the first
	if m := syntaxLine.FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		if n, err := strconv.Atoi(m[1]); err == nil {
			f.Line = n
		}
		if m[1] != "" && parserSyntax.MatchString(text) {
			f.Line++ // it counts from 0 here
		}
	}
	const quote = "is not YAML: a value that begins with * or & needs quotation marks"
	if m := unknownAlias.FindStringSubmatch(text); m != nil {
		before, _, _ := bytes.Cut(data, []byte("*"+m[1]))
		f.Line = 1 + bytes.Count(before, []byte("\n"))
		f.Text = quote
		return f
	}
	switch {
	case aliasSyntax.MatchString(text):
		f.Text = quote
	case strings.Contains(text, "mapping values are not allowed"):
		f.Text = "is not YAML: a second \": \" in one line, or wrong indentation; put values that hold \": \" in quotation marks"
	case strings.Contains(text, "cannot start any token"):
		f.Text = "is not YAML: a tab, or a value that begins with @, ` or % and needs quotation marks"
	case parserSyntax.MatchString(text):
		f.Text = "is not YAML from here on: wrong indentation, or a comma, bracket or quotation mark too few or too many"
	case strings.Contains(text, "unexpected end of stream"):
		f.Text = "is not YAML: a quotation mark or bracket is not closed"
	default:
		f.Text = "is not YAML: " + unquoted(text)
	}
	return f
}

// unquoted cuts what a parser's message quotes.
func unquoted(text string) string {
	if i := strings.IndexAny(text, "'\"`"); i >= 0 {
		text = strings.TrimSpace(text[:i])
	}
	return text
}

// reason words an error of the file system without its path.
func reason(err error) string {
	var pathError *os.PathError
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "there is no such file"
	case errors.Is(err, os.ErrPermission):
		return "this user may not read it"
	case errors.As(err, &pathError):
		return pathError.Err.Error()
	default:
		return err.Error()
	}
}
