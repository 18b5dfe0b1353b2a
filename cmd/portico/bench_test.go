package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/gorilla/mux"

	"portico/testenv"
	"portico/testenv/sample"
)

// benchPeople is the size of the directory behind the request benchmarks.
const benchPeople = 10000

func startSample(b testing.TB, people int, options ...testenv.LDAPOption) (*testenv.LDAPServer, *sample.Directory) {
	b.Helper()
	d := sample.New(sample.Options{People: people, Groups: min(max(people/20, 5), 20_000), BaseDN: "dc=example,dc=com"})
	ldif := d.LDIF()
	defer ldif.Close()
	return testenv.OpenLDAP(b, append(options, testenv.WithLDIF(ldif))...), d
}

// dialMany gives connections that are kept, bound as the service or not.
func dialMany(b testing.TB, server *testenv.LDAPServer, n int, bound bool) []*ldap.Conn {
	b.Helper()
	conns := make([]*ldap.Conn, n)
	for i := range conns {
		conn, err := ldap.DialURL(server.URL())
		if err == nil && bound {
			err = conn.Bind(server.ServiceDN, server.ServicePassword)
		}
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		conns[i] = conn
	}
	return conns
}

// httpClient keeps a connection for every worker.
func httpClient(workers int) *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers, MaxIdleConns: workers}}
}

func fetch(c *http.Client, target string, form url.Values) (string, error) {
	var resp *http.Response
	var err error
	if form == nil {
		resp, err = c.Get(target)
	} else {
		resp, err = c.PostForm(target, form)
	}
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%d %s", resp.StatusCode, body)
	}
	return string(body), err
}

// normalPeople are people of the sample whose account is in order.
func normalPeople(d *sample.Directory, n int) []sample.Person {
	var people []sample.Person
	for i := 0; i < d.People() && len(people) < n; i++ {
		if p := d.Person(i); p.State == sample.StateNormal {
			people = append(people, p)
		}
	}
	return people
}

// BenchmarkAuth: sign-ins through the action API beside raw binds on kept
// connections, to the same server with the same passwords.
func BenchmarkAuth(b *testing.B) {
	server, d := startSample(b, benchPeople)
	url := "http://" + freeAddress(b)
	path := writeConfig(b, server, setup{
		dataDir: filepath.Join(b.TempDir(), "data"),
		listen:  strings.TrimPrefix(url, "http://"), top: "log: {level: warn}",
	})
	key := makeKey(b, path)
	c := startChild(b, "serve", "--config", path)
	c.url = url
	c.waitReady()
	processes := []process{{"client", os.Getpid()}, {"portico", c.cmd.Process.Pid}, {"slapd", server.PID()}}
	people := normalPeople(d, 1000)
	for _, workers := range workerCounts() {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			benchAuth(b, server, c.as(key), people, workers, processes)
		})
	}
}

func benchAuth(b *testing.B, server *testenv.LDAPServer, s *service, people []sample.Person, workers int, processes []process) {
	conns := dialMany(b, server, workers, false)
	clients := make([]*leanClient, workers)
	for i := range clients {
		c, err := newLeanClient(s.url)
		if err != nil {
			b.Fatal(err)
		}
		defer c.conn.Close()
		clients[i] = c
	}
	compare(b, workers, 4000, func(w, i int) error {
		p := people[i%len(people)]
		return conns[w].Bind(p.DN, sample.Password(p.UID))
	}, func(w, i int) error {
		p := people[i%len(people)]
		body, err := clients[w].post("/api.php", "action=auth&key="+s.key+"&username="+p.UID+"&password="+sample.Password(p.UID))
		if err == nil && !strings.Contains(body, `"OK"`) {
			err = errors.New(body)
		}
		return err
	}, processes...)
}

// freeAddress is one that nobody listens on right now.
func freeAddress(b testing.TB) string {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// BenchmarkUserinfo: a warm userinfo beside a bare handler that gives the same bytes.
func BenchmarkUserinfo(b *testing.B) {
	server, d := startSample(b, benchPeople)
	s := start(b, server, setup{top: "log: {level: warn}"})
	s.waitReady()
	people := normalPeople(d, 1000)
	c := httpClient(workers)
	target := func(i int) string {
		return s.url + "/api/userinfo/" + s.key + "/?username=" + url.QueryEscape(people[i%len(people)].UID)
	}
	body, err := fetch(c, target(0), nil)
	if err != nil {
		b.Fatal(err)
	}
	bare := bareHandler(b, body)
	compare(b, workers, 10000, func(_, i int) error {
		_, err := fetch(c, bare+"/api/userinfo/"+s.key+"/?username="+people[i%len(people)].UID, nil)
		return err
	}, func(_, i int) error {
		_, err := fetch(c, target(i), nil)
		return err
	})
}

// bareHandler serves fixed bytes by a gorilla/mux router and nothing else.
func bareHandler(b testing.TB, body string) string {
	b.Helper()
	r := mux.NewRouter()
	r.HandleFunc("/api/{action}/{key}/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(listener) //nolint:errcheck // ends with Close
	b.Cleanup(func() { _ = server.Close() })
	return "http://" + listener.Addr().String()
}
