package configs

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// corp is a whole small configuration.
const corp = `directories:
  - name: corp
    preset: openldap
    urls: [ldaps://ldap.example.org]
    bind_dn: cn=portico,dc=example,dc=org
    bind_password: secret
    base_dn: dc=example,dc=org
`

// corpWith is corp with the password's line replaced.
func corpWith(line string) string {
	return strings.Replace(corp, "bind_password: secret", line, 1)
}

// mustParse loads a configuration that is expected to be right.
func mustParse(t *testing.T, text string, environ ...string) *Config {
	t.Helper()
	cfg, err := Parse("portico.yaml", []byte(text), environ)
	if err != nil {
		t.Fatalf("refused:\n%v", err)
	}
	return cfg
}

// mustRefuse loads a configuration that is expected to be wrong.
func mustRefuse(t *testing.T, text string, environ ...string) Faults {
	t.Helper()
	_, err := Parse("portico.yaml", []byte(text), environ)
	var faults Faults
	if !errors.As(err, &faults) || len(faults) == 0 {
		t.Fatalf("got the error %v, want faults", err)
	}
	return faults
}

func secretPath(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	return path
}

func TestAFileOverridesOnlyWhatItNames(t *testing.T) {
	cfg := mustParse(t, "listen: 127.0.0.1:9\napis: {action: {mobile: false}}\n"+corp)
	if cfg.Listen != "127.0.0.1:9" || cfg.APIs.Action.Mobile {
		t.Errorf("the file's values are not there: %v %v", cfg.Listen, cfg.APIs.Action.Mobile)
	}
	if !cfg.APIs.Action.Enabled || cfg.APIs.Action.LoginInterval != 2*time.Second || cfg.Limits != Default().Limits {
		t.Errorf("defaults were lost: %+v %+v", cfg.APIs.Action, cfg.Limits)
	}
	if d := cfg.Directories[0]; d.Pool != DefaultDirectory().Pool || d.Sync != DefaultDirectory().Sync {
		t.Errorf("defaults of the directory were lost: %+v", d)
	}
}

func TestLoadReadsAFileAndNamesItInFaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(path, []byte("lisen: x\n"+corp), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path, nil)
	want := path + ":1: lisen: is not a known key; did you mean listen?"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err = Load(filepath.Join(t.TempDir(), "none"), nil); err == nil || !strings.Contains(err.Error(), "there is no such file") {
		t.Errorf("missing file: %v", err)
	}
	if _, err = Load(t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("folder: %v", err)
	}
}

func TestAConfigurationCanBeTheEnvironmentAlone(t *testing.T) {
	cfg, err := Load("", []string{
		"PORTICO_DIRECTORIES_0_NAME=corp",
		"PORTICO_DIRECTORIES_0_PRESET=389ds",
		"PORTICO_DIRECTORIES_0_URLS=ldaps://a.example.org, ldaps://b.example.org",
		"PORTICO_DIRECTORIES_0_BIND_DN=cn=portico,dc=example,dc=org",
		"PORTICO_DIRECTORIES_0_BIND_PASSWORD=a=b,c",
		"PORTICO_DIRECTORIES_0_BASE_DN=dc=example,dc=org",
	})
	if err != nil {
		t.Fatal(err)
	}
	d := cfg.Directories[0]
	if len(d.URLs) != 2 || d.URLs[1] != "ldaps://b.example.org" || d.BindPassword.Reveal() != "a=b,c" || d.Pool.Size != 8 {
		t.Errorf("got %+v", d)
	}
}

