package mapping

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// PrimarySID is the value of Config.PrimaryGroup for Active Directory.
const PrimarySID = "sid"

// primaryOf is the security identifier of a person's primary group, which lies in
// the person's own domain; "" where it is not known.
func (m *Mapper) primaryOf(v *values) string {
	if m.sid < 0 {
		return ""
	}
	own := m.markOf(v)
	number := v.first(m.primaryID)
	if _, err := strconv.ParseUint(number, 10, 32); err != nil {
		return ""
	}
	end := strings.LastIndexByte(own, '-')
	if end < 0 {
		return ""
	}
	return own[:end+1] + number
}

// markOf is the entry's own security identifier, "" where it shows none.
func (m *Mapper) markOf(v *values) string {
	if m.sid < 0 || len(v.slots[m.sid].raw) == 0 {
		return ""
	}
	return sidText(v.slots[m.sid].raw[0])
}

// sidText is the usual text of a binary security identifier ([MS-DTYP] 2.4.2.2):
// "S-1-5-21-1-2-3-513"; "" for bytes that are none.
func sidText(b []byte) string {
	const header = 8
	if len(b) < header || b[0] != 1 || len(b) != header+4*int(b[1]) {
		return ""
	}
	authority := uint64(0)
	for _, c := range b[2:header] {
		authority = authority<<8 | uint64(c)
	}
	text := strconv.AppendUint([]byte("S-1-"), authority, 10)
	for rest := b[header:]; len(rest) > 0; rest = rest[4:] {
		text = strconv.AppendUint(append(text, '-'), uint64(binary.LittleEndian.Uint32(rest)), 10)
	}
	return string(text)
}
