package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// KeeperFunction is the name of the function that waits for a child process. Packages that look for leaked goroutines
// and use the shared PostgreSQL server, which lives as long as the test process, pass it to goleak.IgnoreAnyFunction.
const KeeperFunction = "portico/testenv.keep"

// errExited says that a server ended before it answered.
var errExited = errors.New("the server ended while it was expected to start")

// command is what it takes to start a child process.
type command struct {
	path       string
	args       []string
	dir        string
	env        []string
	log        string              // file that gets standard output and error, appended
	credential *syscall.Credential // nil: as this process
	deathNote  syscall.Signal      // what the kernel sends to the child when this process dies
}

// process is a running child.
type process struct {
	pid    int
	handle *os.Process
	done   chan struct{} // closed when the child has ended
	err    error         // how it ended; valid after done
}

// start runs the command. The child is started from a thread that stays until the child has ended, because Linux ties
// the parent death signal to the thread, not to the process.
func (c command) start() (*process, error) {
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log file: %w", err)
	}
	cmd := &exec.Cmd{
		Path: c.path, Args: append([]string{c.path}, c.args...), Dir: c.dir, Env: c.env, Stdout: log, Stderr: log,
		SysProcAttr: &syscall.SysProcAttr{Pdeathsig: c.deathNote, Credential: c.credential, Setpgid: true},
	}
	p := &process{done: make(chan struct{})}
	started := make(chan error)
	go keep(cmd, p, started)
	err = <-started
	_ = log.Close()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(c.path), err)
	}
	return p, nil
}

// keep starts the command and waits for it on one thread.
func keep(cmd *exec.Cmd, p *process, started chan<- error) {
	runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
	err := cmd.Start()
	if err == nil {
		p.pid, p.handle = cmd.Process.Pid, cmd.Process
	}
	started <- err
	if err != nil {
		return
	}
	p.err = cmd.Wait()
	close(p.done)
}

// alive tells whether the child has not ended.
func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal sends a signal; a child that has ended already is no fault.
func (p *process) signal(s syscall.Signal) {
	_ = p.handle.Signal(s)
}

// pause stops the child and waits until all its threads stand still: the signal alone only asks for it.
func (p *process) pause() {
	p.signal(syscall.SIGSTOP)
	WaitStopped(p.pid)
}

// WaitStopped waits until every thread of a process that was sent SIGSTOP has stopped, or the process is gone.
func WaitStopped(pid int) {
	for deadline := time.Now().Add(stopPatience); time.Now().Before(deadline) && !stopped(pid); {
		time.Sleep(time.Millisecond)
	}
}

// stopped tells whether no thread of a process runs.
func stopped(pid int) bool {
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return true
	}
	for _, path := range stats {
		fields := statFields(path)
		if len(fields) > 0 && !strings.Contains("TtZX", fields[0]) {
			return false
		}
	}
	return true
}

// statFields reads what follows the command name in a stat file: state, parent, and so on; nil when the process is gone.
func statFields(path string) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	// pid (command name, which may hold anything) state parent ...
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

// kill ends the child without asking and waits until it is gone.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// stop asks the child to end with the signal and kills it when that takes too long.
func (p *process) stop(s syscall.Signal) {
	p.signal(s)
	p.signal(syscall.SIGCONT) // a paused child hears nothing
	select {
	case <-p.done:
	case <-time.After(stopPatience):
		p.kill()
	}
}

// waitUntil calls answers every few milliseconds until it returns nil, the child has ended or the context is done.
func (p *process) waitUntil(ctx context.Context, answers func(context.Context) error) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		err := answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%w: %w", errExited, errors.Join(p.err, err))
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w", errors.Join(ctx.Err(), err))
		case <-time.After(wait):
		}
	}
}

// children lists the process ids of a process's children, direct ones only.
func children(pid int) []int {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	var found []int
	for _, path := range stats {
		fields := statFields(path)
		if len(fields) < 2 || fields[1] != strconv.Itoa(pid) {
			continue
		}
		if child, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			found = append(found, child)
		}
	}
	return found
}
