package main

import (
	"fmt"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"portico/adapter"
	"portico/testenv/sample"
)

// benchService is the program in front of a directory of the given size, with the
// real adapter and SQLite.
func benchService(b *testing.B, people int) (*service, []sample.Person) {
	b.Helper()
	server, d := startSample(b, people)
	s := start(b, server, setup{top: "log: {level: warn}\napis: {action: {login_interval: 0s}}"})
	s.waitReady()
	return s, normalPeople(d, 1000)
}

func leanClients(b *testing.B, address string, n int) []*leanClient {
	b.Helper()
	clients := make([]*leanClient, n)
	for i := range clients {
		c, err := newLeanClient(address)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = c.conn.Close() })
		clients[i] = c
	}
	return clients
}

// BenchmarkActions: reading actions beside a bare handler that gives the same
// bytes, on kept connections, in turn; the median of the rounds' ratios.
func BenchmarkActions(b *testing.B) {
	s, people := benchService(b, benchPeople)
	for i := range 100 {
		who := adapter.ByUsername(people[i].UID)
		must(b, s.app.adapter.GrantPermission(b.Context(), who, "TASKFLOOR", "bench", adapter.Client{}))
		for range 3 {
			_, err := s.app.adapter.AddNotification(b.Context(), who, adapter.NewNotification{Title: "Shift", Content: "The shift of Monday has changed."})
			must(b, err)
		}
	}
	for action, more := range map[string]string{"permission": "&code=TASKFLOOR", "userexists": "", "getgroupsbyuser": "", "getnotifications": ""} {
		b.Run(action, func(b *testing.B) {
			form := func(i int) string { return "username=" + people[i%100].UID + more }
			path := "/api/" + action + "/" + s.key + "/"
			ours := leanClients(b, s.url, workers)
			body, err := ours[0].post(path, form(0))
			must(b, err)
			bare := leanClients(b, bareHandler(b, body), workers)
			compareMedians(b, workers, 4000, func(w, i int) error {
				_, err := bare[w].post(path, form(i))
				return err
			}, func(w, i int) error {
				_, err := ours[w].post(path, form(i))
				return err
			})
		})
	}
}

// compareMedians is compare for a machine on which others work too: it gives the
// median of the ratios of the rounds.
func compareMedians(b *testing.B, workers, round int, limit, ours func(worker, i int) error) {
	b.Helper()
	spread(b, workers, round, limit) // warm up
	spread(b, workers, round, ours)
	var ratios, limits, own []float64
	for b.Loop() {
		l, o := spread(b, workers, round, limit).Seconds(), spread(b, workers, round, ours).Seconds()
		ratios, limits, own = append(ratios, l/o), append(limits, float64(round)/l), append(own, float64(round)/o)
	}
	b.ReportMetric(median(limits), "limit-op/s")
	b.ReportMetric(median(own), "ours-op/s")
	b.ReportMetric(median(ratios), "ratio")
}

func median[T float64 | time.Duration](list []T) T {
	sorted := slices.Clone(list)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}

// BenchmarkAbuse_C12_UserinfoInAFlood: userinfo by itself, and while as many
// clients again try PINs, or app passwords that have slow hashes, as fast as they can.
func BenchmarkAbuse_C12_UserinfoInAFlood(b *testing.B) {
	s, people := benchService(b, benchPeople)
	hash, err := bcrypt.GenerateFromPassword([]byte("AAAAA-BBBBB-CCCCC-DDDDD"), 10)
	must(b, err)
	const victims = 200
	for i := range victims {
		who := adapter.ByUsername(people[i].UID)
		must(b, s.app.adapter.SetPIN(b.Context(), who, "4321", "bench", adapter.Client{}))
		person, err := s.app.adapter.Person(b.Context(), who)
		must(b, err)
		_, err = s.app.store.ImportAppPassword(b.Context(), person.UID, string(hash), "phone", fmt.Sprintf("accounthub:%d", i))
		must(b, err)
	}
	for flood, form := range map[string]string{
		"checkpin": "action=checkpin&pin=1234",
		"auth":     "action=auth&apppass=1&password=AAAAA-BBBBB-CCCCC-EEEEE",
	} {
		b.Run(flood, func(b *testing.B) {
			readers, tries := leanClients(b, s.url, workers), leanClients(b, s.url, workers)
			read := func(w, i int) error {
				_, err := readers[w].post("/api.php", "action=userinfo&key="+s.key+"&username="+people[i%1000].UID)
				return err
			}
			var count atomic.Int64
			underFlood := func() time.Duration {
				stop := make(chan struct{})
				var group sync.WaitGroup
				for w, c := range tries {
					group.Go(func() {
						for i := w; ; i += len(tries) {
							select {
							case <-stop:
								return
							default:
							}
							body, err := c.post("/api.php", form+"&key="+s.key+"&username="+people[i%victims].UID)
							if err != nil || body == "" { // told to wait, and the connection closed
								_ = c.conn.Close()
								if c, err = newLeanClient(s.url); err != nil {
									b.Error(err)
									return
								}
								tries[w] = c
							}
							count.Add(1)
						}
					})
				}
				defer group.Wait()
				defer close(stop)
				time.Sleep(50 * time.Millisecond)
				return spread(b, workers, 4000, read)
			}
			spread(b, workers, 4000, read)
			var ratios []float64
			for b.Loop() {
				alone := spread(b, workers, 4000, read)
				ratios = append(ratios, alone.Seconds()/underFlood().Seconds())
			}
			b.ReportMetric(median(ratios), "kept")
			b.ReportMetric(float64(count.Load())/b.Elapsed().Seconds(), "tries/s")
		})
	}
}

// BenchmarkAbuse_B01_B02_Medians: a wrong password or code of somebody beside one
// of nobody, in turn, 400 of each; medians of the times.
func BenchmarkAbuse_B01_B02_Medians(b *testing.B) {
	s, people := benchService(b, benchPeople)
	const samples = 400
	for i := range samples {
		who := adapter.ByUsername(people[i].UID)
		must(b, s.app.adapter.SetTOTP(b.Context(), who, totpSecret, "bench", adapter.Client{}))
	}
	for name, form := range map[string]string{
		"auth": "action=auth&password=wrong", "login": "action=login&password=wrong",
		"verifytotp": "action=verifytotp&code=123456", "mobilevalid": "action=mobilevalid&code=0123456789ABCDEF0123",
	} {
		b.Run(name, func(b *testing.B) {
			c := leanClients(b, s.url, 1)[0]
			ask := func(user string) (string, time.Duration) {
				begin := time.Now()
				body, err := c.post("/api.php", form+"&key="+s.key+"&username="+url.QueryEscape(user))
				must(b, err)
				return body, time.Since(begin)
			}
			var known, unknown []time.Duration
			for b.Loop() {
				for i := range samples {
					body, took := ask(people[i].UID)
					other, tookOther := ask(fmt.Sprintf("stranger-%d", i))
					if body != other {
						b.Fatalf("%s for somebody, %s for nobody", body, other)
					}
					known, unknown = append(known, took), append(unknown, tookOther)
				}
			}
			b.ReportMetric(float64(median(known).Microseconds()), "somebody-µs")
			b.ReportMetric(float64(median(unknown).Microseconds()), "nobody-µs")
			b.ReportMetric(float64(median(unknown))/float64(median(known)), "ratio")
		})
	}
}
