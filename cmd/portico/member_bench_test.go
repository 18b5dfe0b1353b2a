package main

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"portico/adapter"
)

// cpuOf is the time that this process has worked, in microseconds.
func cpuOf(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Sec+u.Stime.Sec)*1e6 + float64(u.Utime.Usec+u.Stime.Usec)
}

// BenchmarkMemberCPU tells what a member's sign-in costs on top of the check of
// the password, in processor time.
func BenchmarkMemberCPU(b *testing.B) {
	const people = 1000
	server := startOpenLDAP(b)
	if err := server.Load(strings.NewReader(crowd(people))); err != nil {
		b.Fatal(err)
	}
	s := start(b, server, setup{top: "apis: {action: {login_interval: 0s}}\nlog: {level: warn}"})
	s.waitReady()
	a := s.app.adapter
	caller := &adapter.Caller{API: "integration", Label: "bench", Masked: "bench"}
	measure := func(b *testing.B, do func(name string) error) {
		names := []string{"jdoe", "jadoe"}
		before := cpuOf(b)
		b.SetParallelism(16)
		b.RunParallel(func(p *testing.PB) {
			for i := 0; p.Next(); i++ {
				if err := do(names[i%2]); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric((cpuOf(b)-before)/float64(b.N), "cpu-us/op")
	}
	b.Run("password", func(b *testing.B) {
		measure(b, func(name string) error {
			r, err := a.CheckPassword(b.Context(), adapter.SignIn{Surface: adapter.SurfaceAPI, Caller: caller, Username: name, Password: name + "-pw"})
			if err == nil && !r.OK {
				err = fmt.Errorf("%s: %+v", name, r)
			}
			return err
		})
	})
	b.Run("member", func(b *testing.B) {
		measure(b, func(name string) error {
			_, err := a.CheckMember(b.Context(), adapter.MemberSignIn{Caller: caller, Username: name, Password: name + "-pw"})
			return err
		})
	})
}

// BenchmarkUsersHeap tells what the list of all users takes of memory that is in
// use, at several sizes, once all caches are warm: it must not grow with the list.
func BenchmarkUsersHeap(b *testing.B) {
	for _, people := range []int{1000, 10_000, 50_000} {
		b.Run(fmt.Sprint(people), func(b *testing.B) {
			server := startOpenLDAP(b)
			if err := server.Load(strings.NewReader(crowd(people))); err != nil {
				b.Fatal(err)
			}
			s := start(b, server, setup{top: "log: {level: warn}"})
			s.waitReady()
			key, err := s.app.adapter.AddPersonalKey(b.Context(), adapter.ByUsername("jdoe"), "bench", adapter.Client{})
			if err != nil {
				b.Fatal(err)
			}
			list := func() int64 {
				req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.url+"/users", nil)
				if err != nil {
					b.Fatal(err)
				}
				req.SetBasicAuth("example/jdoe", key)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					b.Fatal(err)
				}
				defer resp.Body.Close()
				n, err := io.Copy(io.Discard, resp.Body)
				if err != nil || n < int64(people)*300 {
					b.Fatalf("%d bytes, %v", n, err)
				}
				return n
			}
			list()
			b.ResetTimer()
			from, done, most := liveHeap(), make(chan struct{}), 0.0
			var watch sync.WaitGroup
			watch.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						most = max(most, liveHeap()-from)
					}
				}
			})
			n := list()
			close(done)
			watch.Wait()
			b.ReportMetric(most, "live-MB")
			b.ReportMetric(float64(n)/(1<<20), "list-MB")
		})
	}
}

// liveHeap is what a collection leaves of the heap, in MiB.
func liveHeap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}
