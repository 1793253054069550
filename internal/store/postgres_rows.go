package store

import (
	"context"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/latchkey/latchkey/internal/oauth"
)

// insertMany adds rows from one array a column.
const insertRows = `insert into authorizations (` + wholeAuthorization + `)
	select * from unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::text[], $5::smallint[], $6::text[], $7::bigint[],
		$8::bytea[], $9::bigint[], $10::text[], $11::boolean[], $12::text[],
		$13::bigint[], $14::bigint[], $15::bigint[], $16::bytea[],
		$17::bytea[], $18::text[], $19::bigint[], $20::bigint[], $21::bytea[],
		$22::bytea[], $23::text[], $24::bigint[], $25::bigint[],
		$26::bytea[], $27::bigint[], $28::text[], $29::bigint[], $30::bigint[])
	on conflict (id) do nothing`

// insertCredentialsRows is insertRows for what client_credentials yields: an access
// token and nothing else.
const insertCredentialsRows = `insert into authorizations (` + authorizationColumns + `)
	select id, application_id, account_id, 'client_credentials', 2, scope, created_at,
		'', 0, '', false, '', 1, rotated_at, 0, '',
		access_hash, access_scope, access_issued_at, access_expires_at, '', '', '', 0, 0, '', 0, '', sweep_after
	from unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::text[], $5::bigint[], $6::bigint[],
		$7::bytea[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[])
		as v (id, application_id, account_id, scope, created_at, rotated_at,
			access_hash, access_scope, access_issued_at, access_expires_at, sweep_after)
	on conflict (id) do nothing`

func credentialsColumnsOf(rows []oauth.Authorization) []any {
	return []any{
		column(rows, func(a *authorization) []byte { return a.ID[:] }),
		column(rows, func(a *authorization) []byte { return a.ApplicationID[:] }),
		column(rows, func(a *authorization) []byte { return a.AccountID[:] }),
		column(rows, func(a *authorization) string { return string(a.Scope) }),
		column(rows, func(a *authorization) int64 { return toMillis(a.CreatedAt) }),
		column(rows, func(a *authorization) int64 { return toMillis(a.RotatedAt) }),
		column(rows, func(a *authorization) []byte { return a.Access.Hash[:] }),
		column(rows, func(a *authorization) string { return string(a.Access.Scope) }),
		column(rows, func(a *authorization) int64 { return toMillis(a.Access.IssuedAt) }),
		column(rows, func(a *authorization) int64 { return toMillis(a.Access.ExpiresAt) }),
		column(rows, func(a *authorization) int64 { return toMillis(a.SweepAfter) }),
	}
}

// insertEarlySweeps lets the sweeper look at rows before their sweep_after.
const insertEarlySweeps = `insert into early_sweeps (after, id) select * from unnest($1::bigint[], $2::bytea[]) on conflict do nothing`

// endMany revokes by the ids of rows and their applications.
const endMany = `with named as materialized (
		select a.id, v.reason from authorizations as a join unnest($1::bytea[], $2::bytea[], $3::text[]) as v (id, application_id, reason)
			on a.id = v.id and a.application_id = v.application_id
		where a.status <> 3 and a.sweep_after > $5 order by a.id for update of a),
	ended as (
		update authorizations as a set status = 3, revoked_at = $4, revoked_reason = named.reason
		from named where a.id = named.id returning a.id)
	insert into early_sweeps (after, id) select $6, id from ended on conflict (after, id) do update set after = excluded.after returning id`

// revokeMany is updateMany for what revocations change.
const revokeMany = `update authorizations as a set status = v.status, revoked_at = v.revoked_at, revoked_reason = v.revoked_reason
	from unnest($1::bytea[], $2::smallint[], $3::bigint[], $4::text[], $5::smallint[], $6::bigint[])
		as v (id, status, revoked_at, revoked_reason, was_status, was_generation)
	where a.id = v.id and a.status = v.was_status and a.generation = v.was_generation`

func revokingColumnsOf(rows []oauth.Authorization) []any {
	return []any{
		column(rows, func(a *authorization) []byte { return a.ID[:] }),
		column(rows, func(a *authorization) int16 { return int16(a.Status) }),
		column(rows, func(a *authorization) int64 { return toMillis(a.RevokedAt) }),
		column(rows, func(a *authorization) string { return string(a.RevokedReason) }),
	}
}

