package configs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestAbuse_J11_SecretGivenInlineAndByFile(t *testing.T) {
	path := secretPath(t, "x\n", 0o600)
	faults := mustRefuse(t, corp+"    bind_password_file: "+path+"\n")
	if len(faults) != 1 || faults[0].Key != "directories[0].bind_password_file" || faults[0].Line != 8 {
		t.Errorf("got %+v", faults)
	}
}

func TestAbuse_J11_SecretFileMissingOrEmpty(t *testing.T) {
	for name, path := range map[string]string{
		"missing":       filepath.Join(t.TempDir(), "nothing"),
		"empty":         secretPath(t, "", 0o600),
		"only newlines": secretPath(t, "\n\n", 0o600),
		"only spaces":   secretPath(t, "  \n", 0o600),
		"two lines":     secretPath(t, "a\nb\n", 0o600),
		"NUL":           secretPath(t, "a\x00b", 0o600),
		"huge":          secretPath(t, strings.Repeat("a", maxSecretFile+1), 0o600),
		"folder":        t.TempDir(),
		"device":        os.DevNull,
	} {
		t.Run(name, func(t *testing.T) {
			faults := mustRefuse(t, corpWith("bind_password_file: "+path))
			if len(faults) != 1 || faults[0].Line != 6 || faults[0].Key != "directories[0].bind_password_file" {
				t.Errorf("got %+v", faults)
			}
		})
	}
}

func TestAbuse_J11_TrailingNewlineIsTrimmed(t *testing.T) {
	for content, want := range map[string]string{
		"pass":      "pass",
		"pass\n":    "pass",
		"pass\r\n":  "pass",
		" pa ss \n": " pa ss ",
	} {
		cfg := mustParse(t, corpWith("bind_password_file: "+secretPath(t, content, 0o600)))
		if got := cfg.Directories[0].BindPassword.Reveal(); got != want {
			t.Errorf("%q was read as %q", content, got)
		}
	}
}

func TestAbuse_J11_WorldReadableSecretIsWarnedOf(t *testing.T) {
	for mode, insecure := range map[os.FileMode]bool{0o644: true, 0o604: true, 0o640: false, 0o600: false} {
		cfg := mustParse(t, corpWith("bind_password_file: "+secretPath(t, "x", mode)))
		if got := len(cfg.Warnings) == 1 && cfg.Warnings[0].Insecure; got != insecure {
			t.Errorf("mode %o: warnings %v", mode, cfg.Warnings)
		}
	}
}

