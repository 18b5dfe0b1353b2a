package console

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"
)

// access says who may see a page.
type access uint8

const (
	forAll    access = iota
	forSigned        // signed in
	forFresh         // signed in a short while ago, with every factor
)

// route is one page or one change. GET routes also answer HEAD and change
// nothing; every change is a POST.
type route struct {
	method string
	path   string // below the prefix
	access access
	handle func(c *Console, x *exchange) (*answer, error)
}

// routes is the table of everything that this package answers.
func routes() []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		{get, "/", forAll, (*Console).home},
		{get, "/index.php", forAll, (*Console).home},
		{get, "/home.php", forAll, (*Console).home},
		{get, stylePath(), forAll, (*Console).style},

		{get, "/login", forAll, (*Console).loginSlash},
		{get, "/login/", forAll, (*Console).loginPage},
		{post, "/login/", forAll, (*Console).loginStep},
		{get, "/login/index.php", forAll, (*Console).loginPage},
		{post, "/login/index.php", forAll, (*Console).loginStep},

		{get, "/account", forAll, (*Console).accountSlash},
		{get, "/account/", forSigned, (*Console).overview},
		{get, "/account/signin", forAll, (*Console).signinPage},
		{post, "/account/signin", forAll, (*Console).signinStep},
		{post, "/account/signin/restart", forAll, (*Console).signinRestart},
		{post, "/account/signout", forSigned, (*Console).signOut},
		{post, "/account/signout/everywhere", forSigned, (*Console).signOutEverywhere},
		{get, "/account/history", forSigned, (*Console).history},

		{get, "/account/password", forSigned, (*Console).passwordPage},
		{post, "/account/password", forSigned, (*Console).passwordChange},
		{get, "/account/pin", forSigned, (*Console).pinPage},
		{post, "/account/pin", forFresh, (*Console).pinSet},
		{post, "/account/pin/remove", forFresh, (*Console).pinRemove},
		{get, "/account/codes", forSigned, (*Console).codesPage},
		{post, "/account/codes/begin", forFresh, (*Console).codesBegin},
		{post, "/account/codes/confirm", forFresh, (*Console).codesConfirm},
		{post, "/account/codes/remove", forFresh, (*Console).codesRemove},

		{get, "/account/apppasswords", forSigned, (*Console).appPasswordsPage},
		{post, "/account/apppasswords/add", forFresh, (*Console).appPasswordAdd},
		{post, "/account/apppasswords/revoke", forSigned, (*Console).appPasswordRevoke},
		{get, "/account/phones", forSigned, (*Console).phonesPage},
		{post, "/account/phones/add", forFresh, (*Console).phoneAdd},
		{post, "/account/phones/revoke", forSigned, (*Console).phoneRevoke},

		{get, "/account/keys", forSigned, (*Console).keysPage},
		{post, "/account/keys/add", forFresh, (*Console).keyAdd},
		{post, "/account/keys/revoke", forSigned, (*Console).keyRevoke},

		{get, InvitationPath, forAll, (*Console).invitationPage},
		{post, InvitationPath, forAll, (*Console).invitationAccept},
		{get, InvitationPath + "/confirm", forSigned, (*Console).confirmPage},
		{post, InvitationPath + "/confirm", forSigned, (*Console).confirmAccept},
		{get, joinPath, forAll, (*Console).joinPage},
		{post, joinPath, forAll, (*Console).joinAccept},
		{post, joinPath + "/signup", forAll, (*Console).joinSignUp},
		{get, joinPath + "/decline", forAll, (*Console).joinPage},
		{post, joinPath + "/decline", forAll, (*Console).joinDecline},
		{get, joinPath + "/done", forAll, (*Console).joinDone},
		{get, "/account/connection", forAll, (*Console).connectionPage},
		{post, "/account/connection", forAll, (*Console).connectionAnswer},

		{get, "/account/notifications", forSigned, (*Console).notificationsPage},
		{post, "/account/notifications/read", forSigned, (*Console).notificationRead},
		{post, "/account/notifications/delete", forSigned, (*Console).notificationDelete},
	}
}

// ReservedWords are the first words of the paths of all pages, for those who give
// out addresses at the same place.
func ReservedWords() []string {
	words := map[string]bool{}
	for _, rt := range routes() {
		word, _, _ := strings.Cut(strings.TrimPrefix(rt.path, "/"), "/")
		if word != "" {
			words[word] = true
		}
	}
	return slices.Sorted(maps.Keys(words))
}

func stylePath() string { return "/assets/" + styleVersion() + ".css" }

// Mount adds the routes. A path that is known by another method answers 405.
func (c *Console) Mount(r *mux.Router) {
	for _, route := range routes() {
		methods := []string{route.method}
		if route.method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
		r.Path(c.cfg.Prefix + route.path).Methods(methods...).Handler(c.handler(route))
	}
	if c.cfg.Prefix != "" {
		home := route{http.MethodGet, "", forAll, func(c *Console, _ *exchange) (*answer, error) { return to(c.cfg.Prefix + "/"), nil }}
		r.Path(c.cfg.Prefix).Methods(http.MethodGet, http.MethodHead).Handler(c.handler(home))
	}
}
