package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
)

// MissingError says that a program which a test needs is not on this machine, and how to get it.
type MissingError struct {
	Program  string // what was looked for, such as "slapd"
	Packages string // the Debian packages that have it
}

// Error names the program and the commands that install it.
func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not installed: run ./testenv/install.sh, or: apt-get install -y --no-install-recommends %s",
		e.Program, e.Packages)
}

// findProgram looks in PATH and then in the folders where Debian keeps server programs. The folders may be patterns; of
// several hits the last in lexical order wins, which is the newest version.
func findProgram(name, packages string, folders ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, folder := range folders {
		hits, err := filepath.Glob(filepath.Join(folder, name))
		if err != nil {
			return "", fmt.Errorf("pattern %q: %w", folder, err)
		}
		sort.Strings(hits)
		if len(hits) > 0 {
			return hits[len(hits)-1], nil
		}
	}
	return "", &MissingError{Program: name, Packages: packages}
}

// firstFolder returns the first of the folders that exists.
func firstFolder(what, packages string, folders ...string) (string, error) {
	for _, folder := range folders {
		if info, err := os.Stat(folder); err == nil && info.IsDir() {
			return folder, nil
		}
	}
	return "", &MissingError{Program: what, Packages: packages}
}
