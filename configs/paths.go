package configs

import (
	"regexp"
	"strings"
)

// prefixForm is a path of plain segments: no empty ones, no dots alone, no
// patterns, no slash at the end.
var prefixForm = regexp.MustCompile(`^(/[A-Za-z0-9$_~-][A-Za-z0-9$_.~-]*)+$`)

// route is a path that an enabled dialect answers below.
type route struct{ path, key string }

// validatePaths checks the prefixes of the dialects: each well formed, and no
// path of one inside a path of another.
func validatePaths(a *APIs, r *report) {
	routes := []route{{"/healthz", ""}, {"/readyz", ""}}
	add := func(enabled, mayBeEmpty bool, prefix, key string, below ...string) {
		switch {
		case !enabled:
		case prefix == "" && !mayBeEmpty:
			r.fault(key, "must not be empty; write a path such as /scim/v2")
		case prefix != "" && !prefixForm.MatchString(prefix):
			r.fault(key, "%s is no path prefix; begin with one slash and do not end with one, such as /accounts", shown(prefix))
		default:
			for _, path := range below {
				routes = append(routes, route{prefix + path, key})
			}
		}
	}
	if a.Collaboration.Enabled && (!a.Action.Enabled || a.Action.Prefix != "") {
		// Where the action API lives at /api too, the two share it by rule.
		routes = append(routes, route{"/api", "apis.collaboration.enabled"})
	}
	add(a.Action.Enabled, true, a.Action.Prefix, "apis.action.prefix", "/api.php", "/api", "/mobile", "/login")
	add(a.Integration.Enabled, false, a.Integration.Prefix, "apis.integration.prefix", "")
	add(a.UserManagement.Enabled, true, a.UserManagement.Prefix, "apis.usermanagement.prefix", "/profile", "/users", "/roles")
	add(a.SCIM.Enabled, false, a.SCIM.Prefix, "apis.scim.prefix", "")
	for i, later := range routes {
		for _, earlier := range routes[:i] {
			if earlier.key == later.key || !inside(earlier.path, later.path) && !inside(later.path, earlier.path) {
				continue
			}
			owner := "is Portico's own"
			if earlier.key != "" {
				owner = "belongs to " + earlier.key
			}
			r.fault(later.key, "its path %s collides with %s, which %s; choose another prefix", later.path, earlier.path, owner)
			break
		}
	}
}

// inside tells whether a path is another one or lies below it.
func inside(path, other string) bool {
	return path == other || strings.HasPrefix(path, other+"/")
}
