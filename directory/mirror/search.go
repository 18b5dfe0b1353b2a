package mirror

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"portico/directory"
)

// Bounds of a search.
const (
	searchText  = 256 // characters; nothing is longer
	searchGrams = 4   // trigrams that are looked up; the whole text is compared afterwards
	gramSample  = 500 // names that tell which trigrams are common
)

// SearchPeople gives up to limit visible people whose login or display name
// contains the text, literally and whatever the letter case, in the order in
// which the mirror met them. Text of one or two characters is found by going
// through the names instead of the index; empty text finds nobody.
func (m *Mirror) SearchPeople(ctx context.Context, text string, limit int) ([]*directory.Entry, error) {
	return m.search(ctx, text, limit,
		"SELECT "+columns+` FROM find_person f CROSS JOIN entry e ON e.id=f.rowid
			WHERE f.find_person MATCH ?1 AND e.list=1 AND (instr(e.name, ?2)>0 OR instr(e.display, ?2)>0)
			ORDER BY f.rowid LIMIT ?3`,
		"SELECT "+columns+` FROM (SELECT id FROM entry %s
			WHERE list=1 AND (instr(name, ?2)>0 OR instr(display, ?2)>0) LIMIT ?3) f CROSS JOIN entry e ON e.id=f.id`)
}

// SearchGroups gives up to limit groups whose name contains the text, as
// SearchPeople does.
func (m *Mirror) SearchGroups(ctx context.Context, text string, limit int) ([]*directory.Entry, error) {
	return m.search(ctx, text, limit,
		"SELECT "+columns+` FROM find_group f CROSS JOIN entry e ON e.id=f.rowid
			WHERE f.find_group MATCH ?1 AND e.list=2 AND instr(e.name, ?2)>0 ORDER BY f.rowid LIMIT ?3`,
		"SELECT "+columns+` FROM (SELECT id FROM entry %s
			WHERE list=2 AND instr(name, ?2)>0 LIMIT ?3) f CROSS JOIN entry e ON e.id=f.id`)
}

func (m *Mirror) search(ctx context.Context, text string, limit int, indexed, scanned string) ([]*directory.Entry, error) {
	text = fold(text)
	n := utf8.RuneCountInString(text)
	switch {
	case n == 0 || n > searchText || limit <= 0:
		return nil, m.Healthy()
	case n < 3:
		index := "NOT INDEXED" // until the index is built
		if m.listed.Load() {
			index = "INDEXED BY entry_display"
		}
		return m.entries(ctx, fmt.Sprintf(scanned, index), nil, text, limit)
	}
	return m.entries(ctx, indexed, match(rareTrigrams(text, m.commonGrams(ctx))), text, limit)
}

// match is the FTS5 expression for documents that hold all of the trigrams, each
// a quoted string in which nothing has a meaning.
func match(grams []string) string {
	var b strings.Builder
	for i, g := range grams {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteByte('"')
		b.WriteString(strings.ReplaceAll(g, `"`, `""`))
		b.WriteByte('"')
	}
	return b.String()
}

// trigrams are the different trigrams of a text.
func trigrams(text string) []string {
	var all []string
	runes := []rune(text)
	for i := 0; i+3 <= len(runes); i++ {
		if g := string(runes[i : i+3]); !slices.Contains(all, g) {
			all = append(all, g)
		}
	}
	return all
}

// rareTrigrams are those trigrams of a text that narrow a search best. A
// trigram that most names share, like those of "user" before a number, costs a
// walk through its whole list and tells nothing.
func rareTrigrams(text string, common map[string]int) []string {
	all := trigrams(text)
	slices.SortStableFunc(all, func(a, b string) int { return common[a] - common[b] })
	n := min(len(all), searchGrams)
	for n > 1 && common[all[n-1]] > gramSample/10 && common[all[0]] < gramSample/50 {
		n--
	}
	return all[:n]
}

// gramCache holds how often trigrams occur in a sample of names.
type gramCache struct {
	mu     sync.Mutex
	valid  bool
	counts map[string]int
}

func (c *gramCache) forget() {
	c.mu.Lock()
	c.valid = false
	c.mu.Unlock()
}

// commonGrams samples names evenly over all rows, once after each full read: a
// guess is enough, as it decides about speed only.
func (m *Mirror) commonGrams(ctx context.Context) map[string]int {
	m.grams.mu.Lock()
	defer m.grams.mu.Unlock()
	if m.grams.valid {
		return m.grams.counts
	}
	counts := make(map[string]int)
	var last, step, id int64
	err := m.row(ctx, "SELECT coalesce(max(id), 0) FROM entry", nil, &last)
	step = max(last/gramSample, 1)
	for id = 1; err == nil && id <= last; id += step {
		var name, display string
		err = m.row(ctx, "SELECT name, display FROM entry WHERE id>=? ORDER BY id LIMIT 1", []any{id}, &name, &display)
		for _, g := range trigrams(name + "\n" + display) {
			counts[g]++
		}
	}
	if notFoundIsNil(err) != nil {
		return nil
	}
	m.grams.valid, m.grams.counts = true, counts
	return counts
}
