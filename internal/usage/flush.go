package usage

import (
	"context"
	"slices"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// pending are the counts and refusals that were taken and are not written yet.
type pending struct {
	tallies  map[tallied]oauth.Tally
	refusals []oauth.Refusal
	more     map[oauth.ID]int64
}

// tallied tells which tallies are written to the same row.
type tallied struct {
	application oauth.ID
	hour        time.Time
}

// maxPending is how many tallies wait while the database cannot be reached.
const maxPending = 2 * maxApplications

// Flush writes down what was counted until now. What cannot be written waits for the
// next Flush. Where the database did not say whether it committed, it is written again:
// the counts of some seconds may then be too high.
func (m *Meter) Flush(ctx context.Context) error { return m.flush(ctx, 0) }

// flush lets some time pass between two writes of uses, which can be many.
func (m *Meter) flush(ctx context.Context, usesApart time.Duration) error {
	m.flushing.Lock()
	defer m.flushing.Unlock()
	m.gatherUses()
	if err := m.flushCounts(ctx); err != nil {
		return err
	}
	return m.writeUses(ctx, usesApart)
}

// flushCounts writes counts and refusals down; it waits for no uses.
func (m *Meter) flushCounts(ctx context.Context) error {
	select {
	case m.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-m.turn }()
	m.gather()
	if err := m.writeTallies(ctx); err != nil {
		return err
	}
	return m.writeRefusals(ctx)
}

// gatherUses adds the uses that were seen to those that are pending.
func (m *Meter) gatherUses() {
	if m.pendingUses == nil {
		m.pendingUses = map[oauth.Connection]oauth.Use{}
	}
	for c, u := range m.uses.take(m.now(), maxUses-len(m.pendingUses)) {
		m.pendingUses[c] = m.pendingUses[c].Later(u)
	}
}

// gather adds what was counted and refused to what is pending.
func (m *Meter) gather() {
	p, lost := &m.pending, m.uncounted.Swap(0)
	if p.tallies == nil {
		p.tallies, p.more = map[tallied]oauth.Tally{}, map[oauth.ID]int64{}
	}
	for _, t := range m.take() {
		key := tallied{t.ApplicationID, t.Hour}
		before, known := p.tallies[key]
		switch {
		case known:
			p.tallies[key] = both(before, t)
		case len(p.tallies) == maxPending:
			lost++
		default:
			p.tallies[key] = t
		}
	}
	refusals, more, unheard := m.refusals.take(maxRefusals - len(p.refusals))
	p.refusals = append(p.refusals, refusals...)
	for id, n := range more {
		if len(p.more) < maxRefusals {
			p.more[id] += n
		}
	}
	if lost+unheard > 0 {
		m.log.Warn("more was done than there is room to count", "counts", lost, "refusals", unheard)
	}
}

// both is what was counted in two parts of an hour.
func both(earlier, later oauth.Tally) oauth.Tally {
	earlier.Usage = earlier.Usage.Add(later.Usage)
	earlier.Accounts.Merge(&later.Accounts)
	earlier.SecretUsed = earlier.SecretUsed || later.SecretUsed
	earlier.PreviousSecretUsed = earlier.PreviousSecretUsed || later.PreviousSecretUsed
	return earlier
}

func (m *Meter) writeTallies(ctx context.Context) error {
	batch := make([]oauth.Tally, 0, min(store.UsageBatch, len(m.pending.tallies)))
	for len(m.pending.tallies) > 0 {
		batch = batch[:0]
		for _, t := range m.pending.tallies {
			if batch = append(batch, t); len(batch) == store.UsageBatch {
				break
			}
		}
		if err := m.store.AddUsage(ctx, batch); err != nil {
			return err
		}
		for _, t := range batch {
			delete(m.pending.tallies, tallied{t.ApplicationID, t.Hour})
		}
	}
	return nil
}

func (m *Meter) writeUses(ctx context.Context, apart time.Duration) error {
	for len(m.pendingUses) > 0 {
		if apart > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-m.wake:
				// Counts are more urgent; what is left goes with the next flush.
				m.hurry()
				return nil
			case <-time.After(apart):
			}
		}
		batch := map[oauth.Connection]oauth.Use{}
		for c, u := range m.pendingUses {
			if batch[c] = u; len(batch) == store.UsageBatch {
				break
			}
		}
		if err := m.store.AddUses(ctx, batch); err != nil {
			return err
		}
		for c := range batch {
			delete(m.pendingUses, c)
		}
	}
	return nil
}

func (m *Meter) writeRefusals(ctx context.Context) error {
	p := &m.pending
	for len(p.refusals) > store.UsageBatch {
		if err := m.store.AddRefusals(ctx, p.refusals[:store.UsageBatch], nil); err != nil {
			return err
		}
		p.refusals = slices.Delete(p.refusals, 0, store.UsageBatch)
	}
	if len(p.refusals) == 0 && len(p.more) == 0 {
		return nil
	}
	// Those that were left out are counted with one that has to be written by then.
	if err := m.store.AddRefusals(ctx, p.refusals, p.more); err != nil {
		return err
	}
	p.refusals = nil
	clear(p.more)
	return nil
}
