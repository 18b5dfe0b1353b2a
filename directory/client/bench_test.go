package client

import (
	"slices"
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
	// Short turns and the median of their ratios: other work on the machine
	// hits both sides alike.
	var limits, gots, ratios []float64
	for range b.N {
		limit := rate(100*time.Millisecond, bare)
		got := rate(100*time.Millisecond, ours)
		limits, gots, ratios = append(limits, limit), append(gots, got), append(ratios, got/limit)
	}
	b.ReportMetric(median(limits), "raw/s")
	b.ReportMetric(median(gots), "binds/s")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(float64(c.Stats().Dials), "dials")
	b.ReportMetric(0, "ns/op")
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
