package importer_test

import (
	"strings"
	"testing"

	"portico/adapter/importer"
)

func TestParseDSN(t *testing.T) {
	for dsn, want := range map[string][5]string{
		"mysql://hub:p%40ss%2Fw%3Ard@db.example.com:3307/accounthub": {"hub", "p@ss/w:rd", "tcp", "db.example.com:3307", "preferred"},
		" mariadb://hub@[::1]/accounthub?tls=skip-verify\n":          {"hub", "", "tcp", "[::1]:3306", "skip-verify"},
		"mysql://hub:x@/accounthub?socket=/run/mysqld/mysqld.sock":   {"hub", "x", "unix", "/run/mysqld/mysqld.sock", "preferred"},
	} {
		cfg, err := importer.ParseDSN(dsn)
		if err != nil {
			t.Fatalf("%s: %v", dsn, err)
		}
		if got := [5]string{cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.TLSConfig}; got != want || cfg.DBName != "accounthub" {
			t.Errorf("%s: %v, database %s", dsn, got, cfg.DBName)
		}
		if cfg.MultiStatements || cfg.AllowAllFiles || cfg.AllowCleartextPasswords {
			t.Errorf("%s: the server may do too much", dsn)
		}
	}
}

func TestParseDSN_FaultsHoldNoPassword(t *testing.T) {
	for _, dsn := range []string{
		"", "hub:geheim@tcp(db)/x", "postgres://hub:geheim@db/x", "mysql:hub:geheim", "mysql://hub:geheim@db:port/x",
		"mysql://hub:ge%zzheim@db/x", "mysql://hub:geheim@db/", "mysql://hub:geheim@db/a/b", "mysql://:geheim@db/x",
		"mysql://hub:geheim@/x", "mysql://hub:geheim@db/x?tls=perhaps", "mysql://hub:geheim@db/x?multiStatements=true",
	} {
		if _, err := importer.ParseDSN(dsn); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}
