package mirror

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portico/directory"
)

// filled is the path of a mirror file with people in it, closed.
func filled(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mirror.db")
	m := open(t, path, testOptions("corp"))
	refresh(t, m, "corp", "c1", people(n)...)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// reopened opens a file and gives what was logged, and the cookie.
func reopened(t *testing.T, path string, o Options) (m *Mirror, logged, cookie string) {
	t.Helper()
	var log bytes.Buffer
	m, err := Open(bg, path, slog.New(slog.NewTextHandler(&log, nil)), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	s, err := m.FeedState(bg, "corp")
	if err != nil {
		t.Fatal(err)
	}
	return m, log.String(), s.Cookie
}

func TestOpen_KeepsWhatIsThere(t *testing.T) {
	path := filled(t, 30)
	m, logged, cookie := reopened(t, path, testOptions("corp"))
	if cookie != "c1" || count(t, m) != 30 || logged != "" {
		t.Error(cookie, count(t, m), logged)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Error("the file is for its owner only:", st.Mode(), err)
	}
	if err := errors.Join(m.Check(bg), m.Healthy()); err != nil {
		t.Error(err)
	}
	_ = m.Close()
	m, logged, cookie = reopened(t, path, testOptions("corp", "added"))
	if cookie != "c1" || logged != "" || count(t, m) != 30 {
		t.Error("a directory that is added at the end leaves the others alone:", cookie, logged)
	}
}

// TestOpen_BeginsAnew: a file that cannot be trusted is put aside or removed, and
// said so in the log.
func TestOpen_BeginsAnew(t *testing.T) {
	write := func(t *testing.T, path string, at int64, b []byte) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(b, at); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	for name, c := range map[string]struct {
		spoil   func(t *testing.T, path string)
		options Options
		logged  string // "" for silently
		kept    string // pattern of the file that stays beside it
	}{
		"absent": {spoil: func(t *testing.T, path string) { _ = os.Remove(path) }},
		"empty":  {spoil: func(t *testing.T, path string) { _ = os.Truncate(path, 0) }},
		"text": {
			spoil: func(t *testing.T, path string) {
				_ = os.WriteFile(path, []byte(strings.Repeat("precious ", 100)), 0o600)
			},
			logged: "not a SQLite file", kept: ".foreign-",
		},
		"header cut": {spoil: func(t *testing.T, path string) { _ = os.Truncate(path, 50) }, logged: "truncated", kept: ".foreign-"},
		"database of another program": {
			spoil: func(t *testing.T, path string) { write(t, path, 68, []byte{1, 2, 3, 4}) }, logged: "not a mirror file", kept: ".foreign-",
		},
		"other version": {spoil: func(t *testing.T, path string) { write(t, path, 60, []byte{0, 0, 0, 99}) }, logged: "another version"},
		"truncated":     {spoil: func(t *testing.T, path string) { _ = os.Truncate(path, 5*pageSize) }, logged: "damaged", kept: ".damaged"},
		"last page lost": {
			spoil: func(t *testing.T, path string) {
				st, _ := os.Stat(path)
				_ = os.Truncate(path, st.Size()-1)
			}, logged: "damaged", kept: ".damaged",
		},
		"first pages overwritten": {
			spoil:  func(t *testing.T, path string) { write(t, path, 100, bytes.Repeat([]byte{0xA5}, 3*pageSize)) },
			logged: "damaged", kept: ".damaged",
		},
		"a directory removed": {options: testOptions("other"), logged: "of other directories"},
		"another suffix":      {options: testOptions("corp@x"), logged: "of other directories"},
		"another order":       {options: testOptions("first", "corp"), logged: "of other directories"},
		"another normal form of DNs": {
			options: Options{
				Directories: testOptions("corp").Directories, ParentKey: testParent, SkipCheck: true,
				DNKey: func(dn string) (string, error) { k, err := testKey(dn); return strings.ToUpper(k), err },
			}, logged: "normal form",
		},
		"a first load interrupted": {
			spoil: func(t *testing.T, path string) {
				m := open(t, path, testOptions("corp"))
				if _, err := m.w.conn.ExecContext(bg, "INSERT INTO meta VALUES('loading','yes')"); err != nil {
					t.Fatal(err)
				}
				_ = m.Close()
			}, logged: "first load",
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filled(t, 200)
			if c.spoil != nil {
				c.spoil(t, path)
			}
			if c.options.Directories == nil {
				c.options = testOptions("corp")
			}
			var log bytes.Buffer
			m, err := Open(bg, path, slog.New(slog.NewTextHandler(&log, nil)), c.options)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = m.Close() })
			if (c.logged == "") != (log.Len() == 0) || !strings.Contains(log.String(), c.logged) {
				t.Errorf("logged %q", log.String())
			}
			dir := m.opts.Directories[len(m.opts.Directories)-1].Name
			if s, err := m.FeedState(bg, dir); s.Cookie != "" || err != nil || count(t, m) != 0 {
				t.Error("not empty:", s, err)
			}
			beside, _ := filepath.Glob(path + ".[df]*")
			if c.kept == "" && len(beside) > 0 || c.kept != "" && (len(beside) != 1 || !strings.Contains(beside[0], c.kept)) {
				t.Error("kept:", beside)
			}
			if err := m.Check(bg); err != nil {
				t.Error(err)
			}
			if dir == "corp" {
				refresh(t, m, "corp", "c2", people(50)...)
				want(t, "works", stables(m.ByLogin(bg, "p049")), "p049")
			}
		})
	}
}

