package console

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"portico/adapter"
	"portico/internal/texts"
)

// App is an application that people sign in to through us.
type App struct {
	Title string
	URL   string // of its origin redirects are allowed to
}

// Config says how the pages are offered.
type Config struct {
	Prefix   string // path before /login/ and /account/; "" or "/accounthub"
	BaseURL  string // how the outside world reaches us, without Prefix; required
	Language string // "en", "nl" or "de"; "" is English
	Title    string // name of the installation; default "Portico"
	Timezone *time.Location
	Apps     []App
	Mobile   bool // the mobile API is on: phones can be paired

	PersonalKeys bool // people can make keys for the user management

	IdleTimeout time.Duration // a session ends when unused for so long; 30 min
	MaxAge      time.Duration // and in any case after; 12 h
	FreshFor    time.Duration // how long after signing in factors may be changed; 15 min
}

// SignIns checks passwords and second factors.
type SignIns interface {
	CheckPassword(ctx context.Context, in adapter.SignIn) (*adapter.SignInResult, error)
	CheckTOTP(ctx context.Context, key adapter.PersonKey, code string, client adapter.Client) (bool, error)
	ChangePassword(ctx context.Context, key adapter.PersonKey, oldPassword, newPassword string, client adapter.Client) error
	LoginKey(ctx context.Context, code string) (adapter.LoginKeyState, error)
	CompleteLoginKey(ctx context.Context, code string, uid int64) error
}

// People looks up who is signed in.
type People interface {
	Person(ctx context.Context, key adapter.PersonKey) (*adapter.Person, error)
	AccountStatus(ctx context.Context, key adapter.PersonKey) (adapter.Status, error)
	History(ctx context.Context, key adapter.PersonKey, limit int) ([]adapter.Event, error)
}

// Factors changes PIN and authentication codes.
type Factors interface {
	SetPIN(ctx context.Context, key adapter.PersonKey, pin, by string, client adapter.Client) error
	BeginTOTP(ctx context.Context, key adapter.PersonKey) (secret, otpauthURL string, err error)
	ReplaceTOTP(ctx context.Context, key adapter.PersonKey, code string, client adapter.Client) (secret, otpauthURL string, err error)
	ConfirmTOTP(ctx context.Context, key adapter.PersonKey, code string, client adapter.Client) error
	RemoveTOTP(ctx context.Context, key adapter.PersonKey, code, by string, client adapter.Client) error
}

// Accesses manages app passwords and paired phones.
type Accesses interface { //nolint:interfacebloat // three verbs for each of two alike things
	AddAppPassword(ctx context.Context, key adapter.PersonKey, description, by string, client adapter.Client) (string, error)
	ListAppPasswords(ctx context.Context, key adapter.PersonKey) ([]adapter.AppPassword, error)
	RevokeAppPassword(ctx context.Context, key adapter.PersonKey, id int64, by string, client adapter.Client) error
	AddMobileCode(ctx context.Context, key adapter.PersonKey, description, by string, client adapter.Client) (string, error)
	ListMobileCodes(ctx context.Context, key adapter.PersonKey) ([]adapter.MobileCode, error)
	RevokeMobileCode(ctx context.Context, key adapter.PersonKey, id int64, by string, client adapter.Client) error
}

// Messages reads and deletes notifications.
type Messages interface {
	Notifications(ctx context.Context, key adapter.PersonKey, unseenOnly bool) ([]adapter.Notification, error)
	ReadNotification(ctx context.Context, key adapter.PersonKey, id int64) error
	DeleteNotification(ctx context.Context, key adapter.PersonKey, id int64) error
}

// PersonalKeys manages people's keys for the user management.
type PersonalKeys interface {
	AddPersonalKey(ctx context.Context, key adapter.PersonKey, label string, client adapter.Client) (string, error)
	ListPersonalKeys(ctx context.Context, key adapter.PersonKey) ([]adapter.KeyInfo, error)
	RevokePersonalKey(ctx context.Context, key adapter.PersonKey, id int64, client adapter.Client) error
}