// advanceMany is updateMany for what redemptions and rotations change: the current
// generation becomes the previous one where it stands.
const advanceMany = `update authorizations as a set status = 2, generation = v.was_generation + 1, rotated_at = v.rotated_at, replayed_at = 0, key_id = v.key_id,
		previous_access_hash = a.access_hash, previous_access_scope = a.access_scope, previous_access_issued_at = a.access_issued_at,
		previous_access_expires_at = v.previous_access_expires_at, previous_refresh_hash = a.refresh_hash,
		access_hash = v.access_hash, access_scope = v.access_scope, access_issued_at = v.rotated_at, access_expires_at = v.access_expires_at,
		refresh_hash = v.refresh_hash, sweep_after = v.sweep_after
	from unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::bytea[], $5::text[], $6::bigint[], $7::bytea[], $8::bigint[], $9::bigint[],
		$10::smallint[], $11::bigint[])
		as v (id, rotated_at, key_id, access_hash, access_scope, access_expires_at, refresh_hash, previous_access_expires_at, sweep_after,
			was_status, was_generation)
	where a.id = v.id and a.status = v.was_status and a.generation = v.was_generation`

// advances reports whether advanceMany makes after of before.
func advances(before, after oauth.Authorization) bool {
	a := before
	a.Status, a.Generation = oauth.StatusActive, before.Generation+1
	a.RotatedAt, a.ReplayedAt, a.KeyID = after.RotatedAt, time.Time{}, after.KeyID
	a.PreviousAccess, a.PreviousRefreshHash = before.Access, before.RefreshHash
	a.PreviousAccess.ExpiresAt = after.PreviousAccess.ExpiresAt
	a.Access, a.RefreshHash, a.SweepAfter = after.Access, after.RefreshHash, after.SweepAfter
	return a == after && after.Access.IssuedAt.Equal(after.RotatedAt)
}

func advancingColumnsOf(rows []oauth.Authorization) []any {
	return []any{
		column(rows, func(a *authorization) []byte { return a.ID[:] }),
		column(rows, func(a *authorization) int64 { return toMillis(a.RotatedAt) }),
		column(rows, func(a *authorization) []byte { return blob(a.KeyID[:]) }),
		column(rows, func(a *authorization) []byte { return blob(a.Access.Hash[:]) }),
		column(rows, func(a *authorization) string { return string(a.Access.Scope) }),
		column(rows, func(a *authorization) int64 { return toMillis(a.Access.ExpiresAt) }),
		column(rows, func(a *authorization) []byte { return blob(a.RefreshHash[:]) }),
		column(rows, func(a *authorization) int64 { return toMillis(a.PreviousAccess.ExpiresAt) }),
		column(rows, func(a *authorization) int64 { return toMillis(a.SweepAfter) }),
	}
}

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
	whole := append(stable, changingColumnsOf(rows)[2:]...)
	return append(whole, column(rows, func(a *authorization) int64 { return toMillis(a.EndsAt) }))
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

func (p *postgres) authorization(ctx context.Context, id oauth.ID) (oauth.Authorization, error) {
	var found map[oauth.ID]loaded
	err := p.patiently(ctx, func(ctx context.Context) error {
		rows, err := p.pool.Query(ctx, selectLoaded+` where id = $1`, id[:])
		if err == nil {
			found, err = scanMany(rows)
		}
		return err
	})
	l, ok := found[id]
	if err == nil && !ok {
		err = ErrNotFound
	}
	return l.row, err
}

// patiently reads again after an outage, once the pool has a new connection.
func (p *postgres) patiently(ctx context.Context, read func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		err := read(ctx)
		if err == nil || !isOutage(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-p.closing:
			return err
		case <-time.After(wait):
		}
	}
}

// insertDeliveries is tellOne for several revocations.
const insertDeliveries = `insert into deliveries (` + deliveryColumns + `)
	select v.id, v.application_id, '` + string(oauth.EventAuthorizationRevoked) + `', replace(v.body, '` + oauth.ClientIDMark + `', client_id), 0, v.due_at, 0, 0, ''
	from unnest($1::bytea[], $2::bytea[], $3::text[], $4::bigint[]) as v (id, application_id, body, due_at)
	join webhooks on webhooks.application_id = v.application_id join applications on applications.id = v.application_id
	where` + whereWanted + `'` + string(oauth.EventAuthorizationRevoked) + ` %'`

// queueDeliveries puts revocations into the outbox of their applications, in the
// transaction that makes them.
func queueDeliveries(b *pgx.Batch, told []oauth.Occurrence, random io.Reader) error {
	if len(told) == 0 {
		return nil
	}
	var ids, applications [][]byte
	var bodies []string
	var due []int64
	for _, o := range told {
		id, err := oauth.NewID(random, o.At)
		if err != nil {
			return err
		}
		body, err := o.Body()
		if err != nil {
			return err
		}
		ids, applications = append(ids, id[:]), append(applications, o.ApplicationID[:])
		bodies, due = append(bodies, body), append(due, toMillis(o.At))
	}
	b.Queue(insertDeliveries, ids, applications, bodies, due)
	return nil
}
