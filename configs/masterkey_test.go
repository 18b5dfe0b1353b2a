package configs

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestTheSecretKeyIsMadeOnceAndKept(t *testing.T) {
	cfg := &Config{DataDir: filepath.Join(t.TempDir(), "new", "data")}
	first, err := cfg.MasterKey(rand.Reader)
	if err != nil || len(first) != 32 {
		t.Fatalf("%d bytes, %v", len(first), err)
	}
	again, err := cfg.MasterKey(rand.Reader)
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("another key the second time (%v)", err)
	}
	path := filepath.Join(cfg.DataDir, "secret.key")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	files, err := os.ReadDir(cfg.DataDir)
	if err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	other, err := (&Config{DataDir: t.TempDir()}).MasterKey(rand.Reader)
	if err != nil || bytes.Equal(first, other) {
		t.Errorf("two folders have one key (%v)", err)
	}
}

func TestProcessesThatStartTogetherGetOneSecretKey(t *testing.T) {
	cfg := &Config{DataDir: t.TempDir()}
	keys := make([][]byte, 16)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			key, err := cfg.MasterKey(rand.Reader)
			if err != nil {
				t.Error(err)
			}
			keys[i] = key
		})
	}
	wg.Wait()
	for _, key := range keys {
		if !bytes.Equal(key, keys[0]) {
			t.Fatal("different keys")
		}
	}
}

func TestAConfiguredSecretKeyMakesNoFile(t *testing.T) {
	cfg := &Config{DataDir: t.TempDir(), SecretKey: NewSecret("0123456789012345678901234567890123456789")}
	one, err := cfg.MasterKey(failingReader{})
	if err != nil || len(one) != 32 {
		t.Fatalf("%d bytes, %v", len(one), err)
	}
	if files, err := os.ReadDir(cfg.DataDir); err != nil || len(files) != 0 {
		t.Errorf("made %v, %v", files, err)
	}
}

func TestABadSecretKeyFileIsAnErrorAndNeverReplaced(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "short": "abc\n", "two lines": "0123456789012345678901234567890123\nx\n"} {
		cfg := &Config{DataDir: t.TempDir()}
		path := filepath.Join(cfg.DataDir, "secret.key")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := cfg.MasterKey(rand.Reader); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != content {
			t.Errorf("%s: the file is now %q, %v", name, data, err)
		}
	}
}

func TestWithoutRandomnessThereIsNoSecretKey(t *testing.T) {
	cfg := &Config{DataDir: t.TempDir()}
	if _, err := cfg.MasterKey(failingReader{}); err == nil {
		t.Error("made a key of nothing")
	}
	if files, err := os.ReadDir(cfg.DataDir); err != nil || len(files) != 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

// failingReader is a source of randomness that has none.
type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("no randomness") }
