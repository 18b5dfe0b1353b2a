package testenv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What all 389 servers have in common.
const (
	ds389Packages        = "389-ds-base"
	ds389Instance        = "t"
	ds389Base            = "dc=example,dc=com"
	ds389AdminPassword   = "directory-manager"
	ds389ServicePassword = "portico-service"
	ds389LogLevel        = "266354688" // errors and warnings, on standard error
)

// errNo389User says that root found nobody to run the server as.
var errNo389User = errors.New("389 DS refuses to be made by root, and there is no user dirsrv")

// ds389Layout is where the programs are.
type ds389Layout struct {
	server, create string
	version        string
}

// findDS389 looks for the programs and asks for the version.
func findDS389() (ds389Layout, error) {
	var l ds389Layout
	var err error
	if l.server, err = findProgram("ns-slapd", ds389Packages, "/usr/sbin"); err != nil {
		return l, err
	}
	if l.create, err = findProgram("dscreate", ds389Packages, "/usr/sbin"); err != nil {
		return l, err
	}
	output, err := exec.Command(l.server, "-v").CombinedOutput()
	if !strings.Contains(string(output), "389") { // it ends with 1 even then
		return l, fmt.Errorf("version of ns-slapd: %w\n%s", err, output)
	}
	l.version = string(output)
	return l, nil
}

// ds389User is whom to run the server as: this user, or dirsrv when this user is root.
func ds389User() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // no other user is needed
	}
	found, err := user.Lookup("dirsrv")
	if err != nil {
		return nil, errNo389User
	}
	uid, err := strconv.ParseUint(found.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNo389User, err)
	}
	gid, err := strconv.ParseUint(found.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNo389User, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), NoSetGroups: false}, nil
}

// ds389Recipe is everything that a template depends on besides the version; the year, because the template's certificate
// ends after two, and the user, to whom the files belong.
func ds389Recipe() string {
	return strings.Join([]string{
		"4", ds389INF(0, 0), fmt.Sprint(ds389Settings()), ds389BaseLDIF, strconv.Itoa(time.Now().Year()),
		strconv.Itoa(os.Geteuid()),
	}, "\x00")
}

// ds389INF is what dscreate is told.
func ds389INF(port, securePort int) string {
	return fmt.Sprintf(`[general]
config_version = 2
full_machine_name = localhost
strict_host_checking = False
systemd = False
selinux = False
start = False
[slapd]
instance_name = %s
port = %d
secure_port = %d
root_password = %s
self_sign_cert = True
[backend-userroot]
suffix = %s
create_suffix_entry = True
`, ds389Instance, port, securePort, ds389AdminPassword, ds389Base)
}

// dseChange is one value of the server's configuration.
type dseChange struct{ dn, attribute, value string }

const plugins389 = ",cn=plugins,cn=config"

// ds389Settings is what the template's configuration has besides what dscreate writes. The caches are small, since
// several servers run at once; the log of transactions is written but not waited for.
func ds389Settings() []dseChange {
	const (
		database = "cn=config,cn=ldbm database" + plugins389
		bdb      = "cn=bdb," + database
		userRoot = "cn=userroot,cn=ldbm database" + plugins389
		config   = "cn=config"
	)
	return []dseChange{
		{config, "nsslapd-listenhost", "127.0.0.1"},
		{config, "nsslapd-securelistenhost", "127.0.0.1"},
		{config, "nsslapd-accesslog-logging-enabled", "off"},
		{config, "nsslapd-auditlog-logging-enabled", "off"},
		{config, "nsslapd-allow-hashed-passwords", "on"},
		{config, "nsslapd-enable-upgrade-hash", "off"},
		{config, "passwordStorageScheme", "SSHA512"},
		{config, "nsslapd-maxdescriptors", "4096"},
		{bdb, "nsslapd-cache-autosize", "0"},
		{bdb, "nsslapd-dbcachesize", "16777216"},
		{bdb, "nsslapd-db-durable-transaction", "off"},
		{userRoot, "nsslapd-cachememsize", "67108864"},
		{userRoot, "nsslapd-dncachememsize", "16777216"},
		{"cn=MemberOf Plugin" + plugins389, "nsslapd-pluginEnabled", "on"},
		{"cn=MemberOf Plugin" + plugins389, "memberOfAutoAddOC", "nsMemberOf"},
		{"cn=Retro Changelog Plugin" + plugins389, "nsslapd-pluginEnabled", "on"},
		{"cn=Retro Changelog Plugin" + plugins389, "nsslapd-attribute", "nsuniqueid:targetUniqueId"},
		{"cn=Content Synchronization" + plugins389, "nsslapd-pluginEnabled", "on"},
		{"cn=USN" + plugins389, "nsslapd-pluginEnabled", "on"},
		{"cn=referential integrity postoperation" + plugins389, "nsslapd-pluginEnabled", "on"},
	}
}

