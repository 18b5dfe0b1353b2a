package mirror

import (
	"context"
	"strings"
	"unicode/utf8"

	"portico/directory"
)

// Bounds of a search.
const (
	searchText  = 256 // characters; nothing is longer
	searchGrams = 16  // trigrams that are looked up; the whole text is compared afterwards
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
		"SELECT "+columns+` FROM (SELECT id FROM entry INDEXED BY entry_name
			WHERE list=1 AND (instr(name, ?2)>0 OR instr(display, ?2)>0) LIMIT ?3) f CROSS JOIN entry e ON e.id=f.id`)
}

// SearchGroups gives up to limit groups whose name contains the text, as
// SearchPeople does.
func (m *Mirror) SearchGroups(ctx context.Context, text string, limit int) ([]*directory.Entry, error) {
	return m.search(ctx, text, limit,
		"SELECT "+columns+` FROM find_group f CROSS JOIN entry e ON e.id=f.rowid
			WHERE f.find_group MATCH ?1 AND e.list=2 AND instr(e.name, ?2)>0 ORDER BY f.rowid LIMIT ?3`,
		"SELECT "+columns+` FROM (SELECT id FROM entry INDEXED BY entry_name
			WHERE list=2 AND instr(name, ?2)>0 LIMIT ?3) f CROSS JOIN entry e ON e.id=f.id`)
}

func (m *Mirror) search(ctx context.Context, text string, limit int, indexed, scanned string) ([]*directory.Entry, error) {
	text = fold(text)
	n := utf8.RuneCountInString(text)
	switch {
	case n == 0 || n > searchText || limit <= 0:
		return nil, m.Healthy()
	case n < 3:
		return m.entries(ctx, scanned, nil, text, limit)
	}
	return m.entries(ctx, indexed, trigrams(text), text, limit)
}

// trigrams is the FTS5 expression for documents that hold all trigrams of the
// text, each a quoted string in which nothing has a meaning.
func trigrams(text string) string {
	var b strings.Builder
	runes := []rune(text)
	for i := 0; i+3 <= len(runes) && i < searchGrams; i++ {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteByte('"')
		b.WriteString(strings.ReplaceAll(string(runes[i:i+3]), `"`, `""`))
		b.WriteByte('"')
	}
	return b.String()
}
