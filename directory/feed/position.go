package feed

import (
	"encoding/json"
	"strconv"
	"strings"
)

// position is where a feed stands. It is kept as text in the store's cookie, in
// the same transaction as what it stands for.
type position struct {
	Mode        Mode   `json:"mode"`
	Fingerprint string `json:"fingerprint"`
	Server      string `json:"server"`           // URL, or the identity that an AD server gives itself
	Vendor      vendor `json:"vendor"`           //
	Cookie      string `json:"cookie,omitempty"` // syncrepl's
	Since       string `json:"since,omitempty"`  // poll's
	Checked     int64  `json:"checked"`          // Unix time of the last full read
}

func (p position) text() string {
	raw, err := json.Marshal(p)
	if err != nil { // strings only
		return ""
	}
	return string(raw)
}

// readPosition gives the zero position for anything that is not one: then
// everything is read again.
func readPosition(text string) position {
	var p position
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return position{}
	}
	return p
}

// vendor is as much of a server's make as the feeds depend on.
type vendor string

const (
	vendorOpenLDAP vendor = "openldap"
	vendor389      vendor = "389"
	vendorAD       vendor = "ad" // Samba too
	vendorOther    vendor = ""
)

// goodCookie tells whether a syncrepl cookie has the form of its server. Text in
// another form is taken by OpenLDAP for "no cookie", silently, and answered with
// everything there is but without the deletions.
func goodCookie(v vendor, cookie string) bool {
	switch v {
	case vendorOpenLDAP:
		return goodOpenLDAPCookie(cookie)
	case vendor389:
		_, ok := cookie389(cookie)
		return ok
	}
	return cookie != ""
}

// goodOpenLDAPCookie checks "rid=000,sid=001,csn=TIME#COUNT#SID#MOD;TIME#...".
func goodOpenLDAPCookie(cookie string) bool {
	csn := false
	for part := range strings.SplitSeq(cookie, ",") {
		name, value, ok := strings.Cut(part, "=")
		switch {
		case !ok:
			return false
		case name == "csn":
			for one := range strings.SplitSeq(value, ";") {
				if !goodCSN(one) {
					return false
				}
			}
			csn = true
		case name != "rid" && name != "sid" && name != "delcsn":
			return false
		}
	}
	return csn
}

// goodCSN checks "20260101120000.000000Z#000000#001#000000".
func goodCSN(csn string) bool {
	parts := strings.Split(csn, "#")
	if len(parts) != 4 || len(parts[0]) != len("20260101120000.000000Z") || !strings.HasSuffix(parts[0], "Z") {
		return false
	}
	for i, c := range parts[0][:len(parts[0])-1] {
		if (i == 14) != (c == '.') || c != '.' && (c < '0' || c > '9') {
			return false
		}
	}
	for i, want := range [...]int{6, 3, 6} {
		if len(parts[i+1]) != want || strings.Trim(parts[i+1], "0123456789abcdefABCDEF") != "" {
			return false
		}
	}
	return true
}

// cookie389 gives the change number at the end of "host:port#bindDN:base:filter#N".
func cookie389(cookie string) (int64, bool) {
	if strings.Count(cookie, "#") < 2 {
		return 0, false
	}
	n, err := strconv.ParseInt(cookie[strings.LastIndexByte(cookie, '#')+1:], 10, 64)
	return n, err == nil && n >= 0
}
