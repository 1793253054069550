package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/store"
)

// raw connects to the database past the store.
func (w *world) raw() (db *sql.DB, dialect goose.Dialect, migrations string) {
	w.Helper()
	if w.onSQLite() {
		return w.sqlite(filepath.Join(w.at.Folder, store.DatabaseFile) + "?_pragma=busy_timeout(5000)"), goose.DialectSQLite3, "migrations/sqlite"
	}
	db, err := sql.Open("pgx", w.at.Database)
	w.must(err)
	w.Cleanup(func() { _ = db.Close() })
	return db, goose.DialectPostgres, "migrations/postgres"
}

// downgraded undoes the last change of the schema, and tells which version that makes.
func (w *world) downgraded() (db *sql.DB, version int) {
	w.Helper()
	db, dialect, folder := w.raw()
	older, err := goose.NewProvider(dialect, db, os.DirFS(folder))
	w.must(err)
	_, err = older.Down(w.ctx)
	w.must(err)
	return db, w.version(db)
}

// version is that of the schema.
func (w *world) version(db *sql.DB) (n int) {
	w.Helper()
	w.must(db.QueryRowContext(w.ctx, `select max(version_id) from goose_db_version`).Scan(&n))
	return n
}

// refused opens the store in vain.
func (w *world) refused(serve bool, words string) {
	w.Helper()
	o := w.at
	o.Serve = serve
	s, err := store.Open(w.ctx, o)
	if err == nil {
		w.must(s.Close())
	}
	w.says(err, words)
}

// changeTheSchemaAlone: an older version of the program runs on a schema, and a newer one comes.
func changeTheSchemaAlone(w *world) {
	serving := w.at
	serving.Serve = true
	old, err := store.Open(w.ctx, serving)
	w.must(err)
	w.populate(old, 1)
	db, before := w.downgraded()

	w.refused(false, "an older version of latchkey")
	if w.onSQLite() {
		w.refused(true, "another server runs on the data folder "+w.at.Folder)
		backup := filepath.Join(w.TempDir(), store.DatabaseFile)
		w.must(store.Backup(w.ctx, w.at.Folder, backup))
		if of := w.version(w.sqlite(backup)); of != before {
			w.Errorf("the backup has version %d of a schema of version %d", of, before)
		}
	}
	if now := w.version(db); now != before {
		w.Errorf("the schema has version %d under a server that wants %d", now, before)
	}
	w.must(old.Close())

	if !w.onSQLite() {
		_, err := db.ExecContext(w.ctx, `create function refuse_limits() returns event_trigger language plpgsql as
			$$ begin if current_setting('statement_timeout') <> '0' then raise 'a migration has a limit'; end if; end $$;
			create event trigger limits on ddl_command_start execute function refuse_limits()`)
		w.must(err)
	}
	w.during(func(s *store.Store) {
		_, err := s.Account(w.ctx, w.accounts[0].ID)
		w.must(err)
	})
	if now := w.version(db); now != before+1 {
		w.Errorf("without a server the schema has version %d still", now)
	}

	_, err = db.ExecContext(w.ctx, `insert into goose_db_version (version_id, is_applied) values (1000, true)`)
	w.must(err)
	w.refused(false, "made by a newer version of latchkey")
	w.refused(true, "made by a newer version of latchkey")
	_, err = db.ExecContext(w.ctx, `delete from goose_db_version where version_id = 1000`)
	w.must(err)
	w.open(true) // who was refused has left the place
}

// TestTheSchemaIsKeptForAServerThatLostItsConnections: a newer version starts while nobody counts
// the older one, as when the database was restarted.
func TestTheSchemaIsKeptForAServerThatLostItsConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, store.Options{Database: postgres.Database(t)})
	direct := w.at
	p, through := startProxy(t, w.at.Database)
	w.at.Database = through
	old := w.open(true)
	w.populate(old, 1)
	w.trusting(old)
	w.at = direct
	db, before := w.downgraded()

	p.leave()
	w.eventually("nobody is counted", 10*time.Second, func() (gone bool) {
		w.must(db.QueryRowContext(w.ctx, `select count(*) = 0 from pg_locks where locktype = 'advisory'
			and database = (select oid from pg_database where datname = current_database())`).Scan(&gone))
		return gone
	})
	opened := make(chan error, 1)
	go func() {
		s, err := store.Open(w.ctx, w.at)
		if err == nil {
			_ = s.Close()
		}
		opened <- err
	}()
	turnedAway := p.turnedAway.Load()
	w.eventually("the older one tries to connect, or it is too late", 10*time.Second, func() bool {
		return p.turnedAway.Load() >= turnedAway+10 || len(opened) > 0
	})
	p.away.Store(false)
	w.says(<-opened, "an older version of latchkey")
	if now := w.version(db); now != before {
		w.Errorf("the schema has version %d under a server that wants %d", now, before)
	}
}
