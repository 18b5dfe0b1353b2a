package mirror

import (
	"slices"
	"strings"
	"unicode/utf8"

	"portico/directory"
)

// separator stands between the RDNs of a path. It sorts before everything that
// a normal form may contain, so a subtree is one range of paths.
const (
	separator    = "\x01"
	separatorEnd = "\x02"
)

// keyer turns DNs into paths: the RDNs of the DN's normal form, the topmost
// first. It remembers the paths of parents, because almost every DN has one of
// few. It is used by the writer only.
type keyer struct {
	dnKey   func(string) (string, error)
	parent  func(string) string
	parents map[string]string // text of a parent's DN to its path
}

const keyerLimit = 2000

func newKeyer(o Options) *keyer {
	return &keyer{dnKey: o.DNKey, parent: o.ParentKey, parents: make(map[string]string)}
}

// path is the path of a DN. Text that is no DN gets a path that no DN has.
func (k *keyer) path(dn string) string {
	rdn := cutDN(dn, 1)
	if len(rdn) < len(dn) {
		rest := dn[len(rdn)+1:]
		parent, known := k.parents[rest]
		if !known {
			key, err := k.dnKey(rest)
			if err != nil || key == "" {
				return k.whole(dn)
			}
			parent = pathOf(key, k.parent)
			if len(k.parents) >= keyerLimit {
				clear(k.parents)
			}
			k.parents[strings.Clone(rest)] = parent
		}
		if key, err := k.dnKey(rdn); err == nil && key != "" {
			return parent + separator + plain(key)
		}
	}
	return k.whole(dn)
}

func (k *keyer) whole(dn string) string {
	key, err := k.dnKey(dn)
	if err != nil || key == "" {
		return "\x7f" + fold(strings.TrimSpace(dn))
	}
	return pathOf(key, k.parent)
}

// pathOf turns the key of a DN round.
func pathOf(key string, parentKey func(string) string) string {
	var b strings.Builder
	b.Grow(len(key))
	var few [16]string
	rdns := few[:0]
	for key != "" {
		parent := parentKey(key)
		if len(parent) >= len(key) || !strings.HasSuffix(key, parent) {
			parent = ""
		}
		rdn := key
		if parent != "" {
			rdn = key[:len(key)-len(parent)-1]
		}
		rdns = append(rdns, plain(rdn))
		key = parent
	}
	for i, v := range slices.Backward(rdns) {
		b.WriteString(v)
		if i > 0 {
			b.WriteString(separator)
		}
	}
	return b.String()
}

// plain is the key of an RDN without the separator, which nobody may smuggle
// into a path by the name of an entry.
func plain(rdn string) string {
	if strings.Contains(rdn, separator) {
		return strings.ReplaceAll(rdn, separator, `\01`)
	}
	return rdn
}

// depth is the number of RDNs of a path.
func depth(path string) int { return strings.Count(path, separator) + 1 }

// cutDN is the text of the first n RDNs of a DN, by the escapes of RFC 4514 and
// the quotes and semicolons of RFC 2253's forerunners.
func cutDN(dn string, n int) string {
	quoted := false
	for i := 0; i < len(dn); i++ {
		switch c := dn[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case (c == ',' || c == ';') && !quoted:
			if n--; n == 0 {
				return dn[:i]
			}
		}
	}
	return dn
}

// moveDN is the DN of an entry after its ancestor, oldDepth RDNs deep, got the
// DN ancestor.
func moveDN(dn string, entryDepth, oldDepth int, ancestor string) string {
	return cutDN(dn, entryDepth-oldDepth) + "," + ancestor
}

// fold makes text comparable without regard to letter case, for searching and
// sorting. What SQLite or the trigram index could stumble over is replaced.
func fold(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return directory.Fold(s)
}

// foldName is fold for names, which lose the space around them.
func foldName(s string) string { return fold(strings.TrimSpace(s)) }

// foldLogin is the form in which login names are compared.
func foldLogin(s string) string { return fold(directory.FoldName(s)) }
