package store_test

import (
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

const swept = 700

// sow adds authorizations in every state, and a session each.
func (w *world) sow(s *store.Store, n int) []life {
	w.Helper()
	lives := make([]life, n)
	each(writers, n, func(i int) {
		account := w.accounts[i%len(w.accounts)]
		l := w.pending(account.ID)
		if i%4 == 1 {
			l = w.active(account.ID)
		}
		if i%4 == 2 {
			l = w.active(account.ID)
			l.row = l.row.Revoked(oauth.ReasonRequested, w.clock.Now())
		}
		if i%4 == 3 {
			l = w.active(account.ID)
			l.row.GrantType, l.row.RefreshHash = oauth.GrantClientCredentials, oauth.Hash{}
			l.row = l.row.Issued()
		}
		if err := errors.Join(s.Issue(w.ctx, l.row), s.StartSession(w.ctx, w.session(account), "hash", oauth.ID{})); err != nil {
			w.Error(err)
		}
		lives[i] = l
	})
	return lives
}

func (w *world) session(account oauth.Account) oauth.Session {
	w.Helper()
	now, token := w.clock.Now(), w.token(w.id())
	return oauth.Session{
		ID: token.ID, AccountID: account.ID, Hash: token.Hash(oauth.KindSession), UserAgent: "test", Address: "192.0.2.1",
		CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(time.Hour),
	}
}

// left counts the rows of both tables.
func (w *world) left(s *store.Store) (authorizations, sessions int) {
	w.Helper()
	all, err := s.Authorizations(w.ctx, store.AuthorizationFilter{Limit: 1_000_000})
	w.must(err)
	for _, a := range w.accounts {
		theirs, err := s.Sessions(w.ctx, a.ID)
		w.must(err)
		sessions += len(theirs)
	}
	return len(all), sessions
}

// sweep sweeps until nothing is left to do, and returns how much it was.
func (w *world) sweep(s *store.Store) (total int) {
	w.Helper()
	for {
		removed, err := s.Sweep(w.ctx)
		w.must(err)
		// A batch of each table, or of what is looked at early.
		if removed > 2*batch+64 {
			w.Errorf("%d rows are swept in one turn", removed)
		}
		if total += removed; removed == 0 {
			return total
		}
	}
}

func sweepEverything(w *world) {
	s := w.open(false)
	w.populate(s, 10)
	var early int64
	for round := range 4 {
		w.sow(s, swept)
		if w.onSQLite() {
			// The audit log is kept, and grows with the sessions that begin.
			_, err := w.sqlite(filepath.Join(w.at.Folder, store.DatabaseFile)).ExecContext(w.ctx, `delete from audit`)
			w.must(err)
			total, _ := w.pages()
			// How full random keys make the pages differs from round to round.
			if round < 2 {
				early = max(early, total)
			}
			if float64(total) > 1.05*float64(early) {
				w.Errorf("the file has grown from %d to %d bytes in round %d, though everything was swept", early, total, round)
			}
		}
		w.clock.Add(idle + 8*24*time.Hour)
		if n := w.sweep(s); n != 2*swept {
			w.Errorf("%d authorizations and sessions were swept; want %d", n, 2*swept)
		}
		if rows, sessions := w.left(s); rows != 0 || sessions != 0 {
			w.Errorf("%d authorizations and %d sessions are left", rows, sessions)
		}
	}
}

func sweepNothingAlive(w *world) {
	s := w.open(false)
	w.populate(s, 10)
	w.sow(s, 40)
	// The sweeper looks at both when their question is over, and one was redeemed.
	for _, redeemed := range []bool{false, true} {
		l := w.pending(w.accounts[0].ID)
		l.row = l.row.UntilIdle(idle)
		w.must(s.Issue(w.ctx, l.row))
		if redeemed {
			w.must(w.redeems(s, l))
		}
	}
	for _, c := range []struct {
		name     string
		pass     time.Duration
		rows     int
		sessions int
	}{
		{"at once", 0, 42, 40},
		{"while the access tokens and questions are alive", time.Hour - time.Second, 42, 40},
		{"after the sessions", time.Second, 42, 0},
		{"after the questions and the tokens of client_credentials", 2 * time.Hour, 21, 0},
		{"after the reasons of revocations", 24 * time.Hour, 11, 0},
		{"while the refresh tokens can live", idle - 28*time.Hour, 11, 0},
		{"after everything", 8 * 24 * time.Hour, 0, 0},
	} {
		w.clock.Add(c.pass)
		w.sweep(s)
		if rows, sessions := w.left(s); rows != c.rows || sessions != c.sessions {
			w.Errorf("%s: %d authorizations and %d sessions are left; want %d and %d", c.name, rows, sessions, c.rows, c.sessions)
		}
	}
}

// sweepRevokedTogether has many revocations share a commit, so that they share a row of
// early_sweeps.
func sweepRevokedTogether(w *world) {
	s := w.open(false)
	w.populate(s, 2)
	lives := make([]life, swept)
	for i := range lives {
		lives[i] = w.active(w.accounts[i%2].ID)
		lives[i].row = lives[i].row.UntilIdle(idle)
	}
	each(writers, swept, func(i int) {
		if err := s.Issue(w.ctx, lives[i].row); err != nil {
			w.Error(err)
		}
	})
	each(writers, swept/2, func(i int) {
		by := oauth.Revoker{ApplicationID: w.application.ID, Public: i%2 == 0, Token: lives[i].access}
		if err := s.Revoke(w.ctx, oauth.Revocation{ID: lives[i].row.ID, Reason: oauth.ReasonRequested, By: by}); err != nil {
			w.Error(err)
		}
	})
	w.must(s.Disconnect(w.ctx, w.accounts[1].ID, w.application.ID))
	for _, c := range []struct {
		name string
		pass time.Duration
		rows int
	}{
		{"while the reasons are told", 24*time.Hour - time.Second, swept},
		{"after the reasons", time.Second, swept / 4},
	} {
		w.clock.Add(c.pass)
		w.sweep(s)
		if rows, _ := w.left(s); rows != c.rows {
			w.Errorf("%s: %d authorizations are left; want %d", c.name, rows, c.rows)
		}
	}
}

// batch is how many authorizations the sweeper removes at once.
const batch = 100

func sweepDeleted(w *world) {
	s := w.open(false)
	w.populate(s, 2)
	others := w.living(s, w.accounts[0].ID)
	w.populate(s, 1)
	lives := w.sow(s, 4*batch)
	for range batch - 2 {
		w.living(s, w.accounts[1].ID)
	}
	for _, account := range w.accounts[:2] {
		w.must(s.Approve(w.ctx, store.Approval{Authorization: w.pending(account.ID).row, Identity: w.application.Identity(), Asked: true}))
	}
	w.must(s.DeleteApplication(w.ctx, w.application.ID))
	if consents, err := s.Consents(w.ctx, w.accounts[0].ID); len(consents) != 0 || err != nil {
		w.Errorf("the account still consents to %v (%v)", consents, err)
	}
	w.must(s.Disconnect(w.ctx, w.accounts[0].ID, w.application.ID))
	for _, l := range lives {
		if w.usable(s, l, l.row.AccountID) {
			w.Error("a token of a deleted application works")
		}
	}
	removed, err := s.Sweep(w.ctx)
	w.must(err)
	if removed != batch {
		w.Errorf("%d rows are removed at once; want %d", removed, batch)
	}
	// One consent is among them. Those of client_credentials live for hours only.
	if removed += w.sweep(s); removed != 4*batch+1 {
		w.Errorf("%d rows are removed; want %d", removed, 4*batch+1)
	}
	if rows, _ := w.left(s); rows != batch+1 {
		w.Errorf("%d rows are left; want %d", rows, batch+1)
	}
	if !w.accepts(s, others.access) {
		w.Error("a token of another application is swept")
	}
	for _, table := range []string{"deleted_applications", "consents"} {
		if n := w.count(`select count(*) from ` + table); n != 0 {
			w.Errorf("%d rows of %s are left", n, table)
		}
	}
}

// count asks the database itself.
func (w *world) count(query string) (n int) {
	w.Helper()
	if w.onSQLite() {
		w.must(w.sqlite(filepath.Join(w.at.Folder, store.DatabaseFile)).QueryRowContext(w.ctx, query).Scan(&n))
	} else {
		w.must(w.connect().QueryRow(w.ctx, query).Scan(&n))
	}
	return n
}

// TestTheSweeperWaitsForNobody: what somebody else has locked is passed over, and swept later.
func TestTheSweeperWaitsForNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, store.Options{Database: postgres.Database(t)})
	s := w.open(false)
	w.populate(s, 1)
	var locked [][]byte
	var session oauth.Session
	for range 2 {
		ended := w.pending(w.accounts[0].ID).row
		locked, session = [][]byte{ended.ID[:]}, w.session(w.accounts[0])
		w.must(s.Issue(w.ctx, ended))
		w.must(s.StartSession(w.ctx, session, "hash", oauth.ID{}))
	}
	for i := range 6 {
		l := w.living(s, w.accounts[0].ID)
		if i < 3 {
			w.must(s.Revoke(w.ctx, oauth.Revocation{ID: l.row.ID, Reason: oauth.ReasonRequested}))
		}
		if i%3 == 1 {
			locked = append(locked, l.row.ID[:])
		}
		if i == 2 {
			w.clock.Add(25 * time.Hour)
			w.populate(s, 1)
		}
	}
	w.must(s.SetWebhook(w.ctx, w.application.ID, "https://app.example/hook", nil, ""))
	for range 2 {
		id, err := s.TestWebhook(w.ctx, w.application.ID)
		w.must(err)
		locked = append(locked, id[:])
	}
	w.must(s.DeleteApplication(w.ctx, w.application.ID))
	tx, err := w.connect().Begin(w.ctx)
	w.must(err)
	for _, table := range []string{"authorizations", "deliveries"} {
		_, err = tx.Exec(w.ctx, `select 1 from `+table+` where id = any($1) for update`, locked[:4])
		w.must(err)
	}
	_, err = tx.Exec(w.ctx, `select 1 from sessions where id = $1 for update`, session.ID[:])
	w.must(err)
	if n := w.sweep(s); n != 7 {
		t.Errorf("%d rows are swept while five are locked; want 7", n)
	}
	w.must(tx.Rollback(w.ctx))
	if n := w.sweep(s); n != 5 {
		t.Errorf("%d rows are swept afterwards; want 5", n)
	}
}

