package adapter

import (
	"context"

	"portico/adapter/store"
	"portico/directory"
)

// canMakePeople tells whether people can be made in the directory.
func (a *Adapter) canMakePeople() bool { return false }

func (a *Adapter) makePerson(ctx context.Context, i store.Invitation, in Acceptance, client Client) (*directory.Entry, error) {
	return nil, errWriteOff
}

var errWriteOff = &Error{Kind: Denied, Field: "directory", Text: "the directory may not be changed"}

func (a *Adapter) changeNames(ctx context.Context, by *UserCaller, entry *directory.Entry, ch UserChange, client Client) error {
	return errWriteOff
}

func (a *Adapter) replaceMembers(ctx context.Context, by *UserCaller, group *directory.Entry, members []directory.ID, client Client) error {
	return errWriteOff
}