// Invitations lets people accept invitations.
type Invitations interface {
	Invitation(ctx context.Context, token string) (*adapter.OpenInvitation, error)
	AcceptInvitation(ctx context.Context, in adapter.Acceptance, client adapter.Client) (*adapter.Accepted, error)
}

// Adapter is everything that the pages ask for.
type Adapter interface { //nolint:interfacebloat // composed of narrow ones
	SignIns
	People
	Factors
	Accesses
	Messages
	PersonalKeys
	Invitations
	Sessions
}

// Alerts sends the mail that is owed when somebody with an alert flag signs in.
type Alerts interface {
	AlertMail(ctx context.Context, username, appName string, client adapter.Client) error
}

// Deps are the parts that the pages stand on. Texts, Alerts and Now may be nil.
type Deps struct {
	Adapter Adapter
	Alerts  Alerts
	// Collaborations answers what came by mail; nil: there are no such pages.
	Collaborations Collaborations
	Texts          *texts.Catalogue // of the configured language
	Log            *slog.Logger
	Now            func() time.Time
}

// Console serves the pages. It is an httpapi.Dialect and an httpapi.FailureWriter.
type Console struct {
	cfg      Config
	adapter  Adapter
	alerts   Alerts
	collabs  Collaborations
	log      *slog.Logger
	now      func() time.Time
	labels   *labels
	pages    map[string]*template.Template
	sessions *scs.SessionManager
	cross    *http.CrossOriginProtection
	origins  map[string]bool // that redirects may go to
	formTo   string          // the same, for the policy of the sign-in page
}

//go:embed style.css
var styleSheet []byte

// New makes the pages. Errors: no usable base URL, an unknown language, a broken
// prefix.
func New(cfg Config, deps Deps) (*Console, error) {
	cfg = withDefaults(cfg)
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("base URL %q: want http:// or https:// and a host", cfg.BaseURL)
	}
	if cfg.Prefix != "" && (cfg.Prefix[0] != '/' || strings.ContainsAny(cfg.Prefix, "{}?#%\\\"'<> ")) {
		return nil, fmt.Errorf("prefix %q: want a path such as /accounthub", cfg.Prefix)
	}
	c := &Console{
		cfg: cfg, adapter: deps.Adapter, alerts: deps.Alerts, collabs: deps.Collaborations, log: deps.Log, now: deps.Now,
		cross: http.NewCrossOriginProtection(),
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.labels, err = loadLabels(cfg.Language, deps.Texts); err != nil {
		return nil, err
	}
	if c.pages, err = c.parsePages(); err != nil {
		return nil, err
	}
	if err := c.cross.AddTrustedOrigin(base.Scheme + "://" + base.Host); err != nil {
		return nil, fmt.Errorf("base URL %q: %w", cfg.BaseURL, err)
	}
	c.allowOrigins()
	c.sessions = c.newSessions(base.Scheme == "https")
	return c, nil
}

func withDefaults(cfg Config) Config {
	cfg.Prefix = strings.TrimRight(cfg.Prefix, "/")
	cfg.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	if cfg.Title == "" {
		cfg.Title = "Portico"
	}
	if cfg.Timezone == nil {
		cfg.Timezone = time.UTC
	}
	if cfg.IdleTimeout <= 0 {
		cfg.IdleTimeout = 30 * time.Minute
	}
	if cfg.MaxAge <= 0 {
		cfg.MaxAge = 12 * time.Hour
	}
	if cfg.FreshFor <= 0 {
		cfg.FreshFor = 15 * time.Minute
	}
	return cfg
}

// styleVersion changes with the style sheet, so that browsers may keep it for ever.
func styleVersion() string {
	sum := sha256.Sum256(styleSheet)
	return hex.EncodeToString(sum[:6])
}
