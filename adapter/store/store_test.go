package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"portico/adapter/store"
	"portico/adapter/store/storetest"
)

func TestCloseLeavesNothingRunning(t *testing.T) {
	for _, backend := range backends() {
		t.Run(backend.Name, func(t *testing.T) {
			db := backend.Fresh(t)
			before := goleak.IgnoreCurrent()
			s := db.Open(t)
			if _, err := s.Verify(t.Context()); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			// A failed start leaves nothing either.
			if _, err := db.TryOpen(t.Context(), func(o *store.Options) { o.Key = make([]byte, store.KeySize) }); err == nil {
				t.Error("opened with a wrong key")
			}
			goleak.VerifyNone(t, before)
		})
	}
}

func TestSQLiteFilesArePrivate(t *testing.T) {
	db := sqliteBackend().Fresh(t)
	s := db.Open(t)
	if err := s.Append(t.Context(), store.Record{}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(db.DataDir, "portico.db*"))
	if err != nil || len(files) < 3 {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > 0 && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has rights %v", name, info.Mode().Perm())
		}
	}
}

// TestAbuse_D01_NoPlainSecretInTheFiles looks at what a backup would copy.
func TestAbuse_D01_NoPlainSecretInTheFiles(t *testing.T) {
	db := sqliteBackend().Fresh(t)
	s := db.Open(t)
	ctx := t.Context()
	uids, err := s.UIDs(ctx, store.KindPerson, []store.Subject{{Directory: "corp", Stable: "ann-can-be-read"}})
	if err != nil {
		t.Fatal(err)
	}
	_, plain, err := s.CreateKey(ctx, store.NewKey{API: "action"})
	if err := errors.Join(err, s.SetTOTPSecret(ctx, uids[0], []byte("TOTPSECRET234567"))); err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, suffix := range []string{"", "-wal", "-shm"} {
		data, err := os.ReadFile(filepath.Join(db.DataDir, "portico.db"+suffix))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data...)
	}
	if !bytes.Contains(all, []byte("ann-can-be-read")) {
		t.Fatal("the files show nothing")
	}
	for _, secret := range []string{plain, plain[5:31], "TOTPSECRET"} {
		if bytes.Contains(all, []byte(secret)) {
			t.Errorf("the files show %q", secret)
		}
	}
}

// TestAbuse_J04_ConnectionsCut cuts all connections of a working store, again
// and again: what was acknowledged is there, and it goes on by itself.
func TestAbuse_J04_ConnectionsCut(t *testing.T) {
	db := postgresBackend().Fresh(t)
	here, there := db.Open(t), db.Open(t)
	var mu sync.Mutex
	heard := map[store.Change]int{}
	there.Watch(func(c store.Change) {
		mu.Lock()
		defer mu.Unlock()
		heard[c]++
	})
	const cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
	var acknowledged []string
	for round := range 5 {
		go func() { _, _ = db.SQL.Exec(cut) }()
		for n := range 40 {
			name := fmt.Sprint("r", round, "n", n)
			if here.Append(t.Context(), store.Record{Text: name}) == nil {
				acknowledged = append(acknowledged, name)
			}
		}
	}
	records, err := here.ListRecords(t.Context(), store.RecordFilter{Limit: store.MaxRecords})
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, r := range records {
		texts = append(texts, r.Text)
	}
	for _, name := range acknowledged {
		if n := strings.Count(" "+strings.Join(texts, " ")+" ", " "+name+" "); n != 1 {
			t.Errorf("%s is there %d times", name, n)
		}
	}
	if len(acknowledged) < 150 {
		t.Errorf("only %d of 200 acknowledged", len(acknowledged))
	}
	if _, err := here.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	waitFor(t, "both hear again", func() bool { return here.Live() && there.Live() })
	mu.Lock()
	all := heard[store.Change{All: true}]
	mu.Unlock()
	if all == 0 {
		t.Error("nobody was told that changes may have been missed")
	}
	k, _, err := here.CreateKey(t.Context(), store.NewKey{API: "action"})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the change is heard", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return heard[store.Change{Table: store.TableKeys, ID: k.ID}] == 1
	})
}

