package adapter

import (
	"context"
	"strings"

	"golang.org/x/crypto/ssh"

	"portico/adapter/store"
)

// PublicKey is a public key that a person signs in to other servers with.
type PublicKey struct {
	Description string
	Key         string // kind and key in OpenSSH's form, without a comment
}

// maxPublicKey bounds a public key, in bytes.
const maxPublicKey = 16 << 10

// PublicKeys gives the public keys of a user: those of the directory, then those
// that were added here. Errors: NotFound "user", Unavailable.
func (a *Adapter) PublicKeys(ctx context.Context, name string) ([]PublicKey, error) {
	entry, invitation, err := a.findUser(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case invitation != nil:
		return []PublicKey{}, nil
	}
	uid, err := a.uidOf(ctx, ByID(entry.ID))
	if err != nil {
		return nil, err
	}
	local, err := a.store.PublicKeys(ctx, uid)
	if err != nil {
		return nil, fromStore(err, "user")
	}
	list := []PublicKey{}
	seen := map[string]bool{}
	for _, text := range entry.Attributes["ssh_public_key"] {
		if k, ok := parsePublicKey(text); ok && !seen[k.Key] {
			seen[k.Key] = true
			list = append(list, k)
		}
	}
	for _, k := range local {
		if !seen[k.Key] {
			list = append(list, PublicKey{k.Description, k.Key})
		}
	}
	return list, nil
}

// parsePublicKey reads one line in OpenSSH's form. Options before the key are not
// taken.
func parsePublicKey(text string) (PublicKey, bool) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxPublicKey || strings.ContainsFunc(text, isLineEnd) {
		return PublicKey{}, false
	}
	key, comment, options, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil || len(options) > 0 || len(rest) > 0 {
		return PublicKey{}, false
	}
	return PublicKey{Description: strings.TrimSpace(comment), Key: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))}, true
}

// AddPublicKey adds a public key of a user: one's own, or anybody's for those who
// manage users. The comment of the key is dropped; it is the description where
// none is given. Errors: NotFound "user", Denied, Invalid "key" or "description",
// Conflict "key" when it is there or there are too many.
func (a *Adapter) AddPublicKey(ctx context.Context, by *UserCaller, name string, k PublicKey, client Client) (PublicKey, error) {
	entry, invitation, err := a.findUser(ctx, name)
	switch {
	case err != nil:
		return k, err
	case invitation != nil:
		return k, notFound("user")
	}
	uid, err := a.uidOf(ctx, ByID(entry.ID))
	switch {
	case err != nil:
		return k, err
	case uid != by.Person.UID && !by.May(MayManageUsers):
		return k, &Error{Kind: Denied, Field: MayManageUsers}
	case uid != by.Person.UID:
		if err := a.mayChange(ctx, by, uid, entry); err != nil {
			return k, err
		}
	}
	parsed, ok := parsePublicKey(k.Key)
	if !ok {
		return k, invalid("key", "Key is not a public key in OpenSSH's form")
	}
	if description := oneLine(strings.TrimSpace(k.Description)); description != "" {
		parsed.Description = description
	}
	if len(parsed.Description) > 255 {
		return k, invalid("description", "Description is longer than 255 bytes")
	}
	err = a.store.AddPublicKey(ctx, uid, store.PublicKey{Description: parsed.Description, Key: parsed.Key},
		record(EventUserEdited, uid, by.name(), client, "public key added"))
	return parsed, fromStore(err, "key")
}
