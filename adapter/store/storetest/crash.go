package storetest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"portico/adapter/store"
)

const (
	childVariable = "PORTICO_STORETEST_CHILD" // the database of a child, as JSON
	killsVariable = "KILLS"                   // how often to kill; default shortKills
	shortKills    = 20
	childWorkers  = 8
)

// childOrder is what a child needs to know.
type childOrder struct{ URL, DataDir, Run string }

// ack is one line of a child: what it was told to be durable.
type ack struct {
	Stable string // the person, whose id is UID, and whose status is locked
	UID    int64
	Key    string // plain key
	Record string // text of the record
}

// ChildMain turns the process into a child of the crash tests, if it is one, and
// does not return then.
func ChildMain() {
	text := os.Getenv(childVariable)
	if text == "" {
		return
	}
	var order childOrder
	err := json.Unmarshal([]byte(text), &order)
	if err == nil {
		err = child(order)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// child writes until it is killed, and says what was acknowledged.
func child(order childOrder) error {
	db := Database{URL: order.URL, DataDir: order.DataDir}
	s, err := db.TryOpen(context.Background(), func(o *store.Options) {
		o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	failed := make(chan error)
	for w := range childWorkers {
		go func() {
			for n := 0; ; n++ {
				a, err := childStep(s, fmt.Sprint(order.Run, "-", w, "-", n))
				if err != nil {
					failed <- err
					return
				}
				mu.Lock()
				err = out.Encode(a)
				mu.Unlock()
				if err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

func childStep(s *store.Store, name string) (ack, error) {
	ctx := context.Background()
	a := ack{Stable: name, Record: "record " + name}
	uids, err := s.UIDs(ctx, store.KindPerson, []store.Subject{{Directory: "corp", Stable: name}})
	if err != nil {
		return a, err
	}
	a.UID = uids[0]
	if err := s.SetStatus(ctx, a.UID, store.Status{Locked: true}, name); err != nil {
		return a, err
	}
	if _, a.Key, err = s.CreateKey(ctx, store.NewKey{API: "scim", Label: name, User: a.UID}); err != nil {
		return a, err
	}
	// Two records belong together: half of them would be half a transaction.
	return a, s.Append(ctx, store.Record{UID: a.UID, Text: a.Record}, store.Record{UID: a.UID, Text: a.Record + " end"})
}

// testCrash kills a child in the middle of its writes, again and again on the
// same database. The long form: KILLS=1000 go test -run Crash -timeout 2h.
func testCrash(t *testing.T, b Backend) {
	kills := shortKills
	if text := os.Getenv(killsVariable); text != "" {
		n, err := strconv.Atoi(text)
		must(t, err)
		kills = n
	}
	t.Run("Abuse_J01_Kill", func(t *testing.T) {
		db := b.Fresh(t)
		must(t, db.Open(t).Close())
		var all []ack
		for run := range kills {
			acks := runAndKill(t, db, fmt.Sprint("run", run))
			all = append(all, acks...)
			s := db.Open(t)
			checkAcknowledged(t, s, acks)
			must(t, s.Close())
		}
		s := db.Open(t)
		checkAcknowledged(t, s, all)
		if len(all) < kills {
			t.Errorf("only %d writes were acknowledged: nothing was tested", len(all))
		}
		v, err := s.Verify(t.Context())
		must(t, err)
		t.Logf("%d kills, %d acknowledged steps, %d records", kills, len(all), v.Records)
	})
}

// runAndKill starts a child, kills it after a random time, and gives what it
// had acknowledged in whole lines.
func runAndKill(t *testing.T, db Database, run string) []ack {
	t.Helper()
	order, err := json.Marshal(childOrder{URL: db.URL, DataDir: db.DataDir, Run: run})
	must(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(order))
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	var acks []ack
	lines := bufio.NewScanner(pipe)
	first := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	for lines.Scan() {
		var a ack
		if json.Unmarshal(lines.Bytes(), &a) == nil {
			acks = append(acks, a)
		}
		if len(acks) == 1 {
			first.Stop()
			time.AfterFunc(rand.N(200*time.Millisecond), func() { _ = cmd.Process.Kill() })
		}
	}
	first.Stop()
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return acks
}

func checkAcknowledged(t *testing.T, s *store.Store, acks []ack) {
	t.Helper()
	ctx := t.Context()
	if _, err := s.Verify(ctx); err != nil {
		t.Fatal(err)
	}
	for _, a := range acks {
		uid, err := s.UIDOf(ctx, store.KindPerson, "corp", a.Stable)
		if err != nil || uid != a.UID {
			t.Fatalf("%s: id %d, %v, want %d", a.Stable, uid, err, a.UID)
		}
		if l, err := s.Local(ctx, uid); err != nil || !l.Locked || l.StatusBy != a.Stable {
			t.Fatalf("%s: status %+v, %v", a.Stable, l, err)
		}
		if k, err := s.LookupKey(ctx, "scim", a.Key); err != nil || k.User != uid {
			t.Fatalf("%s: key %+v, %v", a.Stable, k, err)
		}
		records, err := s.ListRecords(ctx, store.RecordFilter{UID: uid})
		if err != nil || len(records) != 2 || records[0].Text != a.Record || records[1].Text != a.Record+" end" {
			t.Fatalf("%s: records %+v, %v", a.Stable, records, err)
		}
	}
}
