package usermanagement

import (
	"net/http"
	"strings"

	"portico/adapter"
)

func (a *API) listPublicKeys(c *call) error {
	keys, err := a.adapter.PublicKeys(c.r.Context(), c.name)
	if err != nil {
		return err
	}
	return a.list(c, "public-key-joins", "public-key-join", func(emit func(record) error) error {
		for _, k := range keys {
			if err := emit(keyRecord(k)); err != nil {
				return err
			}
		}
		return nil
	})
}

func keyRecord(k adapter.PublicKey) record {
	return record{{name: "description", value: k.Description}, {name: "key", value: k.Key}}
}

// plainPublicKeys answers with one key a line, for authorized_keys.
func (a *API) plainPublicKeys(c *call) error {
	keys, err := a.adapter.PublicKeys(c.r.Context(), c.name)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, k := range keys {
		b.WriteString(k.Key + "\n")
	}
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = c.w.Write([]byte(b.String())) // the client may be gone
	return nil
}

func (a *API) addPublicKey(c *call) error {
	n, err := a.readBody(c, "public-key")
	if err != nil {
		return err
	}
	var k adapter.PublicKey
	if k.Description, _, err = n.value("description"); err != nil {
		return err
	}
	if k.Key, _, err = n.value("key"); err != nil {
		return err
	}
	k, err = a.adapter.AddPublicKey(c.r.Context(), c.caller, c.name, k, c.client)
	if err != nil {
		return err
	}
	c.status = http.StatusCreated
	return a.one(c, "public-key", keyRecord(k))
}
