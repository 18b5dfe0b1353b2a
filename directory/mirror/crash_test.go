package mirror

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"portico/directory"
)

const crashPath = "PORTICO_TEST_MIRROR_CRASH"

// step is the state of the crash test's directory after n steps: a person whose
// display name is the step, a growing group, and a window of people that move.
func step(n int) Batch {
	cookie := strconv.Itoa(n)
	b := Batch{Cookie: &cookie, Upserts: []*directory.Entry{
		person("counter", func(e *directory.Entry) { e.Attributes[directory.AttrName] = []string{"step " + cookie} }),
		person(fmt.Sprintf("w%06d", n), managers(dnOf("counter"))),
	}}
	var members []string
	for i := max(1, n-9); i <= n; i++ {
		members = append(members, dnOf(fmt.Sprintf("w%06d", i)))
	}
	b.Upserts = append(b.Upserts, group("window", members...))
	if n > 10 {
		b.Deletes = []string{fmt.Sprintf("id-w%06d", n-10)}
	}
	return b
}

// TestAbuse_J01_KilledWhileWriting kills a process at random points of its
// writes: what it had acknowledged is there, and all of the mirror is of one
// step, the one that the cookie names.
func TestAbuse_J01_KilledWhileWriting(t *testing.T) {
	if path := os.Getenv(crashPath); path != "" {
		crashChild(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "mirror.db")
	total := 0
	for range 8 {
		acknowledged := runAndKill(t, path)
		m, logged, cookie := reopened(t, path, testOptions("corp"))
		if logged != "" && total > 0 {
			t.Fatalf("the file was given up: %s", logged)
		}
		n, _ := strconv.Atoi(cookie)
		if n < acknowledged {
			t.Fatalf("step %d was acknowledged, the mirror is at %d", acknowledged, n)
		}
		if n > 0 {
			checkStep(t, m, n)
		}
		total = n
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if total < 20 {
		t.Errorf("only %d steps: this proves little", total)
	}
}

func runAndKill(t *testing.T, path string) (acknowledged int) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestAbuse_J01_KilledWhileWriting$")
	child.Env = append(os.Environ(), crashPath+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var timer *time.Timer
	for lines.Scan() {
		n, ok := strings.CutPrefix(lines.Text(), "step ")
		if !ok {
			continue
		}
		acknowledged, _ = strconv.Atoi(n)
		if timer == nil {
			timer = time.AfterFunc(time.Duration(50+rand.IntN(250))*time.Millisecond, func() { _ = child.Process.Kill() })
		}
	}
	_ = child.Wait()
	return acknowledged
}

// crashChild goes on where the file stands until it is killed.
func crashChild(t *testing.T, path string) {
	m := open(t, path, testOptions("corp"))
	s, err := m.FeedState(bg, "corp")
	if err != nil {
		t.Fatal(err)
	}
	if s.CompletedAt.IsZero() {
		refresh(t, m, "corp", "0", person("counter"))
	}
	n, _ := strconv.Atoi(s.Cookie)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		n++
		if n%7 == 0 { // every seventh step is a full read
			r := begin(t, m)
			r.AllowSweep()
			b := step(n)
			for i := max(1, n-9); i < n; i++ {
				b.Upserts = append(b.Upserts, person(fmt.Sprintf("w%06d", i), managers(dnOf("counter"))))
			}
			if err := r.Upsert(bg, b.Upserts); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Complete(bg, *b.Cookie); err != nil {
				t.Fatal(err)
			}
		} else if err := m.Apply(bg, "corp", step(n)); err != nil {
			t.Fatal(err)
		}
		fmt.Println("step", n)
	}
}

// checkStep compares everything with what step n leaves. A full read that was cut
// short may have brought step n+1 before its cookie, but nothing may be missing.
func checkStep(t *testing.T, m *Mirror, n int) {
	t.Helper()
	if err := m.Check(bg); err != nil {
		t.Fatal(err)
	}
	e, err := m.Get(bg, id("counter"))
	if err != nil {
		t.Fatal(err)
	}
	at := n
	if got := e.Attributes.First(directory.AttrName); got == fmt.Sprintf("step %d", n+1) && (n+1)%7 == 0 {
		at = n + 1
	} else if got != fmt.Sprintf("step %d", n) {
		t.Fatalf("cookie says %d, content %q", n, got)
	}
	var expected []string
	for i := max(1, at-9); i <= at; i++ {
		expected = append(expected, fmt.Sprintf("w%06d", i))
	}
	want(t, "members", members(t, m, "window", false), strings.Join(expected, " "))
	if at > n { // the sweep belongs to the cookie
		expected = append([]string{fmt.Sprintf("w%06d", at-10)}, expected...)
	}
	want(t, "reports", stables(m.ManagedBy(bg, id("counter"))), strings.Join(expected, " "))
	want(t, "search", sorted(stables(m.SearchPeople(bg, "w00", 50))), strings.Join(expected, " "))
	var rows int
	if err := m.row(bg, "SELECT count(*) FROM entry", nil, &rows); err != nil || rows != len(expected)+2 {
		t.Errorf("rows: %d, %v, want %d", rows, err, len(expected)+2)
	}
}
