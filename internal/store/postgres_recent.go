package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/latchkey/latchkey/internal/oauth"
)

// recentRows is how many rows are remembered: some 700 bytes each.
const recentRows = 4096

// recent remembers the rows that this server wrote last, as it wrote them. An event that
// follows soon, as a redemption follows its approval, is decided without reading the row;
// the write finds out whether it still is that one.
type recent struct {
	mutex sync.Mutex
	rows  map[oauth.ID]*oauth.Authorization
	// order has the ids as they came, in a circle; next is the place of the oldest.
	order []oauth.ID
	next  int
}

func newRecent() *recent {
	return &recent{rows: make(map[oauth.ID]*oauth.Authorization)}
}

func (r *recent) add(a *oauth.Authorization) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if _, known := r.rows[a.ID]; !known && len(r.order) < recentRows {
		r.order = append(r.order, a.ID)
	} else if !known {
		delete(r.rows, r.order[r.next])
		r.order[r.next] = a.ID
		r.next = (r.next + 1) % recentRows
	}
	r.rows[a.ID] = a
}

func (r *recent) find(id oauth.ID) *oauth.Authorization {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.rows[id]
}

// advanceSame is advanceMany for rows that were not read: every event in the life of an
// authorization changes one of the columns that are compared.
const advanceSame = advanceRows + ` from (select ` + advancedValues + `,
			unnest($12::bigint[]) as was_replayed_at, unnest($13::bytea[]) as was_access_hash) as v
	where a.id = v.id and a.status = v.was_status and a.generation = v.was_generation and a.replayed_at = v.was_replayed_at and a.access_hash = v.was_access_hash
		and (select true from accounts where accounts.id = a.account_id and disabled_at > 0) is null
	returning a.id`

// advanceRecent redeems and rotates in one round trip, if the batch has nothing else but new rows,
// and all of its events advance rows that are remembered. It answers these, and leaves those
// whose row is another by now. Where nothing was committed it leaves all.
func (p *postgres) advanceRecent(ctx context.Context, conn *pgx.Conn, inserts, events []*work) (insertsLeft, eventsLeft []*work, err error) {
	now := p.now()
	for _, w := range events {
		row := p.recent.find(w.id())
		if row == nil || w.tried != nil {
			return inserts, events, nil
		}
		// Whether the account is disabled is asked by the statement.
		if w.decide(row, false, now); w.refusal != nil || !advances(w.before, w.after) {
			return inserts, events, nil
		}
	}
	var b pgx.Batch
	queueInserts(&b, inserts)
	before, after := sides(events)
	b.Queue(advanceSame, slices.Concat(advancingColumnsOf(after), decidingColumnsOf(before), []any{
		column(before, func(a *authorization) int64 { return toMillis(a.ReplayedAt) }),
		column(before, func(a *authorization) []byte { return blob(a.Access.Hash[:]) }),
	})...)
	results := conn.SendBatch(ctx, &b)
	var advanced []oauth.ID
	rows, err := rowsBehind(results, b.Len()-1)
	if err == nil {
		advanced, err = collectIDs(rows)
	}
	if err = errors.Join(err, results.Close()); err != nil {
		giveUp(conn, events, err)
		return inserts, events, fmt.Errorf("advance: %w", err)
	}
	for _, w := range inserts {
		w.answer(w.row, nil)
	}
	return nil, answerNamed(events, advanced, func(w *work) {
		p.recent.add(w.after)
		w.answer(w.after, nil)
	}), nil
}
