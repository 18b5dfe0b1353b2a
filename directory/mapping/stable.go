package mapping

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// maxStableLength bounds a permanent id of the text format.
const maxStableLength = 128

// stableID finds the permanent id in an entry's values. Where a feed announced
// one the two must agree; an entry that does not hold any takes the announced.
func (m *Mapper) stableID(v *values, announced string) (string, error) {
	for _, slot := range m.stable {
		raw := v.slots[slot].raw
		if len(raw) == 0 {
			continue
		}
		stable, err := m.stableText(raw[0])
		switch {
		case err != nil:
			return "", fmt.Errorf("%s: %w", m.names[slot], err)
		case announced != "" && announced != stable:
			return "", fmt.Errorf("%s is %s, the feed says %s: %w", m.names[slot], stable, announced, ErrIDMismatch)
		}
		return stable, nil
	}
	if announced == "" {
		return "", ErrNoStableID
	}
	return announced, nil
}

// stableText is the text form of a raw id.
func (m *Mapper) stableText(raw []byte) (string, error) {
	if m.format == FormatGUID {
		if len(raw) != 16 {
			return "", fmt.Errorf("%d bytes are no GUID: %w", len(raw), ErrNoStableID)
		}
		return uuidText(swapGUID(raw)), nil
	}
	s := strings.ToLower(strings.TrimSpace(string(raw)))
	if !goodStable(s) {
		return "", fmt.Errorf("not an id of format %s: %w", m.format, ErrNoStableID)
	}
	if m.format == FormatNSUniqueID {
		digits, ok := hexDigits32(s)
		if !ok {
			return "", fmt.Errorf("not an id of format %s: %w", m.format, ErrNoStableID)
		}
		return nsUniqueID(digits), nil
	}
	return s, nil
}

// StableFromUUID turns the id that a feed announces, sixteen bytes or the text of
// a UUID, into the text that directory.ID holds. Errors wrap ErrNoStableID.
func (m *Mapper) StableFromUUID(uuid string) (string, error) {
	if len(uuid) == 16 {
		uuid = uuidText([]byte(uuid))
	}
	uuid = strings.ToLower(uuid)
	digits, ok := hexDigits32(uuid)
	if !ok {
		return "", fmt.Errorf("%q is not a UUID: %w", uuid, ErrNoStableID)
	}
	if m.format == FormatNSUniqueID {
		return nsUniqueID(digits), nil
	}
	return uuid, nil
}

// stableFilterValue is the inverse of stableText: what a filter compares with.
func (m *Mapper) stableFilterValue(stable string) (string, bool) {
	stable = strings.ToLower(strings.TrimSpace(stable))
	if !goodStable(stable) {
		return "", false
	}
	switch m.format {
	case FormatGUID:
		digits, ok := hexDigits32(stable)
		if !ok {
			return "", false
		}
		raw, err := hex.DecodeString(digits)
		if err != nil {
			return "", false
		}
		return string(swapGUID(raw)), true
	case FormatNSUniqueID:
		digits, ok := hexDigits32(stable)
		return nsUniqueID(digits), ok
	}
	return stable, true
}

// goodStable refuses what no server uses as an id.
func goodStable(s string) bool {
	if s == "" || len(s) > maxStableLength {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; !isNameByte(c) && c != '{' && c != '}' && c != ':' {
			return false
		}
	}
	return true
}

// hexDigits32 takes the hyphens out of an id of 32 hexadecimal digits.
func hexDigits32(s string) (string, bool) {
	digits := strings.ReplaceAll(s, "-", "")
	if len(digits) != 32 {
		return "", false
	}
	for i := 0; i < len(digits); i++ {
		if unhex(digits[i]) < 0 {
			return "", false
		}
	}
	return digits, true
}

func nsUniqueID(digits string) string {
	if len(digits) != 32 {
		return ""
	}
	return digits[:8] + "-" + digits[8:16] + "-" + digits[16:24] + "-" + digits[24:]
}

// uuidText is the 8-4-4-4-12 form of sixteen bytes.
func uuidText(b []byte) string {
	d := hex.EncodeToString(b)
	return d[:8] + "-" + d[8:12] + "-" + d[12:16] + "-" + d[16:20] + "-" + d[20:]
}

// swapGUID turns Active Directory's byte order into that of the text form, and
// back.
func swapGUID(b []byte) []byte {
	return []byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]}
}
