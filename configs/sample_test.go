package configs

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"
)

// ignoreOrigin leaves out where values came from.
var ignoreOrigin = cmp.Options{cmpopts.IgnoreUnexported(Config{}), cmpopts.EquateEmpty()}

func TestTheSampleLoadsAndItsValuesAreTheDefaults(t *testing.T) {
	cfg, err := Parse("portico.sample.yaml", Sample(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Warnings) > 0 {
		t.Errorf("warnings: %v", cfg.Warnings)
	}
	want := Default()
	d := DefaultDirectory() // with the values of the example
	d.Name, d.Preset = "corp", "openldap"
	d.URLs = []string{"ldaps://ldap1.example.org", "ldaps://ldap2.example.org"}
	d.BindDN, d.BindPassword = "cn=portico,ou=services,dc=example,dc=org", NewSecret("change me")
	d.BaseDN = "dc=example,dc=org"
	want.Directories = []Directory{d}
	if diff := cmp.Diff(want, cfg, ignoreOrigin); diff != "" {
		t.Errorf("(- default, + sample)\n%s", diff)
	}
}

func TestTheSampleHasEveryKeyOfTheTypes(t *testing.T) {
	cfg, err := Parse("portico.sample.yaml", Sample(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range allKeys(reflect.TypeFor[Config](), "") {
		if strings.Contains(path, "roles[].") { // an example in a comment
			key := path[strings.LastIndexByte(path, '.')+1:]
			if !regexp.MustCompile(`# +- \{.*\b` + key + `: `).Match(Sample()) {
				t.Errorf("%s is not in the sample", path)
			}
			continue
		}
		if _, ok := cfg.where[strings.ReplaceAll(path, "[]", "[0]")]; !ok {
			t.Errorf("%s is not in the sample", path)
		}
	}
}

func TestTheSampleShowsTheFiltersOfThePresets(t *testing.T) {
	text := string(Sample())
	for _, name := range PresetNames() {
		p, err := PresetByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`#   ` + name + ` +` + regexp.QuoteMeta(p.People.ObjectFilter) + `\n`).MatchString(text) {
			t.Errorf("%s: the filter of people is another", name)
		}
		for _, filter := range []string{p.Groups.ObjectFilter} {
			if strings.Contains(filter, "posixGroup") && strings.Contains(text, "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))") {
				continue // the order of the alternatives does not matter
			}
			if !regexp.MustCompile(name + ` +` + regexp.QuoteMeta(filter) + `\n`).MatchString(text) {
				t.Errorf("%s: the filter of groups is another", name)
			}
		}
	}
}

func TestTheSampleIsTidy(t *testing.T) {
	for i, line := range strings.Split(string(Sample()), "\n") {
		if strings.TrimRight(line, " \t") != line || strings.Contains(line, "\t") || len(line) > 150 {
			t.Errorf("line %d: blanks at the end, a tab, or too long", i+1)
		}
	}
	own := Sample()
	own[0] = 'x'
	if Sample()[0] == 'x' {
		t.Error("callers can change the sample for others")
	}
}

func TestTheFixedKeysStayAsTheyWereAnnounced(t *testing.T) {
	keys := allKeys(reflect.TypeFor[Config](), "")
	for want := range strings.FieldsSeq(`listen base_url tls.cert_file tls.key_file trusted_proxies data_dir store.url
		directories[].name directories[].preset directories[].urls directories[].start_tls directories[].tls.ca_file
		directories[].tls.server_name directories[].tls.insecure_skip_verify directories[].bind_dn directories[].bind_password
		directories[].bind_password_file directories[].base_dn directories[].suffix directories[].users.base_dn
		directories[].users.filter directories[].users.attributes directories[].groups.base_dn directories[].groups.filter
		directories[].groups.attributes directories[].groups.nested directories[].sync.mode directories[].sync.interval
		directories[].write.enabled directories[].write.user_container directories[].write.group_container directories[].write.user_rdn
		apis.action.enabled apis.action.prefix apis.action.mobile apis.action.apps apis.action.admin_email apis.action.language
		apis.action.timezone apis.integration.enabled apis.integration.prefix apis.integration.keys apis.integration.allow_email
		apis.usermanagement.enabled apis.usermanagement.prefix apis.usermanagement.account apis.usermanagement.roles
		apis.collaboration.enabled apis.collaboration.user_id apis.scim.enabled apis.scim.prefix apis.scim.max_results mail.smtp_url mail.from
		log.level log.format metrics.listen`) {
		if !slices.Contains(keys, want) {
			t.Errorf("%s is gone", want)
		}
	}
}

func TestRedactedIsAConfigurationOfTheSameValues(t *testing.T) {
	cfg := mustParse(t, `apis: {action: {apps: {a: {url: /a, mobileapi: /m, icon: /i, title: A, x: [1]}}}}
limits: {body: 3MiB, read_timeout: 90s}
`+corp+"    users: {attributes: {name: cn}}\n")
	text, err := cfg.Redacted()
	if err != nil {
		t.Fatal(err)
	}
	var plain map[string]any
	if err := yaml.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	again, err := Parse("redacted.yaml", text, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	again.Directories[0].BindPassword = cfg.Directories[0].BindPassword
	if diff := cmp.Diff(cfg, again, ignoreOrigin, cmpopts.IgnoreFields(App{}, "JSON")); diff != "" {
		t.Error(diff)
	}
}
