package main

import (
	"sync"
	"testing"
	"time"
)

// workerCounts are how many clients run at once in the benchmarks of sign-in.
func workerCounts() []int { return []int{16, 64} }

// workers is how many clients run at once in the other benchmarks.
const workers = 16

// compare runs the limit and ours in turn, in rounds of so many operations
// spread over the workers, and reports operations a second of both and the ratio.
// In turn, because the machine's speed drifts.
func compare(b *testing.B, workers, round int, limit, ours func(worker, i int) error) {
	b.Helper()
	spread(b, workers, round, limit) // warm up
	spread(b, workers, round, ours)
	var limitTime, oursTime time.Duration
	rounds := 0
	for b.Loop() {
		limitTime += spread(b, workers, round, limit)
		oursTime += spread(b, workers, round, ours)
		rounds++
	}
	operations := float64(rounds * round)
	b.ReportMetric(operations/limitTime.Seconds(), "limit-op/s")
	b.ReportMetric(operations/oursTime.Seconds(), "ours-op/s")
	b.ReportMetric(limitTime.Seconds()/oursTime.Seconds(), "ratio")
}

func spread(b *testing.B, workers, round int, f func(worker, i int) error) time.Duration {
	b.Helper()
	var wg sync.WaitGroup
	begin := time.Now()
	for w := range workers {
		wg.Go(func() {
			for i := w; i < round; i += workers {
				if err := f(w, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(begin)
}
