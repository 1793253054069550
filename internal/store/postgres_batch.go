package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/latchkey/latchkey/internal/oauth"
)

func (p *postgres) change(ctx context.Context, e oauth.Event) (oauth.Authorization, error) {
	row, err := p.submit(ctx, &operation{event: e})
	if row == nil {
		return oauth.Authorization{}, err
	}
	return *row, err
}

func (p *postgres) issue(ctx context.Context, a oauth.Authorization) error {
	_, err := p.submit(ctx, &operation{row: &a})
	return err
}

func (p *postgres) submit(ctx context.Context, op *operation) (*oauth.Authorization, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	op.until, op.done = time.Now().Add(patience), make(chan outcome, 1)
	select {
	case p.events <- op:
	default:
		return nil, errBusy()
	}
	select {
	case <-p.closing:
		// The writer may be gone.
		p.refuseRest()
	default:
	}
	select {
	case o := <-op.done:
		return o.row, o.err
	case <-ctx.Done():
		if op.leave() {
			return nil, ctx.Err()
		}
	}
	o := <-op.done
	return o.row, o.err
}

// writeLoop commits batches one after another; more writers were slower.
func (p *postgres) writeLoop() {
	var waiting []*operation
	for {
		if len(waiting) == 0 {
			select {
			case op := <-p.events:
				waiting = append(waiting, op)
			case <-p.closing:
				p.refuseRest()
				return
			}
		}
		for more := true; more && len(waiting) < maxQueue; { // many for one row keep nobody out
			select {
			case op := <-p.events:
				waiting = append(waiting, op)
			default:
				more = false
			}
		}
		var batch []*work
		batch, waiting = formBatch(waiting, maxBatch)
		p.persist(batch)
	}
}

// refuseRest answers what came while the store was closed.
func (p *postgres) refuseRest() {
	for {
		select {
		case op := <-p.events:
			op.done <- outcome{err: errClosed}
		default:
			return
		}
	}
}

// persist commits a batch, again after a conflict or an outage, as long as
// somebody waits.
func (p *postgres) persist(batch []*work) {
	err := p.insist(context.Background(), patience, func(now time.Time, cause error) (first time.Time, left bool) {
		batch = slices.DeleteFunc(batch, func(w *work) bool { return !w.expire(now, cause) })
		if len(batch) == 0 {
			return first, false
		}
		return until(batch), true
	}, func(ctx context.Context) error { return p.commit(ctx, batch) })
	if err != nil {
		for _, w := range batch {
			w.answer(nil, w.gone(fault(err)))
		}
	}
}

// commit runs one transaction of two round trips: begin, insert, lock and load; then update
// and commit. What can be done in one goes first, and the others follow. Whoever is not
// answered when it returns an error may try again.
func (p *postgres) commit(ctx context.Context, batch []*work) error {
	conn, err := p.writes.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if err := p.choosePlans(ctx, conn.Conn()); err != nil {
		abandon(conn.Conn())
		return err
	}
	var inserts, events []*work
	for _, w := range batch {
		if w.event == nil {
			inserts = append(inserts, w)
		} else {
			events = append(events, w)
		}
	}
	if len(events) == 0 {
		return p.add(ctx, conn.Conn(), inserts)
	}
	// Whoever locks several rows does it in this order, so replicas never wait for each other
	// in a circle.
	slices.SortFunc(events, func(a, b *work) int {
		one, other := a.id(), b.id()
		return bytes.Compare(one[:], other[:])
	})
	if len(inserts) == 0 {
		if events, err = p.endByID(ctx, conn.Conn(), events); err != nil || len(events) == 0 {
			return err
		}
	}
	if inserts, events, err = p.advanceRecent(ctx, conn.Conn(), inserts, events); err != nil || len(events) == 0 {
		return err
	}
	found, err := p.load(ctx, conn.Conn(), inserts, events)
	if err != nil {
		abandon(conn.Conn())
		return err
	}
	p.decide(events, found)
	changed := slices.DeleteFunc(slices.Clone(events), func(w *work) bool { return w.after == w.before })
	if err := p.finish(ctx, conn.Conn(), changed); err != nil {
		giveUp(conn.Conn(), changed, err)
		return err
	}
	for _, w := range inserts {
		w.answer(w.row, nil)
	}
	for _, w := range events {
		if w.before == nil {
			w.answer(nil, ErrNotFound)
		} else {
			p.recent.add(w.after)
			w.answer(w.after, w.refusal)
		}
	}
	return nil
}

