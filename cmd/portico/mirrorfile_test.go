package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMirrorFileLost: the mirror is a copy. Whatever becomes of its file, the
// service starts, reads the directory again and keeps every numeric id.
func TestMirrorFileLost(t *testing.T) {
	ldap := startOpenLDAP(t)
	dir := filepath.Join(t.TempDir(), "data")
	path := filepath.Join(dir, "mirror.db")
	s := start(t, ldap, setup{dataDir: dir})
	s.waitReady()
	uid := func() any { return s.ok("userinfo", "username", "jdoe")["data"].(map[string]any)["uid"] }
	before := uid()
	s.stop()
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T)
	}{
		{"deleted", func(t *testing.T) { must(t, os.Remove(path)) }},
		{"empty", func(t *testing.T) { must(t, os.Truncate(path, 0)) }},
		{"cut within a page", func(t *testing.T) { must(t, os.Truncate(path, 50)) }},
		{"cut in half", func(t *testing.T) {
			info, err := os.Stat(path)
			must(t, err)
			must(t, os.Truncate(path, info.Size()/2/4096*4096))
		}},
		{"garbage", func(t *testing.T) { must(t, os.WriteFile(path, []byte(strings.Repeat("garbage ", 5000)), 0o600)) }},
		{"garbage in the middle", func(t *testing.T) { overwrite(t, path, 4096, strings.Repeat("garbage ", 4096)) }},
		{"of another version", func(t *testing.T) { overwrite(t, path, 60, "\x7f\xff\xff\xff") }},
		{"of another program", func(t *testing.T) { overwrite(t, path, 68, "abcd") }},
		{"garbage in the log beside it", func(t *testing.T) {
			must(t, os.WriteFile(path+"-wal", []byte(strings.Repeat("garbage ", 5000)), 0o600))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, leftover := range []string{"-wal", "-shm"} {
				_ = os.Remove(path + leftover)
			}
			c.spoil(t)
			s = start(t, ldap, setup{dataDir: dir})
			defer s.stop()
			s.waitReady()
			if now := uid(); now != before {
				t.Errorf("uid %v became %v", before, now)
			}
			if hits := s.hits("doe"); len(hits) != 2 {
				t.Errorf("search = %v", hits)
			}
			s.ok("auth", "username", "jdoe", "password", "jdoe-pw")
		})
	}
}

// overwrite writes over a part of a file.
func overwrite(t *testing.T, path string, offset int64, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt([]byte(text), offset)
	must(t, err)
	must(t, f.Close())
}

// TestMirrorFileDirectoryDown: a lost mirror and a directory that is down make the
// service unready, and it says why; it recovers by itself.
func TestMirrorFileDirectoryDown(t *testing.T) {
	ldap := startOpenLDAP(t)
	dir := filepath.Join(t.TempDir(), "data")
	s := start(t, ldap, setup{dataDir: dir})
	s.waitReady()
	s.stop()
	ldap.Kill()

	s = start(t, ldap, setup{dataDir: dir})
	eventually(t, 10*time.Second, "ready with the mirror, without the directory", func() bool {
		status, _ := get(t, s.url+"/readyz")
		return status == http.StatusOK
	})
	if hits := s.hits("doe"); len(hits) != 2 {
		t.Errorf("search without the directory = %v", hits)
	}
	s.stop()

	must(t, os.Remove(filepath.Join(dir, "mirror.db")))
	s = start(t, ldap, setup{dataDir: dir})
	if status, body := get(t, s.url+"/readyz"); status != 503 || !strings.Contains(body, "corp") {
		t.Errorf("without either: %d %s", status, body)
	}
	must(t, ldap.Restart())
	s.waitReady()
}
