package adapter

import (
	"strings"
	"testing"
	"time"
)

func TestAbuse_B10_HugeNamesInTheGate(t *testing.T) {
	g, err := newGate(2*time.Second, 10, time.Now)
	must(t, err)
	if g.pass("login", strings.Repeat("x", 1<<20)) != 0 || g.pass("login", strings.Repeat("x", 1<<20)) == 0 {
		t.Error("the gate does not hold")
	}
	for _, key := range g.passed.Keys() {
		if len(key) > 64 {
			t.Errorf("a key of %d bytes is kept", len(key))
		}
	}
}
