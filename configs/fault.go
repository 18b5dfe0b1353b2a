package configs

import (
	"fmt"
	"slices"
	"strings"
)

// Environment stands as File in faults of environment variables; their Key is
// the variable's name and their Line 0.
const Environment = "environment"

// maxFaults bounds a report: a file that is no configuration at all would
// otherwise give a fault for each of its lines.
const maxFaults = 100

// Fault is one thing that is wrong: where, which key, what, and what to write
// instead. It never holds the text of a secret.
type Fault struct {
	File string // as given to Load; Environment; "" for a Config made in code
	Line int    // from 1; 0 where there is none
	Key  string // such as directories[0].bind_dn; "" for the file itself
	Text string
}

// String gives "file:line: key: text" as far as the parts are known.
func (f Fault) String() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File)
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d", f.Line)
		}
		b.WriteString(": ")
	}
	if f.Key != "" {
		b.WriteString(f.Key)
		b.WriteString(": ")
	}
	b.WriteString(f.Text)
	return b.String()
}

// Faults is everything that is wrong, ordered by place. It is the error of
// Load, Parse and Validate.
type Faults []Fault

// Error gives one fault a line.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Warning is something doubtful that does not stop Portico. Insecure ones
// weaken the protection of passwords or personal data.
type Warning struct {
	Fault
	Insecure bool
}

// position is the place where a key was set.
type position struct {
	file     string
	line     int
	variable string // name of the environment variable, if it was one
}

// report collects faults and warnings with their places.
type report struct {
	faults   Faults
	warnings []Warning
	where    map[string]position
	broken   map[string]bool // keys whose value could not be read, and keys above them (false)
	dropped  bool            // more faults than maxFaults
}

// at makes a fault of a key, at the place where the key, or else the nearest
// enclosing one, was set.
func (r *report) at(key, text string) Fault {
	for path := key; ; path = parentKey(path) {
		pos, ok := r.where[path]
		if ok && pos.variable != "" {
			name := pos.variable
			if path != key {
				text = key + ": " + text
			}
			return Fault{File: Environment, Key: name, Text: text}
		}
		if ok || path == "" {
			return Fault{File: pos.file, Line: pos.line, Key: key, Text: text}
		}
	}
}

// fault adds a fault of a key, unless one of reading its value is there, which
// would be its cause.
func (r *report) fault(key, format string, args ...any) {
	if _, known := r.broken[key]; known {
		return
	}
	for path := key; path != ""; {
		path = parentKey(path)
		if r.broken[path] {
			return
		}
	}
	r.add(r.at(key, fmt.Sprintf(format, args...)))
}

// spoil notes that the value of a key could not be read.
func (r *report) spoil(key string) {
	r.broken[key] = true
	for key != "" {
		key = parentKey(key)
		r.broken[key] = r.broken[key] || false
	}
}

// add adds a fault, up to the limit.
func (r *report) add(f Fault) {
	if len(r.faults) >= maxFaults {
		r.dropped = true
		return
	}
	r.faults = append(r.faults, f)
}

// warn adds a warning of a key.
func (r *report) warn(insecure bool, key, format string, args ...any) {
	r.warnings = append(r.warnings, Warning{Fault: r.at(key, fmt.Sprintf(format, args...)), Insecure: insecure})
}

// err gives the faults in the order of the file, the environment's last, or nil.
func (r *report) err() error {
	if len(r.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(r.faults, func(a, b Fault) int {
		if (a.File == Environment) != (b.File == Environment) {
			if a.File == Environment {
				return 1
			}
			return -1
		}
		if a.File == Environment {
			return strings.Compare(a.Key, b.Key)
		}
		return a.Line - b.Line
	})
	if r.dropped {
		r.faults = append(r.faults, Fault{Text: fmt.Sprintf("more than %d faults; the rest is not shown", maxFaults)})
		r.dropped = false
	}
	return r.faults
}

// parentKey cuts the last part off a key: "a.b[0]" gives "a.b", "a" gives "".
func parentKey(key string) string {
	if i := strings.LastIndexAny(key, ".["); i >= 0 {
		return key[:i]
	}
	return ""
}

// childKey appends a name to a key.
func childKey(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// shown quotes a value for a fault, cut to a readable length.
func shown(value string) string {
	const limit = 60
	if runes := []rune(value); len(runes) > limit {
		value = string(runes[:limit]) + "..."
	}
	return fmt.Sprintf("%q", value)
}
