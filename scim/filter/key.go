package filter

import "fmt"

// Key is text that filters of one type share when they mean the same, and others do not.
func (n *Node) Key() string { return string(n.appendKey(nil)) }

func (n *Node) appendKey(b []byte) []byte {
	b = fmt.Appendf(b, "(%d", n.Kind)
	if n.Kind == Compare || n.Kind == Element {
		b = fmt.Appendf(b, " %q", n.Path.String())
	}
	if n.Kind == Compare {
		v := n.Value
		b = fmt.Appendf(b, " %d %t %t %q %q %t %d", n.Op, n.Lacking, v.Null, v.Text, v.Key, v.Bool, v.Time.UnixMilli())
		if v.Num != nil {
			b = append(append(b, ' '), v.Num.RatString()...)
		}
	}
	for _, child := range n.Children {
		b = child.appendKey(b)
	}
	return append(b, ')')
}
