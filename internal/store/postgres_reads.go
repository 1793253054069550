package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/latchkey/latchkey/internal/oauth"
)

// readInGroups reads each group with one query, which is given the ids.
func readInGroups[V any](p *postgres, query string, scan func(row) (oauth.ID, V, error)) *grouped[V] {
	return newGrouped(p.closing, func(group []*lookup[V]) {
		ids := make([][]byte, len(group))
		for i, l := range group {
			ids[i] = l.id[:]
		}
		var values map[oauth.ID]V
		err := p.patiently(context.Background(), func(ctx context.Context) error {
			rows, err := p.pool.Query(ctx, query, ids)
			if err == nil {
				values, err = byID(rows, scan)
			}
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

func byID[V any](rows pgx.Rows, scan func(row) (oauth.ID, V, error)) (map[oauth.ID]V, error) {
	defer rows.Close()
	values := map[oauth.ID]V{}
	for rows.Next() {
		id, value, err := scan(rows)
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
