package store

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// How long operations wait for PostgreSQL.
const (
	// patience is how long an operation may wait for a database that comes back, as one does
	// that is restarted. With an attempt that begins at its end it is well below the 5 s for
	// which package bearer waits for an answer: a guard should hear why it gets none.
	patience = 3 * time.Second
	// leastAttempt is how long an attempt may take although somebody's patience ends before: a
	// single one who comes late would spoil all.
	leastAttempt = time.Second
	// attemptPatience is how long one attempt may take of what can be tried again: a
	// connection may have died silently, and many may wait for it.
	attemptPatience = 2 * time.Second
)

// insist tries until that ends well, or with anything but an outage or a conflict, or nobody
// waits any more. waiting lets those go who have waited long enough, because of the cause, and
// tells when the first of the others will have; false where nobody is left. An attempt takes
// longest at the most.
func (p *postgres) insist(ctx context.Context, longest time.Duration, waiting func(now time.Time, cause error) (until time.Time, left bool), try func(context.Context) error) error {
	err := errors.New("too much is waiting for the database")
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		now := time.Now()
		until, left := waiting(now, err)
		if !left {
			return err
		}
		attempt, stop := context.WithTimeout(ctx, min(longest, max(until.Sub(now), leastAttempt)))
		err = try(attempt)
		stop()
		if err == nil || !isOutage(err) && !isConflict(err) {
			return err
		}
		p.distrust(err)
		select {
		case <-ctx.Done():
			return err
		case <-p.closing:
			return err
		case <-time.After(min(wait, max(time.Until(until), 0))):
		}
	}
}

// patiently reads again after an outage, once the pool has a new connection.
func (p *postgres) patiently(ctx context.Context, read func(context.Context) error) error {
	end := time.Now().Add(patience)
	return p.insist(ctx, attemptPatience, func(now time.Time, _ error) (time.Time, bool) { return end, now.Before(end) }, read)
}

// patientReads reads a row of the small tables again after an outage. Lists are read once: a
// row of whoever asks for one was read before.
type patientReads struct {
	throughSQL
	p *postgres
}

// QueryRowContext runs a query, when its row is scanned.
func (r patientReads) QueryRowContext(ctx context.Context, query string, args ...any) row {
	return rowFunc(func(dest ...any) error {
		var final error
		err := r.p.patiently(ctx, func(ctx context.Context) error {
			err := r.throughSQL.QueryRowContext(ctx, query, args...).Scan(dest...)
			if err != nil && !isAway(err) {
				final, err = err, nil
			}
			return err
		})
		return cmp.Or(final, err)
	})
}
