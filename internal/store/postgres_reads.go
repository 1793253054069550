package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/latchkey/latchkey/internal/oauth"
)

// grouped reads rows by their ids, in groups of those that are wanted at the same time.
type grouped[V any] struct {
	postgres *postgres
	wanted   chan *lookup[V]
	// query has the ids of a group as its parameter.
	query string
	scan  func(row) (oauth.ID, V, error)
}

// lookup is a row that somebody wants to read.
type lookup[V any] struct {
	id   oauth.ID
	done chan found[V]
}

type found[V any] struct {
	value V
	err   error
}

func newGrouped[V any](p *postgres, query, id string, scan func(row) (oauth.ID, V, error)) *grouped[V] {
	return &grouped[V]{postgres: p, wanted: make(chan *lookup[V], maxQueue), query: query + ` where ` + id + ` = any($1)`, scan: scan}
}

// read waits for the group that the row is read with. ErrNotFound: there is none.
func (g *grouped[V]) read(ctx context.Context, id oauth.ID) (V, error) {
	var none V
	l := &lookup[V]{id: id, done: make(chan found[V], 1)}
	select {
	case g.wanted <- l:
	default:
		return none, errBusy()
	}
	select {
	case f := <-l.done:
		return f.value, f.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// loop reads until the store is closed.
func (g *grouped[V]) loop() {
	for {
		select {
		case first := <-g.wanted:
			g.answer(g.gather(first))
		case <-g.postgres.closing:
			return
		}
	}
}

func (g *grouped[V]) gather(first *lookup[V]) []*lookup[V] {
	group := []*lookup[V]{first}
	for len(group) < maxBatch {
		select {
		case l := <-g.wanted:
			group = append(group, l)
		default:
			return group
		}
	}
	return group
}

func (g *grouped[V]) answer(group []*lookup[V]) {
	ids := make([][]byte, len(group))
	for i, l := range group {
		ids[i] = l.id[:]
	}
	var values map[oauth.ID]V
	err := g.postgres.patiently(context.Background(), func(ctx context.Context) error {
		rows, err := g.postgres.pool.Query(ctx, g.query, ids)
		if err == nil {
			values, err = g.collect(rows)
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
}

func (g *grouped[V]) collect(rows pgx.Rows) (map[oauth.ID]V, error) {
	defer rows.Close()
	values := map[oauth.ID]V{}
	for rows.Next() {
		id, value, err := g.scan(rows)
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
