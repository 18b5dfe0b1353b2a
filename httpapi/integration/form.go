package integration

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
)

const (
	maxFields = 200
	maxParts  = 100
)

// form is the fields of a body, in order.
type form []field

type field struct{ name, value string }

// last gives the last value of a field.
func (f form) last(name string) (string, bool) {
	for _, field := range slices.Backward(f) {
		if field.name == name {
			return field.value, true
		}
	}
	return "", false
}

// readForm reads a body of the two kinds that browsers send; any other has no
// fields.
func readForm(w http.ResponseWriter, r *http.Request, limit int64) (form, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		kind, _, _ = strings.Cut(strings.ToLower(r.Header.Get("Content-Type")), ";")
	}
	body := http.MaxBytesReader(w, r.Body, limit)
	switch strings.TrimSpace(kind) {
	case "application/x-www-form-urlencoded":
		data, err := io.ReadAll(body)
		if err != nil {
			return nil, bodyFault(err)
		}
		return parseForm(string(data))
	case "multipart/form-data":
		return readParts(multipart.NewReader(body, params["boundary"]), limit)
	}
	return nil, nil
}

func bodyFault(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return refusal{http.StatusRequestEntityTooLarge, "The request is too large."}
	}
	return refusal{http.StatusBadRequest, "The request is incomplete."}
}

var errTooMany = refusal{http.StatusBadRequest, "The request has too many fields."}

func parseForm(data string) (form, error) {
	var f form
	for pair := range strings.SplitSeq(data, "&") {
		if pair == "" {
			continue
		}
		if len(f) == maxFields {
			return nil, errTooMany
		}
		name, value, _ := strings.Cut(pair, "=")
		f = append(f, field{unescape(name), unescape(value)})
	}
	return f, nil
}

func readParts(parts *multipart.Reader, limit int64) (form, error) {
	var f form
	for {
		part, err := parts.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return f, nil
		case err != nil:
			return nil, bodyFault(err)
		case len(f) == maxParts:
			return nil, errTooMany
		}
		data, err := io.ReadAll(io.LimitReader(part, limit))
		if err != nil {
			return nil, bodyFault(err)
		}
		if part.FileName() == "" {
			f = append(f, field{part.FormName(), strings.ToValidUTF8(string(data), "\uFFFD")})
		}
	}
}

// unescape decodes a form value once. A percent sign that begins no code stands
// for itself.
func unescape(text string) string {
	if !strings.ContainsAny(text, "+%") {
		return strings.ToValidUTF8(text, "\uFFFD")
	}
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '+':
			b = append(b, ' ')
		case c == '%' && i+2 < len(text) && hex(text[i+1]) >= 0 && hex(text[i+2]) >= 0:
			b = append(b, byte(hex(text[i+1])<<4|hex(text[i+2])))
			i += 2
		default:
			b = append(b, c)
		}
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

func hex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
