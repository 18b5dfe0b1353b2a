package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"maps"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// madeVersion begins a version that no server gave.
const madeVersion = "d-"

// Assertion is the filter that is true of an entry only while it has that
// permanent id and, unless version is "", that version. A version that is made
// here cannot be asserted; it is left out.
func (m *Mapper) Assertion(stable, version string) string {
	value, ok := m.stableFilterValue(stable)
	if !ok {
		return "(!(objectClass=*))"
	}
	filter := anyEqual(m.cfg.StableID, value)
	if version == "" || !m.Asserts(version) {
		return filter
	}
	return and(filter, "("+m.cfg.Version+"="+ldap.EscapeFilter(version)+")")
}

// Asserts tells whether the server itself knows a version, so that a write can be
// tied to it.
func (m *Mapper) Asserts(version string) bool {
	return m.cfg.Version != "" && version != "" && !strings.HasPrefix(version, madeVersion)
}

// Gives tells whether the server gives a version of an entry. Where it does not,
// the version of a group is made of its members too.
func (m *Mapper) Gives(e *ldap.Entry) bool {
	return m.cfg.Version != "" && e.GetEqualFoldAttributeValue(m.cfg.Version) != ""
}

// VersionOf is the version of an entry as Entry gives it, "" for what Entry gives
// nothing for. Where the server gives none, a group must have been read with its
// members.
func (m *Mapper) VersionOf(e *ldap.Entry) string {
	if m.Gives(e) {
		return e.GetEqualFoldAttributeValue(m.cfg.Version)
	}
	out, err := m.Entry(e)
	if err != nil || out == nil {
		return ""
	}
	return out.Version
}

// madeVersionOf is the version of an entry whose server gives none: a digest of
// all that is mapped, with the time of the last change. Two states that APIs could
// tell apart have different ones; so may two that differ in the state of the
// account only.
func madeVersionOf(e *directory.Entry) string {
	h := sha256.New()
	part(h, e.ID.Stable, e.DN, e.Name, e.PrimaryGroup)
	if !e.Modified.IsZero() {
		part(h, e.Modified.UTC().Format("20060102150405.000"))
	}
	for _, set := range []directory.Attributes{e.Attributes, e.Signals} {
		part(h, "\x00")
		for _, name := range slices.Sorted(maps.Keys(set)) {
			part(h, name)
			part(h, sorted(set[name])...)
		}
	}
	part(h, "\x00")
	part(h, sorted(e.Members)...)
	return madeVersion + hex.EncodeToString(h.Sum(nil)[:16])
}

// sorted is a copy in a fixed order: servers give values in any.
func sorted(list []string) []string {
	if len(list) < 2 {
		return list
	}
	return slices.Sorted(slices.Values(list))
}

// part adds values so that no two lists look alike.
func part(h hash.Hash, values ...string) {
	var length [4]byte
	for _, v := range values {
		n := len(v)
		length = [4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
		h.Write(length[:])
		h.Write([]byte(v))
	}
	h.Write([]byte{0xff, 0xff, 0xff, 0xff})
}
