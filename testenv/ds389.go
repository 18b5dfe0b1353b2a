package testenv

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// DS389Server is a running 389 Directory Server. Its methods may be called from several goroutines, but only one of them
// at a time should start or stop it.
type DS389Server struct {
	BaseDN          string // dc=example,dc=com
	PeopleDN        string // where people go: ou=people, or cn=users,cn=accounts with the layout of FreeIPA
	GroupsDN        string // where groups go: ou=groups, or cn=groups,cn=accounts
	ServiceDN       string // Portico's account: may read and write everything
	ServicePassword string
	AdminDN         string // the Directory Manager: no limits, no password policy
	AdminPassword   string
	CAFile          string // authority of the server certificate, which is for "localhost" only; PEM
	Socket          string // path of the unix socket

	options    DS389Options
	layout     ds389Layout
	credential *syscall.Credential
	folder     *folder
	ports      [2]int
	release    []func()

	mu      sync.Mutex
	process *process
}

// DS389 starts a 389 Directory Server that ends with the test. The test fails if it cannot be started; if the test fails
// for another reason, the end of the server's log is shown. The first call on a machine makes a template, which takes a
// quarter of a minute.
func DS389(t testing.TB, options ...DS389Option) *DS389Server {
	t.Helper()
	var o DS389Options
	for _, change := range options {
		change(&o)
	}
	server, err := StartDS389(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("ns-slapd at %s says:\n%s", server.URL(), server.LogTail())
		}
		server.Close()
	})
	return server
}

// StartDS389 starts a 389 Directory Server; the caller closes it. The context limits the start, not the server's life.
func StartDS389(ctx context.Context, options DS389Options) (*DS389Server, error) {
	s := newDS389(options)
	if err := s.prepare(ctx); err != nil {
		s.Close()
		return nil, err
	}
	err := s.Start(ctx)
	if err == nil {
		err = s.fill()
	}
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, s.LogTail())
		s.Close()
		return nil, err
	}
	return s, nil
}

// newDS389 fills in the names that are the same everywhere.
func newDS389(options DS389Options) *DS389Server {
	s := &DS389Server{options: options, BaseDN: ds389Base, AdminDN: "cn=Directory Manager", AdminPassword: ds389AdminPassword}
	s.ServiceDN, s.ServicePassword = "cn=portico,"+s.BaseDN, ds389ServicePassword
	s.PeopleDN, s.GroupsDN = "ou=people,"+s.BaseDN, "ou=groups,"+s.BaseDN
	if options.FreeIPA {
		s.PeopleDN, s.GroupsDN = "cn=users,cn=accounts,"+s.BaseDN, "cn=groups,cn=accounts,"+s.BaseDN
	}
	return s
}

// prepare makes a copy of the template with ports and a configuration of its own.
func (s *DS389Server) prepare(ctx context.Context) error {
	var err error
	if s.layout, err = findDS389(); err != nil {
		return err
	}
	if s.credential, err = ds389User(); err != nil {
		return err
	}
	place, err := template(ctx, "ds389", s.layout.version+ds389Recipe(), s.makeTemplate)
	if err != nil {
		return err
	}
	if err = s.openFolder(); err != nil {
		return err
	}
	if err = s.mkdir(s.root()); err != nil {
		return err
	}
	if err = copyTree(ctx, filepath.Join(place, "root"), s.root()); err != nil {
		return err
	}
	old, err := os.ReadFile(filepath.Join(place, "place"))
	if err != nil {
		return fmt.Errorf("template of 389 DS: %w", err)
	}
	if err = moveDS389(s.root(), string(old)); err != nil {
		return err
	}
	s.CAFile, s.Socket = s.config("ca.crt"), filepath.Join(s.root(), "run", "s")
	return s.configure()
}

// openFolder makes the folder, which the server's user must be able to enter, and reserves the ports.
func (s *DS389Server) openFolder() error {
	var err error
	if s.folder, err = newFolder("389"); err != nil {
		return err
	}
	if s.credential != nil {
		if err := os.Chown(s.folder.path, int(s.credential.Uid), int(s.credential.Gid)); err != nil {
			return fmt.Errorf("folder of 389 DS: %w", err)
		}
	}
	for i := range s.ports {
		port, release, err := reservePort()
		if err != nil {
			return err
		}
		s.ports[i], s.release = port, append(s.release, release)
	}
	return nil
}

// root is the folder that the server takes for the root of its files.
func (s *DS389Server) root() string { return s.folder.file("root") }

