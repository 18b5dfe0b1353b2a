package collaboration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A collaboration that ran out, or in which nothing happened, lives again.
func TestRevive(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		h := newHouse(t, url)
		ends := h.clock.Now().AddDate(0, 0, 10)
		status, _, text := h.ask(http.MethodPost, "/api/collaborations/v1", "K-ACME", creation("Solar", fmt.Sprintf(`,"expiry_date":%d`, ends.Unix())))
		if status != 201 {
			t.Fatal(text)
		}
		_, after, _ := strings.Cut(text, `"identifier":"`)
		path := "/api/collaborations/v1/" + after[:36]
		ask := func(body string, want int, has string) {
			t.Helper()
			status, _, text := h.ask(http.MethodPatch, path, "K-ACME", body)
			if status != want || !strings.Contains(text, has) {
				t.Errorf("%s: %d %s", body, status, text)
			}
		}
		h.clock.set(ends.AddDate(0, 0, 1))
		h.collabs.RunJobs(t.Context())
		ask(`{"status":"active"}`, 400, "expiry_date")
		ask(`{"status":"expired"}`, 400, "status")
		ask(`{"name":"x"}`, 400, "name")
		ask(`{"expiry_date":1000}`, 400, "lies behind")
		later := h.clock.Now().AddDate(0, 1, 0)
		ask(fmt.Sprintf(`{"expiry_date":%d}`, later.UnixMilli()), 200, `"status":"active"`)
		ask(`{"expiry_date":null}`, 200, `"expiry_date":null`)
		h.clock.set(h.clock.Now().Add(361 * 24 * time.Hour))
		h.collabs.RunJobs(t.Context())
		if _, _, text := h.ask(http.MethodGet, path, "K-ACME", ""); !strings.Contains(text, `"status":"suspended"`) {
			t.Error(text)
		}
		ask(`{"status":"active"}`, 200, `"status":"active"`)
		h.collabs.RunJobs(t.Context())
		if _, _, text := h.ask(http.MethodGet, path, "K-ACME", ""); !strings.Contains(text, `"status":"active"`) {
			t.Error(text)
		}
	})
}
