package store_test

import (
	"crypto/rand"
	"errors"
	"net"
	"net/url"
	"testing"
	"time"

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
		"an approval, which reads a row first": func(s *store.Store) error {
			row := w.pending(w.accounts[0].ID).row.UntilIdle(idle)
			return s.Approve(w.ctx, store.Approval{Authorization: row, Identity: w.application.Identity(), Asked: true})
		},
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

// TestNothingIsAcknowledgedThatAStandbyLacks: PostgreSQL keeps a row whose commit waited for a
// standby when the connection was lost. The attempt that finds the row there has to wait, too.
func TestNothingIsAcknowledgedThatAStandbyLacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, store.Options{Database: postgres.Start(t).Database(t)})
	s := w.open(false)
	w.populate(s, 1)
	conn := w.connect()
	for _, statement := range []string{`alter system set synchronous_standby_names = 'nobody'`, `select pg_reload_conf()`} {
		_, err := conn.Exec(w.ctx, statement)
		w.must(err)
	}
	// end ends the connections whose commits wait, and tells how many they were.
	end := func() (ended int) {
		w.must(conn.QueryRow(w.ctx, `select count(pg_terminate_backend(pid)) from pg_stat_activity where wait_event = 'SyncRep'`).Scan(&ended))
		return ended
	}
	issued := func(grant oauth.GrantType) func() error {
		return func() error {
			l := w.active(w.accounts[0].ID)
			l.row.GrantType = grant
			return s.Issue(w.ctx, l.row)
		}
	}
	for what, do := range map[string]func() error{
		"an authorization":                    issued(oauth.GrantAuthorizationCode),
		"an authorization without an account": issued(oauth.GrantClientCredentials),
		"the approval of somebody who is asked": func() error {
			return s.Approve(w.ctx, store.Approval{Authorization: w.pending(w.accounts[0].ID).row, Identity: w.application.Identity(), Asked: true})
		},
	} {
		answer := make(chan error, 1)
		begin := func() { answer <- do() }
		go begin()
		w.eventually("a commit waits for a standby, and loses its connection", time.Minute, func() bool {
			select {
			case err := <-answer: // PostgreSQL has not read its settings yet
				w.must(err)
				go begin()
			default:
			}
			return end() > 0
		})
		if err := refusedAs(<-answer, oauth.Unavailable); err != nil {
			t.Errorf("%s: what no standby has is acknowledged: %v", what, err)
		}
		w.eventually("no commit waits any more", time.Minute, func() bool { return end() == 0 })
	}
}

// TestAHostThatSaysNothingIsPassedOver: of several hosts the first one takes connections and never
// answers, as one does whose disk is gone.
func TestAHostThatSaysNothingIsPassedOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, store.Options{Database: postgres.Start(t).Database(t)})
	w.populate(w.open(false), 1)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	defer silent.Close()
	u, err := url.Parse(w.at.Database)
	w.must(err)
	direct := w.at
	u.Host = silent.Addr().String() + "," + u.Host
	w.at.Database = u.String()
	s := w.open(true)
	w.at = direct
	// The first connection of each kind may come later than a request waits for it.
	w.eventually("it writes", time.Minute, func() bool { return s.Issue(w.ctx, w.active(w.id()).row) == nil })
	unknown := w.active(w.id()).access
	w.eventually("it reads", time.Minute, func() bool {
		_, _, err := s.AccessToken(w.ctx, unknown.ID, unknown.Hash(oauth.KindAccessToken))
		return errors.Is(err, store.ErrNotFound)
	})
	w.trusting(s)
}
