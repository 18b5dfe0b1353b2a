package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// IntegrationKey is one key of apis.integration.keys, taken apart.
type IntegrationKey struct {
	Label  string
	Hash   [sha256.Size]byte // of the key without surrounding white space
	Only   []string          // resources that it may call; none: all
	Emails *bool             // may list mail addresses; nil: as allow_email says
}

// hashMark stands before a key that is given by its hash.
const hashMark = "sha256:"

// ParseIntegrationKey reads a key: "{label; only=a,b; email=yes}key", where the
// braces may be missing and the key may be "sha256:" and its hash. problem says
// what is wrong and never shows the key.
func ParseIntegrationKey(secret Secret) (key IntegrationKey, problem string) {
	text := strings.TrimSpace(secret.Reveal())
	if strings.HasPrefix(text, "{") {
		head, rest, ok := strings.Cut(text[1:], "}")
		if !ok {
			return key, "begins with a brace that is not closed; write {label}key"
		}
		if problem = key.options(head); problem != "" {
			return key, problem
		}
		text = strings.TrimSpace(rest)
	}
	switch digits, hashed := strings.CutPrefix(text, hashMark); {
	case text == "":
		return key, "is empty; write a key of 32 or more random characters"
	case hashed:
		sum, err := hex.DecodeString(digits)
		if err != nil || len(sum) != sha256.Size {
			return key, "is no hash; write sha256: and the 64 digits that sha256sum prints"
		}
		copy(key.Hash[:], sum)
	default:
		key.Hash = sha256.Sum256([]byte(text))
	}
	if key.Label == "" {
		key.Label = "configured " + hex.EncodeToString(key.Hash[:3])
	}
	return key, ""
}

// options reads what stands between the braces.
func (k *IntegrationKey) options(text string) string {
	resources := []string{"members", "member", "teams", "team"}
	label, rest, _ := strings.Cut(text, ";")
	k.Label = strings.TrimSpace(label)
	for option := range strings.SplitSeq(rest, ";") {
		if option = strings.TrimSpace(option); option == "" {
			continue
		}
		name, value, _ := strings.Cut(option, "=")
		switch strings.TrimSpace(name) {
		case "only":
			for r := range strings.SplitSeq(value, ",") {
				if r = strings.TrimSpace(r); !slices.Contains(resources, r) {
					return "only= names " + shown(r) + "; there are " + strings.Join(resources, ", ")
				}
				k.Only = append(k.Only, strings.TrimSpace(r))
			}
		case "email":
			yes := strings.TrimSpace(value) == "yes"
			if !yes && strings.TrimSpace(value) != "no" {
				return "email= must be yes or no"
			}
			k.Emails = &yes
		default:
			return "has the option " + shown(name) + " in its braces; there are only= and email="
		}
	}
	return ""
}
