package store

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// engine is what SQLite and PostgreSQL do differently. Everything about the small
// tables is the same SQL on both.
type engine interface {
	// transact runs f in a transaction. f may run more than once, so it sets its
	// results anew each time; an error from it undoes it. What f refuses is
	// returned as it is.
	transact(ctx context.Context, f func(*transaction) error) error
	// change loads the row of an event, lets the event decide, and commits the
	// outcome in one conditional write. The error is the event's own, or
	// ErrNotFound, or a fault.
	change(ctx context.Context, e oauth.Event) (oauth.Authorization, error)
	// issue adds an authorization that nobody else knows of yet.
	issue(ctx context.Context, a oauth.Authorization) error
	// authorization reads one row.
	authorization(ctx context.Context, id oauth.ID) (oauth.Authorization, error)
	// check reads what of a row decides about access tokens, and whether its account is
	// disabled.
	check(ctx context.Context, id oauth.ID) (checked, error)
	// account reads an account.
	account(ctx context.Context, id oauth.ID) (oauth.Account, error)
	// rowName is the column that names the row of an authorization in the indexes, in the
	// order of the ids.
	rowName() string
	// db is for reading the small tables.
	db() reader
	// ready reads one of them, and does not wait for a database that comes back.
	ready(ctx context.Context) error
	// now is the clock that every expiry is judged by.
	now() time.Time
	// sweeper keeps other processes from sweeping until release; ok is false
	// when another one does already.
	sweeper(ctx context.Context) (release func(), ok bool, err error)
	// serve makes this process one that answers from its memory: the engine drops from
	// that what other processes change.
	serve() error
	// announce tells other processes what this one changed, before it returns if the
	// change is known to be committed.
	announce(changes []change, committed bool) error
	// trusted reports whether everything that others announced has been heard.
	trusted() bool
	// sizes estimates the rows of each table.
	sizes(ctx context.Context) (map[string]int64, error)
	close() error
}

// reader runs queries.
type reader interface {
	QueryContext(ctx context.Context, query string, args ...any) (rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) row
}

// row is what a query found, of which Scan reads the columns: a *sql.Row, or what a
// connection to SQLite has instead. Where there is none it returns sql.ErrNoRows.
type row interface{ Scan(dest ...any) error }

// rowFunc is a row that is read by a function.
type rowFunc func(dest ...any) error

// Scan is f.
func (f rowFunc) Scan(dest ...any) error { return f(dest...) }

// rows is what a query found, to be gone through and closed.
type rows interface {
	row
	Next() bool
	Err() error
	Close() error
}

// transaction is what a write runs in.
type transaction struct {
	ctx  context.Context
	conn interface {
		reader
		ExecContext(ctx context.Context, query string, args ...any) (changed int64, err error)
	}
	// lock is put behind a select whose rows must not change until the commit. On
	// SQLite it is empty: there is one writer.
	lock string
	// byID is the condition that finds an authorization by its id, the first parameter;
	// rowName is the engine's.
	byID, rowName string
	// insert adds an authorization unless its id is taken, and reports whether it did.
	insert func(t *transaction, a *oauth.Authorization) (bool, error)
	// refusal is why a write changed nothing.
	refusal error
	// early is written with the commit.
	early earlySweeps
	// actor, random and now are for the audit log; write sets them.
	actor  oauth.Actor
	random io.Reader
	now    time.Time
}

// refuse ends a write that has changed nothing: its caller gets the error, and
// those who share its transaction are not disturbed.
func (t *transaction) refuse(err error) error {
	t.refusal = err
	return nil
}

// absent refuses where a row is not there.
func (t *transaction) absent(err error) error {
	if errors.Is(err, ErrNotFound) {
		return t.refuse(ErrNotFound)
	}
	return err
}

// oneRow is exec for a statement that has a row to change, and refuses where it
// has none.
func (t *transaction) oneRow(query string, args ...any) error {
	n, err := t.exec(query, args...)
	if err == nil && n == 0 {
		return t.refuse(ErrNotFound)
	}
	return err
}

// lockOf is lock for one table of a join.
func (t *transaction) lockOf(table string) string {
	if t.lock == "" {
		return ""
	}
	return t.lock + " of " + table
}

// shareOf keeps a row of one table of a join from changing, and lets others do
// the same.
func (t *transaction) shareOf(table string) string {
	if t.lock == "" {
		return ""
	}
	return " for share of " + table
}

// skipLocked is lock for rows that others may keep.
func (t *transaction) skipLocked() string {
	if t.lock == "" {
		return ""
	}
	return t.lock + " skip locked"
}

// exec runs a statement and returns how many rows it changed.
func (t *transaction) exec(query string, args ...any) (int64, error) {
	return t.conn.ExecContext(t.ctx, query, args...)
}

// query runs a query for several rows.
func (t *transaction) query(query string, args ...any) (rows, error) {
	return t.conn.QueryContext(t.ctx, query, args...)
}

// queryRow runs a query whose first row is wanted.
func (t *transaction) queryRow(query string, args ...any) row {
	return t.conn.QueryRowContext(t.ctx, query, args...)
}

// errBusy is an answer of the protocol, so that nobody on the way has to know it.
func errBusy() error {
	busy := oauth.NewError(oauth.Unavailable, "the server is busy; try again in a second")
	busy.RetryAfter = time.Second
	return busy
}

var errClosed = errors.New("the store is closed")
