package store_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/store"
)

// rowsDoNotGrow weighs authorizations after 2 and after 20 refreshes each.
func rowsDoNotGrow(w *world) {
	few := w.weigh("2 refreshes", 2)
	many := w.weigh("20 refreshes", 20)
	if difference := (many - few) / few; difference > 0.15 || difference < -0.15 {
		w.Errorf("%.0f bytes an authorization after 2 refreshes, %.0f after 20: %+.0f %%", few, many, 100*difference)
	}
}

// weigh returns the bytes an authorization takes in a database of its own.
func (w *world) weigh(name string, refreshes int) (bytes float64) {
	w.Helper()
	w.Run(name, func(t *testing.T) {
		at := store.Options{Folder: t.TempDir()}
		if !w.onSQLite() {
			at = store.Options{Database: w.beside()}
		}
		one := newWorld(t, at)
		var empty int64
		var lives []life
		one.during(func(s *store.Store) {
			one.populate(s, 100)
			empty = one.size()
			lives = one.redeemed(s)
		})
		updates, hot := one.updates()
		one.during(func(s *store.Store) { one.refreshAll(s, lives, refreshes) })
		bytes = float64(one.size()-empty) / float64(len(lives))
		all, stillHot := one.updates()
		if w.onSQLite() {
			t.Logf("%d authorizations: %.0f bytes each", len(lives), bytes)
			return
		}
		share := 100 * float64(stillHot-hot) / float64(all-updates)
		t.Logf("%d authorizations: %.0f bytes each; %d refreshes, of which HOT: %.1f %%", len(lives), bytes, all-updates, share)
		if share <= 95 && refreshes == 20 {
			t.Errorf("%.1f %% of the refreshes were HOT updates; more than 95 %% are wanted", share)
		}
	})
	return bytes
}

// beside creates another database on the PostgreSQL of this one.
func (w *world) beside() string {
	w.Helper()
	conn := w.connect()
	name := fmt.Sprintf("%s_%d", conn.Config().Database, rand.Uint64())
	_, err := conn.Exec(w.ctx, `create database `+name)
	w.must(err)
	return "postgres://latchkey@" + conn.PgConn().Conn().RemoteAddr().String() + "/" + name + "?sslmode=disable"
}

// writers is how many requests are under way, so that commits are shared.
const writers = 256

func (w *world) redeemed(s *store.Store) []life {
	w.Helper()
	n := *authorizations
	if raceEnabled && w.onSQLite() {
		n /= 2 // SQLite in Go is slowest under the race detector
	}
	lives := make([]life, n)
	each(writers, len(lives), func(i int) {
		l := w.pending(w.accounts[i%len(w.accounts)].ID)
		if err := s.Issue(w.ctx, l.row); err != nil {
			w.Errorf("issue: %v", err)
		}
		if _, err := s.RedeemCode(w.ctx, l.redemption()); err != nil {
			w.Errorf("redeem: %v", err)
		}
		lives[i] = l
	})
	return lives
}

func (w *world) refreshAll(s *store.Store, lives []life, refreshes int) {
	w.Helper()
	for range refreshes {
		w.clock.Add(time.Minute)
		// Clients come in no order; neighbours on a page seldom come together.
		order := rand.Perm(len(lives))
		each(writers, len(lives), func(n int) {
			i := order[n]
			e, _, next := w.rotation(lives[i].refresh)
			if _, err := s.RotateRefresh(w.ctx, e); err != nil {
				w.Errorf("refresh: %v", err)
			}
			lives[i].refresh = next
		})
	}
}

// size is what the database takes on the disk once nothing is left to tidy up.
func (w *world) size() (bytes int64) {
	w.Helper()
	if w.onSQLite() {
		total, free := w.pages()
		return total - free
	}
	conn := w.connect()
	_, err := conn.Exec(w.ctx, `vacuum authorizations`)
	w.must(err)
	w.must(conn.QueryRow(w.ctx, `select pg_total_relation_size('authorizations')`).Scan(&bytes))
	return bytes
}

// pages is the size of the SQLite file and of what is free in it, without the log.
func (w *world) pages() (total, free int64) {
	w.Helper()
	db := w.sqlite(filepath.Join(w.at.Folder, store.DatabaseFile))
	_, err := db.ExecContext(w.ctx, `pragma wal_checkpoint(truncate)`)
	w.must(err)
	var pages, freePages, size int64
	w.must(db.QueryRowContext(w.ctx, `select (select page_count from pragma_page_count), (select freelist_count from pragma_freelist_count),
		(select page_size from pragma_page_size)`).Scan(&pages, &freePages, &size))
	return pages * size, freePages * size
}

// sqlite looks at a database from outside the store.
func (w *world) sqlite(file string) *sql.DB {
	w.Helper()
	db, err := sql.Open("sqlite", file)
	w.must(err)
	w.Cleanup(func() { _ = db.Close() })
	return db
}

// during opens the database for a while.
func (w *world) during(use func(*store.Store)) {
	w.Helper()
	s, err := store.Open(w.ctx, w.at)
	w.must(err)
	use(s)
	w.must(s.Close())
}

// updates counts updates of authorizations, and those that were HOT. A backend
// reports all of them when it ends, so it waits for the store's to be gone.
func (w *world) updates() (all, hot int64) {
	w.Helper()
	if w.onSQLite() {
		return 0, 0
	}
	conn := w.connect()
	w.eventually("the backends of the store end", 20*time.Second, func() bool {
		var n int
		w.must(conn.QueryRow(w.ctx, `select count(*) from pg_stat_activity where datname = current_database() and application_name = 'latchkey'`).Scan(&n))
		return n == 0
	})
	w.must(conn.QueryRow(w.ctx, `select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'authorizations'`).Scan(&all, &hot))
	return all, hot
}
