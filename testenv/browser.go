package testenv

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Browser starts a headless Chromium with an empty profile and returns the context of its one tab, for chromedp.Run. It
// ends with the test. The window has the size of a phone. A missing browser fails the test with the command that
// installs it.
func Browser(t testing.TB) context.Context {
	t.Helper()
	path, err := findProgram("chromium", "chromium", "/usr/bin", "/usr/lib/chromium")
	if err != nil {
		t.Fatal(err)
	}
	profile, err := os.MkdirTemp("", "portico-browser-") // not t.TempDir: the browser may write for a moment longer
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.WindowSize(390, 844),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(60*time.Second),
	)
	allocator, endAll := chromedp.NewExecAllocator(context.Background(), options...)
	tab, endTab := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(tab); err != nil && !errors.Is(err, context.Canceled) {
			t.Logf("end the browser: %v", err)
		}
		endTab()
		endAll()
		_ = os.RemoveAll(profile) // what it leaves is swept with the temporary folder
	})
	if _, err := chromedp.Run(tab, chromedp.Title()); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return tab
}
