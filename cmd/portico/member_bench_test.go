package main

import (
	"fmt"
	"strings"
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