func TestTheEnvironmentWinsOverTheFile(t *testing.T) {
	cfg := mustParse(t, "listen: 127.0.0.1:1\ntrusted_proxies: [10.0.0.1]\nmetrics: {listen: 127.0.0.1:2}\n"+corp+"    users: {attributes: {mail: mail, phone: []}}\n",
		"PORTICO_LISTEN=127.0.0.1:3",
		"PORTICO_TRUSTED_PROXIES=",
		"PORTICO_METRICS_LISTEN=",
		"PORTICO_DIRECTORIES_0_START_TLS=true",
		"PORTICO_DIRECTORIES_0_URLS=[ldap://a.example.org]",
		"PORTICO_DIRECTORIES_0_TLS_SERVER_NAME=b.example.org",
		"PORTICO_DIRECTORIES_0_USERS_ATTRIBUTES_GIVEN_NAME=givenName,cn",
		"PORTICO_DIRECTORIES_0_GROUPS_ATTRIBUTES={members: [rgyMember, member]}",
		"PORTICO_APIS_ACTION_APPS={b: {url: /b, mobileapi: /m, icon: /i, title: B}, a: {url: /a, mobileapi: /m, icon: /i, title: A}}",
		"PORTICO_APIS_ACTION_EXEMPT_KEYS=portal,[x",
		"PORTICO_APIS_INTEGRATION_KEYS=k1,k2",
		"PORTICO_APIS_USERMANAGEMENT_ROLES_0_NAME=Staff",
		"PORTICO_APIS_USERMANAGEMENT_ROLES_0_DEFAULT=true",
		"PORTICO_LIMITS_BODY=2MiB",
		"PORTICO_SECRET_KEY=0123456789012345678901234567890123456789",
		"PORTICO_LISTEN=127.0.0.1:4", // a second one does not count
	)
	d := cfg.Directories[0]
	checks := map[string]bool{
		"text":           cfg.Listen == "127.0.0.1:3",
		"empty list":     len(cfg.TrustedProxies) == 0,
		"empty text":     cfg.Metrics.Listen == "",
		"boolean":        d.StartTLS,
		"list":           slices.Equal(d.URLs, []string{"ldap://a.example.org"}),
		"nested":         d.TLS.ServerName == "b.example.org",
		"map entry":      slices.Equal(d.Users.Attributes["given_name"], Names{"givenName", "cn"}),
		"map kept":       slices.Equal(d.Users.Attributes["mail"], Names{"mail"}),
		"map as YAML":    slices.Equal(d.Groups.Attributes["members"], Names{"rgyMember", "member"}),
		"apps in order":  len(cfg.APIs.Action.Apps) == 2 && cfg.APIs.Action.Apps[0].Name == "b",
		"commas":         slices.Equal(cfg.APIs.Action.ExemptKeys, []string{"portal", "[x"}),
		"secrets":        len(cfg.APIs.Integration.Keys) == 2 && cfg.APIs.Integration.Keys[1].Reveal() == "k2",
		"items by index": len(cfg.APIs.UserManagement.Roles) == 1 && cfg.APIs.UserManagement.Roles[0].Default,
		"size":           cfg.Limits.Body == 2<<20,
		"secret":         len(cfg.SecretKey.Reveal()) == 40,
		"untouched":      d.Name == "corp",
	}
	for name, ok := range checks {
		if !ok {
			t.Errorf("%s: not taken from the environment", name)
		}
	}
}

func TestEveryKeyHasAVariable(t *testing.T) {
	for _, path := range allKeys(reflect.TypeFor[Config](), "") {
		w := newWalker("")
		w.variable = "PORTICO_X"
		rest := strings.ToUpper(strings.NewReplacer("[].", "_0_", ".", "_").Replace(path))
		if !w.set(reflect.ValueOf(Default()).Elem(), rest, "", "x") {
			t.Errorf("%s cannot be set by PORTICO_%s", path, rest)
		}
	}
}

func TestItemsOfTheEnvironmentAreOrderedByNumber(t *testing.T) {
	var environ []string
	for i := range 12 {
		n := itoa(i)
		environ = append([]string{
			"PORTICO_DIRECTORIES_" + n + "_NAME=d" + n,
			"PORTICO_DIRECTORIES_" + n + "_PRESET=openldap",
			"PORTICO_DIRECTORIES_" + n + "_URLS=ldaps://h" + n,
			"PORTICO_DIRECTORIES_" + n + "_BASE_DN=dc=d" + n,
		}, environ...)
	}
	cfg, err := Load("", environ)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range cfg.Directories {
		if d.Name != "d"+itoa(i) {
			t.Errorf("directory %d is %s", i, d.Name)
		}
	}
}

