package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/latchkey/latchkey/internal/oauth"
)

// readsApart is some two round trips: what a few reads gain when they come together is more
// than what the first of them waits.
const readsApart = time.Millisecond

// readInGroups reads each group with read, which is given the ids, again after an outage, as
// long as somebody waits.
func readInGroups[V any](p *postgres, read func(context.Context, [][]byte) (map[oauth.ID]*V, error)) *grouped[V] {
	return newGrouped(p.closing, readsApart, func(group []*lookup[V]) {
		var values map[oauth.ID]*V
		err := p.insist(context.Background(), attemptPatience, func(now time.Time, cause error) (first time.Time, left bool) {
			// They are in the order in which they came.
			for len(group) > 0 && now.Sub(group[0].asked) >= patience {
				group[0].done <- found[V]{err: errDown(cause)}
				group = group[1:]
			}
			if len(group) == 0 {
				return first, false
			}
			return group[0].asked.Add(patience), true
		}, func(ctx context.Context) (err error) {
			ids := make([][]byte, len(group))
			for i, l := range group {
				ids[i] = l.id[:]
			}
			values, err = read(ctx, ids)
			return err
		})
		for _, l := range group {
			value, ok := values[l.id]
			switch {
			case err != nil:
				l.done <- found[V]{err: fault(err)}
			case !ok:
				l.done <- found[V]{err: ErrNotFound}
			default:
				l.done <- found[V]{value: value}
			}
		}
	})
}

const selectAccountByID = selectAccount + ` where id = any($1)`

// readAccounts reads accounts by their ids.
func (p *postgres) readAccounts(ctx context.Context, ids [][]byte) (map[oauth.ID]*oauth.Account, error) {
	rows, err := p.reads.Query(ctx, selectAccountByID, ids)
	if err != nil {
		return nil, err
	}
	return byID(rows, func(r row) (oauth.ID, *oauth.Account, error) {
		a, err := scanAccountOnly(r)
		return a.ID, &a, err
	})
}

// readChecks reads what decides about access tokens by the ids of authorizations, and the
// accounts of which it is not remembered whether they are disabled.
func (p *postgres) readChecks(ctx context.Context, ids [][]byte) (map[oauth.ID]*checked, error) {
	rows, err := p.reads.Query(ctx, selectCheckByID, ids)
	if err != nil {
		return nil, err
	}
	checks, err := byID(rows, scanCheck)
	if err != nil {
		return nil, err
	}
	var unknown [][]byte
	for _, c := range checks {
		if c.disabled, c.remembered = p.memory.knownDisabled(c.check.AccountID); !c.remembered {
			unknown = append(unknown, c.check.AccountID[:])
		}
	}
	if len(unknown) == 0 {
		return checks, nil
	}
	accounts, err := p.readAccounts(ctx, unknown)
	if err != nil {
		return nil, err
	}
	for _, c := range checks {
		if a := accounts[c.check.AccountID]; a != nil {
			c.account, c.disabled = a, a.Disabled
		}
	}
	return checks, nil
}

func byID[V any](rows pgx.Rows, scan func(row) (oauth.ID, *V, error)) (map[oauth.ID]*V, error) {
	defer rows.Close()
	values := map[oauth.ID]*V{}
	for rows.Next() {
		id, value, err := scan(rawRow{rows})
		if err != nil {
			return nil, err
		}
		values[id] = value
	}
	return values, rows.Err()
}

func (p *postgres) check(ctx context.Context, id oauth.ID) (checked, error) {
	return p.checks.read(ctx, id)
}

func (p *postgres) account(ctx context.Context, id oauth.ID) (oauth.Account, error) {
	return p.accounts.read(ctx, id)
}