// configure writes this copy's ports and options into its configuration.
func (s *DS389Server) configure() error {
	const config, enabled = "cn=config", "nsslapd-pluginEnabled"
	changes := []dseChange{
		{config, "nsslapd-port", strconv.Itoa(s.ports[0])},
		{config, "nsslapd-securePort", strconv.Itoa(s.ports[1])},
		{config, "nsslapd-ldapifilepath", s.Socket},
	}
	for _, option := range []struct {
		on     bool
		change dseChange
	}{
		{s.options.NoMemberOf, dseChange{"cn=MemberOf Plugin" + plugins389, enabled, "off"}},
		{s.options.NoReferences, dseChange{"cn=referential integrity postoperation" + plugins389, enabled, "off"}},
		{s.options.NoContentSync || s.options.NoChangelog, dseChange{"cn=Content Synchronization" + plugins389, enabled, "off"}},
		{s.options.NoChangelog, dseChange{"cn=Retro Changelog Plugin" + plugins389, enabled, "off"}},
		{s.options.AccountPolicy, dseChange{"cn=Account Policy Plugin" + plugins389, enabled, "on"}},
		{s.options.RequireSecureBind, dseChange{config, "nsslapd-require-secure-binds", "on"}},
		{s.options.SlowHashes, dseChange{config, "passwordStorageScheme", "PBKDF2-SHA512"}},
		{s.options.AccessLog, dseChange{config, "nsslapd-accesslog-logging-enabled", "on"}},
	} {
		if option.on {
			changes = append(changes, option.change)
		}
	}
	for dn, values := range s.options.Config {
		for attribute, value := range values {
			changes = append(changes, dseChange{dn, attribute, value})
		}
	}
	if s.options.FreeIPA {
		schema := filepath.Join(filepath.Dir(s.config("dse.ldif")), "schema", "60portico-freeipa.ldif")
		if err := os.WriteFile(schema, []byte(freeIPASchema), 0o644); err != nil {
			return fmt.Errorf("schema of FreeIPA: %w", err)
		}
	}
	return changeDSE(s.config("dse.ldif"), changes)
}

// changeDSE replaces values in the configuration file of a server that does not run.
func changeDSE(path string, changes []dseChange) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("configuration of 389 DS: %w", err)
	}
	blocks := strings.Split(strings.ReplaceAll(strings.TrimSpace(string(text)), "\n ", ""), "\n\n")
	for _, change := range changes {
		at := slices.IndexFunc(blocks, func(block string) bool {
			first, _, _ := strings.Cut(block, "\n")
			return strings.EqualFold(first, "dn: "+change.dn)
		})
		if at < 0 {
			return fmt.Errorf("configuration of 389 DS: no entry %s", change.dn) //nolint:err113 // a fault of a test
		}
		prefix := strings.ToLower(change.attribute) + ":"
		lines := slices.DeleteFunc(strings.Split(blocks[at], "\n"), func(line string) bool {
			return strings.HasPrefix(strings.ToLower(line), prefix)
		})
		if change.value != "" {
			lines = append(lines, change.attribute+": "+change.value)
		}
		blocks[at] = strings.Join(lines, "\n")
	}
	return rewrite(path, strings.Join(blocks, "\n\n")+"\n\n")
}

