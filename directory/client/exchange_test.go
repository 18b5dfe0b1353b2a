package client

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

func TestEncoding(t *testing.T) {
	for _, n := range []int64{0, 1, 127, 128, 255, 256, 32767, 32768, 1 << 23, 1<<31 - 1} {
		want := ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, n, "").Bytes()
		if got := appendInteger(nil, n); !bytes.Equal(got, want) {
			t.Errorf("%d: % x, want % x", n, got, want)
		}
	}
	for _, n := range []int{0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 20} {
		text := strings.Repeat("x", n)
		p, err := ber.DecodePacketErr(appendElement(nil, 0x04, text))
		if err != nil || p.Value != text {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// once gives what was prepared and keeps what was sent.
type once struct {
	io.Reader
	bytes.Buffer
}

func (o *once) Read(p []byte) (int, error) { return o.Reader.Read(p) }

func TestSimpleBindIsTheOneOfGoLDAP(t *testing.T) {
	answer := result(1, ldap.ApplicationBindResponse, 0, "").Bytes()
	stream := &once{Reader: bytes.NewReader(answer)}
	password := "ä \x01" + strings.Repeat("p", 200)
	if _, err := newExchange(stream).simpleBind(person("alice"), password); err != nil {
		t.Fatal(err)
	}
	p, err := ber.DecodePacketErr(stream.Bytes())
	if err != nil || len(p.Children) != 3 {
		t.Fatal(p, err)
	}
	bind := p.Children[1]
	if bind.Tag != ldap.ApplicationBindRequest || bind.Children[0].Value != int64(3) || bind.Children[1].Value != person("alice") ||
		bind.Children[2].Tag != 0 || bind.Children[2].Data.String() != password {
		t.Errorf("the request is % x", stream.Bytes())
	}
	control, err := ldap.DecodeControl(p.Children[2].Children[0])
	if err == nil || control != nil { // a request has no value, which go-ldap wants of a response
		t.Errorf("control: %v, %v", control, err)
	}
	if oid := p.Children[2].Children[0].Children[0].Value; oid != ldap.ControlTypeBeheraPasswordPolicy {
		t.Errorf("control %v", oid)
	}
}

func TestNoticeOfDisconnectionIsNoAnswer(t *testing.T) {
	stream := &once{Reader: bytes.NewReader(result(0, ldap.ApplicationExtendedResponse, 52, "idle").Bytes())}
	_, err := newExchange(stream).simpleBind(person("alice"), "x")
	var nothing *noAnswerError
	if !errors.As(err, &nothing) {
		t.Errorf("%v", err)
	}
	stream = &once{Reader: bytes.NewReader(result(7, ldap.ApplicationBindResponse, 0, "").Bytes())}
	if _, err = newExchange(stream).simpleBind(person("alice"), "x"); err == nil || errors.As(err, &nothing) {
		t.Errorf("an answer to another request: %v", err)
	}
}

func FuzzBindAnswer(f *testing.F) {
	f.Add(result(1, ldap.ApplicationBindResponse, 0, "").Bytes())
	f.Add(result(1, ldap.ApplicationBindResponse, 49, "data 52e").Bytes())
	f.Fuzz(func(t *testing.T, answer []byte) {
		controls, err := newExchange(&once{Reader: bytes.NewReader(answer)}).simpleBind("cn=a", "x")
		if r := judge(controls, err); r.SignedIn() && err != nil {
			t.Errorf("signed in with %v", err)
		}
	})
}

// What is recognised without decoding means the same when it is decoded, and
// whatever differs from it in one byte is decoded.
func TestPlainSuccess(t *testing.T) {
	for _, rest := range []string{plainSuccess, plainSuccess + emptyPolicy} {
		message := appendElement(nil, 0x30, append(appendInteger(nil, 1), rest...))
		taken := newExchange(&once{Reader: bytes.NewReader(message)})
		taken.id = 1
		if !taken.plainly() || !taken.quiet() {
			t.Errorf("% x is not recognised", message)
		}
		decoded := newExchange(&once{Reader: bytes.NewReader(message)})
		decoded.id = 1
		controls, err := decoded.bindAnswer(decoded.receive(ldap.ApplicationBindResponse))
		if got, want := judge(controls, err), judge(nil, nil); got != want {
			t.Errorf("% x decoded means %+v, want %+v", message, got, want)
		}
		for i := range message {
			other := bytes.Clone(message)
			other[i] ^= 1
			x := newExchange(&once{Reader: bytes.NewReader(other)})
			x.id = 1
			if x.plainly() {
				t.Errorf("% x passes for a success", other)
			}
		}
	}
}
