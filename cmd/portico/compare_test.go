package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// workerCounts are how many clients run at once in the benchmarks of sign-in.
func workerCounts() []int { return []int{16, 64} }

// workers is how many clients run at once in the other benchmarks.
const workers = 16

// process is one that takes part in a benchmark. Its processor time per operation
// is measured.
type process struct {
	name string
	pid  int
}

// compare runs the limit and ours in turn, in rounds of so many operations
// spread over the workers, and reports operations a second of both and the ratio.
// In turn, because the machine's speed drifts.
//
// Of the processes it also reports the processor time of an operation, and as
// "cpu-ratio" the sums of both: where they share processors that are never idle,
// that is the ratio of the rates, and other work on the machine changes it little.
func compare(b *testing.B, workers, round int, limit, ours func(worker, i int) error, processes ...process) {
	b.Helper()
	spread(b, workers, round, limit) // warm up
	spread(b, workers, round, ours)
	var limitTime, oursTime time.Duration
	limitCPU, oursCPU := make([]time.Duration, len(processes)), make([]time.Duration, len(processes))
	rounds := 0
	for b.Loop() {
		limitTime += priced(b, processes, limitCPU, func() time.Duration { return spread(b, workers, round, limit) })
		oursTime += priced(b, processes, oursCPU, func() time.Duration { return spread(b, workers, round, ours) })
		rounds++
	}
	operations := float64(rounds * round)
	b.ReportMetric(operations/limitTime.Seconds(), "limit-op/s")
	b.ReportMetric(operations/oursTime.Seconds(), "ours-op/s")
	b.ReportMetric(limitTime.Seconds()/oursTime.Seconds(), "ratio")
	if len(processes) == 0 {
		return
	}
	var limitSum, oursSum time.Duration
	for i, p := range processes {
		b.ReportMetric(float64(limitCPU[i].Microseconds())/operations, "limit-"+p.name+"-cpu-µs/op")
		b.ReportMetric(float64(oursCPU[i].Microseconds())/operations, "ours-"+p.name+"-cpu-µs/op")
		limitSum, oursSum = limitSum+limitCPU[i], oursSum+oursCPU[i]
	}
	b.ReportMetric(limitSum.Seconds()/oursSum.Seconds(), "cpu-ratio")
}

// priced adds the processor time that each process spends during run to cpu.
func priced(b *testing.B, processes []process, cpu []time.Duration, run func() time.Duration) time.Duration {
	b.Helper()
	for i, p := range processes {
		cpu[i] -= cpuTime(b, p.pid)
	}
	took := run()
	for i, p := range processes {
		cpu[i] += cpuTime(b, p.pid)
	}
	return took
}

// cpuTime is the processor time of a process until now, user and system, of all
// its threads, in steps of 10 ms.
func cpuTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	const user, system = 11, 12 // after the name, which ends with the last parenthesis
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var ticks int
	for _, i := range []int{user, system} {
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
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
