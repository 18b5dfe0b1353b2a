package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// How long a server may take to start and to stop by itself.
const (
	startPatience = 60 * time.Second
	stopPatience  = 10 * time.Second
)

// LDAPServer is a running OpenLDAP server. Its methods may be called from several goroutines, but only one of them at a
// time should start or stop it.
type LDAPServer struct {
	BaseDN          string // such as dc=example,dc=com; below it ou=people, ou=groups and ou=policies exist
	ServiceDN       string // Portico's account: may read and write everything
	ServicePassword string
	AdminDN         string // the root DN: no limits, no password policy
	AdminPassword   string
	PolicyDN        string // the default password policy: five failures lock for 900 s
	CAFile          string // authority of the server certificate, PEM
	CA              *CA    // the server's own authority, for more certificates
	Socket          string // path of the unix socket

	options     LDAPOptions
	layout      ldapLayout
	folder      *folder
	certificate Certificate
	clientCA    string
	ports       [2]int
	release     []func()

	mu      sync.Mutex
	process *process
}

// OpenLDAP starts an OpenLDAP server that ends with the test. The test fails if it cannot be started; if the test fails
// for another reason, the end of the server's log is shown.
func OpenLDAP(t testing.TB, options ...LDAPOption) *LDAPServer {
	t.Helper()
	var o LDAPOptions
	for _, change := range options {
		change(&o)
	}
	server, err := StartOpenLDAP(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("slapd at %s says:\n%s", server.URL(), server.LogTail())
		}
		server.Close()
	})
	return server
}

