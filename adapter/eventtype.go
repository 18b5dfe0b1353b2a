package adapter

import "strconv"

// String names the type of an event.
func (t EventType) String() string {
	names := map[EventType]string{
		EventPortalLoginOK: "portal sign-in", EventPortalLoginFailed: "portal sign-in failed",
		EventPasswordChanged: "password changed",
		EventAPILoginOK:      "API sign-in", EventAPILoginFailed: "API sign-in failed",
		EventPortalBadTOTP: "portal wrong code", EventAPIBadTOTP: "API wrong code",
		EventTOTPAdded: "TOTP added", EventTOTPRemoved: "TOTP removed",
		EventLogout: "sign-out", EventAPIAuthOK: "API credentials right", EventAPIAuthFailed: "API credentials wrong",
		EventAPIBadKey: "API key refused", EventLogCleared: "log cleared",
		EventUserRemoved: "user removed", EventUserAdded: "user added", EventUserEdited: "user edited",
		EventMobileLoginOK: "mobile sign-in", EventMobileLoginFailed: "mobile sign-in failed", EventMobileBadKey: "mobile key wrong",
		EventKeyCreated: "API key made", EventKeyRevoked: "API key revoked", EventLogRead: "log read",
		EventOrgChanged: "organisation changed", EventCollabMade: "collaboration made", EventCollabChanged: "collaboration changed",
		EventCollabEnded: "collaboration ended", EventCollabMember: "membership changed", EventCollabGroup: "collaboration group changed",
		EventCollabInvite: "invitation changed", EventCollabService: "connection changed", EventCollabRefused: "collaboration API refused",
		EventGroupAdded: "group added", EventGroupEdited: "group edited", EventGroupRemoved: "group removed",
		EventClosingRefused: "too many accounts closed",
	}
	if name, ok := names[t]; ok {
		return name
	}
	return "type " + strconv.Itoa(int(t))
}
