package sample

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
)

// WriteLDIF writes the directory as LDIF for slapadd or ldapadd: containers, people, groups. Nothing is kept in memory.
func (d *Directory) WriteLDIF(w io.Writer) error {
	out := &ldifWriter{to: bufio.NewWriterSize(w, 1<<16)}
	if d.options.Base {
		d.writeBase(out)
	}
	for i := range d.Departments() {
		out.entry(d.DepartmentDN(i), "organizationalUnit")
		out.value("ou", departments[i])
	}
	for i := range d.options.People {
		d.writePerson(out, i)
	}
	for g := range d.Groups() {
		d.writeGroup(out, g)
	}
	out.raw("\n")
	if err := out.to.Flush(); err != nil {
		return fmt.Errorf("write LDIF: %w", err)
	}
	return nil
}

// LDIF is the directory as a stream, made while it is read.
func (d *Directory) LDIF() io.ReadCloser {
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(d.WriteLDIF(writer)) }()
	return reader
}

// writeBase writes what testenv's servers have already.
func (d *Directory) writeBase(out *ldifWriter) {
	out.entry(d.options.BaseDN, "organization", "dcObject")
	out.value("o", "Example")
	out.value("dc", firstValue(d.options.BaseDN))
	for _, container := range []string{"people", "groups"} {
		out.entry("ou="+container+","+d.options.BaseDN, "organizationalUnit")
		out.value("ou", container)
	}
}

// writePerson writes one person.
func (d *Directory) writePerson(out *ldifWriter, i int) {
	p := d.Person(i)
	classes := []string{"inetOrgPerson"}
	if d.options.Posix {
		classes = append(classes, "posixAccount")
	}
	out.entry(p.DN, classes...)
	out.value("uid", p.UID)
	for _, value := range p.CommonNames {
		out.value("cn", value)
	}
	out.value("sn", p.Family)
	out.value("givenName", p.Given)
	out.value("displayName", p.DisplayName)
	for _, value := range p.Mail {
		out.value("mail", value)
	}
	out.value("telephoneNumber", p.Phone)
	out.value("mobile", p.Mobile)
	out.value("title", p.Title)
	out.value("l", p.Town)
	out.value("preferredLanguage", p.Language)
	out.value("employeeNumber", strconv.Itoa(i))
	for _, value := range p.Description {
		out.value("description", value)
	}
	if p.Manager >= 0 {
		out.value("manager", d.DN(p.Manager))
	}
	out.value("userPassword", hash(p.UID, d.options.Seed, i))
	if d.options.Posix {
		out.value("uidNumber", strconv.Itoa(10_000+i))
		out.value("gidNumber", "10000")
		out.value("homeDirectory", "/home/"+p.UID)
		out.value("loginShell", "/bin/sh")
	}
	switch p.State {
	case StateNormal:
	case StateDisabled:
		out.value("pwdAccountLockedTime", "000001010000Z")
	case StateMustChange:
		out.value("pwdReset", "TRUE")
	}
}

// writeGroup writes one group, and its posixGroup where wanted.
func (d *Directory) writeGroup(out *ldifWriter, g int) {
	group := d.Group(g)
	member := "member"
	if group.Class == "groupOfUniqueNames" {
		member = "uniqueMember"
	}
	out.entry(group.DN, group.Class)
	out.value("cn", group.Name)
	out.value("description", group.Description)
	out.value("owner", group.Owner)
	for _, i := range group.Members {
		out.value(member, d.DN(i))
	}
	for _, dn := range group.Subgroups {
		out.value(member, dn)
	}
	for _, dn := range group.Strangers {
		out.value(member, dn)
	}
	if !d.options.Posix || g >= d.options.Groups {
		return
	}
	name := fmt.Sprintf("posix%d", g)
	out.entry("cn="+name+","+d.groups, "posixGroup")
	out.value("cn", name)
	out.value("gidNumber", strconv.Itoa(10_000+g))
	for _, i := range group.Members {
		out.value("memberUid", d.UID(i))
	}
}

// hash is a salted SHA-1 of the person's password, as OpenLDAP writes it.
func hash(uid string, seed uint64, i int) string {
	salt := binary.BigEndian.AppendUint64(nil, seed^uint64(i))
	sum := sha1.Sum(append([]byte(Password(uid)), salt...))
	return "{SSHA}" + base64.StdEncoding.EncodeToString(append(sum[:], salt...))
}

// firstValue is the value of the first RDN of a plain DN.
func firstValue(dn string) string {
	for i := range len(dn) {
		if dn[i] != '=' {
			continue
		}
		for k := i + 1; k < len(dn); k++ {
			if dn[k] == ',' {
				return dn[i+1 : k]
			}
		}
		return dn[i+1:]
	}
	return dn
}

// ldifWriter writes lines. An error sticks in the buffered writer until it is flushed.
type ldifWriter struct {
	to      *bufio.Writer
	begun   bool
	encoded []byte
}

// raw writes text as it is.
func (w *ldifWriter) raw(text string) { _, _ = w.to.WriteString(text) }

// entry begins an entry.
func (w *ldifWriter) entry(dn string, classes ...string) {
	if w.begun {
		w.raw("\n")
	}
	w.begun = true
	w.value("dn", dn)
	for _, class := range classes {
		w.value("objectClass", class)
	}
}

// value writes one value, in base64 where RFC 2849 demands it; an empty value is left out.
func (w *ldifWriter) value(attribute, value string) {
	if value == "" {
		return
	}
	w.raw(attribute)
	if safe(value) {
		w.raw(": ")
		w.raw(value)
	} else {
		w.raw(":: ")
		w.encoded = base64.StdEncoding.AppendEncode(w.encoded[:0], []byte(value))
		_, _ = w.to.Write(w.encoded)
	}
	w.raw("\n")
}

// safe tells whether a value may stand in LDIF as it is.
func safe(value string) bool {
	if value[0] == ' ' || value[0] == ':' || value[0] == '<' || value[len(value)-1] == ' ' {
		return false
	}
	for i := range len(value) {
		if c := value[i]; c >= 0x80 || c == 0 || c == '\n' || c == '\r' {
			return false
		}
	}
	return true
}
