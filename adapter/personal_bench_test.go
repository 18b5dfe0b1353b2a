package adapter

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkLocalData measures the verbs that answer from local data.
func BenchmarkLocalData(b *testing.B) {
	h := newHouse(b)
	ctx := b.Context()
	ann := ByUsername("ann")
	must(b, h.GrantPermission(ctx, ann, "TASKFLOOR", "admin", Client{}))
	must(b, h.SetTOTP(ctx, ann, testSecret, "admin", Client{}))
	must(b, h.SetPIN(ctx, ann, "4321", "admin", Client{}))
	plain, err := h.AddAppPassword(ctx, ann, "mail", "", Client{})
	must(b, err)
	for range 5 {
		_, err := h.AddNotification(ctx, ann, NewNotification{Title: "Shift", Content: "Changed"})
		must(b, err)
	}
	for name, call := range map[string]func() error{
		"Person":        func() error { _, err := h.Person(ctx, ann); return err },
		"Permission":    func() error { _, err := h.Permission(ctx, ann, "TASKFLOOR"); return err },
		"Notifications": func() error { _, err := h.Notifications(ctx, ann, false); return err },
		"IsManagerOf":   func() error { _, err := h.IsManagerOf(ctx, ann, ByUsername("bob")); return err },
		"VerifyTOTP": func() error {
			_, err := h.VerifyTOTP(ctx, ann, h.code(b, testSecret, 0), Client{})
			return err
		},
		"CheckPIN": func() error { _, err := h.CheckPIN(ctx, ann, "4321", Client{}); return err },
		"AppPassword": func() error {
			_, err := h.CheckPassword(ctx, SignIn{Username: "ann", Password: plain})
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				must(b, call())
			}
		})
	}
}

// BenchmarkAbuse_C12_PersonDuringAFloodOfPINs measures look-ups alone and while
// more PINs are tried than may be: the second must be at least half the first.
func BenchmarkAbuse_C12_PersonDuringAFloodOfPINs(b *testing.B) {
	h := newHouse(b, func(c *Config) { c.FailureLimit = -1 })
	must(b, h.SetPIN(b.Context(), ByUsername("ann"), "4321", "admin", Client{}))
	look := func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := h.Person(context.Background(), ByUsername("bob")); err != nil {
					b.Error(err)
				}
			}
		})
	}
	b.Run("alone", look)
	b.Run("flood", func(b *testing.B) {
		ctx, cancel := context.WithCancel(context.Background())
		var group sync.WaitGroup
		var checked, refused atomic.Int64
		for i := range slowWaiting {
			group.Go(func() {
				for ctx.Err() == nil {
					_, err := h.CheckPIN(ctx, ByUsername("ann"), strconv.Itoa(i), Client{})
					if KindOf(err) == Throttled && err != nil {
						refused.Add(1)
						continue
					}
					checked.Add(1)
				}
			})
		}
		b.ResetTimer()
		look(b)
		b.StopTimer()
		cancel()
		group.Wait()
		b.ReportMetric(float64(checked.Load())/b.Elapsed().Seconds(), "pins/s")
		b.ReportMetric(float64(refused.Load())/b.Elapsed().Seconds(), "refused/s")
	})
}
