package embedded

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

func startSample(t *testing.T) (*Server, Config, []Account) {
	t.Helper()
	cfg, people, err := Sample()
	must(t, err)
	s, err := New(cfg)
	must(t, err)
	must(t, s.LoadLDIF(SampleLDIF()))
	must(t, s.Start())
	t.Cleanup(func() { must(t, s.Close()) })
	return s, cfg, people
}

func TestSample_EveryStatus(t *testing.T) {
	s, cfg, people := startSample(t)
	if len(people) < 30 {
		t.Errorf("%d people", len(people))
	}
	want := map[string]string{
		"normal": "0", "disabled": "49 1", "locked": "49 1", "must change": "0 2", "expired": "49 0",
	}
	seen := map[string]int{}
	c := dial(t, s.URL())
	for _, p := range people {
		seen[p.Status]++
		r := ldap.NewSimpleBindRequest(p.DN, p.Password, []ldap.Control{ldap.NewControlBeheraPasswordPolicy()})
		res, err := c.SimpleBind(r)
		got := outcome(err)
		if pp, ok := ldap.FindControl(res.Controls, ldap.ControlTypeBeheraPasswordPolicy).(*ldap.ControlBeheraPasswordPolicy); ok && pp.Error >= 0 {
			got += " " + string(rune('0'+pp.Error))
		}
		if got != want[p.Status] {
			t.Errorf("%s is %s: bind says %q, want %q", p.Username, p.Status, got, want[p.Status])
		}
		if p.Password != p.Username+"-pw" || p.Name == "" {
			t.Errorf("%+v", p)
		}
	}
	for status := range want {
		if seen[status] == 0 {
			t.Errorf("nobody is %s", status)
		}
	}
	must(t, c.Bind(cfg.ServiceDN, cfg.ServicePassword))
	res, err := c.Search(search(cfg.Suffix, ldap.ScopeWholeSubtree, "(userPassword=*)", "*", "+"))
	if err != nil || len(res.Entries) != 0 {
		t.Errorf("passwords can be searched for: %v", err)
	}
	res, err = c.Search(search(cfg.Suffix, ldap.ScopeWholeSubtree, "(objectClass=*)", "*", "+", "userPassword"))
	must(t, err)
	for _, e := range res.Entries {
		if len(e.GetAttributeValues("userPassword")) != 0 {
			t.Errorf("%s shows its password", e.DN)
		}
	}
	for _, e := range s.Entries() {
		for _, v := range e.Attributes["userPassword"] {
			if !strings.HasPrefix(v, "{SSHA512}") {
				t.Errorf("%s keeps its password in clear", e.DN)
			}
		}
	}
}

// TestSample_IsGoodForOpenLDAP loads the sample into a real server, which then
// gives the same entries.
func TestSample_IsGoodForOpenLDAP(t *testing.T) {
	s, cfg, _ := startSample(t)
	dir := t.TempDir()
	conf := strings.ReplaceAll(slapdConf, "%[1]s", dir)
	conf = strings.ReplaceAll(conf, testSuffix, sampleSuffix)
	file := filepath.Join(dir, "slapd.conf")
	must(t, os.Mkdir(filepath.Join(dir, "db"), 0o700))
	must(t, os.WriteFile(file, []byte(conf), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "sample.ldif"), []byte(sampleText), 0o600))
	if out, err := exec.Command(slapdPath(t), "-T", "add", "-f", file, "-l", filepath.Join(dir, "sample.ldif")).CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	url := runSlapd(t, file)
	real, ours := dial(t, url), dial(t, s.URL())
	must(t, real.Bind("cn=admin,"+sampleSuffix, "admin"))
	must(t, ours.Bind(cfg.ServiceDN, cfg.ServicePassword))
	all := search(sampleSuffix, ldap.ScopeWholeSubtree, "(objectClass=*)", "*", "entryDN", "structuralObjectClass", "pwdReset", "pwdPolicySubentry", "pwdAccountLockedTime")
	if d := lineDiff(show(real.Search(all)), show(ours.Search(all))); d != "" {
		t.Error(d)
	}
}
