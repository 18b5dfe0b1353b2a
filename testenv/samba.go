package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

// SambaServer is a running Samba domain controller, which stands for Active Directory: its LDAP service alone, without
// Kerberos, DNS and file sharing. Its methods may be called from several goroutines, but only one of them at a time should
// start or stop it.
type SambaServer struct {
	BaseDN          string // DC=samdom,DC=example,DC=com; below it OU=People and OU=Groups exist
	Domain          string // samdom.example.com, what user principal names end with
	ServiceDN       string // Portico's account, with the rights that SambaRights tells
	ServicePassword string
	AdminDN         string // the domain's administrator
	AdminPassword   string
	CAFile          string // authority of the server certificate, PEM
	CA              *CA

	options SambaOptions
	layout  sambaLayout
	folder  *folder
	ip      string
	release []func()

	mu      sync.Mutex
	process *process
}

// SambaOptions says how a domain controller is set up. The zero value is the usual one: as Active Directory does by
// default, it takes simple binds over TLS only; passwords may be short; three failures lock an account for 30 minutes.
type SambaOptions struct {
	AllowPlainBinds   bool         // simple binds without TLS too, where the answer is 8 otherwise
	WeakService       bool         // the service account is a plain user: it neither writes nor sees what was deleted
	ServerCertificate *Certificate // default: for the server's address and localhost by an authority of its own
}

// SambaOption changes the set-up of a domain controller.
type SambaOption func(*SambaOptions)

// WithPlainBinds lets the domain controller take simple binds without TLS.
func WithPlainBinds() SambaOption { return func(o *SambaOptions) { o.AllowPlainBinds = true } }

// WithWeakService gives the service account no right beyond those of any user.
func WithWeakService() SambaOption { return func(o *SambaOptions) { o.WeakService = true } }

// errNotRoot says what Samba needs.
var errNotRoot = errors.New("a Samba domain controller listens on ports 389 and 636 and can be started by root only: run the tests as root")

// Samba starts a domain controller that ends with the test. The test fails if it cannot be started; if the test fails for
// another reason, the end of the server's log is shown.
func Samba(t testing.TB, options ...SambaOption) *SambaServer {
	t.Helper()
	var o SambaOptions
	for _, change := range options {
		change(&o)
	}
	server, err := StartSamba(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("samba at %s says:\n%s", server.LDAPSURL(), server.LogTail())
		}
		server.Close()
	})
	return server
}

// StartSamba starts a domain controller; the caller closes it. The context limits the start, not the server's life.
func StartSamba(ctx context.Context, options SambaOptions) (*SambaServer, error) {
	s := &SambaServer{
		options: options, BaseDN: sambaBase, Domain: sambaDomain,
		ServiceDN: "CN=portico,CN=Users," + sambaBase, ServicePassword: sambaServicePassword,
		AdminDN: "CN=Administrator,CN=Users," + sambaBase, AdminPassword: sambaAdminPassword,
	}
	if err := s.prepare(ctx); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.Start(ctx); err != nil {
		err = fmt.Errorf("%w\n%s", err, s.LogTail())
		s.Close()
		return nil, err
	}
	return s, nil
}

// prepare makes everything but the process.
func (s *SambaServer) prepare(ctx context.Context) error {
	var err error
	if s.layout, err = findSamba(); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errNotRoot
	}
	from, err := s.layout.template(ctx)
	if err != nil {
		return err
	}
	if s.folder, err = newFolder("samba"); err != nil {
		return err
	}
	ip, release, err := reserveAddress()
	if err != nil {
		return err
	}
	s.ip, s.release = ip, append(s.release, release)
	if err := copyTree(ctx, from, s.folder.path); err != nil {
		return err
	}
	if s.CA, err = NewCA(s.folder.path); err != nil {
		return err
	}
	s.CAFile = s.CA.File
	certificate := s.options.ServerCertificate
	if certificate == nil {
		made, err := s.CA.Issue(CertificateRequest{Names: []string{s.ip, "localhost", "127.0.0.1"}})
		if err != nil {
			return err
		}
		certificate = &made
	}
	if s.options.WeakService {
		s.ServiceDN = "CN=weak,CN=Users," + sambaBase
	}
	return s.folder.write("smb.conf", sambaConfig(s.folder.path, s.ip, certificate, s.CAFile, s.options.AllowPlainBinds))
}

// Start starts the server on its address again, with the data it had. It returns once the server answers. A server that
// runs already is left alone.
func (s *SambaServer) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil && s.process.alive() {
		return nil
	}
	child, err := command{
		path: s.layout.samba,
		args: []string{
			"-s", s.folder.file("smb.conf"), "--foreground", "--no-process-group", "--model=single", "--debug-stdout", "-d", "0",
		},
		dir: s.folder.path, log: s.folder.file("log"), deathNote: syscall.SIGKILL,
	}.start()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if err := child.waitUntil(ctx, s.answers); err != nil {
		child.kill()
		return fmt.Errorf("samba: %w", err)
	}
	s.process = child
	return nil
}

// answers asks for the root DSE over both ports.
func (s *SambaServer) answers(context.Context) error {
	tlsPort, err := s.dialTLS()
	if err != nil {
		return err
	}
	_ = tlsPort.Close()
	conn, err := ldap.DialURL(s.URL())
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	defer conn.Close()
	conn.SetTimeout(stopPatience)
	_, err = conn.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", []string{"supportedLDAPVersion"}, nil))
	return err
}

// Kill ends the server at once, as a crash does.
func (s *SambaServer) Kill() { s.withProcess((*process).kill) }

// Stop asks the server to end, as an administrator does, and waits for it.
func (s *SambaServer) Stop() {
	s.withProcess(func(p *process) { p.stop(syscall.SIGTERM) })
}

// Pause makes the server hang: connections are accepted by the kernel, and nothing is answered until Resume.
func (s *SambaServer) Pause() { s.withProcess(func(p *process) { p.signal(syscall.SIGSTOP) }) }

// Resume ends a Pause.
func (s *SambaServer) Resume() { s.withProcess(func(p *process) { p.signal(syscall.SIGCONT) }) }

// Restart stops the server if it runs and starts it again on the same address with the same data.
func (s *SambaServer) Restart() error {
	s.Stop()
	return s.Start(context.Background())
}

// withProcess does something with the running server; nothing happens if it does not run.
func (s *SambaServer) withProcess(do func(*process)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil && s.process.alive() {
		do(s.process)
	}
}

// Close kills the server and removes its data.
func (s *SambaServer) Close() {
	s.Kill()
	if s.folder != nil {
		s.folder.close()
	}
	for _, release := range s.release {
		release()
	}
}

// URL is the address without TLS, such as ldap://127.80.3.4:389. StartTLS is offered.
func (s *SambaServer) URL() string { return "ldap://" + s.Address() }

// Address is host and port of URL.
func (s *SambaServer) Address() string { return net.JoinHostPort(s.ip, "389") }

// LDAPSURL is the address with TLS, such as ldaps://127.80.3.4:636.
func (s *SambaServer) LDAPSURL() string { return "ldaps://" + s.LDAPSAddress() }

// LDAPSAddress is host and port of LDAPSURL.
func (s *SambaServer) LDAPSAddress() string { return net.JoinHostPort(s.ip, "636") }

// LogTail is the end of the server's log.
func (s *SambaServer) LogTail() string {
	if s.folder == nil {
		return "(no log)"
	}
	return tail(s.folder.file("log"))
}

// Log is the whole log of the server.
func (s *SambaServer) Log() string {
	text, err := os.ReadFile(s.folder.file("log"))
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	return strings.TrimSpace(string(text))
}
