package store_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/store"
	"github.com/latchkey/latchkey/internal/store/storetest"
)

func open(t *testing.T, at store.Options) *store.Store {
	t.Helper()
	at.Log = slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, clock *storetest.Clock) *store.Store {
		return open(t, store.Options{Folder: t.TempDir(), Now: clock.Now})
	})
}

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	server := postgres.Start(t)
	storetest.Run(t, func(t *testing.T, clock *storetest.Clock) *store.Store {
		return open(t, store.Options{Database: server.Database(t), Now: clock.Now, OwnClock: true})
	})
}

func TestReplicasGoByTheDatabasesClock(t *testing.T) {
	url := postgres.Database(t)
	replica := func(ahead time.Duration) *store.Store {
		t.Helper()
		return open(t, store.Options{Database: url, Now: func() time.Time { return time.Now().Add(ahead) }})
	}
	fast, slow := replica(30*time.Second), replica(-30*time.Second)
	// Both measured the same clock; what remains is how long the measuring took.
	if apart := fast.Now().Sub(slow.Now()).Abs(); apart > 5*time.Second {
		t.Errorf("replicas whose clocks are a minute apart judge by times that are %v apart", apart)
	}
}