// TestTheCodesOfAnHourAreSweptOneByOne: all are due at one moment, and none may cost a look at all.
func TestTheCodesOfAnHourAreSweptOneByOne(t *testing.T) {
	t.Parallel()
	const codes = 2000
	w := newWorld(t, store.Options{Database: postgres.Database(t)})
	s, err := store.Open(w.ctx, w.at)
	w.must(err)
	conn := w.connect()
	_, err = conn.Exec(w.ctx, `insert into early_sweeps (after, ids) select $1, decode(md5(i::text), 'hex') from generate_series(1, $2) as i`, w.clock.Now().UnixMilli(), codes)
	w.must(err)
	_, err = conn.Exec(w.ctx, `analyze early_sweeps`)
	w.must(err)
	w.sweep(s)
	w.must(s.Close())
	var removed, looks int
	w.eventually("PostgreSQL has counted what was removed", time.Minute, func() bool {
		w.must(conn.QueryRow(w.ctx, `select n_tup_del, seq_tup_read + idx_tup_fetch from pg_stat_user_tables where relname = 'early_sweeps'`).Scan(&removed, &looks))
		return removed == codes
	})
	if looks > 10*codes {
		t.Errorf("%d rows were looked at to remove %d", looks, codes)
	}
}

func sweepTwice(w *world) {
	stores := []*store.Store{w.open(false), w.open(false)}
	w.populate(stores[0], 10)
	w.sow(stores[0], swept)
	w.clock.Add(idle + 8*24*time.Hour)
	// What is alive has to survive among them.
	living := w.active(w.accounts[0].ID)
	w.must(stores[0].Issue(w.ctx, living.row))
	var total atomic.Int64
	var done sync.WaitGroup
	for i := range 4 {
		done.Go(func() {
			for range swept {
				removed, err := stores[i%2].Sweep(w.ctx)
				if err != nil {
					w.Errorf("sweep: %v", err)
				}
				if total.Add(int64(removed)); removed == 0 {
					return
				}
			}
		})
	}
	done.Wait()
	// One may have skipped what another had locked.
	if n := int(total.Load()) + w.sweep(stores[0]); n != 2*swept {
		w.Errorf("%d authorizations and sessions were swept; want %d", n, 2*swept)
	}
	if rows, _ := w.left(stores[0]); rows != 1 {
		w.Errorf("%d authorizations are left; want 1", rows)
	}
}
