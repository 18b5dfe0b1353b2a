package client

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

const benchWorkers = 16

// rate runs f from 16 goroutines for d and gives calls a second.
func rate(d time.Duration, f func(worker int)) float64 {
	var n atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for w := range benchWorkers {
		wg.Go(func() {
			for time.Since(begin) < d {
				f(w)
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(begin).Seconds()
}

// BenchmarkBind compares Client.Bind with a bare loop of go-ldap's Bind on kept
// connections, in turns, so that both see the same machine.
func BenchmarkBind(b *testing.B) {
	s := startSlapd(b)
	c := open(b, s.cfg())
	var raw [benchWorkers]*ldap.Conn
	for i := range raw {
		l, err := ldap.DialURL(s.url)
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		raw[i] = l
	}
	dn := person("alice")
	bare := func(w int) {
		if err := raw[w].Bind(dn, "pw-alice"); err != nil {
			b.Error(err)
		}
	}
	ours := func(int) {
		if r := c.Bind(b.Context(), dn, "pw-alice"); r.Verdict != directory.VerdictSignedIn {
			b.Error(r)
		}
	}
	rate(200*time.Millisecond, bare)
	rate(200*time.Millisecond, ours)
	b.ResetTimer()
	var limit, got float64
	for range b.N {
		limit += rate(500*time.Millisecond, bare)
		got += rate(500*time.Millisecond, ours)
	}
	b.ReportMetric(limit/float64(b.N), "raw/s")
	b.ReportMetric(got/float64(b.N), "binds/s")
	b.ReportMetric(got/limit, "ratio")
	b.ReportMetric(0, "ns/op")
}
