package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
)

const (
	// maxQueue is how many writes may wait before callers are told to come again.
	maxQueue = 4096
	// maxBatch is how many writes share one transaction.
	maxBatch = 256
)

// writer is the one goroutine that writes to SQLite. It takes whatever writes have queued
// up and runs them in one transaction. A second goroutine waits for the disk and then
// answers each, while the next transaction runs already: the writes of a transaction
// share one fsync, and nobody else waits for it.
type writer struct {
	queue chan *write
	// committed hands a batch from the one goroutine to the other. It has no room, so
	// that a batch is as large as what came during an fsync.
	committed chan finished
	// closing is closed when no more writes are let in, stopped when the last is done.
	closing, stopped chan struct{}
	conn             *connection
	// sync waits until the disk has all that was committed.
	sync func() error
	// broken: a sync failed, after which nothing tells what the disk has.
	broken atomic.Bool
}

// write is a queued write. run may be called twice, so it sets its results anew
// each time; an error from it undoes it.
type write struct {
	claim
	run  func(*transaction) error
	done chan error
	// looks: it changes nothing.
	looks bool
}

// finished is a batch that is committed, or failed, with what to answer.
type finished struct {
	batch   []*write
	answers []error
	changes bool
}

func startWriter(conn *connection, sync func() error) *writer {
	w := &writer{
		queue:     make(chan *write, maxQueue),
		committed: make(chan finished),
		closing:   make(chan struct{}),
		stopped:   make(chan struct{}),
		conn:      conn,
		sync:      sync,
	}
	go w.loop()
	go w.keep()
	return w
}

// stop runs the writes that wait.
func (w *writer) stop() {
	close(w.closing)
	<-w.stopped
}

// write queues run and waits for its transaction to be on the disk. When ctx ends before
// it was begun, it never will be.
func (w *writer) write(ctx context.Context, run func(*transaction) error) error {
	return w.submit(ctx, &write{run: run, done: make(chan error, 1)})
}

// look is write for what changes nothing.
func (w *writer) look(ctx context.Context, run func(*transaction) error) error {
	return w.submit(ctx, &write{run: run, done: make(chan error, 1), looks: true})
}

func (w *writer) submit(ctx context.Context, op *write) error {
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
	defer close(w.committed)
	for {
		var batch []*write
		select {
		case op := <-w.queue:
			// Those who are about to write get the chance to come along.
			runtime.Gosched()
			batch = w.gather([]*write{op})
		case <-w.closing:
			if batch = w.gather(nil); len(batch) == 0 {
				return
			}
		}
		changes := slices.ContainsFunc(batch, func(op *write) bool { return !op.looks })
		w.committed <- finished{batch, w.commit(batch), changes}
	}
}

// keep answers what was committed once the disk has it. Also what changed nothing waits
// for that: it may have found what is not on the disk yet.
func (w *writer) keep() {
	defer close(w.stopped)
	var failed error
	for f := range w.committed {
		if f.changes && failed == nil {
			if err := w.sync(); err != nil {
				failed = errDown(fmt.Errorf("%w: %w", errNotKept, err))
				w.broken.Store(true)
			}
		}
		for i, op := range f.batch {
			op.done <- cmp.Or(failed, f.answers[i])
		}
	}
}

// errNotKept: an fsync failed. The kernel may have dropped what it could not write, so
// that a later one that succeeds says nothing about it.
var errNotKept = errors.New("the disk did not keep what was written; nothing is written until the server is started again")

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

// commit tries the whole batch in one transaction and returns what to answer to each. If
// one of its writes fails, all is undone and each gets a transaction of its own, so that
// none suffers from another. If the transaction cannot even begin, none is tried alone: a
// locked database would make each wait in turn.
func (w *writer) commit(batch []*write) []error {
	answers := make([]error, len(batch))
	err := errDown(errNotKept)
	if !w.broken.Load() {
		err = w.conn.do(func(tx *transaction) error {
			for i, op := range batch {
				var err error
				if answers[i], err = op.apply(tx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for i, op := range batch {
		switch {
		case err == nil:
		case len(batch) == 1 || errors.Is(err, errBegin) || errors.Is(err, errNotKept):
			answers[i] = err
		default:
			answers[i] = w.alone(op)
		}
	}
	return answers
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
	tx := &transaction{ctx: ctx, conn: c, byID: byKey, rowName: "key", insert: insertByKey}
	if _, err := c.ExecContext(ctx, "begin immediate"); err != nil {
		return fmt.Errorf("%w: %w", errBegin, err)
	}
	err := f(tx)
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
