package testenv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// SMTPServer is a real Exim that accepts mail for everybody and keeps it. It
// refuses recipients refused@... for good and later@... for the moment, and
// knows the user "user" with the password "secret". Exim must be started by root.
type SMTPServer struct {
	CAFile string // authority of the server certificate, PEM; the certificate is for localhost and 127.0.0.1

	folder  *folder
	exim    string
	ports   [2]int // STARTTLS, TLS
	release []func()
	process *process
}

const eximPackages = "exim4-daemon-light"

// SMTP starts a mail server until the test ends.
func SMTP(t testing.TB) *SMTPServer {
	t.Helper()
	s := &SMTPServer{}
	t.Cleanup(s.close)
	ca := Certificates(t)
	s.CAFile = ca.File
	if err := s.prepare(ca.Server(t, "localhost", "127.0.0.1")); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, tail(s.folder.file("out")))
	}
	return s
}

// Address is host:port for STARTTLS; TLSAddress for TLS from the first byte.
func (s *SMTPServer) Address() string { return "localhost:" + strconv.Itoa(s.ports[0]) }

// TLSAddress is host:port for TLS from the first byte.
func (s *SMTPServer) TLSAddress() string { return "localhost:" + strconv.Itoa(s.ports[1]) }

func (s *SMTPServer) prepare(certificate Certificate) error {
	if os.Getuid() != 0 {
		return errors.New("the tests of mail start Exim, which only root can: run them as root")
	}
	var err error
	if s.exim, err = findProgram("exim4", eximPackages, "/usr/sbin"); err != nil {
		return err
	}
	if s.folder, err = newFolder("exim"); err != nil {
		return err
	}
	for i := range s.ports {
		port, release, err := reservePort()
		if err != nil {
			return err
		}
		s.ports[i] = port
		s.release = append(s.release, release)
	}
	return s.write(certificate)
}

// write makes the configuration and gives the folder to Exim's user.
func (s *SMTPServer) write(certificate Certificate) error {
	owner, err := user.Lookup("Debian-exim")
	if err != nil {
		return &MissingError{Program: "the user Debian-exim", Packages: eximPackages}
	}
	uid, err1 := strconv.Atoi(owner.Uid)
	gid, err2 := strconv.Atoi(owner.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	for _, name := range []string{".", "spool", "log", "mail"} {
		path := s.folder.file(name)
		if err := errors.Join(os.MkdirAll(path, 0o755), os.Chmod(path, 0o755), os.Chown(path, uid, gid)); err != nil {
			return err
		}
	}
	for name, source := range map[string]string{"server.crt": certificate.CertFile, "server.key": certificate.KeyFile} {
		data, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		if err := errors.Join(s.folder.write(name, string(data)), os.Chown(s.folder.file(name), uid, gid)); err != nil {
			return err
		}
	}
	config := strings.NewReplacer("{folder}", s.folder.path,
		"{port}", strconv.Itoa(s.ports[0]), "{tlsport}", strconv.Itoa(s.ports[1])).Replace(eximConfig)
	// Exim starts itself again as its own user, who must be able to read it.
	return errors.Join(s.folder.write("exim.conf", config), os.Chmod(s.folder.file("exim.conf"), 0o644))
}

const eximConfig = `primary_hostname = mail.example.test
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/log/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port} : {tlsport}
tls_on_connect_ports = {tlsport}
tls_advertise_hosts = *
tls_certificate = {folder}/server.crt
tls_privatekey = {folder}/server.key
host_lookup =
rfc1413_query_timeout = 0s
acl_smtp_rcpt = recipient
begin acl
recipient:
  deny local_parts = refused
       message = nobody here
  defer local_parts = later
       message = not now
  accept
begin routers
all:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  directory = {folder}/mail
  maildir_format
  user = Debian-exim
  group = Debian-exim
begin retry
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${if and{{eq{$auth2}{user}}{eq{$auth3}{secret}}}}
  server_set_id = $auth2
`

// Start starts the server again after Stop.
func (s *SMTPServer) Start(ctx context.Context) error {
	child, err := command{
		path: s.exim, args: []string{"-C", s.folder.file("exim.conf"), "-bdf"},
		dir: s.folder.path, log: s.folder.file("out"), deathNote: syscall.SIGKILL,
	}.start()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if err := child.waitUntil(ctx, s.answers); err != nil {
		child.kill()
		return fmt.Errorf("exim: %w", err)
	}
	s.process = child
	return nil
}

func (s *SMTPServer) answers(ctx context.Context) error {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", s.Address())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "220") {
		err = errors.New(line)
	}
	return err
}

// Stop ends the server; what it accepted stays.
func (s *SMTPServer) Stop() {
	if s.process != nil {
		s.process.kill()
		s.process = nil
	}
}

func (s *SMTPServer) close() {
	s.Stop()
	if s.folder != nil {
		s.folder.close()
	}
	for _, release := range s.release {
		release()
	}
}

// Delivered gives the messages that have arrived, oldest first.
func (s *SMTPServer) Delivered(t testing.TB) []*mail.Message {
	t.Helper()
	names, err := filepath.Glob(s.folder.file("mail/new/*"))
	if err != nil {
		t.Fatal(err)
	}
	arrival := make(map[string]time.Time, len(names)) // the names do not sort: their microseconds have no leading zeros
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		arrival[name] = info.ModTime()
	}
	slices.SortFunc(names, func(a, b string) int { return arrival[a].Compare(arrival[b]) })
	var list []*mail.Message
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := mail.ReadMessage(strings.NewReader(string(data)))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, m)
	}
	return list
}
