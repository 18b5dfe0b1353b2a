package mirror

import "portico/directory"

// outrun tells whether the mirror has this version of a group already, or a later
// one: a write of ours was read back before its event came. Only OpenLDAP's change
// sequence numbers say so; others are taken for new.
func (t *tx) outrun(dir int, e *directory.Entry) (bool, error) {
	if e.Kind != directory.KindGroup || !isCSN(e.Version) {
		return false, nil
	}
	old, found, err := t.load(dir, e.ID.Stable)
	if err != nil || !found || old.list != listGroup {
		return false, err
	}
	kept, err := decode(e.ID, old.body)
	if err != nil {
		return false, nil //nolint:nilerr // a damaged body is replaced
	}
	return isCSN(kept.Version) && e.Version <= kept.Version, nil
}
