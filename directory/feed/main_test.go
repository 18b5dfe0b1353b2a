package feed

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain also fails if a goroutine of a feed outlives it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
