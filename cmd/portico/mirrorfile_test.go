package main

import (
	"database/sql"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"
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

// TestMirrorDamagedWhileRunning: a read that meets damage has the mirror read again
// at once, although nothing changes in the directory; until then the answer is "not
// now", never an old or a wrong one.
func TestMirrorDamagedWhileRunning(t *testing.T) {
	ldap := startOpenLDAP(t)
	dir := filepath.Join(t.TempDir(), "data")
	s := start(t, ldap, setup{dataDir: dir})
	s.waitReady()
	before := s.ok("userinfo", "username", "jadoe")["data"].(map[string]any)["uid"]
	for round := range 3 {
		onMirrorFile(t, dir, "UPDATE entry SET body=substr(body, 1, length(body)-1) || x'00'")
		met := false
		eventually(t, 20*time.Second, "a search finds everybody again", func() bool {
			_, answer := s.call("usersearch", "search", "doe")
			hits, _ := answer["result"].([]any)
			switch {
			case answer["status"] == "ERROR" && answer["msg"] == directoryError:
				met = true
				return false
			case len(hits) != 2:
				t.Fatalf("round %d: a damaged mirror answered %v", round, answer)
			}
			return true
		})
		if !met {
			t.Fatal("not what this test wants to show")
		}
		s.waitReady()
		if hits := s.hits("doe"); len(hits) != 2 {
			t.Errorf("round %d: search = %v", round, hits)
		}
		if now := s.ok("userinfo", "username", "jadoe")["data"].(map[string]any)["uid"]; now != before {
			t.Errorf("round %d: uid %v became %v", round, before, now)
		}
		s.ok("auth", "username", "jdoe", "password", "jdoe-pw")
	}
}

// onMirrorFile runs a statement on the file of a mirror, which may be in use.
func onMirrorFile(t *testing.T, dir, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "mirror.db"))
	must(t, err)
	result, err := db.ExecContext(t.Context(), statement)
	must(t, err)
	n, err := result.RowsAffected()
	must(t, err)
	must(t, db.Close())
	if n == 0 {
		t.Fatal("nothing there: ", statement)
	}
}

// TestStatusAfterRestartWithoutDirectory: whether a password is too old follows
// from a policy that is no entry of the mirror.
func TestStatusAfterRestartWithoutDirectory(t *testing.T) {
	ldap := startOpenLDAP(t)
	must(t, ldap.SetPolicy(map[string]string{"pwdMaxAge": "86400"}))
	old := time.Now().Add(-48 * time.Hour).UTC().Format("20060102150405Z")
	must(t, ldap.SetOperational("uid=jdoe,ou=people,dc=example,dc=com", "pwdChangedTime", old))
	dir := filepath.Join(t.TempDir(), "data")
	status := func(s *service, name string) any { return s.ok("acctstatus", "username", name)["account"] }
	s := start(t, ldap, setup{dataDir: dir})
	s.waitReady()
	eventually(t, 10*time.Second, "the old password is seen", func() bool { return status(s, "jdoe") == "CHANGE_PASSWORD" })
	s.stop()
	ldap.Kill()

	s = start(t, ldap, setup{dataDir: dir})
	if got := status(s, "jdoe"); got != "CHANGE_PASSWORD" {
		t.Errorf("with the directory down: %v", got)
	}
	if got := status(s, "jadoe"); got != "NORMAL" {
		t.Errorf("somebody with a young password: %v", got)
	}
	s.stop()

	onMirrorFile(t, dir, "DELETE FROM meta WHERE name LIKE 'policy/%'")
	s = start(t, ldap, setup{dataDir: dir})
	if answer := s.refused("acctstatus", "username", "jadoe"); answer["msg"] != directoryError || answer["account"] != nil {
		t.Errorf("with a policy that nobody has read: %v", answer)
	}
	must(t, ldap.Restart())
	s.waitReady()
	eventually(t, 20*time.Second, "the policy is read", func() bool {
		_, answer := s.call("acctstatus", "username", "jadoe")
		return answer["account"] == "NORMAL"
	})
	if got := status(s, "jdoe"); got != "CHANGE_PASSWORD" {
		t.Errorf("with the directory back: %v", got)
	}
}
