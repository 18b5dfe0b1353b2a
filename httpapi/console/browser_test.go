package console

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"portico/adapter"
	"portico/directory"
	"portico/testenv"
)

// keyboard is somebody at a real browser who has no mouse.
type keyboard struct {
	t   *testing.T
	tab context.Context
}

func run[T any](k *keyboard, a chromedp.Action[T]) T {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.tab, 60*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		k.t.Fatal(err)
	}
	return v
}

func (k *keyboard) open(address string) { k.t.Helper(); run(k, chromedp.Navigate(address)) }

// at waits until a script says yes.
func (k *keyboard) at(condition string) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.tab, 30*time.Second)
	defer cancel()
	for {
		if ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](condition)); err == nil && ok {
			return
		}
		if ctx.Err() != nil {
			body, _ := chromedp.Run(k.tab, chromedp.Evaluate[string]("location.href + document.body.innerText"))
			k.t.Fatalf("not reached: %s\n%s", condition, body)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// focus goes on with the Tab key until what the selector names has the focus.
func (k *keyboard) focus(selector string) {
	k.t.Helper()
	for range 40 {
		if run(k, chromedp.Evaluate[bool](fmt.Sprintf("document.activeElement.matches(%q)", selector))) {
			return
		}
		run(k, chromedp.KeyEvent("\t"))
	}
	k.t.Fatalf("%s cannot be reached with the Tab key", selector)
}

// enter types into the field that has the focus, and presses Enter.
func (k *keyboard) enter(field, text string) {
	k.t.Helper()
	k.at(fmt.Sprintf("document.readyState == 'complete' && document.querySelector('[name=%s]') != null", field))
	k.focus("[name=" + field + "]")
	run(k, chromedp.KeyEvent(text+"\r"))
}

// picture keeps a screenshot, in the folder that the environment names, and
// checks what can be measured: nothing sticks out, nothing to press is too small.
func (k *keyboard) picture(name string) {
	k.t.Helper()
	if wide := run(k, chromedp.Evaluate[bool]("document.documentElement.scrollWidth > innerWidth")); wide {
		k.t.Errorf("%s is wider than the phone", name)
	}
	small := run(k, chromedp.Evaluate[string](`[...document.querySelectorAll("button, input:not([type=hidden]), .button, ul.cards a")]
		.filter(e => e.getBoundingClientRect().height < 40).map(e => e.outerHTML).join()`))
	if small != "" {
		k.t.Errorf("%s: too small to press: %s", name, small)
	}
	unlabelled := run(k, chromedp.Evaluate[string](`[...document.querySelectorAll("input:not([type=hidden])")]
		.filter(e => e.labels.length != 1).map(e => e.outerHTML).join()`))
	if unlabelled != "" {
		k.t.Errorf("%s: without a label: %s", name, unlabelled)
	}
	if folder := os.Getenv("SCREENSHOTS"); folder != "" {
		data := run(k, chromedp.FullScreenshot(100))
		if err := os.WriteFile(filepath.Join(folder, name+".png"), data, 0o600); err != nil {
			k.t.Fatal(err)
		}
	}
}

func (k *keyboard) scheme(value string) {
	k.t.Helper()
	run(k, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}},
		})
		return err
	}))
}

func TestBrowser(t *testing.T) {
	landed := make(chan string, 10)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/back") {
			landed <- r.URL.String()
		}
		if r.URL.Path == "/icon.png" {
			icon := image.NewRGBA(image.Rect(0, 0, 40, 40))
			draw.Draw(icon, icon.Bounds(), image.NewUniform(color.RGBA{200, 80, 40, 255}), image.Point{}, draw.Src)
			_ = png.Encode(w, icon)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<title>application</title>here"))
	}))
	t.Cleanup(app.Close)
	h := newHouse(t, func(c *Config) { c.Apps = append(c.Apps, App{Title: "Own", URL: app.URL}) })
	k := &keyboard{t: t, tab: testenv.Browser(t)}
	run(k, chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	k.scheme("light")
	run(k, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error { // the focus shows as it does to people
		_, err := cdp.Call(ctx, t, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
		return err
	}))
	login := func() string {
		code, err := h.adapter.NewLoginKey(t.Context(), "TaskFloor", app.URL+"/icon.png")
		must(t, err)
		return h.server.URL + prefix + "/login/?code=" + code + "&redirect=" + app.URL + "/back?a=b"
	}
	t.Run("AppSignin", func(t *testing.T) { k.t = t; browserApp(h, k, login, landed) })
	t.Run("MustChange", func(t *testing.T) { k.t = t; browserMustChange(h, k, login, landed) })
	t.Run("SelfService", func(t *testing.T) { k.t = t; browserSelfService(h, k) })
	t.Run("Dark", func(t *testing.T) { k.t = t; k.scheme("dark"); browserDark(h, k) })
}

