package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"portico/testenv"
)

// childVariable makes the test binary be the program itself: a child of a test
// runs the same code that the test was built from.
const childVariable = "RUN_AS_PORTICO"

// beChild runs the program instead of the tests where the variable asks for it.
// Standard input is a pipe that only the test holds: when it closes, the test is
// gone, and so must the child be.
func beChild() {
	if os.Getenv(childVariable) == "" {
		return
	}
	_ = os.Unsetenv(childVariable)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// child is the program in a process of its own.
type child struct {
	t    testing.TB
	cmd  *exec.Cmd
	out  *logBuffer
	log  *logBuffer
	url  string // of a service, once it listens
	done chan struct{}
}

// startChild runs the program with these arguments until the test ends.
func startChild(t testing.TB, args ...string) *child {
	t.Helper()
	return startChildAs(t, childVariable+"=1", args...)
}

// startChildAs is startChild with the variable that says what the child is to be.
func startChildAs(t testing.TB, be string, args ...string) *child {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: exec.Command(program, args...), out: &logBuffer{}, log: &logBuffer{}, done: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), be)
	c.cmd.Stdout, c.cmd.Stderr = c.out, c.log
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = c.cmd.Wait()
		close(c.done)
	}()
	t.Cleanup(func() {
		c.kill()
		_ = stdin.Close()
		if t.Failed() {
			t.Logf("log of the child:\n%s", tailOf(c.log.String(), 4000))
		}
	})
	return c
}

func tailOf(text string, n int) string { return text[max(0, len(text)-n):] }

var listening = regexp.MustCompile(`msg=listening address=(\S+) url=`)

// serveChild starts the service in a process of its own and waits until it listens.
func serveChild(t testing.TB, configPath string) *child {
	t.Helper()
	c := startChild(t, "serve", "--config", configPath)
	eventually(t, time.Minute, "the child listens", func() bool {
		if m := listening.FindStringSubmatch(c.log.String()); m != nil {
			c.url = "http://" + m[1]
			return true
		}
		if c.ended() {
			t.Fatalf("the child ended: %s", c.log.String())
		}
		return false
	})
	return c
}

// waitReady waits until /readyz says so.
func (c *child) waitReady() {
	c.t.Helper()
	eventually(c.t, time.Minute, "the child is ready", func() bool {
		status, _ := get(c.t, c.url+"/readyz")
		return status == http.StatusOK
	})
}

func (c *child) signal(s syscall.Signal) { _ = c.cmd.Process.Signal(s) }

// kill ends the child as a crash does and waits until it is gone.
func (c *child) kill() {
	c.signal(syscall.SIGKILL)
	<-c.done
}

func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// wait waits for the child's own end and gives the exit code.
func (c *child) wait(limit time.Duration) int {
	c.t.Helper()
	select {
	case <-c.done:
	case <-time.After(limit):
		c.t.Fatalf("the child runs after %s still", limit)
	}
	return c.cmd.ProcessState.ExitCode()
}

// as makes the child look like a service of this process, for its helpers.
func (c *child) as(key string) *service {
	return &service{t: c.t, url: c.url, key: key, log: c.log}
}

// get fetches a page; a transport failure is status 0.
func get(t testing.TB, target string) (int, string) {
	t.Helper()
	resp, err := http.Get(target)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, readAll(resp)
}

// readAll gives the body, or why it could not be read.
func readAll(resp *http.Response) string {
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

// writeConfig writes the configuration of a test into a file.
func writeConfig(t testing.TB, ldap *testenv.LDAPServer, s setup) string {
	t.Helper()
	if s.dataDir == "" {
		s.dataDir = filepath.Join(t.TempDir(), "data")
	}
	path := filepath.Join(t.TempDir(), "portico.yaml")
	if err := os.WriteFile(path, []byte(configText(ldap, s)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// command runs the program in this process and gives exit code and both outputs.
// A service that should not have started is ended after a while.
func command(t testing.TB, args ...string) (code int, out, errOut string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var o, e logBuffer
	code = run(ctx, args, nil, &o, &e)
	return code, o.String(), e.String()
}

// makeKey makes an API key by the command line.
func makeKey(t testing.TB, configPath string) string {
	t.Helper()
	code, out, errOut := command(t, "key", "create", "--config", configPath, "--api", "action", "--label", "test")
	if code != 0 {
		t.Fatalf("key create: %d %s", code, errOut)
	}
	return string(bytes.TrimSpace([]byte(out)))
}
