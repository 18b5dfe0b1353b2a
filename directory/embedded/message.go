package embedded

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// errProtocol marks a message that is not LDAP; it ends the connection.
var errProtocol = errors.New("protocol error")

func malformed(what string) error { return fmt.Errorf("%w: %s", errProtocol, what) }

// Operation is the application tag of a request (RFC 4511 §4.2 and following).
type Operation uint8

// The requests of LDAP.
const (
	OpBind     Operation = 0
	OpUnbind   Operation = 2
	OpSearch   Operation = 3
	OpModify   Operation = 6
	OpAdd      Operation = 8
	OpDelete   Operation = 10
	OpModifyDN Operation = 12
	OpCompare  Operation = 14
	OpAbandon  Operation = 16
	OpExtended Operation = 23
)

// answer gives the application tag of the operation's final response; none for
// unbind and abandon.
func (o Operation) answer() (ber.Tag, bool) {
	switch o {
	case OpUnbind, OpAbandon:
		return 0, false
	case OpSearch:
		return tagSearchDone, true
	default:
		return ber.Tag(o) + 1, true
	}
}

func (o Operation) known() bool {
	switch o {
	case OpBind, OpUnbind, OpSearch, OpModify, OpAdd, OpDelete, OpModifyDN, OpCompare, OpAbandon, OpExtended:
		return true
	}
	return false
}

// message is one request as it came from the wire.
type message struct {
	id       int64
	op       Operation
	body     *ber.Packet
	controls []control
}

// control is one request control, RFC 4511 §4.1.11.
type control struct {
	oid      string
	critical bool
	value    string
	hasValue bool
}

// readFrame reads one BER message without trusting its length: what is longer
// than limit is refused before anything of it is read.
func readFrame(r *bufio.Reader, limit int) ([]byte, error) {
	head, err := r.Peek(2)
	if err != nil {
		if len(head) == 1 && errors.Is(err, io.EOF) {
			return nil, io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if head[0] != 0x30 {
		return nil, malformed("not an LDAP message")
	}
	n, size := int(head[1]), 2
	if n >= 0x80 {
		more := n & 0x7f
		if more == 0 || more > 4 {
			return nil, malformed("length")
		}
		if head, err = r.Peek(2 + more); err != nil {
			return nil, err
		}
		n, size = 0, 2+more
		for _, b := range head[2:] {
			n = n<<8 | int(b)
		}
	}
	if n < 0 || n > limit {
		return nil, malformed("message too large")
	}
	var buf bytes.Buffer
	if _, err := io.CopyN(&buf, r, int64(size+n)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return buf.Bytes(), nil
}

// checkNesting walks the BER structure of b without building anything, so that
// neither depth nor false lengths reach the decoder.
func checkNesting(b []byte, depth int) error {
	if depth < 0 {
		return malformed("nested too deeply")
	}
	for len(b) > 0 {
		if len(b) < 2 || b[0]&0x1f == 0x1f {
			return malformed("tag")
		}
		n, size := int(b[1]), 2
		if n >= 0x80 {
			more := n & 0x7f
			if more == 0 || more > 4 || len(b) < 2+more {
				return malformed("length")
			}
			n, size = 0, 2+more
			for _, c := range b[2:size] {
				n = n<<8 | int(c)
			}
		}
		if n < 0 || n > len(b)-size {
			return malformed("length")
		}
		if b[0]&0x20 != 0 {
			if err := checkNesting(b[size:size+n], depth-1); err != nil {
				return err
			}
		}
		b = b[size+n:]
	}
	return nil
}

// decodeMessage reads the envelope of one request.
func decodeMessage(frame []byte, depth int) (*message, error) {
	if err := checkNesting(frame, depth); err != nil {
		return nil, err
	}
	p, err := ber.DecodePacketErr(frame)
	if err != nil {
		return nil, malformed("encoding")
	}
	if len(p.Children) < 2 || len(p.Children) > 3 {
		return nil, malformed("envelope")
	}
	m := &message{body: p.Children[1]}
	if m.id, err = integerOf(p.Children[0], ber.TagInteger); err != nil || m.id <= 0 || m.id > 1<<31-1 {
		return nil, malformed("message id")
	}
	if m.body.ClassType != ber.ClassApplication || m.body.Tag > 0xff || !Operation(m.body.Tag).known() {
		return nil, malformed("unknown operation")
	}
	m.op = Operation(m.body.Tag)
	if len(p.Children) == 3 {
		if m.controls, err = decodeControls(p.Children[2]); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func decodeControls(p *ber.Packet) ([]control, error) {
	if p.ClassType != ber.ClassContext || p.TagType != ber.TypeConstructed || p.Tag != 0 {
		return nil, malformed("controls")
	}
	list := make([]control, 0, len(p.Children))
	for _, q := range p.Children {
		if !isSequence(q) || len(q.Children) < 1 || len(q.Children) > 3 {
			return nil, malformed("control")
		}
		var c control
		var err error
		if c.oid, err = textOf(q.Children[0]); err != nil || c.oid == "" {
			return nil, malformed("control type")
		}
		for i, part := range q.Children[1:] {
			if b, err := booleanOf(part); err == nil && i == 0 {
				c.critical = b
				continue
			}
			if c.value, err = textOf(part); err != nil || c.hasValue {
				return nil, malformed("control value")
			}
			c.hasValue = true
		}
		list = append(list, c)
	}
	return list, nil
}

// Readers of BER elements. They never trust a tag.

func is(p *ber.Packet, class ber.Class, kind ber.Type, tag ber.Tag) bool {
	return p.ClassType == class && p.TagType == kind && p.Tag == tag
}

func isSequence(p *ber.Packet) bool {
	return is(p, ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence)
}

func isSet(p *ber.Packet) bool { return is(p, ber.ClassUniversal, ber.TypeConstructed, ber.TagSet) }

func textOf(p *ber.Packet) (string, error) {
	if !is(p, ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString) {
		return "", malformed("octet string")
	}
	return p.Data.String(), nil
}

// contextText reads a primitive of the context class with that tag.
func contextText(p *ber.Packet, tag ber.Tag) (string, bool) {
	if !is(p, ber.ClassContext, ber.TypePrimitive, tag) {
		return "", false
	}
	return p.Data.String(), true
}

func integerOf(p *ber.Packet, tag ber.Tag) (int64, error) {
	if !is(p, ber.ClassUniversal, ber.TypePrimitive, tag) || p.Data.Len() == 0 {
		return 0, malformed("integer")
	}
	n, err := ber.ParseInt64(p.Data.Bytes())
	if err != nil {
		return 0, malformed("integer")
	}
	return n, nil
}

func booleanOf(p *ber.Packet) (bool, error) {
	if !is(p, ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean) || p.Data.Len() != 1 {
		return false, malformed("boolean")
	}
	return p.Data.Bytes()[0] != 0, nil
}

// textsOf reads a list of octet strings.
func textsOf(p *ber.Packet) ([]string, error) {
	list := make([]string, 0, len(p.Children))
	for _, c := range p.Children {
		v, err := textOf(c)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}
