package client

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"go.uber.org/goleak"

	"portico/testenv"
)

func TestMain(m *testing.M) {
	LimitDecoder()
	goleak.VerifyTestMain(m)
}

const (
	base      = "dc=example,dc=com"
	adminDN   = "cn=admin," + base
	serviceDN = "cn=portico," + base
	limitedDN = "cn=limited," + base
	secret    = "secret"
)

// slapd is a real OpenLDAP in a temporary folder, for this package's tests.
type slapd struct {
	t                testing.TB
	dir              string
	url, tlsURL      string
	socketURL        string
	addr             string
	certs            *certs
	cmd              *exec.Cmd
	exited           chan struct{}
	log              *syncBuffer
	extra, anonymous string
}

type slapdOption func(*slapd)

// withAnonymous lets anybody read and take a bind without password for a success.
func withAnonymous() slapdOption {
	return func(s *slapd) {
		s.extra, s.anonymous = "allow bind_anon_cred bind_anon_dn\n", "access to * by * read\n"
	}
}

func startSlapd(t testing.TB, opts ...slapdOption) *slapd {
	t.Helper()
	if _, err := os.Stat("/usr/sbin/slapd"); err != nil {
		t.Fatal("slapd is missing: DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends slapd ldap-utils")
	}
	dir, err := os.MkdirTemp("", "slapd")
	if err != nil {
		t.Fatal(err)
	}
	port, tlsPort := testenv.FreePort(t), testenv.FreePort(t)
	s := &slapd{
		t: t, dir: dir, certs: newCerts(t, dir),
		addr: fmt.Sprintf("127.0.0.1:%d", port), url: fmt.Sprintf("ldap://127.0.0.1:%d", port),
		tlsURL: fmt.Sprintf("ldaps://127.0.0.1:%d", tlsPort), socketURL: "ldapi://" + strings.ReplaceAll(dir, "/", "%2F") + "%2Fldapi",
	}
	for _, o := range opts {
		o(s)
	}
	if err := os.MkdirAll(filepath.Join(dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.write("slapd.conf", s.config())
	s.write("people.ldif", people())
	if out, err := exec.Command("/usr/sbin/slapadd", "-q", "-f", filepath.Join(dir, "slapd.conf"), "-l", filepath.Join(dir, "people.ldif")).CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	s.start()
	t.Cleanup(func() { s.kill(); _ = os.RemoveAll(dir) })
	return s
}

func (s *slapd) write(name, text string) {
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *slapd) config() string {
	access := `access to attrs=userPassword by dn.exact="` + serviceDN + `" manage by self write by anonymous auth by * none
` + s.anonymous + `access to * by dn.exact="` + serviceDN + `" manage by users read by anonymous auth by * none
`
	return strings.ReplaceAll(s.extra+`
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload syncprov
moduleload ppolicy
pidfile T/slapd.pid
TLSCACertificateFile T/ca.crt
TLSCertificateFile T/server.crt
TLSCertificateKeyFile T/server.key
TLSVerifyClient try
database mdb
suffix dc=example,dc=com
rootdn cn=admin,dc=example,dc=com
rootpw admin
directory T/db
maxsize 1073741824
dbnosync
index objectClass eq
index uid eq
limits dn.exact="cn=portico,dc=example,dc=com" size=unlimited time=unlimited
limits dn.exact="cn=limited,dc=example,dc=com" size=5 time=unlimited
`+access+`overlay syncprov
overlay ppolicy
ppolicy_default cn=default,ou=policies,dc=example,dc=com
ppolicy_use_lockout
`, "T/", s.dir+"/")
}

func (s *slapd) start() {
	s.log, s.exited = &syncBuffer{}, make(chan struct{})
	s.cmd = exec.Command("/usr/sbin/slapd", "-d", "0", "-f", filepath.Join(s.dir, "slapd.conf"), "-h", s.url+"/ "+s.tlsURL+"/ "+s.socketURL)
	s.cmd.Stderr = s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, exited chan struct{}) { _ = cmd.Wait(); close(exited) }(s.cmd, s.exited)
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if l, err := ldap.DialURL(s.url, ldap.DialWithDialer(&net.Dialer{Timeout: time.Second})); err == nil {
			_, err = l.Search(pingRequest())
			_ = l.Close()
			if err == nil {
				return
			}
		}
		select {
		case <-s.exited:
			s.t.Fatalf("slapd ended:\n%s", s.log)
		default:
		}
		if time.Now().After(end) {
			s.t.Fatalf("slapd does not come up:\n%s", s.log)
		}
	}
}

