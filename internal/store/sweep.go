package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// How the sweeper goes about it: small batches, so that nobody waits for it, with
// pauses that get shorter while there is more to do.
const (
	sweepBatch  = 100
	sweepPause  = 20 * time.Millisecond
	sweepEvery  = 15 * time.Second
	surplusPage = 5000
	// sizesShare is how many times as long as an estimate of the sizes took lies between
	// it and the next, once a table has manyRows: SQLite's writer stands still for it.
	sizesShare = 1000
	manyRows   = 10_000
)

// sweepForever removes what can no longer matter, as long as the store is open.
// Among processes on one database one sweeps at a time.
func (s *Store) sweepForever(ctx context.Context) {
	for wait := quietStart; ; wait = sweepEvery {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if err := s.sweepRound(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("sweeping failed; it is tried again", "cause", err)
		}
	}
}

func (s *Store) sweepRound(ctx context.Context) error {
	release, ok, err := s.engine.sweeper(ctx)
	if err != nil || !ok {
		return err
	}
	defer release()
	for {
		removed, err := s.Sweep(ctx)
		if err != nil {
			return err
		}
		if removed < sweepBatch {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(sweepPause):
		}
	}
	if err := s.revokeSurplus(ctx); err != nil {
		return err
	}
	if err := s.sweepAllUsage(ctx); err != nil {
		return err
	}
	if err := s.sweepUses(ctx); err != nil {
		return err
	}
	return s.estimateSizes(ctx)
}

func (s *Store) estimateSizes(ctx context.Context) error {
	began := time.Now()
	if began.Before(s.sizesDue) {
		return nil
	}
	sizes, err := s.engine.sizes(ctx)
	if err != nil {
		return err
	}
	s.sizes.Store(&sizes)
	var most int64
	for _, rows := range sizes {
		most = max(most, rows)
	}
	if most >= manyRows {
		s.sizesDue = time.Now().Add(sizesShare * time.Since(began))
	}
	return nil
}

// Sweep removes one batch of each kind of rows that can no longer matter to anybody, and returns
// how many: authorizations, sessions, deliveries, and what deleted webhooks and applications left
// behind.
func (s *Store) Sweep(ctx context.Context) (removed int, err error) {
	now := toMillis(s.Now())
	err = s.write(ctx, func(tx *transaction) error {
		authorizations, err := tx.exec(`delete from authorizations where `+tx.rowName+` in (
			select `+tx.rowName+` from authorizations where sweep_after <= $1 order by sweep_after limit $2`+tx.skipLocked()+`)`, now, sweepBatch)
		if err != nil {
			return err
		}
		sessions, err := tx.exec(`delete from sessions where id in (
			select id from sessions where expires_at <= $1 order by expires_at limit $2`+tx.skipLocked()+`)`, now, sweepBatch)
		if err != nil {
			return err
		}
		deliveries, err := tx.sweepDeliveries(s.Now())
		if err != nil {
			return err
		}
		left, err := tx.sweepEndedWebhooks()
		if err != nil {
			return err
		}
		orphans, err := tx.sweepDeleted()
		removed = int(authorizations+sessions+deliveries+left) + orphans
		return err
	})
	for seen := sweepBatch; seen >= sweepBatch && removed < sweepBatch && err == nil; {
		var early int
		early, seen, err = s.sweepEarly(ctx)
		removed += early
	}
	return removed, err
}

// sweepDeleted removes one batch of the consents and authorizations of applications that
// were deleted, and the names of those that have none left. Whoever skips what is locked
// waits for nobody, so that they may go in the order of an index.
func (t *transaction) sweepDeleted() (removed int, err error) {
	rows, err := t.query(`select application_id from deleted_applications order by application_id limit $1`+t.skipLocked(), sweepBatch)
	deleted, err := collect(rows, err, scanID)
	if err != nil {
		return 0, err
	}
	const (
		consents       = ` from consents where application_id = $1`
		authorizations = ` from authorizations where grant_type = 'authorization_code' and application_id = $1`
	)
	next := ` order by account_id limit $2` + t.skipLocked() + `)`
	for _, id := range deleted {
		for _, remove := range []string{
			`delete from consents where (account_id, application_id) in (select account_id, application_id` + consents + next,
			`delete from authorizations where ` + t.rowName + ` in (select ` + t.rowName + authorizations + next,
		} {
			n, err := t.exec(remove, id[:], sweepBatch-removed)
			if err != nil {
				return 0, err
			}
			if removed += int(n); removed >= sweepBatch {
				return removed, nil
			}
		}
		// What was skipped is there still.
		_, err := t.exec(`delete from deleted_applications where application_id = $1
			and not exists (select 1`+consents+`) and not exists (select 1`+authorizations+`)`, id[:])
		if err != nil {
			return 0, err
		}
	}
	return removed, nil
}

