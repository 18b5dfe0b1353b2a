package importer

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

const (
	dialTimeout = 10 * time.Second
	readTimeout = 2 * time.Minute
)

// ParseDSN reads the address of a database, in the form
// mysql://user:password@host:port/database. Characters of user and password that
// mean something in an address are written as %XX. Two parameters may follow:
// tls (preferred, which is the default, true, skip-verify or false) and socket (a
// path, instead of host and port). Errors do not hold the address.
func ParseDSN(dsn string) (*mysql.Config, error) {
	u, err := url.Parse(strings.TrimSpace(dsn))
	if err != nil || (u.Scheme != "mysql" && u.Scheme != "mariadb") || u.Opaque != "" {
		return nil, errors.New("the address of the database must look like mysql://user:password@host:port/database, " +
			"with special characters of user and password written as %XX")
	}
	cfg := mysql.NewConfig()
	cfg.User = u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	cfg.DBName = strings.Trim(u.Path, "/")
	cfg.Net, cfg.Addr = "tcp", u.Host
	if u.Port() == "" {
		cfg.Addr = net.JoinHostPort(u.Hostname(), "3306")
	}
	cfg.TLSConfig = "preferred"
	for name, values := range u.Query() {
		switch value := values[len(values)-1]; name {
		case "tls":
			if value != "preferred" && value != "true" && value != "skip-verify" && value != "false" {
				return nil, errors.New("tls in the address of the database must be preferred, true, skip-verify or false")
			}
			cfg.TLSConfig = value
		case "socket":
			cfg.Net, cfg.Addr = "unix", value
		default:
			return nil, fmt.Errorf("the address of the database has a parameter %q; there are tls and socket", name)
		}
	}
	switch {
	case cfg.User == "":
		return nil, errors.New("the address of the database names no user")
	case cfg.DBName == "" || strings.Contains(cfg.DBName, "/"):
		return nil, errors.New("the address of the database names no database")
	case cfg.Net == "tcp" && u.Hostname() == "":
		return nil, errors.New("the address of the database names no host")
	}
	cfg.Collation = "utf8mb4_general_ci"
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = dialTimeout, readTimeout, readTimeout
	cfg.Logger = &mysql.NopLogger{}
	return cfg, nil
}
