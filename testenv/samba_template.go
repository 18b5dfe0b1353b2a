package testenv

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// The domain that every server serves, each on a copy of its own.
const (
	sambaRealm           = "SAMDOM.EXAMPLE.COM"
	sambaDomain          = "samdom.example.com"
	sambaBase            = "DC=samdom,DC=example,DC=com"
	sambaAdminPassword   = "Passw0rd.Admin"
	sambaServicePassword = "portico-service"
	sambaPackages        = "samba samba-ad-dc samba-ad-provision samba-dsdb-modules winbind faketime"
)

// Classes and rights by their identifiers in the schema.
const (
	adUserClass     = "bf967aba-0de6-11d0-a285-00aa003049e2"
	adGroupClass    = "bf967a9c-0de6-11d0-a285-00aa003049e2"
	adResetPassword = "00299570-246d-11d0-a768-00aa006e0529" //nolint:gosec // the name of a right
)

// SambaRights are the rights that Portico's service account has beyond those of any user, as access control entries in
// SDDL with %s for the account's SID. They are the least that all of Portico needs; a directory that is only read needs
// the last one alone, and without that one deletions are found by sweeps.
//
//   - on the containers of people and groups: make and remove users and groups, and read, write, rename and delete them;
//     reset passwords;
//   - on CN=Deleted Objects: list and read (dsacls "CN=Deleted Objects,DC=..." /takeownership, then /G account:LCRP).
func SambaRights() (containers, deletedObjects string) {
	return "(OA;CI;CCDC;" + adUserClass + ";;%[1]s)(OA;CI;CCDC;" + adGroupClass + ";;%[1]s)" +
			"(OA;CIIO;RPWPSDLCRCLO;;" + adUserClass + ";%[1]s)(OA;CIIO;RPWPSDLCRCLO;;" + adGroupClass + ";%[1]s)" +
			"(OA;CIIO;CR;" + adResetPassword + ";" + adUserClass + ";%[1]s)",
		"(A;;LCRP;;;%[1]s)"
}

// sambaScript gives the accounts their rights; Samba's own tool cannot change the container of what was deleted.
const sambaScript = `
import sys, ldb
from samba.samdb import SamDB
from samba.param import LoadParm
from samba.auth import system_session
from samba.ndr import ndr_unpack, ndr_pack
from samba.dcerpc import security
conf, sam, base, containers, deleted = sys.argv[1:6]
lp = LoadParm(); lp.load(conf)
db = SamDB(url=sam, session_info=system_session(), lp=lp)
domain = security.dom_sid(db.get_domain_sid())
found = db.search(base=base, scope=ldb.SCOPE_SUBTREE, expression="(sAMAccountName=portico)", attrs=["objectSid"])
sid = str(ndr_unpack(security.dom_sid, found[0]["objectSid"][0]))
def grant(dn, aces):
    found = db.search(base=dn, scope=ldb.SCOPE_BASE, attrs=["nTSecurityDescriptor"], controls=["show_deleted:1"])
    text = ndr_unpack(security.descriptor, found[0]["nTSecurityDescriptor"][0]).as_sddl(domain)
    dacl, sacl, rest = text.partition("S:")
    descriptor = ndr_pack(security.descriptor.from_sddl(dacl + aces.replace("%[1]s", sid) + sacl + rest, domain))
    change = ldb.Message(ldb.Dn(db, dn))
    change["sd"] = ldb.MessageElement(descriptor, ldb.FLAG_MOD_REPLACE, "nTSecurityDescriptor")
    db.modify(change, ["show_deleted:1", "sd_flags:1:4"])
grant("OU=People," + base, containers)
grant("OU=Groups," + base, containers)
grant("CN=Deleted Objects," + base, deleted)
`

// sambaLayout is where the programs are.
type sambaLayout struct{ samba, tool, python, faketime string }