// TestDamageAtRuntime: damage that shows while the mirror is used is an error
// that stays until Rebuild, which empties the mirror and ends refreshes.
func TestDamageAtRuntime(t *testing.T) {
	spoil := func(t *testing.T, path string) {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := bytes.Index(b, []byte("Name of p0")); i >= 0; i = bytes.Index(b, []byte("Name of p0")) {
			copy(b[i:], "NAME") // a flipped bit in each body and nothing that SQLite could notice
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("a body whose checksum is wrong", func(t *testing.T) {
		path := filled(t, 40)
		spoil(t, path)
		m, _, cookie := reopened(t, path, testOptions("corp"))
		if cookie != "c1" {
			t.Fatal("not what this test wants to show")
		}
		told := 0
		m.OnChange(func(ids []directory.ID) {
			if ids == nil {
				told++
			}
		})
		r := begin(t, m)
		if _, err := m.Get(bg, id("p001")); !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
		if _, err := m.ByLogin(bg, "nobody"); !errors.Is(err, ErrCorrupt) {
			t.Error("damage stays:", err)
		}
		if err := m.Apply(bg, "corp", Batch{}); !errors.Is(err, ErrCorrupt) {
			t.Error(err)
		}
		if err := errors.Join(m.Rebuild(bg), m.Rebuild(bg), m.Healthy()); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Complete(bg, "c2"); !errors.Is(err, ErrSuperseded) {
			t.Error(err)
		}
		cookieNow := "c3"
		if err := m.Apply(bg, "corp", Batch{Cookie: &cookieNow}); !errors.Is(err, ErrNoRefresh) {
			t.Error("the feed must read everything again:", err)
		}
		if told != 1 {
			t.Error("caches were told", told, "times")
		}
		refresh(t, m, "corp", "c4", people(10)...)
		if n := count(t, m); n != 10 {
			t.Error(n)
		}
	})
	t.Run("pages that the check in the background finds", func(t *testing.T) {
		path := filled(t, 3000)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		page := bytes.LastIndex(b, []byte("Name of p1")) / pageSize * pageSize // a leaf of the table of entries
		copy(b[page:], bytes.Repeat([]byte{0x5A}, 200))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		o := testOptions("corp")
		o.SkipCheck = false
		m := open(t, path, o)
		m.background.Wait()
		if err := m.Healthy(); !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
		if err := errors.Join(m.Rebuild(bg), m.Check(bg)); err != nil {
			t.Error(err)
		}
	})
}

func TestLock(t *testing.T) {
	path := filled(t, 1)
	m := open(t, path, testOptions("corp"))
	_, err := Open(bg, path, quiet(), testOptions("corp"))
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "data_dir") {
		t.Error(err)
	}
	if n := count(t, m); n != 1 {
		t.Error("the first goes on:", n)
	}
	if err := errors.Join(m.Close(), m.Close()); err != nil {
		t.Error(err)
	}
	for _, err := range []error{m.Healthy(), m.Apply(bg, "corp", Batch{}), m.Check(bg)} {
		if !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	}
	if _, err := m.BeginRefresh(bg, "corp"); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	_ = open(t, path, testOptions("corp")).Close()
}

// TestAbuse_J02_DiskFull: a write that does not fit fails whole; reading goes on,
// and so does writing when there is room again.
func TestAbuse_J02_DiskFull(t *testing.T) {
	m := loaded(t, "corp")
	refresh(t, m, "corp", "c1", people(50)...)
	pages := func(n string) {
		if _, err := m.w.conn.ExecContext(context.Background(), "PRAGMA max_page_count="+n); err != nil {
			t.Fatal(err)
		}
	}
	pages("1")
	big := person("big", func(e *directory.Entry) { e.Attributes["text"] = []string{strings.Repeat("x", 1<<20)} })
	cookie := "c2"
	err := m.Apply(bg, "corp", Batch{Upserts: []*directory.Entry{person("small"), big}, Cookie: &cookie})
	if err == nil || errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
	want(t, "nothing of it is there", stables(m.ByLogin(bg, "small")), "")
	want(t, "reading goes on", stables(m.ByLogin(bg, "p001")), "p001")
	if s, _ := m.FeedState(bg, "corp"); s.Cookie != "c1" {
		t.Error("cookie", s.Cookie)
	}
	r := begin(t, m)
	_ = r.Upsert(bg, []*directory.Entry{big})
	if _, err := r.Complete(bg, "c2"); err == nil {
		t.Error("a refresh that could not be written was completed")
	}
	pages("100000")
	if err := m.Apply(bg, "corp", Batch{Upserts: []*directory.Entry{person("small"), big}, Cookie: &cookie}); err != nil {
		t.Error(err)
	}
	want(t, "now it is", stables(m.ByLogin(bg, "small")), "small")
}