func TestAbuse_J11_WorldReadableFileWithInlineSecretIsWarnedOf(t *testing.T) {
	secret := secretPath(t, "x", 0o600)
	for _, c := range []struct {
		text string
		mode os.FileMode
		warn bool
	}{
		{corp, 0o644, true},
		{corp, 0o600, false},
		{corpWith("bind_password_file: " + secret), 0o644, false},
	} {
		path := secretPath(t, c.text, c.mode)
		cfg, err := Load(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(cfg.Warnings) == 1 && cfg.Warnings[0].File == path; got != c.warn {
			t.Errorf("mode %o: warnings %v", c.mode, cfg.Warnings)
		}
	}
}

func TestAbuse_J11_EverySecretCanComeFromAFile(t *testing.T) {
	paired := make(map[string]bool)
	cfg := Default()
	cfg.Directories = []Directory{{}}
	eachSecret(reflect.ValueOf(cfg).Elem(), "", func(_, _ reflect.Value, key string) { paired[key] = true })
	for _, want := range []string{"secret_key", "store.url", "directories[0].bind_password", "apis.integration.keys", "mail.smtp_url"} {
		if !paired[want] {
			t.Errorf("%s cannot come from a file", want)
		}
		delete(paired, want)
	}
	if len(paired) > 0 {
		t.Errorf("secrets that this test does not know: %v", paired)
	}
	assertSecretsArePaired(t, reflect.TypeFor[Config]())
}

// assertSecretsArePaired looks for secrets without a _file beside them.
func assertSecretsArePaired(t *testing.T, typ reflect.Type) {
	t.Helper()
	keys := strings.Join(keysOf(typ), " ") + " "
	for i, key := range keysOf(typ) {
		field := typ.Field(i).Type
		isList := field.Kind() == reflect.Slice
		if isList {
			field = field.Elem()
		}
		switch {
		case key == "":
		case field == reflect.TypeFor[Secret]():
			if !strings.Contains(keys, key+"_file ") {
				t.Errorf("%s.%s has no %s_file", typ, key, key)
			}
		case field.Kind() == reflect.Struct:
			assertSecretsArePaired(t, field)
		}
	}
}

func TestAbuse_J11_KeysFileHoldsOneKeyALine(t *testing.T) {
	path := secretPath(t, "# ours\nfirst \r\n\nsecond\n", 0o600)
	keys := mustParse(t, "apis: {integration: {keys_file: "+path+"}}\n"+corp).APIs.Integration.Keys
	if len(keys) != 2 || keys[0].Reveal() != "first" || keys[1].Reveal() != "second" {
		t.Errorf("got %d keys", len(keys))
	}
}

func TestAbuse_J11_EnvironmentReplacesEitherFormOfTheFile(t *testing.T) {
	path := secretPath(t, "from-file\n", 0o600)
	cfg := mustParse(t, corp, "PORTICO_DIRECTORIES_0_BIND_PASSWORD_FILE="+path)
	if got := cfg.Directories[0].BindPassword.Reveal(); got != "from-file" {
		t.Errorf("file over inline: %q", got)
	}
	cfg = mustParse(t, corpWith("bind_password_file: /nowhere"), "PORTICO_DIRECTORIES_0_BIND_PASSWORD=inline")
	if got := cfg.Directories[0].BindPassword.Reveal(); got != "inline" {
		t.Errorf("inline over file: %q", got)
	}
}

func TestAbuse_J12_AllFaultsAreReportedAtOnce(t *testing.T) {
	faults := mustRefuse(t, strings.Join([]string{
		"lisen: 127.0.0.1:1",            // 1 misspelt
		"listen: 127.0.0.1:1",           // 2
		"listen: 127.0.0.1:2",           // 3 duplicate
		"limits: {read_timeout: 30}",    // 4 wrong unit
		"log: {level: verbose}",         // 5 wrong word
		"trusted_proxies: 10.0.0.1",     // 6 wrong type
		"whatever_this_is: {deep: yes}", // 7 unknown
	}, "\n")+"\n"+corp)
	var lines []int
	for _, f := range faults {
		lines = append(lines, f.Line)
		if f.File != "portico.yaml" || f.Text == "" {
			t.Errorf("incomplete fault: %+v", f)
		}
	}
	if fmt.Sprint(lines) != "[1 3 4 5 6 7]" {
		t.Errorf("faults of lines %v:\n%v", lines, faults)
	}
}

func TestAbuse_J12_AnAliasBombIsRefusedQuickly(t *testing.T) {
	data, err := os.ReadFile("testdata/cases/alias-bomb.txt")
	if err != nil {
		t.Fatal(err)
	}
	input, _, _, _ := splitFixture(t, string(data))
	w := newWalker("x")
	cfg := Default()
	w.decode(w.parse([]byte(input)), reflect.ValueOf(cfg).Elem(), "")
	if len(w.faults) == 0 || w.nodes > 100*maxNodes {
		t.Errorf("%d nodes were visited, faults %v", w.nodes, w.faults)
	}
}

func TestAbuse_J12_LimitsOfSizeAndNumber(t *testing.T) {
	for name, text := range map[string]string{
		"large":        "# " + strings.Repeat("x", maxFile) + "\n" + corp,
		"many items":   "trusted_proxies: [" + strings.Repeat("10.0.0.1, ", maxItems+1) + "]\n" + corp,
		"many keys":    strings.Repeat("x", 3) + ": 1\nmail: {" + manyKeys(maxItems+1) + "}\n" + corp,
		"deep":         "listen: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "\n" + corp,
		"deeper":       "listen: " + strings.Repeat("[", 200_000) + "\n" + corp,
		"deep filter":  corp + "    users: {filter: \"" + strings.Repeat("(!", 60_000) + "\"}\n",
		"long dn":      corp + "    password_policy: \"" + strings.Repeat("dc=x,", 5000) + "dc=x\"\n",
		"not text":     "\xff\xfe\x00\x01",
		"long unknown": strings.Repeat("k", 100_000) + ": 1\n" + corp,
	} {
		t.Run(name, func(t *testing.T) {
			faults := mustRefuse(t, text)
			if len(faults) > maxFaults+1 || len(faults.Error()) > 64<<10 {
				t.Errorf("a report of %d faults and %d bytes", len(faults), len(faults.Error()))
			}
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d: 1, ", i)
	}
	return b.String()
}

func TestAbuse_H07_InsecureOptionsAreWarnedOf(t *testing.T) {
	cfg := mustParse(t, corp+"    tls: {insecure_skip_verify: true}\n",
		"PORTICO_LISTEN=:8080", "PORTICO_ALLOW_PLAIN_HTTP=true", "PORTICO_DIRECTORIES_0_URLS=ldap://ldap.example.org,ldaps://ldap.example.org")
	var keys []string
	for _, w := range cfg.Warnings {
		if w.Insecure {
			keys = append(keys, w.Key)
		}
	}
	want := "PORTICO_ALLOW_PLAIN_HTTP PORTICO_DIRECTORIES_0_URLS directories[0].tls.insecure_skip_verify"
	if got := strings.Join(keys, " "); got != want {
		t.Errorf("warned of %s, want %s", got, want)
	}
}

func TestAbuse_K06_SecretsAreNeverPrinted(t *testing.T) {
	const word = "hunter2-hunter2-hunter2-hunter2-hunter2"
	type hidden struct{ s Secret }
	cfg := mustParse(t, "secret_key: "+word+"\nstore: {url: postgres://me:"+word+"@db/portico}\n"+
		"mail: {smtp_url: smtp://me:"+word+"@mail, from: a@example.org}\napis: {integration: {keys: ["+word+"]}}\n"+
		corpWith("bind_password: "+word))
	secret := cfg.SecretKey
	redacted, err := cfg.Redacted()
	if err != nil {
		t.Fatal(err)
	}
	outputs := map[string]string{"redacted": string(redacted)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		for name, value := range map[string]any{
			"secret": secret, "pointer": &secret, "config": cfg, "value": *cfg, "hidden": hidden{secret},
			"list": cfg.APIs.Integration.Keys, "map": map[string]Secret{"k": secret},
		} {
			outputs[name+" "+verb] = fmt.Sprintf(verb, value)
		}
	}
	for name, marshal := range map[string]func(any) ([]byte, error){"JSON": json.Marshal, "YAML": yaml.Marshal} {
		for _, value := range []any{secret, &secret, cfg, *cfg, map[string]any{"s": secret}} {
			data, err := marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			outputs[name] += string(data)
		}
	}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("x", "secret", secret, "pointer", &secret, "config", cfg, "any", any(*cfg))
	}
	outputs["slog"] = log.String()
	hex := fmt.Sprintf("%x", word)
	for name, out := range outputs {
		if strings.Contains(out, word) || strings.Contains(strings.ToLower(out), hex) {
			t.Errorf("%s shows the secret: %s", name, out)
		}
	}
	if secret.Reveal() != word {
		t.Error("the secret itself is lost")
	}
}

func TestAbuse_K06_FaultsNeverHoldASecret(t *testing.T) {
	const word = "hunter2"
	for _, text := range []string{
		corpWith("bind_password: *" + word),
		corpWith("bind_password: &" + word),
		corpWith("bind_password: @" + word),
		corpWith("bind_password: `" + word),
		corpWith("bind_password: %" + word),
		corpWith("bind_password: '" + word),
		corpWith("bind_password: \"" + word + "\\q\""),
		corpWith("bind_password: a: " + word),
		corpWith("bind_password: [" + word + "]"),
		corpWith("bind_password: {" + word + "}"),
		corpWith("bind_password: !" + word + " x"),
		corpWith("bind_password: !!" + word + " x"),
		"store: {url: mysql://me:" + word + "@db/x}\nmail: {smtp_url: \"me:" + word + "@x\"}\nsecret_key: " + word + "\n" + corp,
		"base_url: https://me:" + word + "@host\n" + strings.Replace(corp, "ldaps://ldap.example.org", "ldaps://me:"+word+"@h, ldaps://me:"+word+"@h, \"me:"+word+"@h\"", 1),
	} {
		if out := mustRefuse(t, text).Error(); strings.Contains(out, word) {
			t.Errorf("shows the secret: %s", out)
		}
	}
}
