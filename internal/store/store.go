package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// What callers tell apart. Everything else is a fault of the database.
var (
	// ErrNotFound: there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrEmailTaken and ErrUsernameTaken: another account has it.
	ErrEmailTaken    = errors.New("the email address belongs to another account")
	ErrUsernameTaken = errors.New("the username belongs to another account")
	// ErrAnswered: this approval was made before.
	ErrAnswered = errors.New("the authorization request was answered before")
	// ErrChanged: the application or the consent is not what it was when the
	// approval was prepared.
	ErrChanged = errors.New("the application or the consent has changed")
)

// Store is one data folder, opened. It is safe for concurrent use, also by
// several processes on one machine.
type Store struct {
	readers *sql.DB
	writers *sql.DB
	writer  *writer
	now     func() time.Time
}

// Open opens the SQLite database in the folder, creates both where they are
// missing, and brings the schema up to date. The clock now is the one that
// every expiry is judged by.
func Open(ctx context.Context, folder string, now func() time.Time) (*Store, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("create the data folder: %w", err)
	}
	path := filepath.Join(folder, "latchkey.db")
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	if err := migrate(ctx, path); err != nil {
		return nil, err
	}
	writers, err := open(path, "")
	if err != nil {
		return nil, err
	}
	writers.SetMaxOpenConns(1)
	readers, err := open(path, "&_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, writers.Close())
	}
	readers.SetMaxOpenConns(maxReaders)
	readers.SetMaxIdleConns(maxReaders)
	s := &Store{readers: readers, writers: writers, now: millisecondClock(now)}
	if s.writer, err = startWriter(ctx, writers); err != nil {
		return nil, errors.Join(err, readers.Close(), writers.Close())
	}
	return s, nil
}

const maxReaders = 8

// createPrivate makes the database file readable by its owner alone; SQLite
// gives the files beside it the same mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	return f.Close()
}

func open(path, extra string) (*sql.DB, error) {
	dsn := (&url.URL{Scheme: "file", OmitHost: true, Path: path}).String() +
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)&_pragma=journal_size_limit(67108864)" + extra
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return db, nil
}

// Close waits for the writes that were accepted and closes the database.
func (s *Store) Close() error {
	s.writer.stop()
	return errors.Join(s.readers.Close(), s.writers.Close())
}

// Ready reports whether the database answers.
func (s *Store) Ready(ctx context.Context) error {
	var one int
	return s.readers.QueryRowContext(ctx, "select 1 from settings limit 1").Scan(&one)
}

// millisecondClock cuts the clock to what the columns hold, so that a time means
// the same before and after it was stored.
func millisecondClock(now func() time.Time) func() time.Time {
	return func() time.Time { return now().UTC().Truncate(time.Millisecond) }
}

func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// millis scans a column of Unix milliseconds into a time.
type millis struct{ t *time.Time }

func (m millis) Scan(value any) error {
	ms, ok := value.(int64)
	if !ok {
		return fmt.Errorf("a time column holds %T", value)
	}
	*m.t = fromMillis(ms)
	return nil
}

// fixed scans a blob column into an array; an empty blob leaves it zero.
type fixed []byte

func (f fixed) Scan(value any) error {
	raw, ok := value.([]byte)
	if !ok || len(raw) != 0 && len(raw) != len(f) {
		return fmt.Errorf("a column holds %T of another size than %d bytes", value, len(f))
	}
	clear(f)
	copy(f, raw)
	return nil
}

// blob is the column value of an array: empty when it is all zero.
func blob(b []byte) []byte {
	for _, c := range b {
		if c != 0 {
			return b
		}
	}
	return []byte{}
}

// notFound turns the driver's "no rows" into ErrNotFound.
func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// row is what *sql.Row and *sql.Rows have in common.
type row interface{ Scan(dest ...any) error }

// collect scans every row of a query.
func collect[T any](rows *sql.Rows, err error, scan func(row) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
