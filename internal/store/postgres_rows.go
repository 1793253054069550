package store

import (
	"context"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/latchkey/latchkey/internal/oauth"
)

// lockPresent leaves a row that is there already as it is, and locks it. Nobody may have been told
// of that row yet, because a standby does not have it: a transaction that writes nothing would not
// wait for the standby, and a lock is written.
const lockPresent = `
	on conflict (id) do update set id = excluded.id where false`

// insertRows adds rows from one array a column.
const insertRows = `insert into authorizations (` + wholeAuthorization + `)
	select unnest($1::bytea[]), unnest($2::bytea[]), unnest($3::bytea[]), unnest($4::text[]), unnest($5::smallint[]), unnest($6::text[]),
		unnest($7::bigint[]), unnest($8::bytea[]), unnest($9::bigint[]), unnest($10::text[]), unnest($11::boolean[]),
		unnest($12::text[]), unnest($13::bigint[]), unnest($14::bigint[]), unnest($15::bigint[]), unnest($16::bytea[]),
		unnest($17::bytea[]), unnest($18::text[]), unnest($19::bigint[]), unnest($20::bigint[]), unnest($21::bytea[]),
		unnest($22::bytea[]), unnest($23::text[]), unnest($24::bigint[]), unnest($25::bigint[]), unnest($26::bytea[]),
		unnest($27::bigint[]), unnest($28::text[]), unnest($29::bigint[]), unnest($30::bigint[])` + lockPresent

// insertCredentialsRows is insertRows for what client_credentials yields: an access
// token and nothing else.
const insertCredentialsRows = `insert into authorizations (` + authorizationColumns + `)
	select id, application_id, account_id, 'client_credentials', 2, scope, created_at,
		'', 0, '', false, '', 1, rotated_at, 0, '',
		access_hash, access_scope, access_issued_at, access_expires_at, '', '', '', 0, 0, '', 0, '', sweep_after
	from (select unnest($1::bytea[]) as id, unnest($2::bytea[]) as application_id, unnest($3::bytea[]) as account_id,
		unnest($4::text[]) as scope, unnest($5::bigint[]) as created_at, unnest($6::bigint[]) as rotated_at,
		unnest($7::bytea[]) as access_hash, unnest($8::text[]) as access_scope, unnest($9::bigint[]) as access_issued_at,
		unnest($10::bigint[]) as access_expires_at, unnest($11::bigint[]) as sweep_after) as v` + lockPresent

