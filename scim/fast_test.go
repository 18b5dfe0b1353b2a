package scim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"portico/scim/filter"
	"portico/scim/resource"
)

// TestSC083LongestFilters measures the dearest filters of 8 KiB, asked of a resource with a hundred addresses.
func TestSC083LongestFilters(t *testing.T) {
	t.Parallel()
	user, _ := types(t)
	emails := []any{}
	for i := range 100 {
		emails = append(emails, resource.Object{"value": fmt.Sprintf("ä%d@x", i), "type": "work"})
	}
	r := &resource.Resource{Type: user, ID: "1", Data: resource.Object{"userName": "ada", "emails": emails}}
	for _, text := range []string{
		strings.TrimSuffix(strings.Repeat(`emails co "nowhere" or `, 199), ` or `),
		`emails[` + strings.TrimSuffix(strings.Repeat(`value ew "ö" or `, 199), ` or `) + `]`,
		strings.Repeat("not (", 50) + `userName co "` + strings.Repeat("Ä", 3900) + `"` + strings.Repeat(")", 50),
		strings.Repeat(" ", 8000) + `title pr`, badgeURN + `:weight eq 1` + strings.Repeat("0", 390) + `e400`,
		`title eq "` + strings.Repeat(`\u00e4`, 1350) + `"`,
	} {
		best := time.Hour
		for range 5 {
			start := time.Now()
			expr, err := filter.Parse(text, filter.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if node, err := filter.Bind(expr, user, filter.Options{}); err == nil {
				node.Match(r)
			}
			best = min(best, time.Since(start))
		}
		t.Logf("%.30s…: %s", text, best)
		if best > 100*time.Millisecond {
			t.Errorf("%.30s…: %s", text, best)
		}
	}
}
