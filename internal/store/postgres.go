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
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/latchkey/latchkey/internal/oauth"
)

// postgres is the engine of a store that replicas share.
type postgres struct {
	pool  *pgxpool.Pool
	small *sql.DB
	// reads is for groups of checks and accounts, whose statements are planned once.
	reads *pgxpool.Pool
	// writes is for batches, which the writing goroutine counts.
	writes  *pgxpool.Pool
	batches int
	log     *slog.Logger
	clock   func() time.Time
	// schema tells apart what several schemas of one database would share: locks and channels.
	schema uint32
	// skew is how far the database's clock is ahead of ours.
	skew atomic.Int64
	// left is when all connections were ended, as the bell counts time.
	left     atomic.Int64
	ownClock bool

	events  chan *operation
	closing chan struct{}
	workers sync.WaitGroup
	random  io.Reader
	bell    *bell
	memory  *memory
	recent  *recent
	// checks and accounts are read in groups.
	checks   *grouped[checked]
	accounts *grouped[oauth.Account]
}

func openPostgres(ctx context.Context, o Options, clock func() time.Time) (*postgres, error) {
	config, err := poolConfig(o)
	if err != nil {
		return nil, err
	}
	p := &postgres{
		log: o.Log, clock: clock, ownClock: o.OwnClock, random: cmp.Or[io.Reader](o.Random, rand.Reader),
		events: make(chan *operation, maxQueue), closing: make(chan struct{}), recent: newRecent(),
	}
	if p.bell, err = newBell(p); err != nil {
		return nil, err
	}
	p.memory = newMemory(cachedOnPostgres, p.bell.life, p.trusted)
	if err := p.makePools(ctx, config); err != nil {
		return nil, err
	}
	p.checks, p.accounts = readInGroups(p, p.readChecks), readInGroups(p, p.readAccounts)
	if err := p.start(ctx, config.ConnConfig, o.Existing); err != nil {
		p.closePools()
		return nil, err
	}
	p.workers.Go(p.bell.announce)
	p.workers.Go(p.writeLoop)
	// One at a time of each: with a second one groups are smaller, and cost more.
	p.workers.Go(p.checks.loop)
	p.workers.Go(p.accounts.loop)
	return p, nil
}

// setClock measures how far the database's clock is ahead of ours.
func (p *postgres) setClock(ctx context.Context) error {
	if p.ownClock {
		return nil
	}
	before := time.Now()
	var theirs int64
	err := p.pool.QueryRow(ctx, `select (extract(epoch from clock_timestamp()) * 1000)::bigint`).Scan(&theirs)
	if err != nil {
		return fmt.Errorf("read the database's clock: %w", err)
	}
	middle := p.clock().Add(-time.Since(before) / 2)
	p.skew.Store(int64(time.UnixMilli(theirs).Sub(middle)))
	return nil
}

func (p *postgres) now() time.Time {
	return p.clock().Add(time.Duration(p.skew.Load())).Truncate(time.Millisecond)
}

func (p *postgres) serve() error {
	p.workers.Go(func() {
		select {
		case <-time.After(quietStart):
			p.workers.Go(p.bell.beat)
			p.bell.listen()
		case <-p.closing:
		}
	})
	return nil
}

func (p *postgres) announce(changes []change, committed bool) error {
	p.bell.ring(changes, committed)
	return nil
}

func (p *postgres) trusted() bool { return p.bell.trusted() }

func (p *postgres) db() reader { return patientReads{throughSQL{p.small}, p} }

func (p *postgres) ready(ctx context.Context) error { return readSettings(ctx, throughSQL{p.small}) }

func (p *postgres) close() error {
	close(p.closing)
	p.workers.Wait()
	err := p.small.Close()
	p.closePools()
	return err
}

const (
	// tookTooLong is PostgreSQL's code for a statement that a time limit of ours ended.
	tookTooLong = "57014"
	// readOnly is its code for a write on a standby.
	readOnly = "25006"
)

// isOutage reports whether the database could not be reached, was shutting down, had no
// room, or ended the connection: waiting may help.
func isOutage(err error) bool {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return true
	}
	// 57P0x: shutdown, crash, starting up; 25P03: idle in transaction.
	switch answer.Code {
	case "57P01", "57P02", "57P03", "57P05", tookTooLong, "25P03", readOnly:
		return true
	}
	// Connection exceptions; insufficient resources, as a full disk; errors of its system.
	return slices.Contains([]string{"08", "53", "58"}, answer.Code[:2])
}

// distrust ends all connections where one led to a server that says nothing, or is no more, or not
// yet, the one that writes: new ones may lead to that. While there is none, it is tried once a second.
func (p *postgres) distrust(err error) {
	var answer *pgconn.PgError
	silent := errors.Is(err, context.DeadlineExceeded)
	if !silent && (!errors.As(err, &answer) || answer.Code != readOnly) {
		return
	}
	now, last := p.bell.elapsed(), p.left.Load()
	if now-time.Duration(last) < time.Second || !p.left.CompareAndSwap(last, int64(now)) {
		return
	}
	for _, pool := range []*pgxpool.Pool{p.pool, p.reads, p.writes} {
		// One that is being made is not among those that died, and it may have been that which took long.
		if !silent || pool.Stat().ConstructingConns() == 0 {
			pool.Reset()
		}
	}
}

