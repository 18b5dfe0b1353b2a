package embedded

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/testenv"
)

const (
	testSuffix  = "dc=example,dc=com"
	testService = "cn=portico,dc=example,dc=com"
	testSecret  = "service-secret"
	testPolicy  = "cn=default,ou=policies,dc=example,dc=com"
)

// seed is what both servers hold before a script runs.
const seed = `dn: dc=example,dc=com
objectClass: organization
objectClass: dcObject
o: Example
dc: example

dn: cn=portico,dc=example,dc=com
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: portico
userPassword: service-secret

`

const slapdConf = `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload syncprov
moduleload memberof
moduleload refint
moduleload ppolicy
pidfile %[1]s/slapd.pid
serverID 1
database mdb
suffix dc=example,dc=com
rootdn cn=admin,dc=example,dc=com
rootpw admin
directory %[1]s/db
maxsize 268435456
dbnosync
limits dn.exact="cn=portico,dc=example,dc=com" size=unlimited time=unlimited
access to attrs=userPassword by dn.exact="cn=portico,dc=example,dc=com" manage by self write by anonymous auth by * none
access to * by dn.exact="cn=portico,dc=example,dc=com" manage by users read by * none
overlay syncprov
syncprov-sessionlog 1000
overlay memberof
memberof-refint TRUE
overlay refint
refint_attributes manager owner
refint_nothing cn=nobody,dc=example,dc=com
overlay ppolicy
ppolicy_default cn=default,ou=policies,dc=example,dc=com
ppolicy_use_lockout
`

func slapdPath(t *testing.T) string {
	t.Helper()
	bin, err := exec.LookPath("slapd")
	if err != nil {
		if bin, err = exec.LookPath("/usr/sbin/slapd"); err != nil {
			t.Fatal("slapd is missing; install it with: apt-get install -y --no-install-recommends slapd ldap-utils")
		}
	}
	return bin
}

// startSlapd runs a real OpenLDAP in a temporary folder and gives its URL.
func startSlapd(t *testing.T) string {
	t.Helper()
	return runSlapd(t, newSlapd(t))
}

// newSlapd makes a database with the seed and gives its configuration file.
func newSlapd(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "slapd.conf")
	must(t, os.Mkdir(filepath.Join(dir, "db"), 0o700))
	must(t, os.WriteFile(conf, fmt.Appendf(nil, slapdConf, dir), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "seed.ldif"), []byte(seed), 0o600))
	load := exec.Command(slapdPath(t), "-T", "add", "-q", "-f", conf, "-l", filepath.Join(dir, "seed.ldif"))
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	return conf
}

// runSlapd serves a database until the test ends.
func runSlapd(t *testing.T, conf string) string {
	t.Helper()
	url := "ldap://" + freePort(t)
	stop := serveSlapd(t, conf, url)
	t.Cleanup(stop)
	return url
}

// serveSlapd serves a database until stop is called.
func serveSlapd(t *testing.T, conf, url string) (stop func()) {
	t.Helper()
	cmd := exec.Command(slapdPath(t), "-d", "0", "-f", conf, "-h", url+"/")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	must(t, cmd.Start())
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	for range 3000 {
		if c, err := ldap.DialURL(url); err == nil {
			_ = c.Close()
			return stop
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop() // it has written its last word, too
	t.Fatalf("slapd does not answer:\n%s", log.String())
	return stop
}

func freePort(t *testing.T) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(testenv.FreePort(t)))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
