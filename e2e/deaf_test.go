package e2e_test

import (
	"bytes"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey/latchkey/e2e/postgres"
)

// deafness is how long a replica may trust what it remembers after it last heard of others.
const deafness = 3 * time.Second

// listeners selects the connections on which replicas hear of each other.
const listeners = ` from pg_stat_activity where application_name = 'latchkey' and query ilike 'listen%' and datname = current_database()`

func testDeaf(t *testing.T, pg *postgres.Server) {
	database := pg.Database(t)
	p := newRelay(t, pg.Address())
	all := replicas(t, database, strings.Replace(database, pg.Address(), p.address(), 1))
	cut := func() {
		if _, err := query(database, `select pg_terminate_backend(pid)::text`+listeners); err != nil {
			t.Error(err)
		}
	}
	rows := []struct {
		name  string
		hurt  func() (mend func())
		stale bool // the replica cannot know, so at first it must have been fooled
	}{
		{"whose connection was cut", func() func() {
			cut()
			return func() {}
		}, false},
		{"whose connection is cut again and again", func() func() {
			return repeat(cut)
		}, false},
		{"whose connection fell silent", func() func() {
			p.silence()
			return func() {}
		}, true},
		{"whose every connection falls silent", func() func() {
			p.deaf.Store(true)
			return func() { p.deaf.Store(false) }
		}, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p.awaitTrust(t)
			testForgotten(t, all[0], all[1], row.hurt, row.stale)
		})
	}
	eventually(t, "both replicas listen, and nobody else", func() bool {
		return len(ask(t, database, `select pid::text`+listeners)) == 2
	})
	p.awaitTrust(t)
}

// repeat does it again and again until it is stopped.
func repeat(do func()) (stop func()) {
	stopped, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stopped:
				return
			case <-time.After(5 * time.Millisecond):
				do()
			}
		}
	}()
	return func() {
		close(stopped)
		<-done
	}
}

// testForgotten revokes tokens at one replica that the hurt one remembers: it must not accept any
// for longer than it may be deaf.
func testForgotten(t *testing.T, here, there *server, hurt func() func(), stale bool) {
	app := here.register(t, registration{})
	all := here.issue(t, app, 100)
	each(len(all), func(i int) { there.checkAnswered(t, all[i], http.StatusOK) })
	defer hurt()()
	revoked := make([]time.Time, len(all))
	each(len(all), func(i int) {
		if a, err := here.send(revoking(app, all[i])); err != nil || a.status != http.StatusOK {
			t.Errorf("a revocation is answered %d (%v)", a.status, err)
		}
		revoked[i] = time.Now()
	})
	var fooled atomic.Int64
	var latest atomic.Int64
	each(len(all), func(i int) {
		for {
			asked := time.Now()
			a, err := there.send(get(mePath, all[i]))
			if err != nil || a.status == http.StatusUnauthorized {
				return
			}
			fooled.Add(1)
			late := asked.Sub(revoked[i])
			latest.Store(max(latest.Load(), int64(late)))
			if late > deafness {
				t.Errorf("a token is accepted %v after it was revoked: status %d", late, a.status)
				return
			}
		}
	})
	if stale && fooled.Load() == 0 {
		t.Error("nothing was remembered, so this shows nothing")
	}
	t.Logf("revoked tokens were accepted %d times, the last %v after the revocation", fooled.Load(), time.Duration(latest.Load()))
}

// relay stands between a replica and PostgreSQL, and can stop forwarding without closing.
type relay struct {
	listener net.Listener
	target   string
	// deaf silences every connection that listens.
	deaf atomic.Bool
	// frozen swallows everything, also what new connections send.
	frozen atomic.Bool
	beats  atomic.Int64 // heartbeats of the replica that reached it
	mu     sync.Mutex
	links  []*link
	wait   sync.WaitGroup
}

// link is one connection through the relay.
type link struct {
	near, far       net.Conn
	listens, silent atomic.Bool
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &relay{listener: l, target: target}
	p.wait.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		for _, k := range p.links {
			k.close()
		}
		p.mu.Unlock()
		p.wait.Wait()
	})
	return p
}

func (p *relay) address() string { return p.listener.Addr().String() }

func (p *relay) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		k := &link{near: near, far: far}
		p.mu.Lock()
		p.links = append(p.links, k)
		p.mu.Unlock()
		p.wait.Go(func() { p.forward(k, near, far) })
		p.wait.Go(func() { p.forward(k, far, near) })
	}
}

// forward copies one direction until either side ends.
func (p *relay) forward(k *link, from, to net.Conn) {
	defer k.close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if from == k.near && bytes.Contains(buffer[:n], []byte("listen latchkey")) {
			k.listens.Store(true)
		}
		if p.frozen.Load() {
			k.silent.Store(true) // what was lost does not come again
		}
		if k.silent.Load() || p.deaf.Load() && k.listens.Load() {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
		if from == k.far && bytes.Contains(buffer[:n], []byte("latchkey_")) {
			p.beats.Add(1)
		}
	}
}

// awaitTrust waits until the replica has a reason to trust what it remembers: it listens for
// three seconds, and heard its own heartbeat each second.
func (p *relay) awaitTrust(t *testing.T) {
	t.Helper()
	enough := p.beats.Load() + 5
	eventually(t, "the replica hears its own heartbeat", func() bool { return p.beats.Load() > enough })
}

// silence drops all that comes on the present listening connections from now on.
func (p *relay) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.links {
		if k.listens.Load() {
			k.silent.Store(true)
		}
	}
}

func (k *link) close() {
	_ = k.near.Close()
	_ = k.far.Close()
}