// isConflict reports whether PostgreSQL undid a transaction in favour of another:
// the same again may succeed.
func isConflict(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && (answer.Code == "40001" || answer.Code == "40P01")
}

// isUndone reports whether PostgreSQL said that a commit did not happen. What ends
// the connection (FATAL, PANIC) may come after it did.
func isUndone(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.SeverityUnlocalized == "ERROR"
}

// errUnknownOutcome: the connection was lost while the commit was under way.
var errUnknownOutcome = errors.New("the database did not say whether it committed")

func (p *postgres) transact(ctx context.Context, f func(*transaction) error) error {
	// A caller that leaves does not interrupt what has begun.
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for wait := 20 * time.Millisecond; ; wait *= 2 {
		if err := ctx.Err(); err != nil {
			return err
		}
		refusal, err := p.attempt(limit, f)
		if refusal != nil || err == nil || errors.Is(err, errUnknownOutcome) || !isConflict(err) && !isLost(err) {
			return cmp.Or(refusal, err)
		}
		p.distrust(err)
		select {
		case <-limit.Done():
			return errDown(err)
		case <-p.closing:
			return errClosed
		case <-time.After(min(wait, 500*time.Millisecond)):
		}
	}
}

// isLost is an outage, as opposed to what the functions of a transaction return
// on their own.
func isLost(err error) bool {
	for _, own := range []error{ErrNotFound, ErrEmailTaken, ErrUsernameTaken, context.Canceled} {
		if errors.Is(err, own) {
			return false
		}
	}
	var refusal *oauth.Error
	return !errors.As(err, &refusal) && isOutage(err)
}

// attempt runs f in a transaction. A refusal of its own is final; err may be of the database.
func (p *postgres) attempt(ctx context.Context, f func(*transaction) error) (refusal, err error) {
	tx, err := p.small.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	var added []*oauth.Authorization
	insert := func(t *transaction, a *oauth.Authorization) (bool, error) {
		inserted, err := insertByID(t, a)
		if inserted {
			added = append(added, a)
		}
		return inserted, err
	}
	t := &transaction{ctx: ctx, conn: throughSQL{tx}, lock: " for update", byID: ` where id = $1`, rowName: p.rowName(), insert: insert}
	if err = f(t); err == nil && t.refusal == nil {
		err = t.early.write(t)
	}
	var answer *oauth.Error
	if errors.As(err, &answer) {
		// Where a row could not be read, its scan has made an answer of that.
		err = cmp.Or(answer.Cause, err)
	}
	if err != nil || t.refusal != nil {
		// What f says is what to tell; a failed rollback ends the connection.
		_ = tx.Rollback()
		if err != nil {
			return nil, uniqueness(err)
		}
		return t.refusal, nil
	}
	if err := tx.Commit(); err != nil {
		if isUndone(err) {
			return nil, fmt.Errorf("commit: %w", err)
		}
		return nil, errors.Join(errUnknownOutcome, err)
	}
	for _, a := range added {
		p.recent.add(a)
	}
	return nil, nil
}

// uniqueness names what two transactions wanted at the same time.
func uniqueness(err error) error {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) || answer.Code != "23505" {
		return err
	}
	switch answer.ConstraintName {
	case "accounts_email_key_key":
		return ErrEmailTaken
	case "accounts_username_key":
		return ErrUsernameTaken
	}
	return err
}

// The classes of the advisory locks: of the process that brings the schema up to date, of the one
// that sweeps, and those by which replicas know of each other: every connection of a replica shares
// the lock of its number. They differ in bits that the numbers of two schemas have in common.
const (
	migrationLock = 0x1c617064
	sweepLock     = 0x2c617064
	presence      = 0x4c617064
)

// class is that of a lock in our schema: PostgreSQL has one of a key for a whole database.
func (p *postgres) class(of uint32) int32 { return int32(of ^ p.schema) }

// channel is the name of a channel of our schema.
func (p *postgres) channel(name string) string { return fmt.Sprintf("%s_%d", name, p.schema) }

func (p *postgres) sweeper(ctx context.Context) (release func(), ok bool, err error) {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return nil, false, err
	}
	if err = conn.QueryRow(ctx, `select pg_try_advisory_lock($1, 0)`, p.class(sweepLock)).Scan(&ok); err != nil || !ok {
		conn.Release()
		return nil, false, err
	}
	return func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if _, err := conn.Exec(limit, `select pg_advisory_unlock($1, 0)`, p.class(sweepLock)); err != nil {
			// The lock goes with its session.
			_ = conn.Conn().Close(limit)
		}
		conn.Release()
	}, true, nil
}

func (p *postgres) sizes(ctx context.Context) (map[string]int64, error) {
	rows, err := p.db().QueryContext(ctx, `select relname, n_live_tup from pg_stat_user_tables where schemaname = current_schema()`)
	return readSizes(rows, err)
}