// add commits new rows alone, in one round trip.
func (p *postgres) add(ctx context.Context, conn *pgx.Conn, inserts []*work) error {
	var b pgx.Batch
	queueInserts(&b, inserts)
	if err := conn.SendBatch(ctx, &b).Close(); err != nil {
		abandon(conn)
		return fmt.Errorf("insert: %w", err)
	}
	for _, w := range inserts {
		w.answer(w.row, nil)
	}
	return nil
}

// endByID ends, in one round trip, what revocations name by ids that decide alone, if
// the batch has nothing else. It answers these, and leaves the others to the rule.
func (p *postgres) endByID(ctx context.Context, conn *pgx.Conn, events []*work) (left []*work, err error) {
	ids, applications, reasons := make([][]byte, len(events)), make([][]byte, len(events)), make([]string, len(events))
	for i, w := range events {
		r, ok := w.event.(oauth.Revocation)
		if !ok || !r.By.ByID() {
			return events, nil
		}
		ids[i], applications[i], reasons[i] = r.ID[:], r.By.ApplicationID[:], string(r.Reason)
	}
	after := oauth.Authorization{}.Revoked("", p.now())
	rows, err := conn.Query(ctx, endMany, ids, applications, reasons, toMillis(after.RevokedAt), toMillis(after.SweepAfter), toMillis(after.ReasonKept()))
	var ended []oauth.ID
	if err == nil {
		ended, err = collectIDs(rows)
	}
	if err != nil {
		abandon(conn)
		return events, fmt.Errorf("revoke: %w", err)
	}
	return answerNamed(events, ended, func(w *work) { w.answer(nil, nil) }), nil
}

// answerNamed answers the events whose rows have these ids, and returns the others.
func answerNamed(events []*work, ids []oauth.ID, answer func(*work)) (left []*work) {
	return slices.DeleteFunc(events, func(w *work) bool {
		named := slices.Contains(ids, w.id())
		if named {
			answer(w)
		}
		return named
	})
}

func collectIDs(rows pgx.Rows) ([]oauth.ID, error) {
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (oauth.ID, error) { return scanID(r) })
}

// queueInserts adds the statements for new rows. A row that is there already is our
// own, from a commit whose outcome was unknown: its id has 74 random bits.
func queueInserts(b *pgx.Batch, inserts []*work) {
	var credentials, others []*oauth.Authorization
	var early earlySweeps
	for _, w := range inserts {
		early.add(w.row.EarlySweep(), w.row.ID)
		if w.row.GrantType == oauth.GrantClientCredentials {
			credentials = append(credentials, w.row)
		} else {
			others = append(others, w.row)
		}
	}
	if len(credentials) > 0 {
		b.Queue(insertCredentialsRows, credentialsColumnsOf(credentials)...)
	}
	if len(others) > 0 {
		b.Queue(insertRows, columnsOf(others)...)
	}
	early.queue(b)
}

