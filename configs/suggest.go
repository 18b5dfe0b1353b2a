package configs

import (
	"reflect"
	"slices"
	"strings"
)

// suggest says what may have been meant by a key that a section does not have:
// its own nearest key, else the section where such a key belongs.
func suggest(name string, section reflect.Type, key string) string {
	keys := make([]string, 0, section.NumField())
	for _, k := range keysOf(section) {
		if k != "" {
			keys = append(keys, k)
		}
	}
	if near := nearest(name, keys); near != "" {
		return "; did you mean " + near + "?"
	}
	var elsewhere []string
	for _, path := range allKeys(reflect.TypeFor[Config](), "") {
		last := path[strings.LastIndexByte(path, '.')+1:]
		if last == name && parentKey(path) != key {
			elsewhere = append(elsewhere, path)
		}
	}
	if len(elsewhere) > 0 && len(elsewhere) <= 3 {
		return "; it belongs at " + strings.Join(elsewhere, " or ")
	}
	slices.Sort(keys)
	return "; known here: " + strings.Join(keys, ", ")
}

// nearest gives the candidate that a misspelt name stands for, or "".
func nearest(name string, candidates []string) string {
	best, distance := "", 3
	for _, c := range candidates {
		if plain(name) == plain(c) {
			return c
		}
		limit := min(2, len(c)/3)
		if d := editDistance(name, c, limit); d <= limit && d < distance {
			best, distance = c, d
		}
	}
	return best
}

// plain drops what spelling habits differ in: case, hyphens, underscores.
func plain(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(name))
}

// editDistance counts the letters to insert, delete, replace or swap with
// their neighbour, and gives limit+1 where it would be more than limit.
func editDistance(a, b string, limit int) int {
	if len(a) > len(b)+limit || len(b) > len(a)+limit {
		return limit + 1
	}
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// allKeys lists the paths of all keys below a type, such as
// directories[].tls.ca_file, sections included.
func allKeys(t reflect.Type, key string) []string {
	var paths []string
	for i, name := range keysOf(t) {
		if name == "" {
			continue
		}
		path, field := childKey(key, name), t.Field(i).Type
		paths = append(paths, path)
		if field.Kind() == reflect.Slice && field.Elem().Kind() == reflect.Struct {
			path, field = path+"[]", field.Elem()
		}
		if field.Kind() == reflect.Struct && field.NumField() > 0 && field.Field(0).Tag.Get("yaml") != "" {
			paths = append(paths, allKeys(field, path)...)
		}
	}
	return paths
}