// StartOpenLDAP starts an OpenLDAP server; the caller closes it. The context limits the start, not the server's life.
func StartOpenLDAP(ctx context.Context, options LDAPOptions) (*LDAPServer, error) {
	s := &LDAPServer{options: options.withDefaults()}
	s.BaseDN = s.options.BaseDN
	s.ServiceDN, s.ServicePassword = "cn=portico,"+s.BaseDN, "portico-service"
	s.AdminDN, s.AdminPassword = "cn=admin,"+s.BaseDN, "admin"
	s.PolicyDN = "cn=default,ou=policies," + s.BaseDN
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
func (s *LDAPServer) prepare(ctx context.Context) error {
	var err error
	if s.layout, err = findOpenLDAP(); err != nil {
		return err
	}
	if s.folder, err = newFolder("ldap"); err != nil {
		return err
	}
	s.Socket = s.folder.file("ldapi")
	if err = os.MkdirAll(s.database(), 0o700); err != nil {
		return fmt.Errorf("folder of the database: %w", err)
	}
	for i := range s.ports {
		port, release, err := reservePort()
		if err != nil {
			return err
		}
		s.ports[i], s.release = port, append(s.release, release)
	}
	if err = s.makeCertificates(); err != nil {
		return err
	}
	if err = s.folder.write("rfc2307bis.schema", rfc2307bisSchema); err != nil {
		return err
	}
	if err = s.folder.write("slapd.conf", s.slapdConfig()); err != nil {
		return err
	}
	loaded := filepath.Join(s.database(), "loaded")
	if _, err := os.Stat(loaded); err == nil {
		return nil
	}
	ldif := io.Reader(strings.NewReader(s.baseLDIF()))
	if s.options.LDIF != nil {
		ldif = io.MultiReader(ldif, s.options.LDIF)
	}
	if err := s.slapadd(ctx, ldif); err != nil || s.options.DataFolder == "" {
		return err
	}
	return os.WriteFile(loaded, nil, 0o600)
}

// database is the folder of the database.
func (s *LDAPServer) database() string {
	if s.options.DataFolder != "" {
		return s.options.DataFolder
	}
	return s.folder.file("db")
}

// makeCertificates makes the server's authority and, unless one was given, its certificate.
func (s *LDAPServer) makeCertificates() error {
	var err error
	if s.CA, err = NewCA(s.folder.path); err != nil {
		return err
	}
	s.CAFile, s.clientCA = s.CA.File, s.CA.File
	if s.options.ClientCA != "" {
		s.clientCA = s.options.ClientCA
	}
	if s.options.ServerCertificate != nil {
		s.certificate = *s.options.ServerCertificate
		return nil
	}
	s.certificate, err = s.CA.Issue(CertificateRequest{})
	return err
}

// Start starts the server on its ports again, with the data it had. It returns once the server answers. A server that
// runs already is left alone.
func (s *LDAPServer) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil && s.process.alive() {
		return nil
	}
	urls := s.URL() + "/ " + s.LDAPSURL() + "/ ldapi://" + url.PathEscape(s.Socket)
	// slapd makes tables as large as the number of files it may open, which is a billion on some machines.
	child, err := command{
		path: "/bin/sh",
		args: []string{
			"-c", `ulimit -n 4096 2>/dev/null; exec "$@"`, "sh",
			s.layout.slapd, "-d", s.options.LogLevel, "-f", s.folder.file("slapd.conf"), "-h", urls,
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
		return fmt.Errorf("slapd: %w", err)
	}
	s.process = child
	return nil
}

// answers asks for the root DSE. Any answer will do, "confidentiality required" too.
func (s *LDAPServer) answers(context.Context) error {
	conn, err := ldap.DialURL(s.URL())
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	defer conn.Close()
	conn.SetTimeout(2 * time.Second)
	_, err = conn.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", []string{"supportedLDAPVersion"}, nil))
	var answer *ldap.Error
	if errors.As(err, &answer) && answer.ResultCode < ldap.ErrorNetwork {
		return nil
	}
	return err
}

// Kill ends the server at once, as a crash does.
func (s *LDAPServer) Kill() { s.withProcess((*process).kill) }

// Stop asks the server to end, as an administrator does, and waits for it.
func (s *LDAPServer) Stop() {
	s.withProcess(func(p *process) { p.stop(syscall.SIGTERM) })
}

// Pause makes the server hang: connections are accepted by the kernel, and once Pause has returned nothing is answered until Resume.
func (s *LDAPServer) Pause() { s.withProcess((*process).pause) }

// Resume ends a Pause.
func (s *LDAPServer) Resume() { s.withProcess(func(p *process) { p.signal(syscall.SIGCONT) }) }

// Restart stops the server if it runs and starts it again on the same ports with the same data.
func (s *LDAPServer) Restart() error {
	s.Stop()
	return s.Start(context.Background())
}

// PID is the number of the server's process, 0 while it does not run.
func (s *LDAPServer) PID() (pid int) {
	s.withProcess(func(p *process) { pid = p.pid })
	return pid
}

// withProcess does something with the running server; nothing happens if it does not run.
func (s *LDAPServer) withProcess(do func(*process)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil && s.process.alive() {
		do(s.process)
	}
}

// Close kills the server and removes its data.
func (s *LDAPServer) Close() {
	s.Kill()
	if s.folder != nil {
		s.folder.close()
	}
	for _, release := range s.release {
		release()
	}
}

// URL is the address without TLS (StartTLS is offered), such as ldap://127.0.0.1:14001.
func (s *LDAPServer) URL() string { return "ldap://" + s.Address() }

// Address is host and port of URL.
func (s *LDAPServer) Address() string { return loopback(s.ports[0]) }

// LDAPSURL is the address with TLS, such as ldaps://127.0.0.1:14002.
func (s *LDAPServer) LDAPSURL() string { return "ldaps://" + s.LDAPSAddress() }

// LDAPSAddress is host and port of LDAPSURL.
func (s *LDAPServer) LDAPSAddress() string { return loopback(s.ports[1]) }

// SocketURL is the unix socket as go-ldap wants it. The OpenLDAP tools want the path percent-encoded in the host part.
func (s *LDAPServer) SocketURL() string { return "ldapi://" + s.Socket }

// LogTail is the end of the server's log.
func (s *LDAPServer) LogTail() string { return tail(s.folder.file("log")) }

// slapadd adds entries to the database of a server that does not run.
func (s *LDAPServer) slapadd(ctx context.Context, ldif io.Reader) error {
	// Not -w: slapadd 2.5.13 then frees a cursor twice at the end and sometimes aborts. slapd works the context CSN out
	// from the entries when it starts.
	return run(ctx, ldif, s.layout.slapadd, "-q", "-S", strconv.Itoa(s.options.ServerID), "-f", s.folder.file("slapd.conf"))
}

// run runs a program to its end; the error has what it printed.
func run(ctx context.Context, input io.Reader, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = input
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(output.String())
		return fmt.Errorf("%s: %w\n%s", program, err, text[max(0, len(text)-logTailSize):])
	}
	return nil
}
