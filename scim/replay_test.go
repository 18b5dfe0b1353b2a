package scim_test

import (
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"portico/testenv/replay"
)

// TestQ01ToQ34RecordedExchanges plays what clients send; testdata names the cases.
func TestQ01ToQ34RecordedExchanges(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			list, err := replay.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(newService(t).handler)
			defer server.Close()
			target := replay.Target{Addr: server.Listener.Addr().String()}
			target.Play(t, list)
		})
	}
}

// TestQ32ManyMembersInOneRequest: peers cap them at 100, this service does not.
func TestQ32ManyMembersInOneRequest(t *testing.T) {
	t.Parallel()
	s := newService(t)
	g := s.group("ops")
	id := s.user("ada", "")
	values := strings.Repeat(`{"value":"`+id+`"},`, 20_000) + `{"value":"` + id + `"}`
	s.patch("/Groups/"+g, `{"op":"add","path":"members","value":[`+values+`]}`).want(204)
	if s.members(g) != id {
		t.Error("equal members were not taken for one")
	}
}