func (s *slapd) kill() {
	_ = s.cmd.Process.Signal(syscall.SIGCONT)
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// freeze stops the process without closing anything and waits until it has stopped.
func (s *slapd) freeze() {
	_ = s.cmd.Process.Signal(syscall.SIGSTOP)
	testenv.WaitStopped(s.cmd.Process.Pid)
}

func (s *slapd) thaw() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

// as makes an administrator's connection beside the client.
func (s *slapd) admin() *ldap.Conn {
	s.t.Helper()
	l, err := ldap.DialURL(s.url)
	if err == nil {
		err = l.Bind(adminDN, "admin")
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = l.Close() })
	return l
}

// slack is what a busy machine may add to a time that a test wants bounded. Without the bound it would be far longer.
const slack = 2 * time.Second

// cfg is a plain configuration with short times.
func (s *slapd) cfg() Config { return shortTimes(s.url) }

func shortTimes(urls ...string) Config {
	return Config{
		Name: "corp", URLs: urls, BindDN: serviceDN, BindPassword: secret,
		Timeout: 4 * time.Second, DialTimeout: time.Second, Cooldown: 100 * time.Millisecond,
	}
}

func open(t testing.TB, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg, slog.New(slog.NewTextHandler(&testLog{t: t}, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

type testLog struct{ t testing.TB }

func (l *testLog) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(secret)) {
		l.t.Errorf("a secret in the log: %s", p)
	}
	return len(p), nil
}

func person(name string) string { return "uid=" + name + ",ou=people," + base }

func people() string {
	var b strings.Builder
	b.WriteString(`dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: ou=policies,dc=example,dc=com
objectClass: organizationalUnit
ou: policies

dn: cn=elsewhere,ou=people,dc=example,dc=com
objectClass: referral
objectClass: extensibleObject
cn: elsewhere
ref: ldap://127.0.0.1:1/ou=elsewhere,dc=example,dc=com

`)
	policy := func(name, more string) {
		fmt.Fprintf(&b, "dn: cn=%s,ou=policies,dc=example,dc=com\nobjectClass: applicationProcess\nobjectClass: pwdPolicy\ncn: %s\npwdAttribute: userPassword\n%s\n", name, name, more)
	}
	policy("default", "")
	policy("lock", "pwdLockout: TRUE\npwdMaxFailure: 2\npwdLockoutDuration: 600\n")
	policy("aged", "pwdMaxAge: 86400\n")
	policy("graced", "pwdMaxAge: 86400\npwdGraceAuthNLimit: 3\n")
	policy("warned", "pwdMaxAge: 864000000\npwdExpireWarning: 863999999\n")
	policy("reset", "pwdMustChange: TRUE\n")
	for _, name := range []string{"portico", "limited"} {
		fmt.Fprintf(&b, "dn: cn=%s,dc=example,dc=com\nobjectClass: applicationProcess\nobjectClass: simpleSecurityObject\ncn: %s\nuserPassword: %s\n\n", name, name, secret)
	}
	add := func(name, more string) {
		fmt.Fprintf(&b, "dn: %s\nobjectClass: inetOrgPerson\nuid: %s\ncn: %s\nsn: %s\nuserPassword: pw-%s\n%s\n", person(name), name, name, name, name, more)
	}
	under := func(policy string) string {
		return "pwdPolicySubentry: cn=" + policy + ",ou=policies,dc=example,dc=com\n"
	}
	for _, name := range []string{"alice", "bob", "carol"} {
		add(name, "")
	}
	for i := range 40 {
		add(fmt.Sprintf("p%02d", i), "")
	}
	long := "pwdChangedTime: 20200101000000Z\n"
	add("disabled", "pwdAccountLockedTime: 000001010000Z\n"+under("lock"))
	add("locks", under("lock"))
	add("expired", long+under("aged"))
	add("grace", long+under("graced"))
	add("warned", "pwdChangedTime: "+time.Now().UTC().Add(-time.Hour).Format("20060102150405Z")+"\n"+under("warned"))
	add("reset", "pwdReset: TRUE\n"+under("reset"))
	return b.String()
}

// syncBuffer is a buffer that a process may write while a test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
