package client

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// maxAnswer bounds the answer to a bind or to StartTLS.
const maxAnswer = 64 << 10

// noAnswerError is a connection that failed before a byte of the answer came.
type noAnswerError struct{ err error }

func (e *noAnswerError) Error() string { return e.err.Error() }
func (e *noAnswerError) Unwrap() error { return e.err }

// exchange speaks LDAP one request and one answer at a time: StartTLS, and
// binds. go-ldap's connections are made for many requests at once; for these
// two their goroutines cost more than the request, StartTLS there is under no
// deadline, and any answer with code 0 passes for that of a bind. Requests are
// written here; answers are decoded by go-ldap's functions.
//
// The caller sets limits in time by closing the stream.
type exchange struct {
	stream io.ReadWriter
	in     *bufio.Reader
	id     int64
}

func newExchange(stream io.ReadWriter) *exchange {
	return &exchange{stream: stream, in: bufio.NewReaderSize(stream, 1024)}
}

// call sends one operation, and controls if there are any, and gives the
// answer, which is one to this request and of the kind wanted.
func (x *exchange) call(want ber.Tag, op, controls []byte) (*ber.Packet, error) {
	if err := x.send(op, controls); err != nil {
		return nil, err
	}
	return x.receive(want)
}

// send writes a request and waits for the first byte of the answer.
func (x *exchange) send(op, controls []byte) error {
	x.id++
	body := make([]byte, 0, len(op)+len(controls)+16)
	body = appendInteger(body, x.id)
	body = append(body, op...)
	body = append(body, controls...)
	request := appendElement(make([]byte, 0, len(body)+8), 0x30, body)
	_, err := x.stream.Write(request)
	clear(request) // there may be a password in it
	clear(body)
	if err == nil {
		_, err = x.in.Peek(1)
	}
	if err != nil {
		return &noAnswerError{err}
	}
	return nil
}

// receive reads the answer to the last request.
func (x *exchange) receive(want ber.Tag) (*ber.Packet, error) {
	packet, err := ber.ReadPacket(io.LimitReader(x.in, maxAnswer))
	if err != nil {
		return nil, err
	}
	if len(packet.Children) < 2 {
		return nil, errors.New("the answer is not an LDAP message")
	}
	answer := packet.Children[1]
	switch id, ok := packet.Children[0].Value.(int64); {
	case ok && id == 0 && answer.Tag == ldap.ApplicationExtendedResponse:
		// Notice of disconnection, RFC 4511 §4.4.1: the server has not read the request.
		return nil, &noAnswerError{fmt.Errorf("the server is closing the connection: %w", io.EOF)}
	case !ok || id != x.id || answer.ClassType != ber.ClassApplication || answer.Tag != want:
		return nil, errors.New("the answer belongs to another request")
	}
	return packet, nil
}

// The bytes of what nearly every right password is answered with: a bind response
// with success, no DN and no text (RFC 4511 §4.2.2), and behind it nothing, or the
// password policy response control without anything in it.
const (
	plainSuccess = "\x61\x07\x0a\x01\x00\x04\x00\x04\x00"
	emptyPolicy  = "\xa0\x21\x30\x1f\x04\x19" + ldap.ControlTypeBeheraPasswordPolicy + "\x04\x02\x30\x00"
)

// plainly takes the answer from the stream if it is byte for byte a plain success.
// Every other answer stays there to be decoded, with everything that may be in it.
func (x *exchange) plainly() bool {
	head, err := x.in.Peek(2)
	if err != nil || head[0] != 0x30 || head[1] >= 0x80 {
		return false
	}
	message, err := x.in.Peek(2 + int(head[1]))
	if err != nil {
		return false
	}
	var number [10]byte
	rest, ours := bytes.CutPrefix(message[2:], appendInteger(number[:0], x.id))
	rest, success := bytes.CutPrefix(rest, []byte(plainSuccess))
	if !ours || !success || len(rest) > 0 && string(rest) != emptyPolicy {
		return false
	}
	_, err = x.in.Discard(len(message))
	return err == nil
}

// quiet tells whether nothing has come in that nobody asked for.
func (x *exchange) quiet() bool { return x.in.Buffered() == 0 }

