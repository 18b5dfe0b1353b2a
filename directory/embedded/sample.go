package embedded

import (
	"crypto/rand"
	_ "embed"
	"io"
	"strings"
)

//go:embed sample.ldif
var sampleText string

// sampleSuffix is the top of the sample directory.
const sampleSuffix = "dc=example,dc=org"

// Account is a person of the sample directory.
type Account struct {
	DN       string
	Username string
	Password string
	Name     string
	// Status is "normal", "disabled", "locked", "must change" or "expired".
	Status string
}

// Sample gives the configuration of the demo directory, with a fresh service
// password, and its people in the order of the file. Fill the server that is
// made of it with SampleLDIF.
func Sample() (Config, []Account, error) {
	cfg := Config{
		Suffix:          sampleSuffix,
		ServiceDN:       "cn=portico,ou=services," + sampleSuffix,
		ServicePassword: rand.Text(),
		DefaultPolicy:   "cn=default,ou=policies," + sampleSuffix,
		MemberOf:        true,
	}
	var people []Account
	line := 0
	for rec := range records(SampleLDIF(), &line) {
		if rec.err != nil {
			return Config{}, nil, rec.err
		}
		if strings.HasSuffix(rec.req.dn, ",ou=people,"+sampleSuffix) {
			people = append(people, accountOf(rec.req))
		}
	}
	return cfg, people, nil
}

// SampleLDIF gives the entries of the sample directory.
func SampleLDIF() io.Reader { return strings.NewReader(sampleText) }

func accountOf(r addRequest) Account {
	a := Account{DN: r.dn, Status: "normal"}
	for _, x := range r.attrs {
		v := x.vals[0]
		switch x.desc {
		case "uid":
			a.Username = v
		case "displayName":
			a.Name = v
		case "userPassword":
			a.Password = v
		case "pwdReset":
			a.Status = "must change"
		case "pwdChangedTime":
			a.Status = "expired"
		case "pwdAccountLockedTime":
			a.Status = "locked"
			if v == disabledForEver {
				a.Status = "disabled"
			}
		}
	}
	return a
}
