package store

import (
	"context"
	"database/sql"
)

func (p *postgres) rowName() string { return "id" }

// throughSQL is how the small tables are reached on PostgreSQL: it gives what
// database/sql returns the shape that SQLite's connections have, too, and makes texts storable.
type throughSQL struct {
	conn interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
}

// ExecContext runs a statement and returns how many rows it changed.
func (t throughSQL) ExecContext(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := t.conn.ExecContext(ctx, query, allStorable(args)...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// QueryContext runs a query for several rows.
func (t throughSQL) QueryContext(ctx context.Context, query string, args ...any) (rows, error) {
	found, err := t.conn.QueryContext(ctx, query, allStorable(args)...)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// QueryRowContext runs a query whose first row is wanted.
func (t throughSQL) QueryRowContext(ctx context.Context, query string, args ...any) row {
	return t.conn.QueryRowContext(ctx, query, allStorable(args)...)
}
