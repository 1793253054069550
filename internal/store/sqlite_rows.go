package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// insertCredentials adds what client_credentials yields: an access token and nothing
// else. Parameters without numbers are bound without looking for their names.
const insertCredentials = `insert into authorizations (` + authorizationColumns + `) values
	(?, ?, ?, 'client_credentials', 2, ?, ?, x'', 0, '', 0, '', 1, ?, 0, x'', ?, ?, ?, ?, x'', x'', '', 0, 0, x'', 0, '', ?)
	on conflict (id) do nothing`

// insertIssued is insertAuthorization, shorter where the row allows it.
func insertIssued(tx *transaction, a oauth.Authorization) (bool, error) {
	if a.GrantType != oauth.GrantClientCredentials {
		return insertAuthorization(tx, a)
	}
	n, err := tx.exec(insertCredentials,
		a.ID[:], a.ApplicationID[:], a.AccountID[:], string(a.Scope), toMillis(a.CreatedAt), toMillis(a.RotatedAt),
		a.Access.Hash[:], string(a.Access.Scope), toMillis(a.Access.IssuedAt), toMillis(a.Access.ExpiresAt), toMillis(a.SweepAfter))
	return n == 1, err
}

// endByID revokes where the ids decide and nothing else has to be known. Whatever it
// does not end is left to the rule.
func endByID(tx *transaction, r oauth.Revocation, now time.Time) (ended bool, err error) {
	after := oauth.Authorization{ID: r.ID}.Revoked(r.Reason, now)
	kept := toMillis(after.SweepAfter)
	n, err := tx.exec(`update authorizations set status = 3, revoked_at = ?, revoked_reason = ?
		where id = ? and application_id = ? and status <> 3 and sweep_after > ?`,
		toMillis(after.RevokedAt), string(after.RevokedReason), r.ID[:], r.By.ApplicationID[:], kept)
	if err != nil || n == 0 {
		return false, err
	}
	return true, addEarlySweep(tx, kept, r.ID)
}

// loadFor reads the columns of a row that an event decides on; the driver pays for
// each.
func loadFor(tx *transaction, event oauth.Event) (oauth.Authorization, error) {
	a := oauth.Authorization{ID: event.AuthorizationID()}
	columns := `account_id, application_id, status, scope, generation, sweep_after, revoked_reason, ends_at`
	to := []any{fixed(a.AccountID[:]), fixed(a.ApplicationID[:]), &a.Status, &a.Scope, &a.Generation, millis{&a.SweepAfter}, &a.RevokedReason, millis{&a.EndsAt}}
	switch event.(type) {
	case oauth.Redemption:
		columns += `, code_hash, code_expires_at, redirect_uri, redirect_uri_sent, challenge`
		to = append(to, fixed(a.CodeHash[:]), millis{&a.CodeExpiresAt}, &a.RedirectURI, &a.RedirectURISent, &a.Challenge)
	case oauth.Rotation:
		columns += `, rotated_at, replayed_at, key_id, refresh_hash, previous_refresh_hash,
			access_hash, access_scope, access_issued_at, access_expires_at,
			previous_access_hash, previous_access_scope, previous_access_issued_at, previous_access_expires_at`
		to = append(to, millis{&a.RotatedAt}, millis{&a.ReplayedAt}, fixed(a.KeyID[:]), fixed(a.RefreshHash[:]), fixed(a.PreviousRefreshHash[:]),
			fixed(a.Access.Hash[:]), &a.Access.Scope, millis{&a.Access.IssuedAt}, millis{&a.Access.ExpiresAt},
			fixed(a.PreviousAccess.Hash[:]), &a.PreviousAccess.Scope, millis{&a.PreviousAccess.IssuedAt}, millis{&a.PreviousAccess.ExpiresAt})
	default:
		return scanAuthorization(tx.queryRow(selectAuthorization+` where id = ?`, a.ID[:]))
	}
	err := tx.queryRow(`select `+columns+` from authorizations where id = ?`, a.ID[:]).Scan(to...)
	return a, notFound(err)
}

// updateAuthorization writes what an event changed, only if the row is still the one
// that the decision was made on. Columns that are left alone need no work in an index.
func updateAuthorization(tx *transaction, before, after oauth.Authorization) error {
	var columns []string
	var values []any
	set := func(names string, of ...any) {
		columns, values = append(columns, names), append(values, of...)
	}
	if after.Status != before.Status {
		set("status = ?, revoked_at = ?, revoked_reason = ?", int64(after.Status), toMillis(after.RevokedAt), string(after.RevokedReason))
	}
	if after.SweepAfter != before.SweepAfter {
		set("sweep_after = ?", toMillis(after.SweepAfter))
	}
	if after.ReplayedAt != before.ReplayedAt {
		set("replayed_at = ?", toMillis(after.ReplayedAt))
	}
	if after.Access != before.Access {
		set("access_hash = ?, access_scope = ?, access_issued_at = ?, access_expires_at = ?",
			blob(after.Access.Hash[:]), string(after.Access.Scope), toMillis(after.Access.IssuedAt), toMillis(after.Access.ExpiresAt))
	}
	if after.Generation != before.Generation {
		set(`generation = ?, rotated_at = ?, key_id = ?, refresh_hash = ?, previous_refresh_hash = ?, previous_access_hash = ?,
			previous_access_scope = ?, previous_access_issued_at = ?, previous_access_expires_at = ?`,
			int64(after.Generation), toMillis(after.RotatedAt), blob(after.KeyID[:]), blob(after.RefreshHash[:]), blob(after.PreviousRefreshHash[:]),
			blob(after.PreviousAccess.Hash[:]), string(after.PreviousAccess.Scope), toMillis(after.PreviousAccess.IssuedAt), toMillis(after.PreviousAccess.ExpiresAt))
	}
	n, err := tx.exec(`update authorizations set `+strings.Join(columns, ", ")+` where id = ? and status = ? and generation = ?`,
		append(values, after.ID[:], int64(before.Status), int64(before.Generation))...)
	if err == nil && n != 1 {
		err = fmt.Errorf("authorization %s changed while an event was decided on it", after.ID)
	}
	if err == nil && after.Status != before.Status {
		err = sweepEarly(tx, after)
	}
	return err
}