func waitFor(t *testing.T, what string, check func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if check() {
			return
		}
	}
	t.Fatalf("did not happen in time: %s", what)
}

func TestOpenFaults(t *testing.T) {
	options := store.Options{Key: storetest.TestKey(), Log: slog.New(slog.DiscardHandler)}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, url string
		want      error
	}{
		{"nothing", "", store.ErrInvalid},
		{"another database", "mysql://root@localhost/x", store.ErrInvalid},
		{"bad port", "postgres://portico:s3cr3t@127.0.0.1:port/x", store.ErrInvalid},
		{"nobody there", "postgres://portico:s3cr3t@127.0.0.1:1/x", store.ErrUnavailable},
		{"no database", "sqlite:" + file, store.ErrUnavailable},
		{"no folder", "sqlite:" + file + "/below/portico.db", store.ErrUnavailable},
	} {
		s, err := store.Open(t.Context(), c.url, options)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil {
			_ = s.Close()
		} else if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: the error shows the password: %v", c.name, err)
		}
	}
}

// TestAnchorIsLogged: the end of the security log leaves the database.
func TestAnchorIsLogged(t *testing.T) {
	var log bytes.Buffer
	db := sqliteBackend().Fresh(t)
	s := db.Open(t, func(o *store.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	if err := s.Append(t.Context(), store.Record{}); err != nil {
		t.Fatal(err)
	}
	head, err := s.Head(context.Background())
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "anchor="+head.String()) {
		t.Errorf("log: %s", log.String())
	}
}

func TestBox(t *testing.T) {
	oldKey, newKey := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	before, err := store.NewBox(1, map[byte][]byte{1: oldKey})
	if err != nil {
		t.Fatal(err)
	}
	after, err := store.NewBox(2, map[byte][]byte{1: oldKey, 2: newKey})
	if err != nil {
		t.Fatal(err)
	}
	sealed := before.Seal([]byte("secret"), "table", "column", "7")
	if plain, err := after.Unseal(sealed, "table", "column", "7"); err != nil || string(plain) != "secret" {
		t.Errorf("the old key still opens: %q, %v", plain, err)
	}
	if _, err := before.Unseal(after.Seal([]byte("secret"), "table", "column", "7"), "table", "column", "7"); err == nil {
		t.Error("opened with an unknown key")
	}
	if bytes.Equal(sealed, before.Seal([]byte("secret"), "table", "column", "7")) {
		t.Error("sealed alike twice")
	}
	for _, place := range [][3]string{{"tablec", "olumn", "7"}, {"table", "column", "8"}, {"", "", ""}} {
		if _, err := before.Unseal(sealed, place[0], place[1], place[2]); err == nil {
			t.Errorf("opened at %v", place)
		}
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := after.Unseal(bad, "table", "column", "7"); err == nil {
			t.Errorf("opened with byte %d changed", i)
		}
		if _, err := after.Unseal(sealed[:i], "table", "column", "7"); err == nil {
			t.Errorf("opened with %d bytes", i)
		}
	}
	if _, err := store.NewBox(3, map[byte][]byte{1: oldKey}); err == nil {
		t.Error("a box without its key")
	}
}

func TestCheckSumIsStable(t *testing.T) {
	// Keys in the hands of clients depend on it.
	if got := store.CheckSum("pk_a_ABCDEFGHIJKLMNOPQRSTUVWXYZ"); got != "3BABAKA" {
		t.Errorf("got %s", got)
	}
}

func TestAbuse_K06_SecretsArePrintedMasked(t *testing.T) {
	const secret = "a-secret-of-thirty-two-bytes-abc"
	for _, value := range []any{
		store.Options{Key: []byte(secret)},
		&store.Options{Key: []byte(secret)},
		store.NewKey{Value: secret},
		[]store.NewKey{{Value: secret}},
	} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", value)
		text := fmt.Sprintf("%v %+v %#v %s %q %d %x ", value, value, value, value, value, value, value) + log.String()
		for _, form := range []string{secret, fmt.Sprint([]byte(secret)), fmt.Sprintf("%x", secret), "YS1zZWNyZXQ"} {
			if strings.Contains(text, form) {
				t.Errorf("%T shows %s", value, form)
			}
		}
	}
}
