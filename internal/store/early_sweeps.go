package store

import (
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/latchkey/latchkey/internal/oauth"
)

// earlySweep lets the sweeper look at rows before their SweepAfter. It names many of them:
// a row and an entry in an index for each was a third of what a revocation cost PostgreSQL.
type earlySweep struct {
	after int64 // Unix milliseconds
	ids   []byte
	// place is where the row lies on PostgreSQL, whose index does not have the ids.
	place string
}

// earlySweeps are those of one transaction, which writes them when it commits.
type earlySweeps []earlySweep

// sweptTogether is how many rows are named together at most.
const sweptTogether = 64

// add names a row, unless after is zero.
func (all *earlySweeps) add(after time.Time, id oauth.ID) {
	if after.IsZero() {
		return
	}
	moment := toMillis(after)
	for i := range slices.Backward(*all) {
		if e := &(*all)[i]; e.after == moment {
			if len(e.ids) == sweptTogether*len(id) {
				// Those before it are full as well.
				break
			}
			e.ids = append(e.ids, id[:]...)
			return
		}
	}
	*all = append(*all, earlySweep{after: moment, ids: id[:]})
}

const insertEarlySweep = `insert into early_sweeps (after, ids) values ($1, $2) on conflict do nothing`

// write adds them to the table.
func (all earlySweeps) write(tx *transaction) error {
	for _, e := range all {
		if _, err := tx.exec(insertEarlySweep, e.after, e.ids); err != nil {
			return err
		}
	}
	return nil
}

// queue is write for a batch of PostgreSQL.
func (all earlySweeps) queue(b *pgx.Batch) {
	for _, e := range all {
		b.Queue(insertEarlySweep, e.after, e.ids)
	}
}