func findSamba() (l sambaLayout, err error) {
	for name, path := range map[string]*string{"samba": &l.samba, "samba-tool": &l.tool, "faketime": &l.faketime} {
		if *path, err = findProgram(name, sambaPackages, "/usr/sbin", "/usr/bin"); err != nil {
			return sambaLayout{}, err
		}
	}
	// The interpreter that samba-tool itself names has Samba's modules; another one in PATH need not.
	text, err := os.ReadFile(l.tool)
	if err != nil {
		return sambaLayout{}, fmt.Errorf("samba-tool: %w", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	l.python = strings.TrimSpace(strings.TrimPrefix(first, "#!"))
	if _, err := os.Stat("/usr/share/samba/setup/provision.ldif"); err != nil {
		return sambaLayout{}, &MissingError{Program: "samba-ad-provision", Packages: sambaPackages}
	}
	return l, nil
}

// sambaRecipe is what is done with a new domain, by samba-tool.
func sambaRecipe() [][]string {
	return [][]string{
		{
			"domain", "passwordsettings", "set", "--complexity=off", "--history-length=0", "--min-pwd-length=4", "--min-pwd-age=0",
			"--account-lockout-threshold=3",
		},
		{"ou", "create", "OU=People," + sambaBase},
		{"ou", "create", "OU=Groups," + sambaBase},
		{"user", "create", "portico", sambaServicePassword},
		{"user", "create", "weak", sambaServicePassword},
		{"user", "setexpiry", "portico", "--noexpiry"},
		{"user", "setexpiry", "weak", "--noexpiry"},
	}
}

// template makes a domain once on this machine; the password policy is loose, so that tests can choose what they like.
func (l sambaLayout) template(ctx context.Context) (string, error) {
	containers, deleted := SambaRights()
	key := fmt.Sprint(packageVersion(ctx, "samba"), sambaRecipe(), sambaScript, containers, deleted, sambaConfig("T", "IP", &Certificate{}, "", false))
	return template(ctx, "samba", key, func(ctx context.Context, folder string) error {
		err := run(ctx, nil, l.tool, "domain", "provision", "--targetdir="+folder, "--realm="+sambaRealm, "--domain=SAMDOM",
			"--server-role=dc", "--dns-backend=NONE", "--adminpass="+sambaAdminPassword, "--host-name=dc1", "--host-ip=127.0.0.1", "--use-rfc2307")
		if err != nil {
			return err
		}
		for _, name := range []string{"run", "cache", "tls"} {
			if err := os.MkdirAll(filepath.Join(folder, name), 0o700); err != nil {
				return fmt.Errorf("folder of samba: %w", err)
			}
		}
		conf, sam := filepath.Join(folder, "smb.conf"), filepath.Join(folder, "private", "sam.ldb")
		if err := os.WriteFile(conf, []byte(sambaConfig(folder, "127.0.0.1", &Certificate{}, "", false)), 0o600); err != nil {
			return fmt.Errorf("configuration of samba: %w", err)
		}
		for _, args := range sambaRecipe() {
			if err := run(ctx, nil, l.tool, append(args, "-s", conf, "-H", sam)...); err != nil {
				return err
			}
		}
		return run(ctx, nil, l.python, "-c", sambaScript, conf, sam, sambaBase, containers, deleted)
	})
}

// sambaConfig is smb.conf: the LDAP service alone, everything in one folder, one loopback address.
func sambaConfig(folder, ip string, certificate *Certificate, ca string, plain bool) string {
	strong := "yes"
	if plain {
		strong = "no"
	}
	return strings.Join([]string{
		"[global]", "netbios name = DC1", "realm = " + sambaRealm, "workgroup = SAMDOM",
		"server role = active directory domain controller", "server services = ldap", "dcerpc endpoint servers =",
		"private dir = " + folder + "/private", "state directory = " + folder + "/state", "cache directory = " + folder + "/cache",
		"lock directory = " + folder, "pid directory = " + folder + "/run", "ncalrpc dir = " + folder + "/run/ncalrpc",
		"interfaces = " + ip + "/8", "bind interfaces only = yes", "ldap server require strong auth = " + strong,
		"tls keyfile = " + certificate.KeyFile, "tls certfile = " + certificate.CertFile, "tls cafile = " + ca, "",
	}, "\n")
}

// errNoAddress says that no loopback address could be reserved.
var errNoAddress = errors.New("no loopback address with free ports 389 and 636 found")

// reserveAddress finds a loopback address whose LDAP ports are free and holds a lock on it. The ports of Samba are fixed,
// so that each server has an address of its own; the kernel answers to all of 127.0.0.0/8.
func reserveAddress() (ip string, release func(), err error) {
	folder := filepath.Join(os.TempDir(), "portico-ports-"+strconv.Itoa(os.Geteuid()))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", nil, fmt.Errorf("folder for address locks: %w", err)
	}
	for range 200 {
		ip := fmt.Sprintf("127.%d.%d.%d", 64+rand.IntN(64), 1+rand.IntN(254), 1+rand.IntN(254))
		lock, err := os.OpenFile(filepath.Join(folder, ip), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return "", nil, fmt.Errorf("lock of an address: %w", err)
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil && addressIsFree(ip, "389", "636", "3268", "3269") {
			return ip, func() { _ = lock.Close() }, nil
		}
		_ = lock.Close()
	}
	return "", nil, errNoAddress
}

// addressIsFree tells whether a server could listen on the ports of an address now.
func addressIsFree(ip string, ports ...string) bool {
	for _, port := range ports {
		var config net.ListenConfig
		listener, err := config.Listen(context.Background(), "tcp", net.JoinHostPort(ip, port))
		if err != nil || listener.Close() != nil {
			return false
		}
	}
	return true
}
