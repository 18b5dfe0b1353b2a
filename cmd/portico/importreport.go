package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"portico/adapter/importer"
)

// writeImport prints the report of an import for people.
func writeImport(w io.Writer, r *importer.Report) error {
	sections := []func(io.Writer, *importer.Report) error{
		writeImportPeople, writeImportGroups, writeImportProblems, writeImportCounts,
	}
	for _, section := range sections {
		if err := section(w, r); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, importSummary(r))
	return err
}

// section prints a table below a line, nothing when there are no rows.
func section(w io.Writer, title string, heading []string, rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w, title); err != nil {
		return err
	}
	if err := writeTable(w, append([][]string{heading}, rows...)); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

func writeImportPeople(w io.Writer, r *importer.Report) error {
	var rows [][]string
	for _, person := range r.People {
		what := newThings(person)
		rows = append(rows, []string{strconv.FormatInt(person.UID, 10), person.Username, strings.Join(what, ", ")})
	}
	return section(w, "PEOPLE with something new", []string{"UID", "USER", "NEW"}, rows)
}

// newThings names what is new for a person, the number first.
func newThings(person importer.Person) []string {
	var what []string
	if person.New["uid"] > 0 {
		text := "number"
		if person.Was != 0 {
			text = fmt.Sprintf("number (was %d here)", person.Was)
		}
		what = append(what, text)
	}
	for _, item := range slices.Sorted(maps.Keys(person.New)) {
		switch n := person.New[item]; {
		case item == "uid":
		case item == "pin", item == "totp":
			what = append(what, strings.ToUpper(item))
		case n == 1:
			what = append(what, item)
		default:
			what = append(what, fmt.Sprintf("%d %ss", n, item))
		}
	}
	return what
}

func writeImportGroups(w io.Writer, r *importer.Report) error {
	var rows [][]string
	for _, g := range r.Groups {
		note := ""
		if g.Was != 0 {
			note = fmt.Sprintf("was %d here", g.Was)
		}
		rows = append(rows, []string{strconv.FormatInt(g.GID, 10), g.Name, note})
	}
	if err := section(w, "GROUPS with a new number", []string{"GID", "NAME", ""}, rows); err != nil {
		return err
	}
	rows = nil
	for _, g := range r.GroupsLeft {
		rows = append(rows, []string{
			strconv.FormatInt(g.GID, 10), g.Name, strconv.Itoa(len(g.Members)), g.Reason,
		})
	}
	return section(w, "GROUPS that are not kept (groups live in the directory: make them there and import again; --json lists the members)",
		[]string{"GID", "NAME", "MEMBERS", "REASON"}, rows)
}

func writeImportProblems(w io.Writer, r *importer.Report) error {
	var rows [][]string
	for _, problem := range r.Problems {
		id := "-"
		if problem.ID != 0 {
			id = strconv.FormatInt(problem.ID, 10)
		}
		rows = append(rows, []string{problem.What, id, problem.Name, problem.Reason})
	}
	return section(w, "SKIPPED, and why", []string{"WHAT", "NUMBER THERE", "NAME", "REASON"}, rows)
}

func writeImportCounts(w io.Writer, r *importer.Report) error {
	var rows [][]string
	for _, c := range r.Counts {
		rows = append(rows, []string{c.What, strconv.Itoa(c.New), strconv.Itoa(c.Before), strconv.Itoa(c.Skipped)})
	}
	return section(w, "SUMMARY", []string{"WHAT", "NEW", "THERE ALREADY", "SKIPPED"}, rows)
}

// importSummary is the last lines of the report.
func importSummary(r *importer.Report) string {
	var lines []string
	if len(r.Missing) > 0 {
		lines = append(lines, "This version of AccountHub has no "+strings.Join(r.Missing, ", ")+".")
	}
	if r.Deleted > 0 {
		lines = append(lines, fmt.Sprintf("Accounts deleted there: %d. Their numbers stay unused.", r.Deleted))
	}
	lines = append(lines, fmt.Sprintf("New people get numbers from %d on, new groups from %d on.", r.FirstUID, r.FirstGID))
	lines = append(lines, "Times were read as "+r.Timezone+".")
	switch {
	case r.Applied && r.Changes == 0:
		lines = append(lines, "Nothing was changed: everything that can be taken over is here already.")
	case r.Applied:
		lines = append(lines, fmt.Sprintf("%d changes were made.", r.Changes))
	case r.Changes == 0:
		lines = append(lines, "Nothing was stored, and --apply would change nothing.")
	default:
		lines = append(lines, fmt.Sprintf("Nothing was stored. --apply would make %d changes.", r.Changes))
	}
	return strings.Join(lines, "\n")
}
