package adapter

import "context"

// RemoveUser disables a user, or withdraws a pending invitation; people are never
// deleted from the directory here. Errors: as ChangeUser.
func (a *Adapter) RemoveUser(ctx context.Context, by *UserCaller, name string, client Client) error {
	if !by.May(MayManageUsers) {
		return &Error{Kind: Denied, Field: MayManageUsers}
	}
	_, invitation, err := a.findUser(ctx, name)
	if err != nil {
		return err
	}
	if invitation != nil {
		return a.WithdrawInvitation(ctx, invitation.ID, by.name(), client)
	}
	no := false
	return a.ChangeUser(ctx, by, name, UserChange{Enabled: &no}, client)
}
