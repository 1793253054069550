package store_test

import (
	"testing"

	"github.com/latchkey/latchkey/internal/store"
	"github.com/latchkey/latchkey/internal/store/storetest"
)

func openSQLite(t *testing.T, folder string, clock *storetest.Clock) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), folder, clock.Now)
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
