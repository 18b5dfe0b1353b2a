package configs

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// masked stands for a secret wherever one would be printed.
const masked = "[secret]"

// Secret is a text that is never printed: every fmt verb, JSON, YAML and slog
// show a mask. Only Reveal gives the text. The zero value is "not set".
//
// It holds a pointer, so that reflection-based printing of an enclosing
// struct's unexported field shows an address and not the text.
type Secret struct{ text *string }

// NewSecret wraps a text; the empty text is "not set".
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal gives the text, or "" where none is set. Call it only where the text
// leaves for the server it is meant for.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero tells whether no secret is set.
func (s Secret) IsZero() bool { return s.text == nil }

// Equal compares two secrets in constant time for equal lengths.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String gives the mask, or "" where no secret is set.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return masked
}

// GoString gives what %#v shows.
func (s Secret) GoString() string { return fmt.Sprintf("configs.Secret(%q)", s.String()) }

// Format masks the secret under every verb.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	_, _ = io.WriteString(f, text)
}

// MarshalText masks the secret for JSON, XML and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML masks the secret.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue masks the secret for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
