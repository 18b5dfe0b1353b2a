package embedded

import "strings"

// referTo is the answer for a name at or below the referral object r: its URIs,
// each with the DN that the name has over there (RFC 3296 §5.2). scope is
// added for searches ("base", "one", "sub").
func (st *store) referTo(r *entry, d dname, scope string) *fault {
	f := &fault{code: resultReferral, matched: r.dn.text}
	for _, v := range r.get(st.schema.ref) {
		f.referrals = append(f.referrals, st.rewriteURI(v.raw, r.dn, d, scope))
	}
	return f
}

// references gives the URIs of a continuation reference.
func (st *store) references(r *entry, sc scope) []string {
	part := map[scope]string{scopeOne: "base", scopeSub: "sub", scopeChildren: "subordinate"}[sc]
	return st.referTo(r, r.dn, part).referrals
}

func (st *store) rewriteURI(uri string, at, target dname, scope string) string {
	uri, _, _ = strings.Cut(uri, " ") // a label may follow
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok || !strings.HasPrefix(scheme, "ldap") {
		return uri
	}
	host, there, _ := strings.Cut(rest, "/")
	there, _, _ = strings.Cut(there, "?")
	name := target.text
	if there == "" && scope == "" && target.key == at.key {
		return uri
	}
	if d, err := st.schema.parseDN(unpercent(there)); err == nil && !d.isZero() && target.within(at) {
		name = target.rebase(at, d).text
	}
	out := scheme + "://" + host + "/" + percent(name)
	if scope != "" {
		out += "??" + scope
	}
	return out
}

// percent escapes what a DN may not carry inside a URI (RFC 4516 §2.1).
func percent(dn string) string {
	const hex = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(dn) {
		c := dn[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`%?#"<>\^`+"`{|}", c) >= 0 {
			out.WriteString("%" + string(hex[c>>4]) + string(hex[c&15]))
			continue
		}
		out.WriteByte(c)
	}
	return out.String()
}

func unpercent(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, ok1 := unhex(s[i+1])
			lo, ok2 := unhex(s[i+2])
			if ok1 && ok2 {
				out.WriteByte(hi<<4 | lo)
				i += 2
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}
