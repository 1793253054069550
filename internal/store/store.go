package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
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
	// ErrChanged: something is no longer what somebody decided about: an application, its
	// secret, a consent.
	ErrChanged = errors.New("the application or the consent has changed")
	// ErrSignedOut: the session of the actor has ended meanwhile.
	ErrSignedOut = errors.New("the session has ended")
	// ErrFull: there are as many already as there may be.
	ErrFull = errors.New("there are too many already")
	// ErrNoData: nobody has made a store there.
	ErrNoData = errors.New("there is no data")
	// ErrUnconfirmed is of a change that is made, and that a server may not go by yet.
	ErrUnconfirmed = errors.New("the change is made, but the server did not confirm that it has seen it")
)

// Store is an opened database. It is safe for concurrent use, also by several
// processes: on one data folder, or on one PostgreSQL.
type Store struct {
	engine engine
	// memory is for the process that serves; commands always read.
	memory *memory
	log    *slog.Logger
	random io.Reader
	// perApplication is how many active authorizations an account may have for one
	// application; surplusFrom is where the sweeper goes on to look for more.
	perApplication int
	surplusFrom    pair
	// usesFrom is where the sweeper goes on to look for uses of ended connections.
	usesFrom oauth.Connection
	// misuses wait to be written into the audit log.
	misuses      chan misuse
	sizes        atomic.Pointer[map[string]int64]
	sizesDue     time.Time
	stopSweeping context.CancelFunc
	sweeping     sync.WaitGroup
}

// Options say what to open.
type Options struct {
	// Folder is the data folder. The database is in it, unless Database is set.
	Folder string
	// Database is the URL of a PostgreSQL, or empty.
	Database string
	// Now is the clock. On PostgreSQL it is corrected to the database's, which
	// every replica goes by, unless OwnClock is set.
	Now      func() time.Time
	OwnClock bool
	// Serve makes the store answer checks from memory, and hear of what other
	// processes change. On one data folder only one process can.
	Serve bool
	// Existing makes Open fail with ErrNoData where there is no store yet, instead of
	// making one.
	Existing bool
	// PerApplication is how many active authorizations of the code grant an account
	// may have for one application; zero stands for DefaultPerApplication.
	PerApplication int
	Log            *slog.Logger
	// Random is for the ids of the audit log; nil stands for crypto/rand.
	Random io.Reader
	// statement hears of each statement about accounts and authorizations, for the test
	// that holds how many an operation needs.
	statement func(sql string)
}

// DefaultPerApplication lets an account sign in with an application on as many
// devices.
const DefaultPerApplication = 50

// quietStart is how long a new server leaves the processor to its first answers: a
// connection to PostgreSQL alone takes 20 ms.
const quietStart = 200 * time.Millisecond

// Open opens the database, creates it where it is missing, unless it must be there, and
// brings the schema up to date. It refuses to do that while a server of an older version
// runs on the database, and refuses a schema that is newer than what it knows.
func Open(ctx context.Context, o Options) (*Store, error) {
	clock := millisecondClock(o.Now)
	s := &Store{log: o.Log, random: cmp.Or[io.Reader](o.Random, rand.Reader), perApplication: cmp.Or(o.PerApplication, DefaultPerApplication), stopSweeping: func() {}}
	if o.Database != "" {
		e, err := openPostgres(ctx, o, clock)
		if err != nil {
			return nil, err
		}
		s.engine, s.memory = e, e.memory
	} else {
		e, err := openSQLite(ctx, o, clock)
		if err != nil {
			return nil, err
		}
		s.engine, s.memory, e.random = e, e.memory, s.random
	}
	if now := s.Now(); oauth.TooEarly(now) {
		// A machine that has just started may not know the time yet. A refresh would be refused
		// as garbage, which for most clients ends the connection.
		return nil, errors.Join(fmt.Errorf("the clock says %s, when nobody had Latchkey; set it first", now.Format(time.RFC3339)), s.Close())
	}
	if o.Serve {
		if err := s.engine.serve(); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		sweeping, stop := context.WithCancel(context.WithoutCancel(ctx))
		s.stopSweeping = stop
		s.sweeping.Go(func() { s.sweepForever(sweeping) })
		s.misuses = make(chan misuse, maxMisuses)
		s.sweeping.Go(func() { s.noteMisuses(sweeping) })
	}
	return s, nil
}

// Close waits for the writes that were accepted and closes the database.
func (s *Store) Close() error {
	s.stopSweeping()
	s.sweeping.Wait()
	return s.engine.close()
}

// Now is the clock that every expiry is judged by: the same on all replicas.
func (s *Store) Now() time.Time { return s.engine.now() }

// readyWithin is how long Ready waits: a load balancer does not wait much longer.
const readyWithin = 2 * time.Second

// Ready reports whether the database answers, without waiting for one that comes back.
func (s *Store) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	return s.engine.ready(ctx)
}

func readSettings(ctx context.Context, r reader) error {
	var n int
	return r.QueryRowContext(ctx, `select count(*) from (select 1 from settings limit 1) as one`).Scan(&n)
}

// afterwards drops what is remembered of the rows that a write changed, here and in
// other processes, before the write is acknowledged. A write that failed may have
// been committed all the same, so it is followed by the same; a refusal changed
// nothing, and costs little.
func (s *Store) afterwards(err error, changes ...change) error {
	for _, c := range changes {
		s.memory.drop(c)
	}
	return errors.Join(err, s.engine.announce(changes, err == nil))
}

// write runs a transaction on the small tables.
func (s *Store) write(ctx context.Context, f func(*transaction) error) error {
	err := s.transact(ctx, f)
	if errors.Is(err, errUnknownOutcome) {
		return errDown(err)
	}
	return fault(err)
}

// transact is the engine's, with what the audit log wants to know.
func (s *Store) transact(ctx context.Context, f func(*transaction) error) error {
	return s.engine.transact(ctx, func(tx *transaction) error {
		tx.actor, tx.random, tx.now = oauth.ActorFrom(ctx), s.random, s.engine.now()
		return f(tx)
	})
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
	if raw, ok := value.([]byte); !ok || !f.set(raw) {
		return fmt.Errorf("a column holds %T of another size than %d bytes", value, len(f))
	}
	return nil
}

// set reports whether the size was right.
func (f fixed) set(raw []byte) bool {
	if len(raw) != 0 && len(raw) != len(f) {
		return false
	}
	clear(f)
	copy(f, raw)
	return true
}

// setNumber sets what is like a number, or a truth, and reports whether it could.
func setNumber(v reflect.Value, n int64) bool {
	switch {
	case v.CanInt() && !v.OverflowInt(n):
		v.SetInt(n)
	case v.CanUint() && n >= 0 && !v.OverflowUint(uint64(n)):
		v.SetUint(uint64(n))
	case v.Kind() == reflect.Bool:
		v.SetBool(n != 0)
	default:
		return false
	}
	return true
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
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return fault(err)
}

// collect scans every row of a query.
func collect[T any](rows rows, err error, scan func(row) (T, error)) ([]T, error) {
	if err != nil {
		return nil, fault(err)
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
	return all, fault(rows.Err())
}

func readSizes(rows rows, err error) (map[string]int64, error) {
	type size struct {
		table string
		rows  int64
	}
	all, err := collect(rows, err, func(r row) (s size, err error) {
		err = r.Scan(&s.table, &s.rows)
		return s, err
	})
	sizes := map[string]int64{}
	for _, s := range all {
		sizes[s.table] = s.rows
	}
	return sizes, err
}
