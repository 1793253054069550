package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// How long Open waits.
const (
	// startPatience is for a database that does not answer.
	startPatience = time.Minute
	// migrationPatience is for another process that brings the schema up to date.
	migrationPatience = 2 * time.Minute
	// departure is for others that use the schema as it is. Of one that was killed just now a
	// connection may be there for a moment.
	departure = time.Second
)

// start waits for the database, brings the schema up to date, and sets the clock. The
// schema may have to exist.
func (p *postgres) start(ctx context.Context, config *pgx.ConnConfig, existing bool) error {
	config = config.Copy()
	// Where there is much, a migration takes long.
	config.RuntimeParams["statement_timeout"] = unlimited
	// Others count this process only once it uses the pools.
	db := stdlib.OpenDB(*config)
	defer db.Close()
	// It is the one connection that has the lock.
	db.SetMaxOpenConns(1)
	if err := p.await(ctx, db); err != nil {
		return err
	}
	err := db.QueryRowContext(ctx, `select coalesce((select oid::bigint from pg_namespace where nspname = current_schema()), 0)`).Scan(&p.schema)
	if err != nil {
		return fmt.Errorf("look for the schema: %w", err)
	}
	if p.schema == 0 {
		return errors.New("the database has no schema of the search_path that the role may use; make it first, with create schema")
	}
	var missing bool
	if err := db.QueryRowContext(ctx, `select to_regclass('authorizations') is null`).Scan(&missing); err != nil {
		return fmt.Errorf("look for the tables: %w", err)
	}
	if missing && existing {
		return ErrNoData
	}
	quiet := silence
	if missing {
		quiet = 0
	}
	if err := p.prepare(ctx, db, quiet); err != nil {
		return err
	}
	return p.setClock(ctx)
}

// prepare brings the schema up to date, and lets others count this process as one that uses it.
// A lock lets one process at a time do that, until the connection ends: whoever is counted while
// the schema is old is of an older version, and would fail on the new one. Nobody may have been counted
// for so long as quiet says.
func (p *postgres) prepare(ctx context.Context, db *sql.DB, quiet time.Duration) error {
	limit, cancel := context.WithTimeout(ctx, migrationPatience)
	defer cancel()
	if _, err := db.ExecContext(limit, `select pg_advisory_lock($1, 0)`, p.class(migrationLock)); err != nil {
		return fmt.Errorf("wait for another process that brings the database up to date: %w", err)
	}
	pending, err := pendingMigrations(ctx, goose.DialectPostgres, db, "postgres")
	if err != nil {
		return err
	}
	if pending != nil {
		if err := p.awaitDeparture(ctx, db, quiet); err != nil {
			return err
		}
		if err := migrate(ctx, pending); err != nil {
			return err
		}
	}
	if err := p.pool.Ping(ctx); err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	return nil
}

// awaitDeparture waits until nobody else has used the schema for so long as quiet says: a server
// whose connections were lost just now, as when the database was restarted, is there again soon.
func (p *postgres) awaitDeparture(ctx context.Context, db *sql.DB, quiet time.Duration) error {
	began := time.Now()
	for last := began; ; {
		var others int
		if err := db.QueryRowContext(ctx, `select `+countOthers, p.class(presence), p.bell.number).Scan(&others); err != nil {
			return fmt.Errorf("look for other processes: %w", err)
		}
		now := time.Now()
		switch {
		case others == 0 && now.Sub(last) >= quiet:
			return nil
		case others > 0 && now.Sub(began) > departure:
			return errors.New("an older version of latchkey runs on the database, which this one has to change; stop all servers and commands of the older one first")
		case others > 0:
			last = now
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *postgres) await(ctx context.Context, db *sql.DB) error {
	limit, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for told := false; ; {
		attempt, stop := context.WithTimeout(limit, 3*connectPatience)
		err := db.PingContext(attempt)
		stop()
		if err == nil {
			return nil
		}
		if !isAway(err) {
			return fmt.Errorf("the database refuses: %w", err)
		}
		if !told {
			p.log.Warn("waiting for the database", "cause", err)
			told = true
		}
		select {
		case <-limit.Done():
			return fmt.Errorf("the database does not answer: %w", err)
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// isAway reports whether a database that was asked for a connection may answer
// later; a certificate or a password that is wrong stays wrong.
func isAway(err error) bool {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return isOutage(err)
	}
	return isBroken(err)
}
