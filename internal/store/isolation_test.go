package store_test

import (
	"testing"
	"time"

	"github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// TestADisconnectionEndsWhatItWaitedFor: an approval without asking has the consent, and waits for
// a table that somebody keeps; whatever isolation the database has for those who say nothing.
func TestADisconnectionEndsWhatItWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, store.Options{Database: postgres.Database(t) + "&default_transaction_isolation=repeatable%20read"})
	s, conn := w.open(false), w.connect()
	w.populate(s, 1)
	w.approved(s)
	inTheWay, err := conn.Begin(w.ctx)
	w.must(err)
	_, err = inTheWay.Exec(w.ctx, `lock table early_sweeps in share mode`)
	w.must(err)
	watch := w.connect()
	waiting := func(n int) func() bool {
		return func() (yes bool) {
			w.must(watch.QueryRow(w.ctx, `select count(*) = $1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`, n).Scan(&yes))
			return yes
		}
	}
	l, approved, disconnected := w.pending(w.accounts[0].ID), make(chan error, 1), make(chan error, 1)
	l.row = l.row.UntilIdle(idle)
	go func() {
		approved <- s.Approve(w.ctx, store.Approval{Authorization: l.row, Identity: w.application.Identity()})
	}()
	w.eventually("the approval waits for the table", 10*time.Second, waiting(1))
	go func() { disconnected <- s.Disconnect(w.ctx, w.accounts[0].ID, w.application.ID) }()
	w.eventually("the disconnection waits for the approval", 10*time.Second, waiting(2))
	w.must(inTheWay.Rollback(w.ctx))
	w.must(<-approved)
	w.must(<-disconnected)
	if row, err := s.Authorization(w.ctx, l.row.ID); err != nil || row.Status != oauth.StatusRevoked {
		t.Errorf("the authorization has status %d after the disconnection (%v)", row.Status, err)
	}
}
