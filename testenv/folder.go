package testenv

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// logTailSize is how much of a server's log is shown when something went wrong.
const logTailSize = 4 << 10

// folder is a temporary folder that is removed when it is closed, or when this process ends without closing it.
type folder struct {
	path    string
	once    sync.Once
	remover *exec.Cmd
	held    io.Closer // the pipe that the remover waits on
}

// newFolder makes a folder with a short path, since unix sockets allow 107 characters only.
func newFolder(name string) (*folder, error) {
	path, err := os.MkdirTemp("", "portico-"+name+"-")
	if err != nil {
		return nil, fmt.Errorf("temporary folder: %w", err)
	}
	f := &folder{path: path}
	// The read ends when the write end of the pipe is closed: by close, or by the end of this process.
	f.remover = exec.Command("/bin/sh", "-c", `read -r _; rm -rf -- "$1"; sleep 1; rm -rf -- "$1"`, "sh", path)
	f.remover.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt from the keyboard is not for it
	held, err := f.remover.StdinPipe()
	if err == nil {
		err = f.remover.Start()
	}
	if err != nil {
		_ = os.RemoveAll(path)
		return nil, fmt.Errorf("process that removes the temporary folder: %w", err)
	}
	f.held = held
	return f, nil
}

// file is the path of a file in the folder.
func (f *folder) file(name string) string { return filepath.Join(f.path, name) }

// write makes a file in the folder that only this user can read.
func (f *folder) write(name, text string) error {
	if err := os.WriteFile(f.file(name), []byte(text), 0o600); err != nil { //nolint:gosec // in a temporary folder of our own
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// close removes the folder with everything in it.
func (f *folder) close() {
	f.once.Do(func() {
		_ = os.RemoveAll(f.path)
		_ = f.remover.Process.Kill()
		_ = f.remover.Wait()
		_ = f.held.Close()
	})
}

// tail returns the last lines of a log file, or why there are none.
func tail(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	cut := max(0, info.Size()-logTailSize)
	text, err := io.ReadAll(io.NewSectionReader(file, cut, logTailSize))
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	if _, whole, found := bytes.Cut(text, []byte("\n")); found && cut > 0 {
		text = whole
	}
	return string(bytes.TrimSpace(text))
}
