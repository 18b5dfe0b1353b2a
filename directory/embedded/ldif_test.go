package embedded

import (
	"slices"
	"strings"
	"testing"
)

func TestLoadLDIF(t *testing.T) {
	s, err := New(Config{Suffix: testSuffix})
	must(t, err)
	must(t, s.LoadLDIF(strings.NewReader(strings.ReplaceAll(`version: 1
# a comment
 that goes on
dn: dc=example,dc=com
objectClass: organization
objectClass: dcObject
dc: example
o: A long
  name
description:: w5xiZXI=
description:   leading spaces are not part of it
entryUUID: 11111111-2222-4333-8444-555555555555
createTimestamp: 20200101000000Z


# between
dn:: dWlkPcOkLGRjPWV4YW1wbGUsZGM9Y29t
objectClass: account
uid:: w6Q=
`, "\n", "\r\n"))))
	got := s.Entries()
	if len(got) != 2 || got[1].DN != "uid=ä,dc=example,dc=com" {
		t.Fatalf("%+v", got)
	}
	a := got[0].Attributes
	if a["o"][0] != "A long name" || !slices.Equal(a["description"], []string{"Über", "leading spaces are not part of it"}) ||
		a["entryUUID"][0] != "11111111-2222-4333-8444-555555555555" || a["createTimestamp"][0] != "20200101000000Z" {
		t.Errorf("%v", a)
	}
}

func TestLoadLDIF_Errors(t *testing.T) {
	const good = "dn: dc=example,dc=com\nobjectClass: organization\nobjectClass: dcObject\no: x\ndc: example\n\n"
	for name, x := range map[string]struct{ text, want string }{
		"no dn":         {"objectClass: x\n", "line 1"},
		"no colon":      {good + "dn: uid=a,dc=example,dc=com\nnonsense\n", "line 8"},
		"bad base64":    {good + "dn:: ***\n", "line 7"},
		"file":          {good + "dn: uid=a,dc=example,dc=com\njpegPhoto:< file:///etc/passwd\n", "line 8"},
		"changes":       {good + "dn: uid=a,dc=example,dc=com\nchangetype: delete\n", "line 8"},
		"schema":        {good + "dn: uid=a,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: a\n", "line 7: uid=a,dc=example,dc=com: result code 65"},
		"parent":        {good + "dn: uid=a,ou=x,dc=example,dc=com\nobjectClass: account\nuid: a\n", "result code 32"},
		"outside":       {"dn: dc=other\nobjectClass: domain\ndc: other\n", "line 1"},
		"twice":         {good + good, "result code 68"},
		"two dns":       {"dn: dc=example,dc=com\ndn: dc=example,dc=com\n", "line 2"},
		"the same uuid": {good + uuidTwice, "entryUUID is taken"},
	} {
		s, err := New(Config{Suffix: testSuffix})
		must(t, err)
		if err := s.LoadLDIF(strings.NewReader(x.text)); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %q", name, err, x.want)
		}
	}
}

const uuidTwice = `dn: uid=a,dc=example,dc=com
objectClass: account
uid: a
entryUUID: 11111111-2222-4333-8444-555555555555

dn: uid=b,dc=example,dc=com
objectClass: account
uid: b
entryUUID: 11111111-2222-4333-8444-555555555555
`
