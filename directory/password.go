package directory

// PasswordFault says why a directory did not take a new password.
type PasswordFault uint8

// The faults.
const (
	// PasswordRefused: against the directory's policy, which part is not told.
	PasswordRefused PasswordFault = iota
	// PasswordOldWrong: the old password is wrong, or nobody is there.
	PasswordOldWrong
	PasswordTooShort
	PasswordTooWeak
	PasswordInHistory
	PasswordTooYoung
	// PasswordNotAllowed: this person may not change it.
	PasswordNotAllowed
	// PasswordAccountClosed: the account is locked, disabled or not in use now.
	PasswordAccountClosed
)

// String gives the fault's name for logs.
func (f PasswordFault) String() string {
	names := [...]string{
		"refused by the policy", "old password wrong", "too short", "too weak",
		"used before", "changed too recently", "change not allowed", "account closed",
	}
	if int(f) < len(names) {
		return names[f]
	}
	return "unknown"
}

// PasswordError is a directory's refusal of a new password. Detail is for the
// administrator's log and is never shown to clients.
type PasswordError struct {
	Fault  PasswordFault
	Detail string
}

// Error gives fault and detail, for logs.
func (e *PasswordError) Error() string {
	return "password not changed: " + e.Fault.String() + ": " + e.Detail
}

// PasswordChange is a person's own change of a password. It is not printed.
type PasswordChange struct {
	DN       string
	Old, New string
	// ActiveDirectory: by the attribute unicodePwd instead of the extended
	// operation of RFC 3062.
	ActiveDirectory bool
}

// String hides the passwords.
func (c PasswordChange) String() string { return "password change of " + c.DN }
