package httpapi

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLogWriter(t *testing.T) {
	t.Run("Delay", func(t *testing.T) {
		out := &safeBuffer{}
		l := NewLogWriter(out, 20*time.Millisecond)
		for _, line := range []string{"one\n", "two\n"} {
			if _, err := l.Write([]byte(line)); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(10 * time.Second); !strings.HasSuffix(out.String(), line); {
				if time.Now().After(deadline) {
					t.Fatalf("%q was never written", line)
				}
				time.Sleep(time.Millisecond)
			}
		}
	})
	t.Run("NothingLostNothingMixed", func(t *testing.T) {
		out := &safeBuffer{}
		l := NewLogWriter(out, time.Hour)
		const writers, lines = 8, 2000
		var wait sync.WaitGroup
		for w := range writers {
			wait.Go(func() {
				for i := range lines {
					fmt.Fprintf(l, "writer %d line %d end\n", w, i)
				}
			})
		}
		wait.Wait()
		if _, err := l.Write([]byte(strings.Repeat("x", 2*logBuffer) + " end\n")); err != nil {
			t.Fatal(err)
		}
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(got) != writers*lines+1 {
			t.Fatalf("%d lines", len(got))
		}
		for _, line := range got {
			if !strings.HasSuffix(line, " end") || strings.Count(line, "end") != 1 {
				t.Fatalf("line %.80q", line)
			}
		}
	})
	t.Run("Error", func(t *testing.T) {
		full := errors.New("disk full")
		l := NewLogWriter(failing{full}, time.Hour)
		if _, err := l.Write([]byte("x\n")); err != nil {
			t.Fatal(err)
		}
		if err := l.Flush(); !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
	})
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
