package store_test

import (
	"crypto/rand"
	"testing"

	"github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// TestAStandbyIsLeft: connections were made while the address led to a server that only reads, and
// now leads to the one that writes.
func TestAStandbyIsLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t, store.Options{Database: postgres.Database(t)})
	w.populate(w.open(false), 1)
	conn := w.connect()
	alter := func(to string) {
		t.Helper()
		_, err := conn.Exec(w.ctx, `do $$ begin execute format('alter database %I `+to+`', current_database()); end $$`)
		w.must(err)
	}
	for what, do := range map[string]func(*store.Store) error{
		"a batch":                     func(s *store.Store) error { return s.Issue(w.ctx, w.active(w.accounts[0].ID).row) },
		"a write to the small tables": func(s *store.Store) error { return s.PutSetting(w.ctx, "name", rand.Text()) },
	} {
		alter("set default_transaction_read_only = on")
		s := w.open(false)
		if err := refusedAs(do(s), oauth.Unavailable); err != nil {
			t.Errorf("%s, on a standby: %v", what, err)
		}
		alter("reset default_transaction_read_only")
		if err := do(s); err != nil {
			t.Errorf("%s, after it: %v", what, err)
		}
	}
}