func browserApp(h *house, k *keyboard, login func() string, landed chan string) {
	k.open(login())
	k.at("document.activeElement.name == 'username'")             // ready to type
	k.at("document.querySelector('.app img').naturalWidth == 40") // the policy lets the icon through
	if ring := run(k, chromedp.Evaluate[string]("getComputedStyle(document.activeElement).outlineStyle")); ring != "solid" {
		k.t.Errorf("the focus does not show: %q", ring)
	}
	k.picture("signin-name")
	k.enter("username", "jdoe")
	k.at("document.querySelector('[name=password]') != null")
	k.picture("signin-password")
	k.enter("password", "wrong words")
	k.at("document.querySelector('[role=alert]') != null")
	k.picture("signin-wrong")
	k.focus("main a") // another name
	run(k, chromedp.KeyEvent("\r"))
	k.enter("username", "jdoe")
	k.enter("password", "jdoe secret words")
	if got := <-landed; got != "/back?a=b" {
		k.t.Errorf("came back to %s", got)
	}
	k.at("location.pathname == '/back' && document.readyState == 'complete'")
	k.open(h.server.URL + prefix + "/login/?code=x&redirect=https://evil.example/")
	k.picture("signin-refused")
}

func browserMustChange(h *house, k *keyboard, login func() string, landed chan string) {
	h.people.set(func() { h.people.states["ada"] = directory.AccountState{MustChange: true} })
	k.open(login())
	k.enter("username", "ada")
	k.enter("password", "ada secret words")
	k.at("document.querySelector('[name=oldpassword]') != null")
	k.picture("signin-change")
	k.focus("[name=oldpassword]")
	run(k, chromedp.KeyEvent("ada secret words\tbrand new words\tbrand new words\r"))
	if got := <-landed; got != "/back?a=b" {
		k.t.Errorf("came back to %s", got)
	}
	k.at("location.pathname == '/back' && document.readyState == 'complete'")
}

func browserSelfService(h *house, k *keyboard) {
	account := h.server.URL + prefix + "/account/"
	for i, title := range []string{"Your shift on Friday", "Inventory closed"} {
		_, err := h.adapter.AddNotification(k.t.Context(), adapter.ByUsername("jdoe"), adapter.NewNotification{
			Title: title, Content: "Ask your manager if this does not suit you.\nThank you.", URL: fmt.Sprint("https://tasks.example.org/", i),
		})
		must(k.t, err)
	}
	k.open(h.server.URL + prefix + "/")
	k.picture("landing")
	k.focus("main .button")
	run(k, chromedp.KeyEvent("\r"))
	k.enter("username", "jdoe")
	k.enter("password", "jdoe secret words")
	k.at("location.pathname.endsWith('/account/')")
	k.picture("overview")

	k.focus("a[href=codes]")
	run(k, chromedp.KeyEvent("\r"))
	k.at("location.pathname.endsWith('/codes') && document.readyState == 'complete'")
	k.picture("codes-off")
	k.focus("main button")
	run(k, chromedp.KeyEvent("\r"))
	k.at("document.querySelector('.qr img') != null && document.querySelector('.qr img').naturalWidth > 100")
	k.picture("codes-begin")
	secret := run(k, chromedp.Evaluate[string]("document.querySelector('.secret').innerText"))
	k.enter("totp", h.code(secret))
	k.at("document.querySelector('[role=status]') != null")
	k.picture("codes-on")
	h.clock.add(31 * time.Second)

	k.open(account + "phones")
	k.enter("description", "My phone")
	k.at("document.querySelector('.qr img') != null && document.querySelector('.qr img').naturalWidth > 100")
	k.picture("phones")
	k.open(account + "apppasswords")
	k.enter("description", "Mail on the old computer")
	k.at("document.querySelector('.made') != null")
	k.picture("apppasswords")
	k.open(account + "pin")
	k.focus("[name=pin]")
	run(k, chromedp.KeyEvent("2468\t2468\r"))
	k.at("document.querySelector('[role=status]') != null")
	k.picture("pin")
	for _, page := range []string{"notifications", "password", "history"} {
		k.open(account + page)
		k.picture(page)
	}
	k.open(account)
	k.focus("header button")
	run(k, chromedp.KeyEvent("\r"))
	k.at("location.pathname.endsWith('/signin')")
	k.enter("username", "jdoe")
	k.enter("password", "jdoe secret words")
	k.at("document.querySelector('[name=totp]') != null")
	k.picture("signin-code")
	k.enter("totp", h.code(secret))
	k.at("location.pathname.endsWith('/account/')")
}

func browserDark(h *house, k *keyboard) {
	k.open(h.server.URL + prefix + "/account/")
	k.picture("dark-overview")
	k.open(h.server.URL + prefix + "/account/notifications")
	k.picture("dark-notifications")
	k.open(h.server.URL + prefix + "/account/password")
	k.focus("[name=oldpassword]")
	run(k, chromedp.KeyEvent("x\tshort\tshort\r"))
	k.at("document.querySelector('[role=alert]') != null")
	k.picture("dark-error")
	run(k, chromedp.EmulateViewport(1280, 800))
	k.scheme("light")
	k.open(h.server.URL + prefix + "/")
	k.picture("desktop-home")
}
