package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/latchkey/latchkey/e2e/postgres"
)

func TestDatabaseOutage(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name string
		down func(*postgres.Server, *relay)
		up   func(*testing.T, *postgres.Server, *relay)
		long bool // longer than any request may take
	}{
		{"PostgreSQL is restarted", shutDown, startUp, false},
		{"PostgreSQL crashes and is restarted", crash, startUp, false},
		{"PostgreSQL crashes and stays away for a while", crash, startUp, true},
		{"the network swallows everything for a while", freeze, thaw, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			pg, between, s := settleApart(t)
			l := newLoad(t, s)
			l.begin()
			l.reach(t, 200)
			row.down(pg, between)
			began := time.Now()
			s.awaitReady(t, http.StatusServiceUnavailable)
			if row.long {
				eventually(t, "the outage outlasts every request", func() bool {
					return time.Since(began) > slowest+time.Second && l.refused.Load() > 0
				})
			}
			row.up(t, pg, between)
			back := time.Now()
			s.awaitReady(t, http.StatusOK)
			l.reach(t, 200)
			recovered := time.Since(back)
			l.end()
			l.check(t)
			t.Logf("%d requests acknowledged, %d refused, slowest %v; recovered in %v",
				l.acknowledged.Load(), l.refused.Load(), l.worst, recovered)
		})
	}
}

// settleApart settles on a PostgreSQL that is reached through a relay.
func settleApart(t *testing.T) (*postgres.Server, *relay, *server) {
	t.Helper()
	pg := postgres.Start(t)
	between, database := newRelay(t, pg.Address()), pg.Database(t)
	return pg, between, settleOn(t, "--database", strings.Replace(database, pg.Address(), between.address(), 1))
}

func shutDown(pg *postgres.Server, _ *relay) { pg.Stop() }

func crash(pg *postgres.Server, _ *relay) { pg.Kill() }

func startUp(t *testing.T, pg *postgres.Server, _ *relay) { pg.Up(t) }

func freeze(_ *postgres.Server, r *relay) { r.frozen.Store(true) }

func thaw(_ *testing.T, _ *postgres.Server, r *relay) { r.frozen.Store(false) }

// diskSize is small enough to fill, and large enough for the database.
const diskSize = "24m"

func TestDiskFull(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("mounting a small disk needs root: run the tests as root to see what happens when the disk is full")
	}
	s := newServer(t)
	mountSmall(t, s.data)
	s.serve(t, config)
	s.ada = s.newAccount(t, "Ada Lovelace")
	s.session = s.browser(s.ada)
	l := newLoad(t, s)
	before, unseen := s.grant(t, l.app), s.grant(t, l.app) // the server remembers only the first
	s.checkAlive(t, before.Access)
	for range 3 {
		l.begin()
		l.reach(t, 200)
		ballast := filepath.Join(s.data, "ballast")
		refused := l.refused.Load()
		eventually(t, "writes are refused", func() bool {
			fill(t, ballast)
			return l.refused.Load() >= refused+20
		})
		s.checkAlive(t, before.Access)
		s.checkAlive(t, unseen.Access)
		s.do(t, get(checkPath+"?scope=profile", before.Access)).checkStatus(t, http.StatusOK)
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		l.reach(t, 200)
		l.end()
		l.check(t)
		s.checkIntegrity(t)
	}
	t.Logf("%d requests acknowledged, %d refused, slowest %v", l.acknowledged.Load(), l.refused.Load(), l.worst)
	s.terminate(t)
	s.again(t, config)
	l.check(t)
	s.checkIntegrity(t)
}

// mountSmall makes the folder a small disk of its own until the test ends.
func mountSmall(t *testing.T, folder string) {
	t.Helper()
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("latchkey-test", folder, "tmpfs", 0, "size="+diskSize); err != nil {
		t.Skipf("no small disk can be mounted here, so a full one is not tested: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Errorf("unmount: %v", err)
			_ = syscall.Unmount(folder, 2) // MNT_DETACH: nothing may stay behind
		}
	})
}

// fill appends to a file until the disk is full.
func fill(t *testing.T, file string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size >= 512; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}
