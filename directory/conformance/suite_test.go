package conformance

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("portico/testenv.keep"))
}

// run runs the whole suite against one server. The cases that leave the server
// alone run side by side, each in a part of the tree of its own; those that stop
// or limit it follow one by one.
func run(t *testing.T, f *fixture) {
	t.Run("together", func(t *testing.T) {
		for _, c := range []struct {
			name string
			run  func(t *testing.T, f *fixture)
		}{
			{"lookups", testLookups},
			{"groups", testGroups},
			{"nested", testNested},
			{"managers", testManagers},
			{"odd_names", testOddNames},
			{"ambiguous", testAmbiguous},
			{"states", testStates},
			{"binds", testBinds},
			{"storm", testStorm},
			{"changes", testChanges},
			{"name_reuse", testNameReuse},
			{"container", testContainer},
			{"deletions", testDeletions},
			{"filter", testFilter},
			{"large_group", testLargeGroup},
			{"our_restart", testOurRestart},
			{"cookies", testCookies},
			{"cuts", testCuts},
			{"writes", testWrites},
			{"conditions", testConditions},
			{"many_members", testManyMembers},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, f.of(t))
			})
		}
	})
	t.Run("size_limit", func(t *testing.T) { testSizeLimit(t, f.of(t)) })
	t.Run("trimmed", func(t *testing.T) { testTrimmed(t, f.of(t)) })
	t.Run("server_restart", func(t *testing.T) { testServerRestart(t, f.of(t)) })
}

// of is the fixture for one case.
func (f *fixture) of(t *testing.T) *fixture {
	t.Helper()
	if f.each != nil {
		return f.each(t)
	}
	return f
}
