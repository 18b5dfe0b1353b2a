package embedded

import (
	"cmp"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Service is an account that may read and write everything but read passwords.
// With an empty Password its entry's userPassword is what counts.
type Service struct {
	DN       string
	Password string
}

// Config says what a Server is. The zero values of everything but Suffix are
// good for tests: loopback, a free port, limits as OpenLDAP has them.
type Config struct {
	// Suffix is the DN at the top of the tree, such as "dc=example,dc=org".
	Suffix string

	// ServiceDN and ServicePassword are the first service account; Services
	// are more of them.
	ServiceDN       string
	ServicePassword string
	Services        []Service

	// Listen is the address of the plain port, "127.0.0.1:0" by default.
	// ListenTLS is one for LDAPS; none by default.
	Listen    string
	ListenTLS string
	// TLS is the server's side of StartTLS and LDAPS; nil: neither.
	TLS *tls.Config

	// Clock, Log and Rand default to the time of day, nothing and
	// crypto/rand.
	Clock func() time.Time
	Log   *slog.Logger
	Rand  io.Reader

	// DefaultPolicy is the DN of the password policy for people without a
	// pwdPolicySubentry.
	DefaultPolicy string

	// AllowAnonymous lets a bind without DN and password succeed;
	// AllowUnauthenticated one with a DN and no password, as anonymous.
	AllowAnonymous       bool
	AllowUnauthenticated bool

	// MemberOf keeps the operational attribute memberOf, silently.
	MemberOf bool
	// NoRefInt leaves members, managers and owners alone when the entry they
	// point to is renamed or deleted.
	NoRefInt bool
	// RefIntNothing is the DN that takes the place of the last manager or owner
	// that went, as OpenLDAP's refint_nothing; none: the attribute goes too.
	RefIntNothing string

	// SizeLimit and TimeLimit bound the searches of people (default 500
	// entries, one hour); services have no limit.
	SizeLimit int
	TimeLimit time.Duration
	// SessionLog is how many changes a consumer may be behind before it gets
	// a present phase (default 1000).
	SessionLog int

	// Limits of the wire. Defaults: 1000 connections, 4 MiB a message
	// (256 KiB before a bind), nesting 100, 15 minutes idle, 30 seconds for the
	// rest of a message and for an answer to be taken.
	MaxConnections int
	MaxMessage     int
	MaxNesting     int
	IdleTimeout    time.Duration
	ReadTimeout    time.Duration
	WriteTimeout   time.Duration
}

const (
	anonymousMessage = 256 << 10 // bytes of a message before a bind
	maxOperations    = 64        // at once on one connection
	maxAttributes    = 10_000    // of one add, and modifications of one modify
	maxPersistent    = 32        // persistent searches on one connection
	feedBacklog      = 10_000    // events that a persistent search may lag behind
)

func (c Config) withDefaults() (Config, error) {
	if c.Suffix == "" {
		return c, errors.New("embedded directory: no suffix")
	}
	if c.ListenTLS != "" && c.TLS == nil {
		return c, errors.New("embedded directory: LDAPS needs a certificate")
	}
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:0")
	c.SizeLimit = cmp.Or(c.SizeLimit, 500)
	c.TimeLimit = cmp.Or(c.TimeLimit, time.Hour)
	c.SessionLog = cmp.Or(c.SessionLog, 1000)
	c.MaxConnections = cmp.Or(c.MaxConnections, 1000)
	c.MaxMessage = cmp.Or(c.MaxMessage, 4<<20)
	c.MaxNesting = cmp.Or(c.MaxNesting, 100)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 15*time.Minute)
	c.ReadTimeout = cmp.Or(c.ReadTimeout, 30*time.Second)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 30*time.Second)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.ServiceDN != "" {
		c.Services = append([]Service{{c.ServiceDN, c.ServicePassword}}, c.Services...)
	}
	return c, nil
}

// service is a Service with its DN parsed.
type service struct {
	dn       dname
	password string
}

// names are the DNs of a configuration, parsed.
type names struct {
	suffix, policy, nothing dname
	services                []service
}

func (c Config) parse(s *schema) (n names, err error) {
	bad := func(dn string) (names, error) { return n, fmt.Errorf("embedded directory: %q: %w", dn, errDN) }
	if n.suffix, err = s.parseDN(c.Suffix); err != nil || n.suffix.isZero() {
		return bad(c.Suffix)
	}
	if n.policy, err = s.parseDN(c.DefaultPolicy); err != nil {
		return bad(c.DefaultPolicy)
	}
	if n.nothing, err = s.parseDN(c.RefIntNothing); err != nil {
		return bad(c.RefIntNothing)
	}
	for _, x := range c.Services {
		d, err := s.parseDN(x.DN)
		if err != nil || d.isZero() {
			return bad(x.DN)
		}
		n.services = append(n.services, service{d, x.Password})
	}
	return n, nil
}
