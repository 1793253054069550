package store

import (
	"context"
	"database/sql"
	"sync"
)

// preparedReader is the reading connections of SQLite, on which each query is
// prepared once.
type preparedReader struct {
	db *sql.DB
	// prepared are *sql.Stmt by their queries.
	prepared sync.Map
	// ran hears of each query, where it is not nil.
	ran func(sql string)
}

func (r *preparedReader) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if r.ran != nil {
		r.ran(query)
	}
	if s, ok := r.prepared.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := r.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if first, known := r.prepared.LoadOrStore(query, s); known {
		return first.(*sql.Stmt), s.Close()
	}
	return s, nil
}

// QueryContext runs a query for several rows.
func (r *preparedReader) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := r.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// QueryRowContext runs a query whose first row is wanted. It is not interrupted when
// ctx ends: it is over soon, and to watch the context costs more. A query that cannot
// be prepared shows itself in Scan.
func (r *preparedReader) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	ctx = context.WithoutCancel(ctx)
	s, err := r.statement(ctx, query)
	if err != nil {
		return r.db.QueryRowContext(ctx, query, args...)
	}
	return s.QueryRowContext(ctx, args...)
}

// Close closes the connections, and with them what was prepared.
func (r *preparedReader) Close() error { return r.db.Close() }
