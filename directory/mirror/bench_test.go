package mirror

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"portico/directory"
)

const crowdSize = 100_000

// load reads a crowd into an empty mirror as a feed does, in batches.
func load(b testing.TB, m *Mirror, n int) (rows int) {
	ctx := context.Background()
	r, err := m.BeginRefresh(ctx, "corp")
	if err != nil {
		b.Fatal(err)
	}
	batch := make([]*directory.Entry, 0, 1000)
	flush := func() {
		if err := r.Upsert(ctx, batch); err != nil {
			b.Fatal(err)
		}
		rows += len(batch)
		batch = batch[:0]
	}
	crowd(n, func(e *directory.Entry) {
		if batch = append(batch, e); len(batch) == cap(batch) {
			flush()
		}
	})
	flush()
	if _, err := r.Complete(ctx, "cookie"); err != nil {
		b.Fatal(err)
	}
	return rows
}

// residentMB is the memory of the process in MB: now and at most.
func residentMB(b testing.TB) (now, peak float64) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, _ := strconv.ParseFloat(f[1], 64)
		switch f[0] {
		case "VmRSS:":
			now = n / 1024
		case "VmHWM:":
			peak = n / 1024
		}
	}
	return now, peak
}

// cpuTime is what this process has used of the processor. Beside it the wall
// clock says little on a machine that others use too.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// perRow reports wall and processor time of each of n rows of each round.
func perRow(b *testing.B, n int, cpu time.Duration) {
	rounds := float64(b.N * n)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1000/rounds, "µs/row")
	b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1000/rounds, "cpu-µs/row")
}

// BenchmarkFirstLoad is the first read of 100,000 people and 2,000 groups, with
// all indexes; the entries are generated beside it.
func BenchmarkFirstLoad(b *testing.B) {
	rows, cpu := 0, cpuTime()
	for b.Loop() {
		m := open(b, filepath.Join(b.TempDir(), "mirror.db"), testOptions("corp"))
		rows = load(b, m, crowdSize)
		_ = m.Close()
	}
	perRow(b, rows, cpu)
	now, peak := residentMB(b)
	b.ReportMetric(now, "MB-RSS")
	b.ReportMetric(peak, "MB-peak")
}

// BenchmarkAt100000 asks a mirror of 100,000 people.
func BenchmarkAt100000(b *testing.B) {
	ctx := context.Background()
	path := filepath.Join(b.TempDir(), "mirror.db")
	m := open(b, path, testOptions("corp"))
	load(b, m, crowdSize)
	if err := m.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			m, err := Open(ctx, path, quiet(), testOptions("corp"))
			if err != nil {
				b.Fatal(err)
			}
			_ = m.Close()
		}
	})
	m = open(b, path, testOptions("corp"))
	var ids []directory.ID
	crowd(1000, func(e *directory.Entry) { ids = append(ids, e.ID) })
	run := func(name string, f func(i int) (int, error)) {
		b.Run(name, func(b *testing.B) {
			i, cpu := 0, cpuTime()
			for b.Loop() {
				n, err := f(i)
				if err != nil || n == 0 {
					b.Fatal(n, err)
				}
				i++
			}
			b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
	one := func(_ *directory.Entry, err error) (int, error) { return 1, err }
	many := func(e []*directory.Entry, err error) (int, error) { return len(e), err }
	run("get", func(i int) (int, error) { return one(m.Get(ctx, ids[i%len(ids)])) })
	run("login", func(i int) (int, error) { return many(m.ByLogin(ctx, fmt.Sprintf("User%06d", i*7919%crowdSize))) })
	run("mail", func(i int) (int, error) {
		return many(m.ByMail(ctx, fmt.Sprintf("user%06d@example.org", i*7919%crowdSize)))
	})
	run("search/common", func(int) (int, error) { return many(m.SearchPeople(ctx, "müller", 10)) })
	run("search/all", func(int) (int, error) { return many(m.SearchPeople(ctx, "user", 10)) })
	run("search/rare", func(int) (int, error) { return many(m.SearchPeople(ctx, "er09999", 10)) })
	run("search/two", func(int) (int, error) { return many(m.SearchPeople(ctx, "99", 10)) })
	run("search/cyrillic", func(int) (int, error) { return many(m.SearchPeople(ctx, "людмила ива", 10)) })
	run("search/groups", func(int) (int, error) { return many(m.SearchGroups(ctx, "m0199", 10)) })
	run("page/first", func(int) (int, error) { return many(m.List(ctx, Query{Kind: directory.KindPerson, Limit: 100})) })
	run("page/offset90000", func(int) (int, error) {
		return many(m.List(ctx, Query{Kind: directory.KindPerson, Limit: 100, Offset: 90000, SortBy: SortDisplay}))
	})
	deep, err := m.ListPage(ctx, Query{Kind: directory.KindPerson, Limit: 100, Offset: 90000, SortBy: SortDisplay})
	if err != nil {
		b.Fatal(err)
	}
	run("page/cursor90000", func(int) (int, error) {
		return many(m.List(ctx, Query{Kind: directory.KindPerson, Limit: 100, After: deep.Next, SortBy: SortDisplay}))
	})
	run("groupsof", func(i int) (int, error) { return many(m.GroupsOf(ctx, ids[i%100], true)) })
	run("managedby", func(int) (int, error) { return many(m.ManagedBy(ctx, ids[7])) })
	run("count", func(int) (int, error) { m.revision.Add(1); return m.Count(ctx, directory.KindPerson, "") })
	run("apply/unchanged", func(i int) (int, error) {
		e, err := m.Get(ctx, ids[i%49])
		if err != nil {
			return 0, err
		}
		return 1, m.Apply(ctx, "corp", Batch{Upserts: []*directory.Entry{e}})
	})
	run("apply/changed", func(i int) (int, error) {
		e, err := m.Get(ctx, ids[i%49])
		if err != nil {
			return 0, err
		}
		c := *e
		c.Version = strconv.Itoa(i)
		return 1, m.Apply(ctx, "corp", Batch{Upserts: []*directory.Entry{&c}})
	})
}

// BenchmarkRepeatedRefresh is the daily reconciliation: everything again,
// nothing changed.
func BenchmarkRepeatedRefresh(b *testing.B) {
	m := open(b, filepath.Join(b.TempDir(), "mirror.db"), testOptions("corp"))
	load(b, m, crowdSize)
	rows, cpu := 0, cpuTime()
	for b.Loop() {
		rows = load(b, m, crowdSize)
	}
	perRow(b, rows, cpu)
}

// BenchmarkBigGroup adds and removes one of 10,000 members (DR16).
func BenchmarkBigGroup(b *testing.B) {
	m := loaded(b, "corp")
	var people []*directory.Entry
	var dns []string
	for i := range 10001 {
		p := person(fmt.Sprintf("p%05d", i))
		people = append(people, p)
		dns = append(dns, p.DN)
	}
	apply(b, m, "corp", people...)
	apply(b, m, "corp", group("big", dns[:10000]...))
	i := 0
	for b.Loop() {
		apply(b, m, "corp", group("big", dns[:10000+(i+1)%2]...))
		i++
	}
}
