package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

const (
	// maxReaders is how many connections read.
	maxReaders = 4
	// checkReaders is how many of them may read groups of checks.
	checkReaders = 2
)

// readers are the reading connections of SQLite. The one that was used last is used
// next: its pages are still in the processor's cache.
type readers struct {
	path string
	ran  func(sql string)
	// places is one for each connection that may be used.
	places chan struct{}
	mu     sync.Mutex
	idle   []*connection
	closed bool
}

func newReaders(path string, ran func(string)) *readers {
	return &readers{path: path, ran: ran, places: make(chan struct{}, maxReaders)}
}

// borrow waits for a connection, and opens it where it is the first time.
func (r *readers) borrow(ctx context.Context) (*connection, error) {
	select {
	case r.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r.mu.Lock()
	last, closed := len(r.idle)-1, r.closed
	if last >= 0 {
		c := r.idle[last]
		r.idle = r.idle[:last]
		r.mu.Unlock()
		return c, nil
	}
	r.mu.Unlock()
	err := errClosed
	if !closed {
		var c *connection
		if c, err = openConnection(r.path, "query_only(1) cache_size(-2000)", r.ran); err == nil {
			return c, nil
		}
	}
	<-r.places
	return nil, err
}

func (r *readers) giveBack(c *connection) {
	r.mu.Lock()
	closed := r.closed
	if !closed {
		r.idle = append(r.idle, c)
	}
	r.mu.Unlock()
	if closed {
		_ = c.close()
	}
	<-r.places
}

// QueryRowContext runs a query when its first row is scanned. It is not interrupted when
// ctx ends: it is over soon, and to watch the context costs more.
func (r *readers) QueryRowContext(_ context.Context, query string, args ...any) row {
	return rowFunc(func(dest ...any) error {
		c, err := r.borrow(context.Background())
		if err != nil {
			return err
		}
		defer r.giveBack(c)
		return (*firstRow)(c.statement(query).bind(args)).Scan(dest...)
	})
}

// QueryContext runs a query for several rows. The connection is borrowed until they
// are closed, and the query is interrupted when ctx ends.
func (r *readers) QueryContext(ctx context.Context, query string, args ...any) (rows, error) {
	c, err := r.borrow(ctx)
	if err != nil {
		return nil, err
	}
	c.binding.SetInterrupt(ctx.Done())
	return &borrowedRows{statement: c.statement(query).bind(args), ctx: ctx, on: c, from: r}, nil
}

// borrowedRows are rows that give their connection back.
type borrowedRows struct {
	*statement
	ctx  context.Context
	on   *connection
	from *readers
}

// Err tells why there are no more rows.
func (b *borrowedRows) Err() error {
	err := b.statement.Err()
	if err != nil && b.ctx.Err() != nil {
		return fmt.Errorf("%w: %w", b.ctx.Err(), err)
	}
	return err
}

// Close gives the connection back, once.
func (b *borrowedRows) Close() error {
	if b.on == nil {
		return nil
	}
	err := b.end()
	b.on.binding.SetInterrupt(nil)
	b.from.giveBack(b.on)
	b.on = nil
	return err
}

// close closes the connections that nobody uses; the others follow when they are given
// back.
func (r *readers) close() (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, c := range r.idle {
		err = errors.Join(err, c.close())
	}
	r.idle = nil
	return err
}
