package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
)

const (
	// maxQueue is how many writes may wait before callers are told to come again.
	maxQueue = 4096
	// maxBatch is how many writes share one transaction.
	maxBatch = 256
)

// writer is the one goroutine that writes to SQLite. It takes whatever writes
// have queued up, runs them in one transaction and answers each after the commit,
// so that they share one fsync.
type writer struct {
	queue chan *write
	// closing is closed when no more writes are let in, stopped when the last is done.
	closing, stopped chan struct{}
	conn             *connection
}

// write is a queued write. run may be called twice, so it sets its results anew
// each time; an error from it undoes it.
type write struct {
	claim
	run  func(*transaction) error
	done chan error
}

func startWriter(conn *connection) *writer {
	w := &writer{
		queue:   make(chan *write, maxQueue),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
		conn:    conn,
	}
	go w.loop()
	return w
}

// stop runs the writes that wait and closes the connection.
func (w *writer) stop() error {
	close(w.closing)
	<-w.stopped
	return w.conn.close()
}

// write queues run and waits for its transaction to commit. When ctx ends before it
// was begun, it never will be.
func (w *writer) write(ctx context.Context, run func(*transaction) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	op := &write{run: run, done: make(chan error, 1)}
	select {
	case w.queue <- op:
	default:
		return errBusy()
	}
	select {
	case err := <-op.done:
		return err
	case <-w.stopped:
		return errClosed
	case <-ctx.Done():
		if op.leave() {
			return ctx.Err()
		}
	}
	select {
	case err := <-op.done:
		return err
	case <-w.stopped:
		return errClosed
	}
}

func (w *writer) loop() {
	defer close(w.stopped)
	batch := make([]*write, 0, maxBatch)
	for {
		select {
		case op := <-w.queue:
			// Those who are about to write get the chance to come along.
			runtime.Gosched()
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

// commit tries the whole batch in one transaction. If one of its writes fails,
// all is undone and each gets a transaction of its own, so that none suffers from
// another. If the transaction cannot even begin, none is tried alone: a locked
// database would make each wait in turn.
func (w *writer) commit(batch []*write) {
	refusals := make([]error, len(batch))
	err := w.conn.do(func(tx *transaction) error {
		for i, op := range batch {
			var err error
			if refusals[i], err = op.apply(tx); err != nil {
				return err
			}
		}
		return nil
	})
	for i, op := range batch {
		if err != nil && len(batch) > 1 && !errors.Is(err, errBegin) {
			op.done <- w.alone(op)
			continue
		}
		op.done <- cmp.Or(err, refusals[i])
	}
}

func (w *writer) alone(op *write) error {
	var refusal error
	err := w.conn.do(func(tx *transaction) (err error) {
		refusal, err = op.apply(tx)
		return err
	})
	return cmp.Or(err, refusal)
}

// apply runs the write, unless its caller has left.
func (op *write) apply(tx *transaction) (refusal, err error) {
	if !op.begin() {
		return nil, nil
	}
	tx.refusal = nil
	err = op.run(tx)
	return tx.refusal, err
}

// errBegin: there is no transaction to write in.
var errBegin = errors.New("begin")

// do runs f between begin and commit, and rolls back when either fails. The
// context is the writer's own: no caller can interrupt another's write.
func (c *connection) do(f func(*transaction) error) error {
	ctx := context.Background()
	tx := &transaction{ctx: ctx, conn: c, byID: byKey, rowName: keyColumn, insert: insertByKey}
	if _, err := c.ExecContext(ctx, "begin immediate"); err != nil {
		return fmt.Errorf("%w: %w", errBegin, err)
	}
	err := f(tx)
	if err == nil {
		err = tx.early.write(tx)
	}
	if err == nil {
		if _, err = c.ExecContext(ctx, "commit"); err != nil {
			err = fmt.Errorf("commit: %w", err)
		}
	}
	if err != nil {
		// SQLite may have rolled back by itself, on a full disk for example;
		// then this one has nothing to do and its error means nothing.
		_, _ = c.ExecContext(ctx, "rollback")
	}
	return err
}