// config is a file of the server's configuration.
func (s *DS389Server) config(name string) string {
	return filepath.Join(s.root(), "etc", "dirsrv", "slapd-"+ds389Instance, name)
}

// Start starts the server on its ports again, with the data it had. It returns once the server answers. A server that
// runs already is left alone.
func (s *DS389Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil && s.process.alive() {
		return nil
	}
	// It makes a table as large as the number of files it may open. -d keeps it in the foreground and needs the level at which it logs errors too.
	child, err := s.command("/bin/sh", "-c", `ulimit -n 4096 2>/dev/null; exec "$@"`, "sh",
		s.layout.server, "-D", filepath.Dir(s.config("dse.ldif")), "-i", s.folder.file("pid"), "-d", ds389LogLevel).start()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if err := child.waitUntil(ctx, func(context.Context) error { return answersLDAP(s.URL()) }); err != nil {
		child.kill()
		return fmt.Errorf("ns-slapd: %w", err)
	}
	s.process = child
	return nil
}

// command is a program that runs as the server's user.
func (s *DS389Server) command(path string, args ...string) command {
	return command{
		path: path, args: args, dir: s.folder.path, log: s.folder.file("log"),
		env: []string{
			"HOME=" + s.folder.path, "TZ=UTC", "LC_ALL=C.UTF-8", "PATH=" + s.folder.file("bin") + ":/usr/sbin:/usr/bin:/sbin:/bin",
		},
		credential: s.credential, deathNote: syscall.SIGKILL,
	}
}

// Kill ends the server at once, as a crash does.
func (s *DS389Server) Kill() { s.withProcess((*process).kill) }

// Stop asks the server to end, as an administrator does, and waits for it; that takes it a few seconds.
func (s *DS389Server) Stop() {
	s.withProcess(func(p *process) { p.stop(syscall.SIGTERM) })
}

// Pause makes the server hang: connections are accepted by the kernel, and nothing is answered until Resume.
func (s *DS389Server) Pause() { s.withProcess(func(p *process) { p.signal(syscall.SIGSTOP) }) }

// Resume ends a Pause.
func (s *DS389Server) Resume() { s.withProcess(func(p *process) { p.signal(syscall.SIGCONT) }) }

// Restart stops the server if it runs and starts it again on the same ports with the same data.
func (s *DS389Server) Restart() error {
	s.Stop()
	return s.Start(context.Background())
}

// withProcess does something with the running server; nothing happens if it does not run.
func (s *DS389Server) withProcess(do func(*process)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil && s.process.alive() {
		do(s.process)
	}
}

// Close kills the server and removes its data.
func (s *DS389Server) Close() {
	s.Kill()
	if s.folder != nil {
		s.folder.close()
	}
	for _, release := range s.release {
		release()
	}
}

// URL is the address without TLS (StartTLS is offered), such as ldap://localhost:14001.
func (s *DS389Server) URL() string { return "ldap://" + localhost(s.ports[0]) }

// Address is the same as an IP address and a port, such as 127.0.0.1:14001.
func (s *DS389Server) Address() string { return loopback(s.ports[0]) }

// LDAPSURL is the address with TLS, such as ldaps://localhost:14002.
func (s *DS389Server) LDAPSURL() string { return "ldaps://" + localhost(s.ports[1]) }

// SocketURL is the unix socket as go-ldap wants it.
func (s *DS389Server) SocketURL() string { return "ldapi://" + s.Socket }

// LogTail is the end of what the server printed and of its log of errors.
func (s *DS389Server) LogTail() string {
	if s.folder == nil {
		return "(no log: nothing was started)"
	}
	return tail(s.folder.file("log")) + "\n" +
		tail(filepath.Join(s.root(), "var", "log", "dirsrv", "slapd-"+ds389Instance, "errors"))
}

// localhost is the address of a port by the name that the certificate is for.
func localhost(port int) string { return net.JoinHostPort("localhost", strconv.Itoa(port)) }

// answersLDAP asks for the root DSE. Any answer will do, "confidentiality required" too.
func answersLDAP(url string) error {
	conn, err := ldap.DialURL(url)
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	defer conn.Close()
	conn.SetTimeout(2 * time.Second)
	_, err = conn.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", []string{"supportedLDAPVersion"}, nil))
	if err == nil || !ldap.IsErrorWithCode(err, ldap.ErrorNetwork) {
		return nil
	}
	return fmt.Errorf("root DSE: %w", err)
}
