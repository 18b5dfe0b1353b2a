package configs

import (
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// scalar decodes a single value. What it says of a secret never holds its text.
func (w *walker) scalar(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.ScalarNode {
		w.faultAt(n, key, "must be "+wanted(v)+", not "+kindOf(n))
		return
	}
	if isNull(n) {
		w.faultAt(n, key, "has no value; write one or leave the key out")
		return
	}
	var problem string
	switch p := v.Addr().Interface().(type) {
	case *Secret:
		var text string
		text, problem = w.text(n)
		*p = NewSecret(text)
	case *string:
		*p, problem = w.text(n)
	case *bool:
		*p, problem = parseBool(n.Value)
	case *int:
		*p, problem = parseInt(n.Value)
	case *time.Duration:
		*p, problem = parseDuration(n.Value)
	case *Size:
		*p, problem = parseSizeText(n.Value)
	}
	if problem != "" {
		w.faultAt(n, key, problem)
	}
}

// text accepts text only: YAML takes unquoted 0123 and yes for something else,
// and so may the reader.
func (w *walker) text(n *yaml.Node) (string, string) {
	if strings.ContainsRune(n.Value, 0) {
		return "", "holds a NUL character"
	}
	if n.ShortTag() != "!!str" && w.variable == "" {
		return "", "must be text and YAML reads this as " + kindOf(n) + "; put it in quotation marks"
	}
	return n.Value, ""
}

func parseBool(text string) (bool, string) {
	switch text {
	case "true":
		return true, ""
	case "false":
		return false, ""
	default:
		return false, "must be true or false, not " + shown(text)
	}
}

func parseInt(text string) (int, string) {
	n, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(n) != text {
		return 0, "must be a whole number such as 100, not " + shown(text)
	}
	return n, ""
}

func parseDuration(text string) (time.Duration, string) {
	d, err := time.ParseDuration(text)
	if err == nil {
		return d, ""
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return 0, "is a time and lacks its unit; write " + text + "s, " + text + "m or " + text + "h"
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 100_000 {
			return 0, "is a time in days; write it in hours: " + itoa(n*24) + "h"
		}
	}
	return 0, "must be a time such as 30s, 5m or 1h30m, not " + shown(text)
}

func parseSizeText(text string) (Size, string) {
	s, err := ParseSize(text)
	if err == nil {
		return s, ""
	}
	if _, err := strconv.ParseUint(text, 10, 63); err == nil {
		return 0, "is a size and lacks its unit; write " + text + "B, " + text + "KiB or " + text + "MiB"
	}
	return 0, "must be a size such as 64KiB or 1MiB, not " + shown(text)
}

// wanted names the kind of value that a field takes.
func wanted(v reflect.Value) string {
	switch v.Interface().(type) {
	case bool:
		return "true or false"
	case int:
		return "a whole number"
	case time.Duration:
		return "a time such as 30s"
	case Size:
		return "a size such as 1MiB"
	default:
		return "text"
	}
}

// kindOf names what a node is, never its value.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a section"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	case "!!timestamp":
		return "a date"
	default:
		return "text"
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

// clip cuts a name to a length that is fit for a report.
func clip(name string) string {
	const limit = 60
	if runes := []rune(name); len(runes) > limit {
		return string(runes[:limit]) + "..."
	}
	return name
}
