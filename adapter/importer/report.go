package importer

import (
	"slices"

	"portico/adapter/store"
)

// maxProblems bounds the list of the report; the counts go on.
const maxProblems = 100_000

// Report says what an import did, or would do.
type Report struct {
	Applied  bool     `json:"applied"` // false: nothing was stored
	Changes  int      `json:"changes"` // things that are new; 0: everything was here already
	Timezone string   `json:"timezone"`
	Missing  []string `json:"missing_tables"` // that the other version does not have
	Counts   []Count  `json:"counts"`
	// People are those for whom something is new.
	People     []Person    `json:"people"`
	Deleted    int         `json:"deleted"` // accounts deleted there: their numbers stay unused
	Groups     []Group     `json:"groups"`
	GroupsLeft []LeftGroup `json:"groups_left"`
	Problems   []Problem   `json:"problems"`
	// FirstUID and FirstGID are the least numbers that somebody new may get.
	FirstUID int64 `json:"first_uid"`
	FirstGID int64 `json:"first_gid"`
	// LogBefore is the number of the last log record taken over before.
	LogBefore int64 `json:"log_before,omitempty"`
}

// Count sums one kind of thing up.
type Count struct {
	What    string `json:"what"`
	New     int    `json:"new"`
	Before  int    `json:"before"` // here already
	Skipped int    `json:"skipped"`
}

// Person is somebody for whom something is new.
type Person struct {
	UID      int64          `json:"uid"`
	Username string         `json:"username"`
	Was      int64          `json:"was,omitempty"` // the number here until now, which nobody gets again
	New      map[string]int `json:"new"`           // kind → how many
}

// Group is a directory group that gets its number.
type Group struct {
	GID  int64  `json:"gid"`
	Name string `json:"name"`
	Was  int64  `json:"was,omitempty"`
}

// LeftGroup is a group that is not taken over.
type LeftGroup struct {
	GID     int64    `json:"gid"`
	Name    string   `json:"name"`
	Reason  string   `json:"reason"`
	Members []string `json:"members"` // user names there
}

// Problem is something that was not taken over.
type Problem struct {
	What   string `json:"what"`
	ID     int64  `json:"id,omitempty"` // its number there
	Name   string `json:"name,omitempty"`
	Reason string `json:"reason"`
}

func (r *Report) problem(what string, id int64, name, reason string) {
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, Problem{What: what, ID: id, Name: name, Reason: reason})
	}
}

func (r *Report) count(what string, result store.Result, n int) {
	if n == 0 {
		return
	}
	i := slices.IndexFunc(r.Counts, func(c Count) bool { return c.What == what })
	if i < 0 {
		i = len(r.Counts)
		r.Counts = append(r.Counts, Count{What: what})
	}
	switch result {
	case store.TakenNow:
		r.Counts[i].New += n
	case store.TakenBefore:
		r.Counts[i].Before += n
	default:
		r.Counts[i].Skipped += n
	}
}

// headings are the kinds of things in the order of the report.
func headings() []string {
	return []string{
		"people", "status", "TOTP secrets", "PINs", "permission codes", "permissions", "app passwords", "mobile codes",
		"notifications", "managers", "groups", "API keys", "log records",
	}
}

// heading names the kind of an outcome.
func heading(item string) string {
	switch item {
	case "uid":
		return "people"
	case "totp":
		return "TOTP secrets"
	case "pin":
		return "PINs"
	case "status":
		return item
	}
	return item + "s"
}

// finish sorts and sums up; lists are never null.
func (r *Report) finish() {
	order := headings()
	slices.SortStableFunc(r.Counts, func(a, b Count) int {
		return slices.Index(order, a.What) - slices.Index(order, b.What)
	})
	for _, c := range r.Counts {
		r.Changes += c.New
	}
	r.Missing = slices.Concat([]string{}, r.Missing)
	r.Counts = slices.Concat([]Count{}, r.Counts)
	r.People = slices.Concat([]Person{}, r.People)
	r.Groups = slices.Concat([]Group{}, r.Groups)
	r.GroupsLeft = slices.Concat([]LeftGroup{}, r.GroupsLeft)
	r.Problems = slices.Concat([]Problem{}, r.Problems)
}
