package store_test

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/store"
)

// logged collects what is logged. It is safe for concurrent use.
type logged struct {
	mu    sync.Mutex
	lines []byte
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line...)
	return len(line), nil
}

// count is how often something was said.
func (l *logged) count(words string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.lines, []byte(words))
}

func TestThatNobodyHearsOfRevocationsIsToldOnceAndSoIsItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, store.Options{Database: postgres.Database(t)})
	w.populate(w.open(false), 1)
	p, through := startProxy(t, w.at.Database)
	var log logged
	w.at.Database, w.at.Log = through, slog.New(slog.NewTextHandler(&log, nil))
	w.trusting(w.open(true))
	const lost, back = "revocations was lost", "revocations is back"
	for times := 1; times <= 2; times++ {
		before := p.turnedAway.Load()
		p.leave()
		w.eventually("many connections were turned away", 10*time.Second, func() bool { return p.turnedAway.Load() >= before+15 })
		if log.count(lost) != times || log.count(back) != times-1 {
			t.Errorf("after %d outages it was told %d times that the connection was lost and %d times that it is back", times, log.count(lost), log.count(back))
		}
		p.away.Store(false)
		w.eventually("it is told that the connection is back", 10*time.Second, func() bool { return log.count(back) == times })
	}
}
