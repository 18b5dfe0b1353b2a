package mirror

import "testing"

func TestOrderedVersions(t *testing.T) {
	for version, want := range map[string]bool{
		"20260101120000.000000Z#000000#001#000000": true, "": false, "17": false, "20260101120000Z#1#2#3": false,
	} {
		if ordered(version) != want {
			t.Errorf("%q: %v", version, !want)
		}
	}
}
