package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

func TestIntegrationKeys(t *testing.T) {
	sum := sha256.Sum256([]byte("password!"))
	digits := hex.EncodeToString(sum[:])
	for text, want := range map[string]IntegrationKey{
		"password!":                         {Label: "configured " + digits[:6]},
		" password! ":                       {Label: "configured " + digits[:6]},
		"{php page}password!":               {Label: "php page"},
		"{php; only=member, team}password!": {Label: "php", Only: []string{"member", "team"}},
		"sha256:" + digits:                  {Label: "configured " + digits[:6]},
		"{app; email=no}sha256:" + digits:   {Label: "app", Emails: new(bool)},
	} {
		got, problem := ParseIntegrationKey(NewSecret(text))
		if problem != "" || got.Hash != sum || got.Label != want.Label || !slices.Equal(got.Only, want.Only) || (got.Emails == nil) != (want.Emails == nil) {
			t.Errorf("%q: %+v %s", text, got, problem)
		}
	}
}

func TestIntegrationKeyFaults(t *testing.T) {
	for _, text := range []string{"", "{x}", "{x", "{x; only=everything}k", "{x; email=perhaps}k", "{x; rank=1}k", "sha256:abc"} {
		if _, problem := ParseIntegrationKey(NewSecret(text)); problem == "" {
			t.Errorf("%q was accepted", text)
		}
	}
	mustFail := "apis: {integration: {keys: ['{x; only=verysecret}k']}}\n" + corp
	if _, err := Parse("x.yaml", []byte(mustFail), nil); err == nil || !strings.Contains(err.Error(), "apis.integration.keys[0]") {
		t.Errorf("err = %v", err)
	}
}
