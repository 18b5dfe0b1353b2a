package httpapi

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// certificate keeps a key pair up to date with its files. It looks at them when a
// client connects, at most once in a while; a pair that cannot be read leaves
// the old one in use.
type certificate struct {
	certFile, keyFile string
	every             time.Duration
	now               func() time.Time
	log               *slog.Logger

	current atomic.Pointer[tls.Certificate]

	mu      sync.Mutex // one reload at a time
	checked time.Time
	stamp   [2]fileStamp
}

type fileStamp struct {
	modified time.Time
	size     int64
}

func newCertificate(certFile, keyFile string, now func() time.Time, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, every: time.Second, now: now, log: log}
	if err := c.reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// reload reads both files; it is serialised and keeps the old pair on error.
func (c *certificate) reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.load(c.stamps())
}

func (c *certificate) load(stamp [2]fileStamp) error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("TLS certificate: %w", err)
	}
	c.current.Store(&pair)
	c.stamp, c.checked = stamp, c.now()
	return nil
}

func (c *certificate) stamps() (stamp [2]fileStamp) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			stamp[i] = fileStamp{info.ModTime(), info.Size()}
		}
	}
	return stamp
}

// get is tls.Config.GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.mu.TryLock() {
		if now := c.now(); now.Sub(c.checked) >= c.every {
			c.checked = now
			if stamp := c.stamps(); stamp != c.stamp {
				if err := c.load(stamp); err != nil {
					c.log.Error("certificate not reloaded, the old one stays in use", "error", err)
				} else {
					c.log.Info("certificate reloaded", "file", c.certFile)
				}
			}
		}
		c.mu.Unlock()
	}
	return c.current.Load(), nil
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}