// abandon gives up a transaction; the pool replaces the connection.
func abandon(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// giveUp abandons a transaction whose commit failed with err. Where PostgreSQL did not say that
// it was undone, the rows after the events may have been written.
func giveUp(conn *pgx.Conn, events []*work, err error) {
	if !isUndone(err) {
		for _, w := range events {
			w.tried = w.after
		}
	}
	abandon(conn)
}

// load begins, inserts the new rows, and locks and reads those of the events.
func (p *postgres) load(ctx context.Context, conn *pgx.Conn, inserts, events []*work) (map[oauth.ID]*loaded, error) {
	var b pgx.Batch
	b.Queue("begin")
	queueInserts(&b, inserts)
	before := b.Len()
	ids := make([][]byte, len(events))
	for i, w := range events {
		id := w.id()
		ids[i] = id[:]
	}
	b.Queue(selectForBatch, ids)
	results := conn.SendBatch(ctx, &b)
	var found map[oauth.ID]*loaded
	rows, err := rowsBehind(results, before)
	if err == nil {
		found, err = scanMany(rows)
	}
	return found, errors.Join(err, results.Close())
}

// rowsBehind are the rows that were locked behind the statements that come before them.
func rowsBehind(results pgx.BatchResults, before int) (pgx.Rows, error) {
	for range before {
		if _, err := results.Exec(); err != nil {
			return nil, fmt.Errorf("begin and insert: %w", err)
		}
	}
	rows, err := results.Query()
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	return rows, nil
}

// loaded is a row with what an event has to know beside it.
type loaded struct {
	row      oauth.Authorization
	disabled bool
}

// selectLoaded does not ask whether such an account exists: PostgreSQL might look for all
// of them first.
const selectLoaded = `select ` + wholeAuthorization + `,
	(select true from accounts where accounts.id = account_id and disabled_at > 0) is not null from authorizations`

// selectForBatch locks, too.
const selectForBatch = selectLoaded + ` where id = any($1) order by id for update`

func scanMany(rows pgx.Rows) (map[oauth.ID]*loaded, error) {
	defer rows.Close()
	found := map[oauth.ID]*loaded{}
	for rows.Next() {
		l := new(loaded)
		if err := (rawRow{rows}).Scan(append(authorizationDestinations(&l.row), &l.disabled)...); err != nil {
			return nil, err
		}
		found[l.row.ID] = l
	}
	return found, rows.Err()
}

// decide lets every event decide on its row.
func (p *postgres) decide(events []*work, found map[oauth.ID]*loaded) {
	now := p.now()
	for _, w := range events {
		if l, ok := found[w.id()]; ok {
			w.decide(&l.row, l.disabled, now)
		} else {
			w.before, w.after = nil, nil
		}
	}
}

// finish writes the rows that changed, each only if it is still the one that the
// decision was made on, and commits.
func (p *postgres) finish(ctx context.Context, conn *pgx.Conn, changed []*work) error {
	var revoked, advanced, others []*work
	var early earlySweeps
	var told []oauth.Occurrence
	for _, w := range changed {
		if *w.after == w.before.Revoked(w.after.RevokedReason, w.after.RevokedAt) && w.after.SweepAfter == w.before.SweepAfter {
			revoked = append(revoked, w)
		} else if advances(w.before, w.after) {
			advanced = append(advanced, w)
		} else {
			others = append(others, w)
		}
		early.add(w.after.EarlySweep(), w.after.ID)
		if o, ok := oauth.RevocationOf(*w.before, *w.after); ok {
			told = append(told, o)
		}
	}
	var b pgx.Batch
	queueUpdate(&b, revokeMany, revoked, revokingColumnsOf)
	queueUpdate(&b, advanceMany, advanced, advancingColumnsOf)
	queueUpdate(&b, updateMany, others, changingColumnsOf)
	updates := b.Len()
	early.queue(&b)
	err := queueDeliveries(&b, told, p.random)
	b.Queue("commit")
	if err != nil {
		return err
	}
	results := conn.SendBatch(ctx, &b)
	written := int64(0)
	for i := 0; i < b.Len() && err == nil; i++ {
		var tag pgconn.CommandTag
		tag, err = results.Exec()
		if i < updates {
			written += tag.RowsAffected()
		}
		if err == nil && i == updates-1 && written != int64(len(changed)) {
			err = fmt.Errorf("%d of %d locked authorizations could be written", written, len(changed))
		}
	}
	return errors.Join(err, results.Close())
}
