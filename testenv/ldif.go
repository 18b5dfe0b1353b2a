package testenv

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// parseLine splits one unfolded line of LDIF into name and value.
func parseLine(line string) (name, value string, err error) {
	name, rest, found := strings.Cut(line, ":")
	if !found {
		return "", "", fmt.Errorf("%w: %q", errLDIF, line)
	}
	encoded, isEncoded := strings.CutPrefix(rest, ":")
	if !isEncoded {
		return name, strings.TrimLeft(rest, " "), nil
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return "", "", fmt.Errorf("%w: value of %s: %w", errLDIF, name, err)
	}
	return name, string(raw), nil
}
