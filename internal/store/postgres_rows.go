package store

import (
	"context"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// insertMany adds rows from one array a column.
const insertMany = `insert into authorizations (` + authorizationColumns + `)
	select * from unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::text[], $5::smallint[], $6::text[], $7::bigint[],
		$8::bytea[], $9::bigint[], $10::text[], $11::boolean[], $12::text[],
		$13::bigint[], $14::bigint[], $15::bigint[], $16::bytea[],
		$17::bytea[], $18::text[], $19::bigint[], $20::bigint[], $21::bytea[],
		$22::bytea[], $23::text[], $24::bigint[], $25::bigint[],
		$26::bytea[], $27::bigint[], $28::text[], $29::bigint[])
	on conflict (id) do nothing`

// updateMany writes what events change.
const updateMany = `update authorizations as a set status = v.status,
		generation = v.generation, rotated_at = v.rotated_at, replayed_at = v.replayed_at, key_id = v.key_id,
		access_hash = v.access_hash, access_scope = v.access_scope, access_issued_at = v.access_issued_at, access_expires_at = v.access_expires_at,
		refresh_hash = v.refresh_hash,
		previous_access_hash = v.previous_access_hash, previous_access_scope = v.previous_access_scope,
		previous_access_issued_at = v.previous_access_issued_at, previous_access_expires_at = v.previous_access_expires_at,
		previous_refresh_hash = v.previous_refresh_hash, revoked_at = v.revoked_at, revoked_reason = v.revoked_reason, sweep_after = v.sweep_after
	from unnest($1::bytea[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[],
		$7::bytea[], $8::text[], $9::bigint[], $10::bigint[], $11::bytea[],
		$12::bytea[], $13::text[], $14::bigint[], $15::bigint[], $16::bytea[], $17::bigint[], $18::text[], $19::bigint[],
		$20::smallint[], $21::bigint[])
		as v (id, status, generation, rotated_at, replayed_at, key_id,
			access_hash, access_scope, access_issued_at, access_expires_at, refresh_hash,
			previous_access_hash, previous_access_scope, previous_access_issued_at, previous_access_expires_at,
			previous_refresh_hash, revoked_at, revoked_reason, sweep_after, was_status, was_generation)
	where a.id = v.id and a.status = v.was_status and a.generation = v.was_generation`

func column[T any](rows []oauth.Authorization, value func(*oauth.Authorization) T) []T {
	values := make([]T, len(rows))
	for i := range rows {
		values[i] = value(&rows[i])
	}
	return values
}

// authorization shortens the columns below.
type authorization = oauth.Authorization

func columnsOf(rows []oauth.Authorization) []any {
	stable := []any{
		column(rows, func(a *authorization) []byte { return a.ID[:] }),
		column(rows, func(a *authorization) []byte { return a.ApplicationID[:] }),
		column(rows, func(a *authorization) []byte { return a.AccountID[:] }),
		column(rows, func(a *authorization) string { return string(a.GrantType) }),
		column(rows, func(a *authorization) int16 { return int16(a.Status) }),
		column(rows, func(a *authorization) string { return string(a.Scope) }),
		column(rows, func(a *authorization) int64 { return toMillis(a.CreatedAt) }),
		column(rows, func(a *authorization) []byte { return blob(a.CodeHash[:]) }),
		column(rows, func(a *authorization) int64 { return toMillis(a.CodeExpiresAt) }),
		column(rows, func(a *authorization) string { return a.RedirectURI }),
		column(rows, func(a *authorization) bool { return a.RedirectURISent }),
		column(rows, func(a *authorization) string { return string(a.Challenge) }),
	}
	return append(stable, changingColumnsOf(rows)[2:]...)
}

// changingColumnsOf begins with the id and the status; the others stand in the
// same order as in a whole row.
func changingColumnsOf(rows []oauth.Authorization) []any {
	millisOf := func(value func(*authorization) time.Time) []int64 {
		return column(rows, func(a *authorization) int64 { return toMillis(value(a)) })
	}
	return []any{
		column(rows, func(a *authorization) []byte { return a.ID[:] }),
		column(rows, func(a *authorization) int16 { return int16(a.Status) }),
		column(rows, func(a *authorization) int64 { return int64(a.Generation) }),
		millisOf(func(a *authorization) time.Time { return a.RotatedAt }),
		millisOf(func(a *authorization) time.Time { return a.ReplayedAt }),
		column(rows, func(a *authorization) []byte { return blob(a.KeyID[:]) }),
		column(rows, func(a *authorization) []byte { return blob(a.Access.Hash[:]) }),
		column(rows, func(a *authorization) string { return string(a.Access.Scope) }),
		millisOf(func(a *authorization) time.Time { return a.Access.IssuedAt }),
		millisOf(func(a *authorization) time.Time { return a.Access.ExpiresAt }),
		column(rows, func(a *authorization) []byte { return blob(a.RefreshHash[:]) }),
		column(rows, func(a *authorization) []byte { return blob(a.PreviousAccess.Hash[:]) }),
		column(rows, func(a *authorization) string { return string(a.PreviousAccess.Scope) }),
		millisOf(func(a *authorization) time.Time { return a.PreviousAccess.IssuedAt }),
		millisOf(func(a *authorization) time.Time { return a.PreviousAccess.ExpiresAt }),
		column(rows, func(a *authorization) []byte { return blob(a.PreviousRefreshHash[:]) }),
		millisOf(func(a *authorization) time.Time { return a.RevokedAt }),
		column(rows, func(a *authorization) string { return string(a.RevokedReason) }),
		millisOf(func(a *authorization) time.Time { return a.SweepAfter }),
	}
}

// lookup is a row that somebody wants to read.
type lookup struct {
	ctx  context.Context
	id   oauth.ID
	done chan outcome
}

func (p *postgres) authorization(ctx context.Context, id oauth.ID) (oauth.Authorization, error) {
	l := &lookup{ctx: ctx, id: id, done: make(chan outcome, 1)}
	select {
	case p.reads <- l:
	default:
		return oauth.Authorization{}, errBusy()
	}
	select {
	case o := <-l.done:
		return o.row, o.err
	case <-ctx.Done():
		return oauth.Authorization{}, ctx.Err()
	}
}

// readLoop reads in groups what is wanted at the same time.
func (p *postgres) readLoop() {
	for {
		select {
		case first := <-p.reads:
			p.readGroup(p.gatherReads(first))
		case <-p.closing:
			return
		}
	}
}

func (p *postgres) gatherReads(first *lookup) []*lookup {
	group := []*lookup{first}
	for len(group) < maxBatch {
		select {
		case l := <-p.reads:
			group = append(group, l)
		default:
			return group
		}
	}
	return group
}

func (p *postgres) readGroup(group []*lookup) {
	ids := make([][]byte, len(group))
	for i, l := range group {
		ids[i] = l.id[:]
	}
	found, err := p.readMany(ids)
	for _, l := range group {
		row, ok := found[l.id]
		switch {
		case err != nil:
			l.done <- outcome{err: fault(err)}
		case !ok:
			l.done <- outcome{err: ErrNotFound}
		default:
			l.done <- outcome{row: row}
		}
	}
}

// readMany tries again after an outage, once the pool has a new connection.
func (p *postgres) readMany(ids [][]byte) (found map[oauth.ID]oauth.Authorization, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		rows, err := p.pool.Query(ctx, selectAuthorization+` where id = any($1)`, ids)
		if err == nil {
			found, err = scanMany(rows)
		}
		if err == nil || !isOutage(err) {
			return found, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-p.closing:
			return nil, err
		case <-time.After(wait):
		}
	}
}
