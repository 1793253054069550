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

// queryer is a connection, with or without a transaction.
type queryer interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func (p *postgres) change(ctx context.Context, e oauth.Event) (oauth.Authorization, error) {
	return p.submit(ctx, &operation{event: e})
}

func (p *postgres) issue(ctx context.Context, a oauth.Authorization) error {
	_, err := p.submit(ctx, &operation{row: a})
	return err
}

func (p *postgres) submit(ctx context.Context, op *operation) (oauth.Authorization, error) {
	op.until, op.done = time.Now().Add(patience), make(chan outcome, 1)
	select {
	case p.events <- op:
	default:
		return oauth.Authorization{}, errBusy()
	}
	select {
	case o := <-op.done:
		return o.row, o.err
	case <-ctx.Done():
		if op.leave() {
			return oauth.Authorization{}, ctx.Err()
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
		for more := true; more && len(waiting) < 2*maxBatch; {
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
	err := errors.New("too many writes are waiting")
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		now := time.Now()
		batch = slices.DeleteFunc(batch, func(w *work) bool { return !w.expire(now, err) })
		if len(batch) == 0 {
			return
		}
		// Not shorter than an attempt takes, or a single late one would spoil all.
		ctx, cancel := context.WithTimeout(context.Background(), max(until(batch).Sub(now), time.Second))
		err = p.commit(ctx, batch)
		cancel()
		if err == nil {
			return
		}
		if !isOutage(err) && !isConflict(err) {
			for _, w := range batch {
				w.answer(oauth.Authorization{}, err)
			}
			return
		}
		select {
		case <-p.closing:
			for _, w := range batch {
				w.answer(oauth.Authorization{}, errDown(err))
			}
			return
		case <-time.After(wait):
		}
	}
}

// commit runs one transaction of two round trips: begin, insert, lock and load;
// then update and commit. It answers everybody, or returns an error and nobody is
// answered.
func (p *postgres) commit(ctx context.Context, batch []*work) error {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	var inserts, events []*work
	for _, w := range batch {
		if w.event == nil {
			inserts = append(inserts, w)
		} else {
			events = append(events, w)
		}
	}
	found, err := p.load(ctx, conn.Conn(), inserts, events)
	if err == nil {
		err = p.decide(ctx, conn.Conn(), events, found)
	}
	if err != nil {
		abandon(conn.Conn())
		return err
	}
	changed := slices.DeleteFunc(slices.Clone(events), func(w *work) bool { return w.after == w.before })
	if err := finish(ctx, conn.Conn(), changed); err != nil {
		if !isUndone(err) {
			for _, w := range changed {
				w.tried = new(oauth.Authorization)
				*w.tried = w.after
			}
		}
		abandon(conn.Conn())
		return err
	}
	for _, w := range inserts {
		w.answer(w.row, nil)
	}
	for _, w := range events {
		if w.before.ID.IsZero() {
			w.answer(oauth.Authorization{}, ErrNotFound)
		} else {
			w.answer(w.after, w.refusal)
		}
	}
	return nil
}

// abandon gives up a transaction; the pool replaces the connection.
func abandon(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// load begins, inserts the new rows, and locks and reads those of the events, in
// the order of their ids: whoever locks several rows does it in this order, so
// replicas never wait for each other in a circle.
func (p *postgres) load(ctx context.Context, conn *pgx.Conn, inserts, events []*work) (map[oauth.ID]oauth.Authorization, error) {
	var b pgx.Batch
	b.Queue("begin")
	if len(inserts) > 0 {
		rows := make([]oauth.Authorization, len(inserts))
		for i, w := range inserts {
			rows[i] = w.row
		}
		b.Queue(insertMany, columnsOf(rows)...)
	}
	if len(events) > 0 {
		ids := make([][]byte, len(events))
		for i, w := range events {
			id := w.id()
			ids[i] = id[:]
		}
		slices.SortFunc(ids, bytes.Compare)
		b.Queue(selectAuthorization+` where id = any($1) order by id for update`, ids)
	}
	results := conn.SendBatch(ctx, &b)
	found, err := readLoaded(results, len(inserts) > 0, len(events) > 0)
	return found, errors.Join(err, results.Close())
}

func readLoaded(results pgx.BatchResults, inserted, selected bool) (map[oauth.ID]oauth.Authorization, error) {
	if _, err := results.Exec(); err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	if inserted {
		// A row that is there already is our own, from a commit whose outcome was
		// unknown: its id has 74 random bits.
		if _, err := results.Exec(); err != nil {
			return nil, fmt.Errorf("insert: %w", err)
		}
	}
	if !selected {
		return nil, nil
	}
	rows, err := results.Query()
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	return scanMany(rows)
}

func scanMany(rows pgx.Rows) (map[oauth.ID]oauth.Authorization, error) {
	defer rows.Close()
	found := map[oauth.ID]oauth.Authorization{}
	for rows.Next() {
		a, err := scanAuthorization(rows)
		if err != nil {
			return nil, err
		}
		found[a.ID] = a
	}
	return found, rows.Err()
}

// decide lets every event decide on its row.
func (p *postgres) decide(ctx context.Context, conn *pgx.Conn, events []*work, found map[oauth.ID]oauth.Authorization) error {
	accounts := make([]oauth.ID, 0, len(events))
	for _, w := range events {
		if row, ok := found[w.id()]; ok {
			accounts = append(accounts, row.AccountID)
		}
	}
	var disabled map[oauth.ID]bool
	if len(accounts) > 0 {
		var err error
		if disabled, err = p.disabled(ctx, conn, accounts); err != nil {
			return fmt.Errorf("look for disabled accounts: %w", err)
		}
	}
	now := p.now()
	for _, w := range events {
		row, ok := found[w.id()]
		if !ok {
			w.before, w.after = oauth.Authorization{}, oauth.Authorization{}
			continue
		}
		w.decide(row, disabled[row.AccountID], now)
	}
	return nil
}

// readDisabled asks the database which of the accounts are disabled.
func readDisabled(ctx context.Context, q queryer, accounts []oauth.ID) (map[oauth.ID]bool, error) {
	ids := make([][]byte, len(accounts))
	for i := range accounts {
		ids[i] = accounts[i][:]
	}
	rows, err := q.Query(ctx, `select id from accounts where id = any($1) and disabled_at <> 0`, ids)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	disabled := map[oauth.ID]bool{}
	for rows.Next() {
		var id oauth.ID
		if err := rows.Scan(fixed(id[:])); err != nil {
			return nil, err
		}
		disabled[id] = true
	}
	return disabled, rows.Err()
}

// finish writes the rows that changed, each only if it is still the one that the
// decision was made on, and commits.
func finish(ctx context.Context, conn *pgx.Conn, changed []*work) error {
	var b pgx.Batch
	if len(changed) > 0 {
		rows, statuses, generations := make([]oauth.Authorization, len(changed)), make([]int16, len(changed)), make([]int64, len(changed))
		for i, w := range changed {
			rows[i], statuses[i], generations[i] = w.after, int16(w.before.Status), int64(w.before.Generation)
		}
		b.Queue(updateMany, append(changingColumnsOf(rows), statuses, generations)...)
	}
	b.Queue("commit")
	results := conn.SendBatch(ctx, &b)
	var err error
	if len(changed) > 0 {
		var tag pgconn.CommandTag
		if tag, err = results.Exec(); err == nil && tag.RowsAffected() != int64(len(changed)) {
			err = errors.Join(fmt.Errorf("%d of %d locked authorizations could be written", tag.RowsAffected(), len(changed)), results.Close())
			return err
		}
	}
	if err == nil {
		_, err = results.Exec()
	}
	return errors.Join(err, results.Close())
}