// rewrite replaces the text of a file, which keeps its owner and mode.
func rewrite(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return fmt.Errorf("rewrite: %w", err)
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

// moveDS389 replaces the root that the template was made with by this one in all text files.
func moveDS389(root, old string) error {
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.Contains(path, "/var/lib/") {
			return err
		}
		raw, err := os.ReadFile(path) //nolint:gosec // a folder of the tests
		if err != nil {
			return err
		}
		text := string(raw)
		if strings.HasPrefix(entry.Name(), "dse.ldif") { // a path may be cut in two
			text = strings.ReplaceAll(text, "\n ", "")
		}
		if !strings.Contains(text, old) {
			return nil
		}
		return rewrite(path, strings.ReplaceAll(text, old, root))
	})
	if err != nil {
		return fmt.Errorf("move a copy of 389 DS: %w", err)
	}
	return nil
}

// makeTemplate makes the template in a temporary folder, since the cache may lie where the server's user cannot go, and
// copies what came out.
func (s *DS389Server) makeTemplate(ctx context.Context, place string) error {
	maker := newDS389(DS389Options{})
	maker.layout, maker.credential = s.layout, s.credential
	defer maker.Close()
	if err := maker.openFolder(); err != nil {
		return err
	}
	if err := maker.create(ctx); err != nil {
		return fmt.Errorf("template of 389 DS: %w\n%s", err, maker.LogTail())
	}
	if err := os.Mkdir(filepath.Join(place, "root"), 0o700); err != nil {
		return fmt.Errorf("template of 389 DS: %w", err)
	}
	if err := copyTree(ctx, maker.root(), filepath.Join(place, "root")); err != nil {
		return err
	}
	// What is left of the server that has ended: its shared memory and its logs.
	for _, pattern := range []string{"lib/dirsrv/slapd-*/db/__db.*", "log/dirsrv/slapd-*/*"} {
		left, err := filepath.Glob(filepath.Join(place, "root", "var", pattern))
		for _, path := range left {
			err = errors.Join(err, os.Remove(path))
		}
		if err != nil {
			return fmt.Errorf("template of 389 DS: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(place, "place"), []byte(maker.root()), 0o600); err != nil {
		return fmt.Errorf("template of 389 DS: %w", err)
	}
	return nil
}

// create makes an instance and fills it with what every server has.
func (s *DS389Server) create(ctx context.Context) error {
	inf := s.folder.file("instance.inf")
	if err := os.WriteFile(inf, []byte(ds389INF(s.ports[0], s.ports[1])), 0o644); err != nil {
		return fmt.Errorf("write the answers for dscreate: %w", err)
	}
	for _, folder := range []string{s.root(), s.folder.file("bin")} {
		if err := s.mkdir(folder); err != nil {
			return err
		}
	}
	if err := s.do(ctx, s.layout.create, "ds-root", s.root(), s.folder.file("bin")); err != nil {
		return err
	}
	if err := s.do(ctx, s.folder.file("bin/dscreate"), "from-file", inf); err != nil {
		return err
	}
	s.Socket = filepath.Join(s.root(), "run", "s")
	settings := append(ds389Settings(), dseChange{"cn=config", "nsslapd-ldapifilepath", s.Socket})
	if err := changeDSE(s.config("dse.ldif"), settings); err != nil {
		return err
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	if err := s.Add(ds389BaseLDIF); err != nil {
		return err
	}
	if err := s.allow(); err != nil {
		return err
	}
	s.Stop()
	return nil
}

// mkdir makes a folder that belongs to the server's user.
func (s *DS389Server) mkdir(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return fmt.Errorf("folder of 389 DS: %w", err)
	}
	if s.credential == nil {
		return nil
	}
	if err := os.Chown(path, int(s.credential.Uid), int(s.credential.Gid)); err != nil {
		return fmt.Errorf("folder of 389 DS: %w", err)
	}
	return nil
}

// do runs a program as the server's user to its end.
func (s *DS389Server) do(ctx context.Context, path string, args ...string) error {
	child, err := s.command(path, args...).start()
	if err != nil {
		return err
	}
	select {
	case <-child.done:
	case <-ctx.Done():
		child.kill()
	case <-time.After(2 * startPatience):
		child.kill()
	}
	if child.err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), child.err)
	}
	return nil
}
