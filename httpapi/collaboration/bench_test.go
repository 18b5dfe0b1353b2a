package collaboration

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"portico/adapter"
	collab "portico/adapter/collaboration"
	"portico/adapter/store"
)

// BenchmarkCreate makes collaborations over HTTP with 16 clients at once; every
// answer is durable. The goal is 300 a second.
func BenchmarkCreate(b *testing.B) {
	h := newHouse(b, "")
	var n atomic.Int64
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			if status, _, text := h.ask(http.MethodPost, "/api/collaborations/v1", "K-ACME", creation(fmt.Sprint("Lab ", i), fmt.Sprintf(`,"short_name":"lab%d"`, i))); status != 201 {
				b.Error(text)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "creates/s")
}

// BenchmarkOrganisation asks for 1,000 collaborations with 50 members each, of
// 500 people. The goal is 300 ms.
func BenchmarkOrganisation(b *testing.B) {
	h := newHouse(b, "")
	ctx := b.Context()
	crowd := make([]int64, 0, 500)
	for i := range 500 {
		name := fmt.Sprintf("person%d", i)
		h.people.names = append(h.people.names, name)
	}
	h.people.index()
	for i := range 500 {
		p, err := h.adapter.Person(ctx, adapter.ByUsername(fmt.Sprintf("person%d", i)))
		must(b, err)
		crowd = append(crowd, p.UID)
	}
	for c := range 1000 {
		must(b, h.store.Collab(ctx, "fill", func(ctx context.Context, t *store.CollabTx) error {
			now := h.clock.Now()
			name := fmt.Sprint("lab", c)
			o := store.Collaboration{
				Org: 1, Identifier: store.NewUUID(), UUID4: store.NewUUID(), Name: name, NameKey: name, ShortName: name, Description: "d",
				Status: collab.Active, Active: now, Stamp: store.Stamp{Created: now, Updated: now},
			}
			if err := t.PutCollaboration(ctx, &o); err != nil {
				return err
			}
			for m := range 50 {
				member := store.Member{Collab: o.ID, UID: crowd[(c*7+m)%500], Role: collab.Plain, Status: collab.Active, Stamp: o.Stamp}
				if err := t.PutMember(ctx, &member); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	b.ResetTimer()
	for range b.N {
		status, _, text := h.ask(http.MethodGet, "/api/organisations/v1", "K-ACME", "")
		if status != 200 || len(text) < 10<<20 {
			b.Fatal(status, len(text))
		}
		b.ReportMetric(float64(len(text)>>20), "MiB")
	}
}