// sweepEarly looks at one batch of the rows that may go before their SweepAfter. Of
// those seen, which need not be looked at again, most codes were redeemed and stay.
func (s *Store) sweepEarly(ctx context.Context) (removed, seen int, err error) {
	now := s.Now()
	err = s.write(ctx, func(tx *transaction) error {
		removed, seen = 0, 0
		due, err := tx.dueEarly(toMillis(now))
		if err != nil {
			return err
		}
		looked := 0
		for _, e := range due {
			if looked >= sweepBatch {
				break
			}
			gone, done, err := e.sweep(tx, now)
			if err != nil {
				return err
			}
			named := len(e.ids) / len(oauth.ID{})
			removed, looked = removed+gone, looked+named
			if done {
				seen += named
			}
		}
		return nil
	})
	return removed, seen, err
}

// dueEarly locks one batch of what is due.
func (t *transaction) dueEarly(now int64) ([]earlySweep, error) {
	place := "''"
	if t.lock != "" {
		place = "ctid::text"
	}
	rows, err := t.query(`select after, ids, `+place+` from early_sweeps where after <= $1 order by after limit $2`+t.skipLocked(), now, sweepBatch)
	return collect(rows, err, func(r row) (e earlySweep, err error) {
		err = r.Scan(&e.after, &e.ids, &e.place)
		return e, err
	})
}

// forget removes the row. On PostgreSQL it is found by its place, which stays while it is locked:
// all approvals of an hour are due at one moment, and the index would lead to all of these.
func (e earlySweep) forget(tx *transaction) (err error) {
	if e.place != "" {
		_, err = tx.exec(`delete from early_sweeps where ctid = $1::tid`, e.place)
	} else {
		_, err = tx.exec(`delete from early_sweeps where after = $1 and ids = $2`, e.after, e.ids)
	}
	return err
}

// sweep removes the rows of which nothing can matter any more, and what named them. done is
// false where somebody else had one of them: then they are looked at again.
func (e earlySweep) sweep(tx *transaction, now time.Time) (removed int, done bool, err error) {
	done = true
	var id oauth.ID
	for named := range slices.Chunk(e.ids, len(id)) {
		copy(id[:], named)
		// Most are in use, so they are read without a lock, and go only if they are still the same.
		a, err := scanAuthorization(tx.queryRow(selectAuthorization+tx.byID, id[:]))
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			return 0, false, err
		case a.Sweepable(now):
			n, err := tx.exec(`delete from authorizations where `+tx.rowName+` in (
				select `+tx.rowName+` from authorizations`+tx.byID+` and status = $2`+tx.skipLocked()+`)`, id[:], int64(a.Status))
			if err != nil {
				return 0, false, err
			}
			removed += int(n)
			done = done && n == 1
		}
	}
	if done {
		err = e.forget(tx)
	}
	return removed, done, err
}

// pair names the authorizations of one account for one application.
type pair struct{ application, account oauth.ID }

// revokeSurplus looks at the next page of pairs of an account and an application
// and revokes the authorizations that are more than one application may have:
// those used longest ago.
func (s *Store) revokeSurplus(ctx context.Context) error {
	rows, err := s.engine.db().QueryContext(ctx, `select application_id, account_id, count(*) from (
			select application_id, account_id from authorizations
			where grant_type = 'authorization_code' and (application_id, account_id) > ($1, $2)
			order by application_id, account_id limit $3) as page
		group by application_id, account_id order by application_id, account_id`,
		s.surplusFrom.application[:], s.surplusFrom.account[:], surplusPage)
	type group struct {
		pair
		count int
	}
	total := 0
	groups, err := collect(rows, err, func(r row) (g group, err error) {
		err = r.Scan(fixed(g.application[:]), fixed(g.account[:]), &g.count)
		total += g.count
		return g, err
	})
	if err != nil {
		return err
	}
	for _, g := range groups {
		// One that fills the page may have more than it.
		if g.count > min(s.perApplication, surplusPage-1) {
			if err := s.revokeSurplusOf(ctx, g.pair); err != nil {
				return err
			}
		}
	}
	s.surplusFrom = pair{}
	if total == surplusPage && len(groups) > 1 {
		// The last pair may go on behind the page.
		s.surplusFrom = groups[len(groups)-2].pair
	} else if total == surplusPage {
		s.surplusFrom = groups[0].pair
	}
	return nil
}

func (s *Store) revokeSurplusOf(ctx context.Context, p pair) error {
	rows, err := s.engine.db().QueryContext(ctx, `select id from authorizations
		where grant_type = 'authorization_code' and status = 2 and application_id = $1 and account_id = $2
		order by rotated_at desc, id desc limit $3 offset $4`, p.application[:], p.account[:], surplusPage, s.perApplication)
	ids, err := collect(rows, err, scanID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		err := s.Revoke(ctx, oauth.Revocation{ID: id, Reason: oauth.ReasonSurplus})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

// Sizes estimates the rows of each table, as the sweeper last saw them.
func (s *Store) Sizes() map[string]int64 {
	if sizes := s.sizes.Load(); sizes != nil {
		return *sizes
	}
	return nil
}
