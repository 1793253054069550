package store

import (
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// operation is an event or a new row that waits for PostgreSQL.
type operation struct {
	claim
	// event is nil for a new row, and row for an event.
	event oauth.Event
	row   *oauth.Authorization
	until time.Time
	done  chan outcome
}

// outcome is what became of an operation. The row is nil where there is none, and may have been
// given to others too.
type outcome struct {
	row *oauth.Authorization
	err error
}

// work is one event or new row of a batch, with all who wait for it.
type work struct {
	event   oauth.Event
	row     *oauth.Authorization
	waiters []*operation
	// before and after are the row around the event, nil where there is none, and the same
	// where it changes nothing; refusal is the event's error.
	before, after *oauth.Authorization
	refusal       error
	// tried: a commit with this after was under way when the connection was lost.
	tried *oauth.Authorization
}

func (w *work) id() oauth.ID { return rowOf(w.event, w.row) }

func (op *operation) id() oauth.ID { return rowOf(op.event, op.row) }

// rowOf is the id of the row of an event, or of a new row.
func rowOf(event oauth.Event, row *oauth.Authorization) oauth.ID {
	if event == nil {
		return row.ID
	}
	return event.AuthorizationID()
}

// formBatch decides which operations make up a batch; the others wait for the
// next. Equal repeatable events on one row are one event with several waiters; a different
// event on a row that is in the batch already has to wait. Operations whose
// callers have left are dropped. All rows are named by their ids alone, so a
// batch can be formed for one shard of a distributed engine here.
func formBatch(waiting []*operation, limit int) (batch []*work, rest []*operation) {
	byID := make(map[oauth.ID]*work, min(len(waiting), limit))
	for _, op := range waiting {
		present := byID[op.id()]
		joins := present != nil && op.event != nil && op.event.Repeatable() && present.event == op.event
		switch {
		case !joins && (present != nil || len(batch) >= limit):
			rest = append(rest, op)
		case !op.begin():
			// Its caller has left.
		case joins:
			present.waiters = append(present.waiters, op)
		default:
			w := &work{event: op.event, row: op.row, waiters: []*operation{op}}
			byID[op.id()] = w
			batch = append(batch, w)
		}
	}
	return batch, rest
}

// until is when the first of those who wait has waited long enough.
func until(batch []*work) time.Time {
	first := batch[0].waiters[0].until
	for _, w := range batch {
		for _, op := range w.waiters {
			if op.until.Before(first) {
				first = op.until
			}
		}
	}
	return first
}

// answer tells everybody who waits for the work, after which nobody does.
func (w *work) answer(row *oauth.Authorization, err error) {
	for _, op := range w.waiters {
		op.done <- outcome{row: row, err: err}
	}
	w.waiters = nil
}

// expire answers those who have waited long enough and reports whether anybody
// is left.
func (w *work) expire(now time.Time, cause error) (left bool) {
	kept := w.waiters[:0]
	for _, op := range w.waiters {
		if now.Before(op.until) {
			kept = append(kept, op)
		} else {
			op.done <- outcome{err: w.gone(errDown(cause))}
		}
	}
	w.waiters = kept
	return len(kept) > 0
}

// gone is the answer to those for whom nothing more is tried: err, unless it is a redemption that
// may have happened. That must not be sent again: it would count as a replay.
func (w *work) gone(err error) error {
	if w.tried == nil || w.event.Repeatable() {
		return err
	}
	unknown := oauth.NewError(oauth.Unavailable, "the server lost its database while it redeemed the code, which may be used now; send the person to the authorize page again")
	unknown.Cause = err
	return unknown
}

// decide lets the event decide on the row as it is now. After a commit whose
// outcome is unknown, finding our own hashes in the row means that it won.
func (w *work) decide(row *oauth.Authorization, disabled bool, now time.Time) {
	w.before, w.after = row, row
	if w.tried != nil && holds(row, w.tried) {
		return
	}
	after, refusal := w.event.Decide(*row, disabled, now)
	w.refusal = refusal
	if after != *row {
		w.after = &after
	}
}

// holds reports whether the row went on from tried: the access token that tried brought is its
// current or its previous one, and no other state of that generation is older.
func holds(row, tried *oauth.Authorization) bool {
	if row.Status < tried.Status {
		return false
	}
	if row.Generation == tried.Generation {
		return row.Access.Hash.Matches(tried.Access.Hash) && !row.ReplayedAt.Before(tried.ReplayedAt)
	}
	return row.PreviousAccess.Hash.Matches(tried.Access.Hash)
}
