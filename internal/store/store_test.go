package store_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/store"
	"github.com/latchkey/latchkey/internal/store/storetest"
)

func openSQLite(t *testing.T, folder string, clock *storetest.Clock) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Folder: folder, Now: clock.Now, Log: slog.New(slog.DiscardHandler)})
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
	storetest.Run(t, func(t *testing.T, clock *storetest.Clock) *store.Store {
		return openSQLite(t, t.TempDir(), clock)
	})
}

func openPostgres(t *testing.T, url string, clock *storetest.Clock) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Database: url, Now: clock.Now, OwnClock: true, Log: slog.New(slog.DiscardHandler)})
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

func TestPostgreSQL(t *testing.T) {
	server := postgres.Start(t)
	storetest.Run(t, func(t *testing.T, clock *storetest.Clock) *store.Store {
		return openPostgres(t, server.Database(t), clock)
	})
}

func TestReplicasGoByTheDatabasesClock(t *testing.T) {
	url := postgres.Start(t).Database(t)
	replica := func(ahead time.Duration) *store.Store {
		t.Helper()
		now := func() time.Time { return time.Now().Add(ahead) }
		s, err := store.Open(t.Context(), store.Options{Database: url, Now: now, Log: slog.New(slog.DiscardHandler)})
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
	fast, slow := replica(30*time.Second), replica(-30*time.Second)
	// Both measured the same clock; what remains is how long the measuring took.
	if apart := fast.Now().Sub(slow.Now()).Abs(); apart > 5*time.Second {
		t.Errorf("replicas whose clocks are a minute apart judge by times that are %v apart", apart)
	}
}