func credentialsColumnsOf(rows []*oauth.Authorization) []any {
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

// endMany revokes by the ids of rows and their applications. No index is offered but the one by
// id: PostgreSQL may then only go through the ids that are named, or through the rows, in their order.
const endMany = `with ended as (
		update authorizations as a set status = 3, revoked_at = $4, revoked_reason = v.reason
		from (select unnest($1::bytea[]) as id, unnest($2::bytea[]) as application_id, unnest($3::text[]) as reason) as v
		where a.id = v.id and a.application_id = v.application_id and a.status <> 3 and a.sweep_after + 0 > $5 returning a.id),
	swept as (
		insert into early_sweeps (after, ids) select $6, string_agg(id, '') from ended having count(id) > 0)
	select id from ended`

// revokeMany is updateMany for what revocations change.
const revokeMany = `update authorizations as a set status = v.status, revoked_at = v.revoked_at, revoked_reason = v.revoked_reason
	from (select unnest($1::bytea[]) as id, unnest($2::smallint[]) as status, unnest($3::bigint[]) as revoked_at,
		unnest($4::text[]) as revoked_reason, unnest($5::smallint[]) as was_status, unnest($6::bigint[]) as was_generation) as v
	where a.id = v.id and a.status = v.was_status and a.generation = v.was_generation`

func revokingColumnsOf(rows []*oauth.Authorization) []any {
	return []any{
		column(rows, func(a *authorization) []byte { return a.ID[:] }),
		column(rows, func(a *authorization) int16 { return int16(a.Status) }),
		column(rows, func(a *authorization) int64 { return toMillis(a.RevokedAt) }),
		column(rows, func(a *authorization) string { return string(a.RevokedReason) }),
	}
}

// advanceMany is updateMany for what redemptions and rotations change: the current
// generation becomes the previous one where it stands.
const advanceMany = advanceRows + ` from (select ` + advancedValues + `) as v
	where a.id = v.id and a.status = v.was_status and a.generation = v.was_generation`

const advanceRows = `update authorizations as a set status = 2, generation = v.was_generation + 1, rotated_at = v.rotated_at, replayed_at = 0, key_id = v.key_id,
		previous_access_hash = a.access_hash, previous_access_scope = a.access_scope, previous_access_issued_at = a.access_issued_at,
		previous_access_expires_at = v.previous_access_expires_at, previous_refresh_hash = a.refresh_hash,
		access_hash = v.access_hash, access_scope = v.access_scope, access_issued_at = v.rotated_at, access_expires_at = v.access_expires_at,
		refresh_hash = v.refresh_hash, sweep_after = v.sweep_after`

const advancedValues = `unnest($1::bytea[]) as id, unnest($2::bigint[]) as rotated_at, unnest($3::bytea[]) as key_id,
		unnest($4::bytea[]) as access_hash, unnest($5::text[]) as access_scope, unnest($6::bigint[]) as access_expires_at,
		unnest($7::bytea[]) as refresh_hash, unnest($8::bigint[]) as previous_access_expires_at, unnest($9::bigint[]) as sweep_after,
		unnest($10::smallint[]) as was_status, unnest($11::bigint[]) as was_generation`

// advances reports whether advanceMany makes after of before.
func advances(before, after *oauth.Authorization) bool {
	a := *before
	a.Status, a.Generation = oauth.StatusActive, before.Generation+1
	a.RotatedAt, a.ReplayedAt, a.KeyID = after.RotatedAt, time.Time{}, after.KeyID
	a.PreviousAccess, a.PreviousRefreshHash = before.Access, before.RefreshHash
	a.PreviousAccess.ExpiresAt = after.PreviousAccess.ExpiresAt
	a.Access, a.RefreshHash, a.SweepAfter = after.Access, after.RefreshHash, after.SweepAfter
	return a == *after && after.Access.IssuedAt.Equal(after.RotatedAt)
}

func advancingColumnsOf(rows []*oauth.Authorization) []any {
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
	from (select unnest($1::bytea[]) as id, unnest($2::smallint[]) as status, unnest($3::bigint[]) as generation,
		unnest($4::bigint[]) as rotated_at, unnest($5::bigint[]) as replayed_at, unnest($6::bytea[]) as key_id,
		unnest($7::bytea[]) as access_hash, unnest($8::text[]) as access_scope, unnest($9::bigint[]) as access_issued_at,
		unnest($10::bigint[]) as access_expires_at, unnest($11::bytea[]) as refresh_hash, unnest($12::bytea[]) as previous_access_hash,
		unnest($13::text[]) as previous_access_scope, unnest($14::bigint[]) as previous_access_issued_at,
		unnest($15::bigint[]) as previous_access_expires_at, unnest($16::bytea[]) as previous_refresh_hash,
		unnest($17::bigint[]) as revoked_at, unnest($18::text[]) as revoked_reason, unnest($19::bigint[]) as sweep_after,
		unnest($20::smallint[]) as was_status, unnest($21::bigint[]) as was_generation) as v
	where a.id = v.id and a.status = v.was_status and a.generation = v.was_generation`

func column[T any](rows []*oauth.Authorization, value func(*oauth.Authorization) T) []T {
	values := make([]T, len(rows))
	for i := range rows {
		values[i] = value(rows[i])
	}
	return values
}

// authorization shortens the columns below.
type authorization = oauth.Authorization

func columnsOf(rows []*oauth.Authorization) []any {
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

// decidingColumnsOf are those that a conditional write compares.
func decidingColumnsOf(rows []*oauth.Authorization) []any {
	return []any{
		column(rows, func(a *authorization) int16 { return int16(a.Status) }),
		column(rows, func(a *authorization) int64 { return int64(a.Generation) }),
	}
}

// changingColumnsOf begins with the id and the status; the others stand in the
// same order as in a whole row.
func changingColumnsOf(rows []*oauth.Authorization) []any {
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

// queueUpdate adds a conditional update of the rows, if there are any.
func queueUpdate(b *pgx.Batch, update string, of []*work, columns func([]*oauth.Authorization) []any) {
	if len(of) > 0 {
		before, after := sides(of)
		b.Queue(update, append(columns(after), decidingColumnsOf(before)...)...)
	}
}

// sides are the rows before and after events.
func sides(of []*work) (before, after []*oauth.Authorization) {
	for _, w := range of {
		before, after = append(before, w.before), append(after, w.after)
	}
	return before, after
}

func (p *postgres) authorization(ctx context.Context, id oauth.ID) (oauth.Authorization, error) {
	var found map[oauth.ID]*loaded
	err := p.patiently(ctx, func(ctx context.Context) error {
		rows, err := p.pool.Query(ctx, selectLoaded+` where id = $1`, id[:])
		if err == nil {
			found, err = scanMany(rows)
		}
		return err
	})
	if err != nil {
		return oauth.Authorization{}, err
	}
	l := found[id]
	if l == nil {
		return oauth.Authorization{}, ErrNotFound
	}
	return l.row, nil
}

// insertDeliveries is tellOne for several revocations.
const insertDeliveries = `insert into deliveries (` + deliveryColumns + `, webhook)
	select v.id, v.application_id, '` + string(oauth.EventAuthorizationRevoked) + `', replace(v.body, '` + oauth.ClientIDMark + `', client_id), 0, v.due_at, 0, 0, '', webhooks.created_at
	from (select unnest($1::bytea[]) as id, unnest($2::bytea[]) as application_id, unnest($3::text[]) as body, unnest($4::bigint[]) as due_at) as v
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
