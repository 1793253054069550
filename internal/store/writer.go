package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

const (
	// maxQueue is how many writes may wait before callers are told to come again.
	maxQueue = 4096
	// maxBatch is how many writes share one transaction.
	maxBatch = 256
)

// writer is the one goroutine that writes. It takes whatever writes have queued
// up, runs them in one transaction and answers each after the commit, so that
// they share one fsync.
type writer struct {
	queue chan *write
	// closing is closed when no more writes are let in, stopped when the last is done.
	closing, stopped chan struct{}
	tx               *transaction
}

// write is a queued write. run may be called twice, so it sets its results anew
// each time; an error from it undoes it.
type write struct {
	ctx  context.Context
	run  func(*transaction) error
	done chan error
}

func startWriter(ctx context.Context, db *sql.DB) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the writing connection: %w", err)
	}
	w := &writer{
		queue:   make(chan *write, maxQueue),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
		tx:      &transaction{conn: conn, prepared: map[string]*sql.Stmt{}},
	}
	go w.loop()
	return w, nil
}

// stop runs the writes that wait and gives the connection back.
func (w *writer) stop() {
	close(w.closing)
	<-w.stopped
}

// write queues run and waits for its transaction to commit. When ctx ends first
// the outcome is unknown to the caller.
func (s *Store) write(ctx context.Context, run func(*transaction) error) error {
	op := &write{ctx: ctx, run: run, done: make(chan error, 1)}
	select {
	case s.writer.queue <- op:
	default:
		return errBusy()
	}
	select {
	case err := <-op.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-s.writer.stopped:
		return errClosed
	}
}

// errBusy is an answer of the protocol, so that nobody on the way has to know it.
func errBusy() error {
	busy := oauth.NewError(oauth.Unavailable, "the server is busy; try again in a second")
	busy.RetryAfter = time.Second
	return busy
}

var errClosed = errors.New("the store is closed")

func (w *writer) loop() {
	defer close(w.stopped)
	defer w.tx.close()
	batch := make([]*write, 0, maxBatch)
	for {
		select {
		case op := <-w.queue:
			batch = w.gather(append(batch[:0], op))
			w.commit(batch)
		case <-w.closing:
			if batch = w.gather(batch[:0]); len(batch) == 0 {
				return
			}
			w.commit(batch)
		}
	}
}

// gather adds what waits to the batch, without waiting for more.
func (w *writer) gather(batch []*write) []*write {
	for len(batch) < maxBatch {
		select {
		case op := <-w.queue:
			batch = append(batch, op)
		default:
			return batch
		}
	}
	return batch
}

// commit tries the whole batch in one transaction. If anything in it fails, all
// is undone and each write gets a transaction of its own, so that none suffers
// from another.
func (w *writer) commit(batch []*write) {
	err := w.tx.do(func() error {
		for _, op := range batch {
			if op.ctx.Err() != nil {
				continue
			}
			if err := op.run(w.tx); err != nil {
				return err
			}
		}
		return nil
	})
	for _, op := range batch {
		outcome := err
		switch {
		case op.ctx.Err() != nil && err == nil:
			outcome = op.ctx.Err()
		case err != nil && len(batch) > 1:
			outcome = w.tx.do(func() error { return op.run(w.tx) })
		}
		op.done <- outcome
	}
}

// transaction is what a write runs in: the writing connection between begin and
// commit, with its statements prepared once.
type transaction struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
}

// do runs f between begin and commit, and rolls back when either fails. The
// context is the writer's own: no caller can interrupt another's write.
func (t *transaction) do(f func() error) error {
	ctx := context.Background()
	if _, err := t.exec("begin immediate"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	err := f()
	if err == nil {
		if _, err = t.exec("commit"); err != nil {
			err = fmt.Errorf("commit: %w", err)
		}
	}
	if err != nil {
		// SQLite may have rolled back by itself, on a full disk for example;
		// then this one has nothing to do and its error means nothing.
		_, _ = t.conn.ExecContext(ctx, "rollback")
	}
	return err
}

func (t *transaction) statement(query string) (*sql.Stmt, error) {
	if s := t.prepared[query]; s != nil {
		return s, nil
	}
	s, err := t.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	t.prepared[query] = s
	return s, nil
}

// exec runs a statement and returns how many rows it changed.
func (t *transaction) exec(query string, args ...any) (int64, error) {
	s, err := t.statement(query)
	if err != nil {
		return 0, err
	}
	result, err := s.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// queryRow runs a query whose first row is wanted. A statement that cannot be
// prepared shows itself in Scan.
func (t *transaction) queryRow(query string, args ...any) *sql.Row {
	s, err := t.statement(query)
	if err != nil {
		return t.conn.QueryRowContext(context.Background(), query, args...)
	}
	return s.QueryRowContext(context.Background(), args...)
}

func (t *transaction) close() {
	for _, s := range t.prepared {
		_ = s.Close()
	}
	_ = t.conn.Close()
}
