package collaboration

import (
	"context"
	"time"

	"portico/adapter"
	"portico/adapter/store"
	"portico/directory"
)

// SignUp is what a stranger chose who accepts an invitation. It is not printed.
type SignUp struct {
	Token      string
	Username   string
	Password   string
	GivenName  string
	FamilyName string
}

// String hides the password.
func (n SignUp) String() string { return "sign-up of " + n.Username }

// signUpLease is how long one sign-up may take before another may begin.
const signUpLease = 2 * time.Minute

// maySignUp tells whether an account may be made for an invitation: its address
// is nobody's, or that of somebody whose sign-up for it was cut short (begun).
func (s *Collaborations) maySignUp(ctx context.Context, i *Invite) (may, begun bool, err error) {
	if s.accounts == nil || !s.accounts.CanSignUp(s.cfg.SignUpDirectory) {
		return false, false, nil
	}
	owners, err := s.accounts.PeopleByMail(ctx, i.Email)
	if err != nil {
		return false, false, err
	}
	begun = len(owners) == 1 && i.SignUpName != "" && owners[0].Username == i.SignUpName
	return len(owners) == 0 || begun, begun, nil
}

// SignUp makes an account with the address of an invitation, and accepts it. Of
// several attempts at the same time one goes on; one that was cut short can be
// made again under the same name. Errors: NotFound "invitation"; Conflict
// "invitation", "username", "mail" (somebody has the address: sign in instead) or
// "signup" while another attempt goes on; Denied "signup" where it is not allowed;
// Invalid with the field; Unavailable.
func (s *Collaborations) SignUp(ctx context.Context, in SignUp, client adapter.Client) (*InviteView, *adapter.Person, error) {
	v, err := s.ByToken(ctx, in.Token)
	if err != nil {
		return nil, nil, err
	}
	if !v.SignUp {
		return nil, nil, denied("signup", "sign in with the account that you have")
	}
	// Who goes away does not leave a half-made account.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), signUpLease)
	defer cancel()
	name := directory.FoldName(in.Username)
	if v.Begun {
		name = v.SignUpName
	}
	err = s.write(ctx, "invitation", func(ctx context.Context, c *store.CollabTx) error {
		free, err := c.TakeInvite(ctx, v.Invite, name, s.now().Add(signUpLease))
		if err == nil && !free {
			err = conflict("signup", "somebody signs up with this address at this moment")
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	person, err := s.accounts.MakeAccount(ctx, adapter.SignUp{
		Directory: s.cfg.SignUpDirectory, Username: name, Password: in.Password, GivenName: in.GivenName, FamilyName: in.FamilyName,
		Mail: v.Email, Resume: v.Begun,
	}, client)
	if err != nil {
		k := adapter.KindOf(err)
		s.release(ctx, v.Invite, (k == adapter.Invalid || k == adapter.Conflict) && !v.Begun)
		return nil, nil, err
	}
	accepted, err := s.Accept(ctx, in.Token, person.UID, client)
	switch adapter.KindOf(err) {
	case adapter.NotFound, adapter.Conflict, adapter.Denied:
		if err != nil {
			s.accounts.TakeBack(ctx, person, client)
			return nil, nil, err
		}
	}
	if err != nil {
		s.release(ctx, v.Invite, false)
		return nil, nil, err
	}
	return accepted, person, nil
}

// release lets others sign up.
func (s *Collaborations) release(ctx context.Context, i Invite, forget bool) {
	err := s.store.Collab(ctx, "invitation", func(ctx context.Context, c *store.CollabTx) error {
		return c.ReleaseInvite(ctx, i.ID, forget)
	})
	if err != nil {
		s.log.WarnContext(ctx, "an invitation was not given back; it can be accepted again in two minutes", "invitation", i.Identifier, "error", err)
	}
}
