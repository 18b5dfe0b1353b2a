package console

import (
	"net/url"
	"strings"

	"portico/adapter"
)

// appSignin is an application's sign-in as its address asks for it.
type appSignin struct {
	code, redirect string
	state          adapter.LoginKeyState
}

// loginSlash serves login without its slash.
func (c *Console) loginSlash(x *exchange) (*answer, error) {
	target := c.path("/login/")
	if x.URL.RawQuery != "" {
		target += "?" + x.URL.RawQuery
	}
	return found(target), nil
}

// openApp reads the address. Instead of a sign-in it may give the answer: a
// plain refusal, or the way back for a code that is of no use any more.
func (c *Console) openApp(x *exchange) (*appSignin, *answer, error) {
	in := &appSignin{code: queryValue(x.URL.RawQuery, "code"), redirect: queryValue(x.URL.RawQuery, "redirect")}
	if in.code == "" || in.redirect == "" {
		return nil, page("error", view{Title: "page.badrequest", Error: c.labels.get("error.badrequest"), Status: 200}), nil
	}
	if !c.allowed(in.redirect) {
		return nil, nil, errRedirect
	}
	state, err := c.adapter.LoginKey(x.Context(), in.code)
	if adapter.KindOf(err) == adapter.NotFound && err != nil || err == nil && state.UID != 0 {
		return nil, found(in.redirect), nil
	}
	in.state = state
	return in, nil, err
}

// loginPage shows the step at which an application's sign-in is.
func (c *Console) loginPage(x *exchange) (*answer, error) {
	in, instead, err := c.openApp(x)
	if instead != nil || err != nil {
		return instead, err
	}
	ctx := x.Context()
	if queryValue(x.URL.RawQuery, "reset") == "1" {
		c.clearFlow(ctx)
		return found(withoutReset(x.URL)), nil
	}
	if !c.isFlowOf(x, in) {
		c.clearFlow(ctx)
	}
	return c.showLogin(x, in, outcome{}), nil
}

// withoutReset is the same address without the wish to begin anew.
func withoutReset(u *url.URL) string {
	var kept []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		if name, _, _ := strings.Cut(pair, "="); name != "reset" {
			kept = append(kept, pair)
		}
	}
	return u.EscapedPath() + "?" + strings.Join(kept, "&")
}

func (c *Console) isFlowOf(x *exchange, in *appSignin) bool {
	ctx := x.Context()
	return c.sessions.GetString(ctx, keyFlowKind) == flowApp && c.sessions.GetString(ctx, keyFlowCode) == in.code
}

func (c *Console) showLogin(x *exchange, in *appSignin, o outcome) *answer {
	ctx := x.Context()
	step := c.sessions.GetString(ctx, keyFlowStep)
	data := signinData{
		Step: step, Name: c.sessions.GetString(ctx, keyFlowName),
		AppName: in.state.AppName, AppIcon: in.state.AppIcon,
	}
	if step != stepName {
		data.Restart = c.restartAddress(in.code, in.redirect)
	}
	a := page("signin", view{Title: "page.signin", Error: o.text, Notice: o.info, Data: data})
	a.formTo = c.formTo
	if origin, ok := originOf(data.AppIcon); ok {
		a.images = origin
	}
	return a
}

// loginStep takes what was typed. After the last step the person's id is tied to
// the code, once, and the browser goes back to the application.
func (c *Console) loginStep(x *exchange) (*answer, error) {
	in, instead, err := c.openApp(x)
	if instead != nil || err != nil {
		return instead, err
	}
	ctx := x.Context()
	if !c.isFlowOf(x, in) {
		c.clearFlow(ctx)
		c.sessions.Put(ctx, keyFlowKind, flowApp)
		c.sessions.Put(ctx, keyFlowCode, in.code)
		c.limitStranger(ctx)
		if _, typed := x.PostForm["username"]; !typed {
			// The session with the earlier steps is gone: begin anew.
			return c.showLogin(x, in, outcome{info: c.labels.get("signin.expired")}), nil
		}
	}
	o, err := c.step(x)
	if err != nil {
		return nil, err
	}
	if !o.done {
		return c.showLogin(x, in, o), nil
	}
	err = c.adapter.CompleteLoginKey(ctx, in.code, o.uid)
	if err != nil && adapter.KindOf(err) != adapter.NotFound && adapter.KindOf(err) != adapter.Conflict {
		return nil, err
	}
	if err == nil {
		c.alert(x, o, in.state.AppName)
	}
	c.clearFlow(ctx)
	if c.sessions.GetString(ctx, keyUID) != "" {
		err = c.renew(ctx)
	} else {
		err = c.sessions.Destroy(ctx)
	}
	return found(in.redirect), err
}
