package store

import (
	"context"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// How long what applications did is kept, and how many uses a sweep looks at.
const (
	usageKept    = 90 * 24 * time.Hour
	refusalsKept = 7 * 24 * time.Hour
	usesPage     = 1000
)

func (s *Store) sweepAllUsage(ctx context.Context) error {
	for {
		removed, err := s.SweepUsage(ctx)
		if err != nil || removed < sweepBatch {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(sweepPause):
		}
	}
}

// SweepUsage removes one batch of what is kept of applications for some time only, and
// returns how much.
func (s *Store) SweepUsage(ctx context.Context) (removed int, err error) {
	now := s.Now()
	oldest := firstID(now.Add(-refusalsKept))
	err = s.write(ctx, func(tx *transaction) error {
		removed = 0
		for _, c := range []struct {
			sql    string
			before any
		}{
			{`delete from usage_hours where (hour, application_id) in (
				select hour, application_id from usage_hours where hour < $1 order by hour limit $2` + tx.skipLocked() + `)`, toMillis(dayOf(now.Add(-usageKept)))},
			{`delete from usage_days where (day, application_id) in (
				select day, application_id from usage_days where day < $1 order by day limit $2` + tx.skipLocked() + `)`, toMillis(dayOf(now.Add(-usageKept)))},
			{`delete from refusals where id in (
				select id from refusals where id < $1 order by id limit $2` + tx.skipLocked() + `)`, oldest[:]},
		} {
			n, err := tx.exec(c.sql, c.before, sweepBatch)
			if err != nil {
				return err
			}
			removed += int(n)
		}
		return nil
	})
	return removed, err
}

// sweepUses looks at the next page of uses and forgets those whose account approves the
// application no more. Disconnecting forgets at once; this is for consents that ended
// otherwise, and for what was seen when they did.
func (s *Store) sweepUses(ctx context.Context) error {
	from := s.usesFrom
	rows, err := s.engine.db().QueryContext(ctx, selectUse+` where (account_id, application_id) > ($1, $2)
		order by account_id, application_id limit $3`, from.AccountID[:], from.ApplicationID[:], usesPage)
	page, err := collect(rows, err, scanUse)
	if err != nil {
		return err
	}
	s.usesFrom = oauth.Connection{}
	if len(page) == 0 {
		return nil
	}
	last := page[len(page)-1].Connection
	if len(page) == usesPage {
		s.usesFrom = last
	}
	return s.write(ctx, func(tx *transaction) error {
		_, err := tx.exec(`delete from uses where (account_id, application_id) in (
			select account_id, application_id from uses where (account_id, application_id) > ($1, $2) and (account_id, application_id) <= ($3, $4)
				and not exists (select 1 from consents where consents.account_id = uses.account_id and consents.application_id = uses.application_id)`+tx.skipLocked()+`)`,
			from.AccountID[:], from.ApplicationID[:], last.AccountID[:], last.ApplicationID[:])
		return err
	})
}
