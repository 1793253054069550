package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	library "modernc.org/sqlite" // and its driver "sqlite"

	"github.com/latchkey/latchkey/internal/oauth"
)

// sqlite is the engine of a store in one data folder.
type sqlite struct {
	path    string
	readers *readers
	writer  *writer
	clock   func() time.Time
	// updates are the statements by what an event changes of a row.
	updates [changesEnd]string
	// serving and socket are set in the process that serves the data folder: a lock, and where
	// it hears of the writes of commands.
	serving *flock.Flock
	socket  net.Listener
	closing chan struct{}
	workers sync.WaitGroup
	random  io.Reader
	// checks are read in groups.
	checks *grouped[checked]
	// memory is the store's.
	memory *memory
}

// DatabaseFile is the name of the SQLite database in its data folder.
const DatabaseFile = "latchkey.db"

func openSQLite(ctx context.Context, o Options, clock func() time.Time) (*sqlite, error) {
	e := &sqlite{path: filepath.Join(o.Folder, DatabaseFile), clock: clock, updates: updates(), closing: make(chan struct{})}
	// Whoever could not go on after it was created left an empty file.
	if file, err := os.Stat(e.path); o.Existing && (errors.Is(err, fs.ErrNotExist) || err == nil && file.Size() == 0) {
		return nil, ErrNoData
	}
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("create the data folder: %w", err)
	}
	if err := createPrivate(e.path); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := usePages(); err != nil {
		return nil, err
	}
	// A commit waits for the data and the size of the file, but not for the time of its
	// change. Where this is not available SQLite waits for everything.
	_, _ = library.Fdatasync(true)
	if err := e.prepare(ctx, o.Serve); err != nil {
		return nil, errors.Join(err, e.leave())
	}
	writing, err := openConnection(e.path, "cache_size(-4000)", o.statement)
	if err != nil {
		return nil, errors.Join(err, e.leave())
	}
	e.readers, e.writer, e.memory = newReaders(e.path, o.statement), startWriter(writing), newMemory(cachedOnSQLite, nil, e.trusted)
	e.checks = newGrouped(e.closing, 0, e.readChecks)
	for range checkReaders {
		e.workers.Go(e.checks.loop)
	}
	return e, nil
}

// databaseURL is how SQLite names the file where something is asked for along with it.
func databaseURL(path string) string {
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path}).String()
}

// connectSQLite opens the file for what is not in a hurry: migrations and backups.
func connectSQLite(path string) (*sql.DB, error) {
	dsn := databaseURL(path) + "?_pragma=busy_timeout(5000)"
	for pragma := range strings.FieldsSeq(sqlitePragmas) {
		dsn += "&_pragma=" + pragma
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return db, nil
}

func (e *sqlite) transact(ctx context.Context, f func(*transaction) error) error {
	return e.writer.write(ctx, f)
}

func (e *sqlite) db() reader { return e.readers }

func (e *sqlite) ready(ctx context.Context) error { return readSettings(ctx, e.readers) }

func (e *sqlite) now() time.Time { return e.clock() }

func (e *sqlite) trusted() bool { return e.socket != nil }

func (e *sqlite) close() error {
	close(e.closing)
	var err error
	if e.socket != nil {
		err = e.socket.Close()
	}
	e.workers.Wait()
	// The last connection that closes writes the log into the database.
	err = errors.Join(err, e.readers.close(), e.writer.stop())
	return errors.Join(err, e.leave())
}

func (e *sqlite) authorization(ctx context.Context, id oauth.ID) (oauth.Authorization, error) {
	return scanAuthorization(e.readers.QueryRowContext(ctx, selectAuthorization+byKey, id[:]))
}

func (e *sqlite) check(ctx context.Context, id oauth.ID) (checked, error) {
	return e.checks.read(ctx, id)
}

// readChecks reads a group in one transaction, so that SQLite looks only once at what
// others have written.
func (e *sqlite) readChecks(group []*lookup[checked]) {
	conn, err := e.readers.borrow(context.Background())
	if err == nil {
		defer e.readers.giveBack(conn)
		if len(group) > 1 {
			_, err = conn.statement("begin").run()
			defer func() { _, _ = conn.statement("commit").run() }()
		}
	}
	for _, l := range group {
		f := found[checked]{err: err}
		if err == nil {
			f.value, f.err = e.readCheck(conn, l.id)
		}
		l.done <- f
	}
}

func (e *sqlite) account(ctx context.Context, id oauth.ID) (oauth.Account, error) {
	conn, err := e.readers.borrow(ctx)
	if err != nil {
		return oauth.Account{}, err
	}
	defer e.readers.giveBack(conn)
	return scanAccountOnly((*firstRow)(conn.statement(selectAccount + ` where id = ?`).blob(id[:])))
}

func (e *sqlite) issue(ctx context.Context, a oauth.Authorization) error {
	return e.transact(ctx, func(tx *transaction) error {
		inserted, err := insertIssued(tx, &a)
		if err == nil && !inserted {
			err = fmt.Errorf("authorization %s exists already", a.ID)
		}
		return err
	})
}

func (e *sqlite) change(ctx context.Context, event oauth.Event) (oauth.Authorization, error) {
	var after oauth.Authorization
	var refusal error
	err := e.transact(ctx, func(tx *transaction) error {
		after, refusal = oauth.Authorization{}, nil
		if r, ok := event.(oauth.Revocation); ok && r.By.ByID() {
			if ended, err := endByID(tx, r, e.now()); err != nil || ended {
				return err
			}
		}
		before, key, err := loadFor(tx, event)
		if err != nil {
			return tx.absent(err)
		}
		account := before.AccountID
		disabled, err := e.memory.accountDisabled(account, func() (bool, error) { return sqliteOf(tx).accountDisabled(account) })
		if err != nil {
			return err
		}
		now := e.now()
		if after, refusal = event.Decide(before, disabled, now); refusal != nil {
			// Why is told from the whole row. A refusal is rare.
			if before, key, err = loadWhole(tx, before.ID); err != nil {
				return err
			}
			after, refusal = event.Decide(before, disabled, now)
		}
		if after == before {
			return nil
		}
		if err := e.update(tx, key, &before, &after); err != nil {
			return err
		}
		if o, told := oauth.RevocationOf(before, after); told {
			tx.random, tx.now = e.random, after.RevokedAt
			_, _, err = tx.tell(o)
		}
		return err
	})
	if err != nil {
		return oauth.Authorization{}, err
	}
	return after, refusal
}

func (e *sqlite) sweeper(context.Context) (release func(), ok bool, err error) {
	lock := flock.New(e.path+".sweep", flock.SetPermissions(0o600))
	if ok, err = lock.TryLock(); err != nil || !ok {
		return nil, false, err
	}
	return func() { _ = lock.Close() }, true, nil
}

// sizes lets SQLite estimate from a sample, which its query planner uses too.
func (e *sqlite) sizes(ctx context.Context) (map[string]int64, error) {
	err := e.transact(ctx, func(tx *transaction) error {
		if _, err := tx.exec(`pragma analysis_limit = 200`); err != nil {
			return err
		}
		_, err := tx.exec(`analyze`)
		return err
	})
	if err != nil {
		return nil, err
	}
	// Of an empty table there is no estimate.
	rows, err := e.readers.QueryContext(ctx, `select name, coalesce(max(cast(stat as integer)), 0)
		from sqlite_schema left join sqlite_stat1 on sqlite_stat1.tbl = name where type = 'table' and name not like 'sqlite%' group by name`)
	return readSizes(rows, err)
}
