package mirror

import (
	"strings"

	"portico/directory"
)

// older tells whether an upsert is an older state of an entry than the stored one:
// the echo of a change, arriving after a later one was read back. Only versions
// that can be compared count, OpenLDAP's entryCSN: time, counter, server.
func (t *tx) older(dir int, e *directory.Entry) (bool, error) {
	if t.w.bulk != nil || !isCSN(e.Version) {
		return false, nil
	}
	old, found, err := t.load(dir, e.ID.Stable)
	if err != nil || !found {
		return false, err
	}
	stored, err := decode(e.ID, old.body)
	if err != nil || !isCSN(stored.Version) {
		return false, nil //nolint:nilerr // a damaged body is replaced
	}
	return e.Version < stored.Version, nil
}

// isCSN tells of the form 20260102030405.123456Z#000000#001#000000.
func isCSN(version string) bool {
	return len(version) == 40 && version[14] == '.' && version[21] == 'Z' && strings.Count(version, "#") == 3
}
