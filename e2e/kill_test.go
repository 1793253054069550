package e2e_test

import (
	"flag"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/latchkey/latchkey/e2e/postgres"
)

var killRounds = flag.Int("kill-rounds", 20, "how often the server, or PostgreSQL, is killed under load")

func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	t.Run("on SQLite", func(t *testing.T) {
		t.Parallel()
		testKilled(t, settleOn(t), nil)
	})
	t.Run("on PostgreSQL", func(t *testing.T) {
		t.Parallel()
		pg := postgres.Start(t)
		testKilled(t, settleOn(t, "--database", pg.Database(t)), pg)
	})
}

func testKilled(t *testing.T, s *server, pg *postgres.Server) {
	l := newLoad(t, s)
	var acknowledged int64
	for round := range *killRounds {
		server, database := pg == nil || round%4 != 1, pg != nil && round%2 == 1
		l.catastrophe(t, pg, server, database)
		l.check(t)
		if pg == nil {
			s.checkIntegrity(t)
		}
		if t.Failed() {
			t.Fatalf("round %d (server killed: %v, PostgreSQL killed: %v)", round+1, server, database)
		}
		acknowledged = l.acknowledged.Load()
	}
	for _, c := range l.chains {
		c.finish(t, l)
	}
	t.Logf("%d rounds, %d requests acknowledged, %d answers lost, %d refused, slowest %v",
		*killRounds, acknowledged, l.lost.Load(), l.refused.Load(), l.worst)
}

// catastrophe kills the server, PostgreSQL or both under load, and brings them back.
func (l *load) catastrophe(t *testing.T, pg *postgres.Server, server, database bool) {
	t.Helper()
	l.mortal.Store(server)
	l.begin()
	l.reach(t, 100+rand.Int64N(300))
	if database {
		pg.Kill()
	}
	if server {
		l.s.kill(t)
		l.end()
	}
	if database {
		pg.Up(t)
	}
	if server {
		l.s.again(t, config)
	} else {
		l.reach(t, 50)
		l.end()
	}
	l.s.awaitReady(t, http.StatusOK)
}

// awaitReady polls the health check that load balancers look at.
func (s *server) awaitReady(t *testing.T, want int) {
	t.Helper()
	eventually(t, "readyz follows the database", func() bool {
		a, err := s.send(get("/readyz", ""))
		return err == nil && a.status == want
	})
}