// startTLS asks for TLS on a connection on which nothing was sent (RFC 4511
// §4.14). Whatever a server, or somebody on the way, adds in clear to the answer
// is fatal here or in the handshake that follows.
func startTLS(nc net.Conn) error {
	const oid = "1.3.6.1.4.1.1466.20037"
	x := newExchange(nc)
	answer, err := x.call(ldap.ApplicationExtendedResponse, appendElement(nil, 0x77, appendElement(nil, 0x80, []byte(oid))), nil)
	if err != nil {
		return err
	}
	if err := ldap.GetLDAPError(answer); err != nil {
		return &startTLSRefused{err}
	}
	if !x.quiet() {
		return errors.New("bytes in clear after the answer to StartTLS: the connection is tampered with")
	}
	return nil
}

// simpleBind sends a simple bind (RFC 4511 §4.2) with the request for the
// password policy response control, which every server tolerates and OpenLDAP
// and 389 DS answer. Callers make sure that neither argument is empty.
func (x *exchange) simpleBind(dn, password string) ([]ldap.Control, error) {
	op := make([]byte, 0, len(dn)+len(password)+16)
	op = appendInteger(op, 3)
	op = appendElement(op, 0x04, dn)
	op = appendElement(op, 0x80, password)
	defer clear(op)
	const policy = "\xa0\x1d\x30\x1b\x04\x19" + ldap.ControlTypeBeheraPasswordPolicy
	if err := x.send(appendElement(make([]byte, 0, len(op)+6), 0x60, op), []byte(policy)); err != nil {
		return nil, err
	}
	if x.plainly() {
		return nil, nil
	}
	return x.bindAnswer(x.receive(ldap.ApplicationBindResponse))
}

// externalBind lets the server take our identity from the connection: the
// client certificate or, on a local socket, the user id (RFC 4422 appendix A).
func (x *exchange) externalBind() ([]ldap.Control, error) {
	sasl := appendElement(appendElement(nil, 0x04, "EXTERNAL"), 0x04, "")
	op := appendElement(appendElement(appendInteger(nil, 3), 0x04, ""), 0xa3, sasl)
	return x.bindAnswer(x.call(ldap.ApplicationBindResponse, appendElement(nil, 0x60, op), nil))
}

// bindAnswer gives controls and error as go-ldap's SimpleBind does, except that
// a success with a referral is none.
func (x *exchange) bindAnswer(packet *ber.Packet, err error) ([]ldap.Control, error) {
	if err != nil {
		return nil, err
	}
	var controls []ldap.Control
	if len(packet.Children) > 2 {
		for _, child := range packet.Children[2].Children {
			control, err := ldap.DecodeControl(child)
			if err != nil {
				return nil, fmt.Errorf("a control of the bind cannot be read: %w", err)
			}
			controls = append(controls, control)
		}
	}
	if err := ldap.GetLDAPError(packet); err != nil {
		return controls, err
	}
	if referral(packet) != nil {
		return controls, errors.New("success, but the answer refers to another server")
	}
	return controls, nil
}

// unbind says goodbye.
func (x *exchange) unbind() {
	body := append(appendInteger(nil, x.id+1), 0x42, 0)
	_, _ = x.stream.Write(appendElement(nil, 0x30, body))
}

// referral is the list of URIs in an LDAPResult, or nil (RFC 4511 §4.1.9).
func referral(packet *ber.Packet) *ber.Packet {
	if packet == nil || len(packet.Children) < 2 {
		return nil
	}
	op := packet.Children[1]
	for _, child := range op.Children[min(3, len(op.Children)):] {
		if child.ClassType == ber.ClassContext && child.Tag == 3 {
			return child
		}
	}
	return nil
}

// appendElement appends one BER element with a tag of one byte.
func appendElement[T string | []byte](b []byte, tag byte, content T) []byte {
	b = append(b, tag)
	switch n := len(content); {
	case n < 1<<7:
		b = append(b, byte(n))
	case n < 1<<16:
		b = append(b, 0x82, byte(n>>8), byte(n))
	default:
		b = append(b, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(b, content...)
}

// appendInteger appends a number that is not negative.
func appendInteger(b []byte, n int64) []byte {
	content := [8]byte{byte(n >> 56), byte(n >> 48), byte(n >> 40), byte(n >> 32), byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	i := 0
	for i < 7 && content[i] == 0 && content[i+1] < 0x80 {
		i++
	}
	return appendElement(b, 0x02, content[i:])
}
