package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"portico/adapter/store"
)

// BenchmarkAppend64 measures records a second from 64 goroutines that wait for
// each record to be durable, about people in no order, and the processor time of
// a record in this process. On SQLite it should reach 20,000.
func BenchmarkAppend64(b *testing.B) {
	for _, backend := range backends() {
		b.Run(backend.Name, func(b *testing.B) {
			s := backend.Fresh(b).Open(b)
			record := store.Record{
				Type: 12, UID: 4711, KeyID: 3, Address: "2001:db8:1:2:3:4:5:6",
				RequestID: "01HZX5J6Y7ABCDEFGHJKMNPQRS", Text: "jdoe pk...XY",
			}
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			before := cpuTime(b)
			var group sync.WaitGroup
			for range 64 {
				group.Go(func() {
					record := record
					for i := left.Add(-1); i >= 0; i = left.Add(-1) {
						record.UID = 1 + i*7919%5000
						if err := s.Append(b.Context(), record); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
			rate := float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(rate, "records/s")
			b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
			b.StopTimer()
			if _, err := s.Verify(b.Context()); err != nil {
				b.Error(err)
			}
		})
	}
}

// cpuTime is the processor time of this process until now, user and system.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func BenchmarkReads(b *testing.B) {
	for _, backend := range backends() {
		s := backend.Fresh(b).Open(b)
		people := make([]store.Subject, 10_000)
		for i := range people {
			people[i] = store.Subject{Directory: "corp", Stable: fmt.Sprint("id-", i)}
		}
		if _, err := s.UIDs(b.Context(), store.KindPerson, people); err != nil {
			b.Fatal(err)
		}
		_, plain, err := s.CreateKey(b.Context(), store.NewKey{API: "action"})
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range []struct {
			name string
			call func(i int) error
		}{
			{"LookupKey", func(int) error { _, err := s.LookupKey(b.Context(), "action", plain); return err }},
			{"UID", func(i int) error {
				_, err := s.UIDs(b.Context(), store.KindPerson, people[i%len(people):i%len(people)+1])
				return err
			}},
			{"Local", func(i int) error { _, err := s.Local(b.Context(), int64(i%len(people))); return err }},
			{"Failures", func(int) error { _, err := s.Failures(b.Context(), "nobody"); return err }},
			{"UIDs100", func(i int) error {
				_, err := s.UIDs(b.Context(), store.KindPerson, people[i%9900:i%9900+100])
				return err
			}},
		} {
			b.Run(backend.Name+"/"+c.name, func(b *testing.B) {
				for i := range b.N {
					if err := c.call(i); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkWrites(b *testing.B) {
	for _, backend := range backends() {
		s := backend.Fresh(b).Open(b)
		uid, err := s.UIDs(b.Context(), store.KindPerson, []store.Subject{{Directory: "corp", Stable: "ann"}})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(backend.Name+"/SetStatus", func(b *testing.B) {
			for range b.N {
				if err := s.SetStatus(b.Context(), uid[0], store.Status{Alert: true}, "bench"); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(backend.Name+"/Append1", func(b *testing.B) {
			for range b.N {
				if err := s.Append(b.Context(), store.Record{Type: 1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
