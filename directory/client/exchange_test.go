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
