package store_test

import (
	"log/slog"
	"testing"

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
