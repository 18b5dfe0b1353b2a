package testenv_test

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/testenv"
)

// orphanage is set for the process that TestServersEndWithTheProcess starts and kills.
const orphanage = "PORTICO_TESTENV_ORPHANAGE"

// TestServersEndWithTheProcess kills a process that has started servers, and expects the servers to end and their
// folders to go.
func TestServersEndWithTheProcess(t *testing.T) {
	t.Parallel()
	if os.Getenv(orphanage) != "" {
		beOrphaned(t)
	}
	child := exec.Command(os.Args[0], "-test.run", "^TestServersEndWithTheProcess$")
	child.Env = append(os.Environ(), orphanage+"=1")
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	place := strings.Fields(line)
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	eventually(t, "slapd ends", func() bool {
		conn, err := ldap.DialURL(place[0])
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	eventually(t, "the folders are removed", func() bool {
		_, err := os.Stat(filepath.Dir(place[1]))
		return errors.Is(err, fs.ErrNotExist)
	})
}

// beOrphaned starts servers, says where they are and waits to be killed.
func beOrphaned(t *testing.T) {
	t.Helper()
	server := testenv.OpenLDAP(t)
	testenv.PostgreSQL(t)
	if _, err := os.Stdout.WriteString(server.URL() + " " + server.Socket + "\n"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute)
}

// eventually waits for something to become true.
func eventually(t *testing.T, what string, isTrue func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if isTrue() {
			return
		}
	}
	t.Errorf("not within 30 s: %s", what)
}
