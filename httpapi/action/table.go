package action

import (
	"portico/adapter"
	"portico/internal/texts"
)

// action is one row of the table: what it is called, what key it needs, what it
// takes, and what it does.
type action struct {
	name   string
	level  adapter.Level
	params []rule
	run    handler

	// guarded actions have a least time between two requests; too early is 429.
	guarded bool

	// unknown is the text for a person who does not exist, where it is not
	// texts.NoUser.
	unknown texts.ID
}

// handler does the action and writes its answer into c.out.
type handler func(a *API, c *call) error

// table lists the actions of the action API.
func table() []action { return append(signInActions(), peopleActions()...) }

// signInActions are those of the levels NONE and AUTH.
func signInActions() []action {
	var (
		username = rule{name: "username", typ: typeName}
		password = rule{name: "password", typ: typeText}
		appPass  = rule{name: "apppass", typ: typeFlag, optional: true}
		code     = rule{name: "code", typ: typeText}
	)
	return []action{
		{name: "ping", level: adapter.LevelNone, run: ping},
		{name: "mobileenabled", level: adapter.LevelNone, run: mobileEnabled},
		{name: "listapps", level: adapter.LevelNone, run: listApps},

		{name: "auth", level: adapter.LevelAuth, run: auth, params: []rule{username, password, appPass}},
		{name: "login", level: adapter.LevelAuth, run: login, guarded: true, params: []rule{username, password, appPass}},
		{name: "acctstatus", level: adapter.LevelAuth, run: accountStatus, params: []rule{username}},
		{name: "userexists", level: adapter.LevelAuth, run: userExists, params: []rule{uidOrName("uid")}},
		{name: "hastotp", level: adapter.LevelAuth, run: hasTOTP, params: []rule{username}},
		{name: "verifytotp", level: adapter.LevelAuth, run: verifyTOTP, params: []rule{username, code}},
		{name: "checkpin", level: adapter.LevelAuth, run: checkPIN, unknown: texts.LoginIncorrect, params: []rule{
			{name: "pin", typ: typeText, zeroOK: true}, nameOrUID("username"),
		}},
		{name: "mobilevalid", level: adapter.LevelAuth, run: mobileValid, params: []rule{username, code}},
		{name: "codelogin", level: adapter.LevelAuth, run: codeLogin, params: []rule{code}},
		{name: "getloginkey", level: adapter.LevelAuth, run: getLoginKey, params: []rule{
			{name: "appname", typ: typeText},
			{name: "appicon", typ: typeText, optional: true},
		}},
		{name: "checkloginkey", level: adapter.LevelAuth, run: checkLoginKey, params: []rule{code}},
	}
}

// peopleActions are those of the levels READ and FULL.
func peopleActions() []action {
	var (
		username = rule{name: "username", typ: typeName}
		search   = rule{name: "search", typ: typeText, emptyOK: true}
		get      = rule{name: "get", typ: typeText, optional: true}
		code     = rule{name: "code", typ: typeText}
		id       = rule{name: "id", typ: typeNumber}
		gid      = rule{name: "gid", typ: typeNumber}
	)
	return []action{
		{name: "userinfo", level: adapter.LevelRead, run: userInfo, params: []rule{nameOrUID("uid")}, unknown: texts.LoginIncorrect},
		{name: "usersearch", level: adapter.LevelRead, run: userSearch, params: []rule{search}},
		{name: "groupsearch", level: adapter.LevelRead, run: groupSearch, params: []rule{search}},
		{name: "getgroups", level: adapter.LevelRead, run: getGroups},
		{name: "getgroupsbyuser", level: adapter.LevelRead, run: getGroupsByUser, params: []rule{uidOrName("username")}},
		{name: "getusersbygroup", level: adapter.LevelRead, run: getUsersByGroup, params: []rule{gid, get}},
		{name: "ismanagerof", level: adapter.LevelRead, run: isManagerOf, params: []rule{
			{name: "manager", typ: typeName},
			{name: "employee", typ: typeName},
			{name: "uid", typ: typeNumber, optional: true},
		}},
		{name: "getmanaged", level: adapter.LevelRead, run: getManaged, params: []rule{uidOrName("uid"), get}},
		{name: "getmanagers", level: adapter.LevelRead, run: getManagers, params: []rule{uidOrName("uid")}},
		{name: "permission", level: adapter.LevelRead, run: permission, params: []rule{uidOrName("uid"), code}},
		{name: "getnotifications", level: adapter.LevelRead, run: getNotifications, params: []rule{nameOrUID("username")}},

		{name: "readnotification", level: adapter.LevelFull, run: readNotification, params: []rule{nameOrUID("username"), id}},
		{name: "deletenotification", level: adapter.LevelFull, run: deleteNotification, params: []rule{nameOrUID("username"), id}},
		{name: "addnotification", level: adapter.LevelFull, run: addNotification, params: []rule{
			nameOrUID("username"),
			{name: "title", typ: typeLong, zeroOK: true},
			{name: "content", typ: typeLong, zeroOK: true},
			{name: "timestamp", typ: typeText, optional: true},
			{name: "url", typ: typeLong, optional: true},
		}},
		{name: "alertemail", level: adapter.LevelFull, run: alertEmail, guarded: true, params: []rule{
			username, {name: "appname", typ: typeText, optional: true},
		}},
		{name: "addapppassword", level: adapter.LevelFull, run: addAppPassword, params: []rule{
			{name: "desc", typ: typeText, zeroOK: true}, username,
		}},
	}
}

// uidOrName takes uid rather than username when both are given, nameOrUID the
// other way round; blame is the name to print when there is neither.
func uidOrName(blame string) rule {
	return oneOf(blame, person("uid", typeNumber), person("username", typeName))
}

func nameOrUID(blame string) rule {
	return oneOf(blame, person("username", typeName), person("uid", typeNumber))
}

// mobileTable lists the actions of the mobile API but for ping, which needs
// nobody. They have no level, and check their parameters themselves.
func mobileTable() []action {
	return []action{
		{name: "check_key", run: ping},
		{name: "check_password", run: mobileCheckPassword, guarded: true},
		{name: "user_info", run: mobileUserInfo, guarded: true},
		{name: "start_session", run: mobileStartSession, guarded: true},
		{name: "gencode", run: mobileGenerateCode, guarded: true},
		{name: "listapps", run: listApps},
		{name: "hasotp", run: mobileHasTOTP},
		{name: "checknotifications", run: mobileNotifications},
		{name: "readnotification", run: readNotification},
		{name: "addnotification", run: addNotification},
		{name: "deletenotification", run: deleteNotification},
		{name: mobilePairing, run: mobilePair},
	}
}

// Names lists the actions of the action API and of the mobile API, for those who
// check that every one of them asks who calls.
func Names() (actions, mobile []string) {
	for _, row := range table() {
		actions = append(actions, row.name)
	}
	for _, row := range mobileTable() {
		mobile = append(mobile, row.name)
	}
	return actions, mobile
}
