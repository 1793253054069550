package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// poolSize bounds each pool in connections. Those of batches and of groups of reads use one or two,
// one after another: one that fell silent counts for a quarter of a minute, while it is closed.
const poolSize = 12

// How long it may take to connect to each address of a database, one after another.
const (
	connectPatience = 5 * time.Second
	// hostPatience is for several hosts, of which one may be gone without a word: who waits for
	// the next one should reach it.
	hostPatience = 2 * time.Second
)

// endPatience is how long connections may take to close.
const endPatience = 3 * time.Second

// unlimited is a limit of PostgreSQL that is none.
const unlimited = "0"

// poolConfig says how to connect.
func poolConfig(o Options) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(o.Database)
	if err != nil {
		// The message of the driver leaves the password out.
		return nil, fmt.Errorf("the database URL is wrong: %w", err)
	}
	// Nothing connects before it is needed: see prepare.
	config.MaxConns, config.MinConns, config.MinIdleConns = poolSize, 0, 0
	config.ConnConfig.ConnectTimeout = connectPatience
	hosts := []string{config.ConnConfig.Host}
	for _, other := range config.ConnConfig.Fallbacks {
		hosts = append(hosts, other.Host)
		if other.Host != config.ConnConfig.Host || other.Port != config.ConnConfig.Port {
			config.ConnConfig.ConnectTimeout = hostPatience
		}
	}
	// Waiting for a host with a name like that mends nothing, and would log the end of the password.
	if slices.ContainsFunc(hosts, func(host string) bool { return !strings.HasPrefix(host, "/") && strings.Contains(host, "@") }) {
		return nil, errors.New("the database URL is wrong: an @ in the password has to be written as %40")
	}
	config.ConnConfig.RuntimeParams["application_name"] = "latchkey"
	// A backend must not go on for long after those who waited for it have left. Who runs a
	// command waits.
	config.ConnConfig.RuntimeParams["statement_timeout"] = unlimited
	if o.Serve {
		config.ConnConfig.RuntimeParams["statement_timeout"] = "6000"
	}
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "10000"
	// Whoever waited for a row has to see what was committed meanwhile.
	config.ConnConfig.RuntimeParams["default_transaction_isolation"] = "read committed"
	if o.statement != nil {
		config.ConnConfig.Tracer = tracer(o.statement)
	}
	return config, nil
}

// makePools prepares the pools; they connect when they are used.
func (p *postgres) makePools(ctx context.Context, config *pgxpool.Config) (err error) {
	config.AfterConnect = p.bell.bePresent
	if p.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return fmt.Errorf("prepare the connections to the database: %w", err)
	}
	p.small = stdlib.OpenDBFromPool(p.pool)
	config = config.Copy()
	// A plan that was made while a table was small must not read all of it, and what a batch writes
	// has to be found in the order of the ids.
	for _, way := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin"} {
		config.ConnConfig.RuntimeParams[way] = "off"
	}
	config.ConnConfig.RuntimeParams["plan_cache_mode"] = "force_custom_plan"
	if p.writes, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		p.pool.Close()
		return fmt.Errorf("prepare the connections to the database: %w", err)
	}
	config = config.Copy()
	config.ConnConfig.RuntimeParams["plan_cache_mode"] = "force_generic_plan"
	if p.reads, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		p.pool.Close()
		p.writes.Close()
		return fmt.Errorf("prepare the connections to the database: %w", err)
	}
	return nil
}

// closePools says farewell on all connections. One whose network has gone silent would wait
// a quarter of a minute for an answer: the end of the process ends it.
func (p *postgres) closePools() {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		var all sync.WaitGroup
		all.Go(p.pool.Close)
		all.Go(p.reads.Close)
		all.Go(p.writes.Close)
		all.Wait()
	}()
	select {
	case <-closed:
	case <-time.After(endPatience):
	}
}

// planEvery is after how many batches choosePlans looks again.
const planEvery = 1000

// choosePlans lets the connection of batches keep the plans of its statements where there
// are so many authorizations that rows are found by their ids. Otherwise it plans each time:
// what was planned for a few rows would go through all of them when they are many.
func (p *postgres) choosePlans(ctx context.Context, conn *pgx.Conn) error {
	if p.batches%planEvery == 0 {
		_, err := conn.Exec(ctx, `select set_config('plan_cache_mode',
			case when pg_relation_size('authorizations') > 8388608 then 'force_generic_plan' else 'force_custom_plan' end, false)`)
		if err != nil {
			return fmt.Errorf("decide whether plans are kept: %w", err)
		}
	}
	p.batches++
	return nil
}

// tracer hears of each statement.
type tracer func(sql string)

// TraceQueryStart hears of a statement of its own.
func (t tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	t(q.SQL)
	return ctx
}

// TraceQueryEnd is asked for by pgx.
func (tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart is asked for by pgx.
func (tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

// TraceBatchQuery hears of a statement of a batch.
func (t tracer) TraceBatchQuery(_ context.Context, _ *pgx.Conn, q pgx.TraceBatchQueryData) { t(q.SQL) }

// TraceBatchEnd is asked for by pgx.
func (tracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}
