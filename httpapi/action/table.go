package action

import "portico/adapter"

// action is one row of the table: what it is called, what key it needs, what it
// takes, and what it does.
type action struct {
	name   string
	level  adapter.Level
	params []rule
	run    handler

	// unknown is the text for a person who does not exist, where it is not
	// textNoUser.
	unknown textID
}

// handler does the action and writes its answer into c.out.
type handler func(a *API, c *call) error

// table lists the actions.
func table() []action {
	var (
		username  = rule{name: "username", typ: typeName}
		password  = rule{name: "password", typ: typeText}
		appPass   = rule{name: "apppass", typ: typeFlag, optional: true}
		search    = rule{name: "search", typ: typeText, emptyOK: true}
		get       = rule{name: "get", typ: typeText, optional: true}
		gid       = rule{name: "gid", typ: typeNumber}
		uidOrName = func(blame string) rule { return oneOf(blame, person("uid", typeNumber), person("username", typeName)) }
		nameOrUID = func(blame string) rule { return oneOf(blame, person("username", typeName), person("uid", typeNumber)) }
	)
	return []action{
		{name: "ping", level: adapter.LevelNone, run: ping},

		{name: "auth", level: adapter.LevelAuth, run: auth, params: []rule{username, password, appPass}},
		{name: "login", level: adapter.LevelAuth, run: login, params: []rule{username, password, appPass}},
		{name: "acctstatus", level: adapter.LevelAuth, run: accountStatus, params: []rule{username}},
		{name: "userexists", level: adapter.LevelAuth, run: userExists, params: []rule{uidOrName("uid")}},

		{name: "userinfo", level: adapter.LevelRead, run: userInfo, params: []rule{nameOrUID("uid")}, unknown: textLoginIncorrect},
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
	}
}
