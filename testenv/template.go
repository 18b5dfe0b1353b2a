package testenv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// template returns a folder that was made once on this machine and is copied for each server. The key stands for
// everything that the content depends on; another key makes another template. Several processes at once wait for the one
// that makes it.
func template(ctx context.Context, name, key string, fill func(ctx context.Context, folder string) error) (string, error) {
	sum := sha256.Sum256([]byte(key))
	cache, err := os.UserCacheDir()
	if err != nil { // no home
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "portico-testenv")
	if err := os.MkdirAll(cache, 0o755); err != nil { // servers that run as another user read it
		return "", fmt.Errorf("folder of templates: %w", err)
	}
	folder := filepath.Join(cache, name+"-"+hex.EncodeToString(sum[:8]))
	lock, err := os.OpenFile(folder+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", fmt.Errorf("lock of a template: %w", err)
	}
	defer lock.Close() // ends the lock
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock of a template: %w", err)
	}
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	unfinished := folder + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return "", fmt.Errorf("rest of an unfinished template: %w", err)
	}
	if err := os.Mkdir(unfinished, 0o755); err != nil {
		return "", fmt.Errorf("template: %w", err)
	}
	if err := fill(ctx, unfinished); err != nil {
		return "", errors.Join(fmt.Errorf("make the template %s: %w", name, err), os.RemoveAll(unfinished))
	}
	if err := os.Rename(unfinished, folder); err != nil {
		return "", fmt.Errorf("template: %w", err)
	}
	return folder, nil
}

// copyTree copies what is in one folder into another, which exists, with owners and modes.
func copyTree(ctx context.Context, from, to string) error {
	return run(ctx, nil, "cp", "-a", "--reflink=auto", from+"/.", to)
}

// packageVersion is the installed version of a Debian package, "" where dpkg does not know.
func packageVersion(ctx context.Context, name string) string {
	text, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f=${Version}", name).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