func TestAppsKeepTheirOrderAndTheirUnknownKeys(t *testing.T) {
	cfg := mustParse(t, `apis:
  action:
    apps:
      zulu: {url: https://z.example.org, mobileapi: /m, icon: /i.svg, title: "<Z> & \u00fc", card: {string: Go, color: blue}, n: 1, f: 1.5, b: true, none: , l: [a, 0x10]}
      alpha: {title: A, icon: /i, mobileapi: /m, url: /a}
`+corp)
	apps := cfg.APIs.Action.Apps
	if len(apps) != 2 || apps[0].Name != "zulu" || apps[1].Title != "A" || apps[0].URL != "https://z.example.org" {
		t.Fatalf("got %+v", apps)
	}
	want := `{"url":"https://z.example.org","mobileapi":"/m","icon":"/i.svg","title":"<Z> & ü","card":{"string":"Go","color":"blue"},"n":1,"f":1.5,"b":true,"none":null,"l":["a","0x10"]}`
	if diff := cmp.Diff(want, string(apps[0].JSON)); diff != "" {
		t.Error(diff)
	}
}

func TestAConfigMadeInCodeIsValidatedToo(t *testing.T) {
	cfg := Default()
	err := cfg.Validate()
	if err == nil || err.Error() != "directories: is empty; name at least one LDAP directory, as portico.sample.yaml shows" {
		t.Errorf("got %v", err)
	}
	d := DefaultDirectory()
	d.Name, d.Preset, d.URLs, d.BaseDN = "demo", "openldap", []string{"ldap://127.0.0.1:1389"}, "dc=example,dc=org"
	d.BindDN, d.BindPassword = "cn=portico,dc=example,dc=org", NewSecret("x")
	cfg.Directories = []Directory{d}
	if err := cfg.Validate(); err != nil || len(cfg.Warnings) != 0 {
		t.Errorf("refused: %v, %v", err, cfg.Warnings)
	}
}

func TestExternalURLFollowsFromListen(t *testing.T) {
	for _, c := range []struct{ listen, base, cert, want string }{
		{"127.0.0.1:8080", "", "", "http://127.0.0.1:8080"},
		{":8443", "", "x", "https://localhost:8443"},
		{"[::1]:80", "", "", "http://[::1]:80"},
		{":80", "https://id.example.org/p/", "", "https://id.example.org/p"},
	} {
		cfg := Config{Listen: c.listen, BaseURL: c.base, TLS: ServerTLS{CertFile: c.cert}}
		if got := cfg.ExternalURL(); got != c.want {
			t.Errorf("%+v gives %s", c, got)
		}
	}
}

func TestTrustedProxiesBecomePrefixes(t *testing.T) {
	cfg := Config{TrustedProxies: []string{"10.0.0.1", "10.1.2.3/8", "::1", "::ffff:10.0.0.2"}}
	var got []string
	for _, p := range cfg.TrustedPrefixes() {
		got = append(got, p.String())
	}
	if want := []string{"10.0.0.1/32", "10.0.0.0/8", "::1/128", "10.0.0.2/32"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSizesAreReadAndWritten(t *testing.T) {
	for text, want := range map[string]Size{"0B": 0, "512B": 512, "64KiB": 64 << 10, "1 MiB": 1 << 20, "10MB": 10e6, "3gib": 3 << 30} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "5", "MiB", "-1B", "1.5MiB", "9999999999GiB", "1TiB", "1B2"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q was read as %d", text, got)
		}
	}
	for s, want := range map[Size]string{0: "0B", 1000: "1000B", 1 << 20: "1MiB", 1536: "1536B", 3 << 30: "3GiB"} {
		if s.String() != want {
			t.Errorf("%d is written %s", int64(s), s)
		}
	}
}
