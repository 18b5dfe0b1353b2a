package texts

// The messages of the action API and its mobile API.
const (
	LoginOK           ID = "login successful"
	LoginIncorrect    ID = "login incorrect"
	Locked            ID = "account locked"
	Terminated        ID = "account terminated"
	Expired           ID = "password expired"
	StateError        ID = "account state error"
	CodeIncorrect     ID = "2fa incorrect"
	NoSuchCode        ID = "no such code or code expired"
	NoUser            ID = "user does not exist"
	NoGroup           ID = "group does not exist"
	InvalidParameters ID = "invalid parameters"
	DirectoryError    ID = "ldap error"
	SlowDown          ID = "slow down"
	MobileDisabled    ID = "mobile login disabled"
	TryOnWeb          ID = "login failed try on web"
	PairByQR          ID = "2-factor is enabled, you need to use the QR code or manual setup for security reasons"
	MobileNoKey       ID = "mobile credentials missing"
	MobileBadKey      ID = "mobile credentials invalid"
	MobileNoAction    ID = "action not available"
	InternalError     ID = "internal error"
)

// The alert mail, with the placeholders {username} {appname} {datetime} {ipaddr}.
const (
	AlertSubject ID = "admin alert email subject"
	AlertMessage ID = "admin alert email message"
)

// The mail that tells a person of a change, with the placeholders {username} {what}
// {datetime} {ipaddr}, and what may stand for {what}.
const (
	NoticeSubject            ID = "account notice email subject"
	NoticeMessage            ID = "account notice email message"
	NoticePassword           ID = "notice password changed"
	NoticePIN                ID = "notice pin set"
	NoticePINRemoved         ID = "notice pin removed"
	NoticeTOTP               ID = "notice totp set"
	NoticeTOTPRemoved        ID = "notice totp removed"
	NoticeAppPassword        ID = "notice app password added"
	NoticeAppPasswordRevoked ID = "notice app password revoked"
	NoticeMobile             ID = "notice mobile device added"
	NoticeMobileRemoved      ID = "notice mobile device removed"
)

// LetterLinkHint stands above the address of a link, in every letter with one.
const LetterLinkHint ID = "letter link hint"

// The mail that invites somebody to have an account, with the placeholders {site}
// {name} {inviter} {expires}; InviteLinkBody is for people whose entry exists.
const (
	InviteSubject  ID = "invite subject"
	InviteBody     ID = "invite body"
	InviteLinkBody ID = "invite link body"
	InviteButton   ID = "invite button"
	InviteFooter   ID = "invite footer"
)

// Messages of the pages for people.
const (
	NoUsername          ID = "Username not found."
	PasswordIncorrect   ID = "Password incorrect."
	LoginCodeIncorrect  ID = "Code incorrect."
	FillInAll           ID = "Fill in all three boxes."
	NoAppPasswords      ID = "App passwords are not allowed here."
	SamePassword        ID = "old and new passwords match"
	PasswordMismatch    ID = "new password mismatch"
	OldPasswordWrong    ID = "current password incorrect"
	WeakPassword        ID = "weak password"
	PINUpdated          ID = "pin updated"
	PINMismatch         ID = "new pin mismatch"
	PINFormat           ID = "invalid pin format"
	DirectoryServerText ID = "ldap server error"
)

// The mails of collaborations; placeholders as in the English texts.
const (
	CollabInviteSubject    ID = "collaboration invite subject"
	CollabRemindSubject    ID = "collaboration remind subject"
	CollabInviteBody       ID = "collaboration invite body"
	CollabMessage          ID = "collaboration message"
	CollabServices         ID = "collaboration services"
	CollabRoleAdmin        ID = "collaboration role admin"
	CollabRoleMember       ID = "collaboration role member"
	CollabAnswer           ID = "collaboration answer"
	CollabDecline          ID = "collaboration decline"
	CollabInviteFooter     ID = "collaboration invite footer"
	CollabRequestSubject   ID = "collaboration request subject"
	CollabRequestBody      ID = "collaboration request body"
	CollabAnswerRequest    ID = "collaboration answer request"
	CollabApprovedSubject  ID = "collaboration approved subject"
	CollabApprovedBody     ID = "collaboration approved body"
	CollabDeniedSubject    ID = "collaboration denied subject"
	CollabDeniedBody       ID = "collaboration denied body"
	CollabEndsSubject      ID = "collaboration ends subject"
	CollabEndsBody         ID = "collaboration ends body"
	CollabIdleSubject      ID = "collaboration idle subject"
	CollabIdleBody         ID = "collaboration idle body"
	CollabLeaveSubject     ID = "collaboration leave subject"
	CollabLeaveBody        ID = "collaboration leave body"
	CollabLastAdminSubject ID = "collaboration last admin subject"
	CollabLastAdminBody    ID = "collaboration last admin body"
)

// All lists the ids that every language has a text for.
func All() []ID {
	return []ID{
		LoginOK, LoginIncorrect, Locked, Terminated, Expired, StateError, CodeIncorrect, NoSuchCode, NoUser,
		NoGroup, InvalidParameters, DirectoryError, SlowDown, MobileDisabled, TryOnWeb, PairByQR, MobileNoKey,
		MobileBadKey, MobileNoAction, InternalError, AlertSubject, AlertMessage, NoticeSubject, NoticeMessage, NoticePassword, NoticePIN,
		NoticePINRemoved, NoticeTOTP, NoticeTOTPRemoved, NoticeAppPassword, NoticeAppPasswordRevoked, NoticeMobile,
		NoticeMobileRemoved, NoUsername, PasswordIncorrect,
		LoginCodeIncorrect, FillInAll, NoAppPasswords, SamePassword, PasswordMismatch, OldPasswordWrong,
		WeakPassword, PINUpdated, PINMismatch, PINFormat, DirectoryServerText,
		LetterLinkHint, InviteSubject, InviteBody, InviteLinkBody, InviteButton, InviteFooter,
		CollabInviteSubject, CollabRemindSubject, CollabInviteBody, CollabMessage, CollabServices,
		CollabRoleAdmin, CollabRoleMember, CollabAnswer, CollabDecline, CollabInviteFooter,
		CollabRequestSubject, CollabRequestBody, CollabAnswerRequest, CollabApprovedSubject, CollabApprovedBody,
		CollabDeniedSubject, CollabDeniedBody, CollabEndsSubject, CollabEndsBody, CollabIdleSubject,
		CollabIdleBody, CollabLeaveSubject, CollabLeaveBody, CollabLastAdminSubject, CollabLastAdminBody,
	}
}
