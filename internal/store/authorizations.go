package store

import (
	"context"
	"fmt"

	"github.com/latchkey/latchkey/internal/oauth"
)

const authorizationColumns = `id, application_id, account_id, grant_type, status, scope, created_at,
	code_hash, code_expires_at, redirect_uri, redirect_uri_sent, challenge,
	generation, rotated_at, replayed_at, key_id,
	access_hash, access_scope, access_issued_at, access_expires_at, refresh_hash,
	previous_access_hash, previous_access_scope, previous_access_issued_at, previous_access_expires_at,
	previous_refresh_hash, revoked_at, revoked_reason`

func scanAuthorization(r row) (oauth.Authorization, error) {
	var a oauth.Authorization
	err := r.Scan(fixed(a.ID[:]), fixed(a.ApplicationID[:]), fixed(a.AccountID[:]), &a.GrantType, &a.Status, &a.Scope, millis{&a.CreatedAt},
		fixed(a.CodeHash[:]), millis{&a.CodeExpiresAt}, &a.RedirectURI, &a.RedirectURISent, &a.Challenge,
		&a.Generation, millis{&a.RotatedAt}, millis{&a.ReplayedAt}, fixed(a.KeyID[:]),
		fixed(a.Access.Hash[:]), &a.Access.Scope, millis{&a.Access.IssuedAt}, millis{&a.Access.ExpiresAt}, fixed(a.RefreshHash[:]),
		fixed(a.PreviousAccess.Hash[:]), &a.PreviousAccess.Scope, millis{&a.PreviousAccess.IssuedAt}, millis{&a.PreviousAccess.ExpiresAt},
		fixed(a.PreviousRefreshHash[:]), millis{&a.RevokedAt}, &a.RevokedReason)
	return a, notFound(err)
}

// insertAuthorization adds the row unless its id is taken, and reports whether it did.
func insertAuthorization(tx *transaction, a oauth.Authorization) (bool, error) {
	n, err := tx.exec(`insert into authorizations (`+authorizationColumns+`) values
		($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)
		on conflict (id) do nothing`,
		a.ID[:], a.ApplicationID[:], a.AccountID[:], string(a.GrantType), int64(a.Status), string(a.Scope), toMillis(a.CreatedAt),
		blob(a.CodeHash[:]), toMillis(a.CodeExpiresAt), a.RedirectURI, a.RedirectURISent, string(a.Challenge),
		int64(a.Generation), toMillis(a.RotatedAt), toMillis(a.ReplayedAt), blob(a.KeyID[:]),
		blob(a.Access.Hash[:]), string(a.Access.Scope), toMillis(a.Access.IssuedAt), toMillis(a.Access.ExpiresAt), blob(a.RefreshHash[:]),
		blob(a.PreviousAccess.Hash[:]), string(a.PreviousAccess.Scope), toMillis(a.PreviousAccess.IssuedAt), toMillis(a.PreviousAccess.ExpiresAt),
		blob(a.PreviousRefreshHash[:]), toMillis(a.RevokedAt), string(a.RevokedReason))
	return n == 1, err
}

// Authorization reads one authorization.
func (s *Store) Authorization(ctx context.Context, id oauth.ID) (oauth.Authorization, error) {
	return scanAuthorization(s.readers.QueryRowContext(ctx, `select `+authorizationColumns+` from authorizations where id = $1`, id[:]))
}

// RedeemCode exchanges a code. The error is an *oauth.Error where the rule refuses.
func (s *Store) RedeemCode(ctx context.Context, e oauth.Redemption) (oauth.Authorization, error) {
	return s.change(ctx, e)
}

// RotateRefresh refreshes. The error is an *oauth.Error where the rule refuses,
// or oauth.ErrUnrecognised, together with the row that was loaded.
func (s *Store) RotateRefresh(ctx context.Context, e oauth.Rotation) (oauth.Authorization, error) {
	return s.change(ctx, e)
}

// Revoke ends an authorization.
func (s *Store) Revoke(ctx context.Context, e oauth.Revocation) error {
	_, err := s.change(ctx, e)
	return err
}

// change loads the row of an event, lets the event decide, and commits the
// outcome in one conditional write.
func (s *Store) change(ctx context.Context, e oauth.Event) (oauth.Authorization, error) {
	var after oauth.Authorization
	var refusal error
	err := s.write(ctx, func(tx *transaction) error {
		id := e.AuthorizationID()
		before, err := scanAuthorization(tx.queryRow(`select `+authorizationColumns+` from authorizations where id = $1`, id[:]))
		if err != nil {
			return err
		}
		var disabled bool
		err = tx.queryRow(`select disabled_at <> 0 from accounts where id = $1`, before.AccountID[:]).Scan(&disabled)
		if err != nil {
			return notFound(err)
		}
		after, refusal = e.Decide(before, disabled, s.now())
		if after == before {
			return nil
		}
		return updateAuthorization(tx, before, after)
	})
	if err != nil {
		return oauth.Authorization{}, err
	}
	return after, refusal
}

// updateAuthorization writes what events change, only if the row is still the
// one that the decision was made on.
func updateAuthorization(tx *transaction, before, after oauth.Authorization) error {
	n, err := tx.exec(`update authorizations set status = $1,
			generation = $2, rotated_at = $3, replayed_at = $4, key_id = $5,
			access_hash = $6, access_scope = $7, access_issued_at = $8, access_expires_at = $9, refresh_hash = $10,
			previous_access_hash = $11, previous_access_scope = $12, previous_access_issued_at = $13, previous_access_expires_at = $14,
			previous_refresh_hash = $15, revoked_at = $16, revoked_reason = $17
		where id = $18 and status = $19 and generation = $20`,
		int64(after.Status),
		int64(after.Generation), toMillis(after.RotatedAt), toMillis(after.ReplayedAt), blob(after.KeyID[:]),
		blob(after.Access.Hash[:]), string(after.Access.Scope), toMillis(after.Access.IssuedAt), toMillis(after.Access.ExpiresAt), blob(after.RefreshHash[:]),
		blob(after.PreviousAccess.Hash[:]), string(after.PreviousAccess.Scope), toMillis(after.PreviousAccess.IssuedAt), toMillis(after.PreviousAccess.ExpiresAt),
		blob(after.PreviousRefreshHash[:]), toMillis(after.RevokedAt), string(after.RevokedReason),
		after.ID[:], int64(before.Status), int64(before.Generation))
	if err == nil && n != 1 {
		err = fmt.Errorf("authorization %s changed while an event was decided on it", after.ID)
	}
	return err
}

// Issue adds an authorization that is active from the start: client_credentials.
func (s *Store) Issue(ctx context.Context, a oauth.Authorization) error {
	return s.write(ctx, func(tx *transaction) error {
		inserted, err := insertAuthorization(tx, a)
		if err == nil && !inserted {
			err = fmt.Errorf("authorization %s exists already", a.ID)
		}
		return err
	})
}

// Approval is an account's approval of an application.
type Approval struct {
	// Authorization is the pending row.
	Authorization oauth.Authorization
	// Identity is the application's as the account was shown it, or as it was
	// when a remembered consent was found.
	Identity oauth.Identity
	// Asked tells that the account was asked and allowed it. Otherwise the
	// approval counts only while a remembered consent covers it.
	Asked bool
}

// Approve adds a pending authorization, and remembers the consent where the
// account was asked. ErrAnswered: the id was used before. ErrChanged: the
// application, the account or the consent is not what it was.
func (s *Store) Approve(ctx context.Context, e Approval) error {
	a := e.Authorization
	return s.write(ctx, func(tx *transaction) error {
		application, err := scanApplication(tx.queryRow(selectApplication+` where applications.id = $1`, a.ApplicationID[:]))
		if err != nil {
			return err
		}
		account, _, err := scanAccount(tx.queryRow(selectAccount+` where id = $1`, a.AccountID[:]))
		if err != nil {
			return err
		}
		if application.Suspended() || account.Disabled || application.Identity() != e.Identity {
			return ErrChanged
		}
		inserted, err := insertAuthorization(tx, a)
		if err != nil {
			return err
		}
		if !inserted {
			return ErrAnswered
		}
		consent, err := scanConsent(tx.queryRow(selectConsent+` where account_id = $1 and application_id = $2`, a.AccountID[:], a.ApplicationID[:]))
		if err != nil && err != ErrNotFound {
			return err
		}
		if !e.Asked {
			if !consent.Covers(e.Identity, a.Scope) {
				return ErrChanged
			}
			return nil
		}
		consent.AccountID, consent.ApplicationID = a.AccountID, a.ApplicationID
		return putConsent(tx, consent.Renew(e.Identity, a.Scope, s.now()))
	})
}

// Refuse remembers that the account was asked and did not allow it, so that the
// same question cannot be answered again. ErrAnswered: it was answered before.
func (s *Store) Refuse(ctx context.Context, a oauth.Authorization) error {
	return s.write(ctx, func(tx *transaction) error {
		inserted, err := insertAuthorization(tx, a)
		if err == nil && !inserted {
			err = ErrAnswered
		}
		return err
	})
}

// AuthorizationFilter selects authorizations. A zero field selects all.
type AuthorizationFilter struct {
	AccountID     oauth.ID
	ApplicationID oauth.ID
	// Limit bounds how many are returned, the newest first.
	Limit int
}

// Authorizations lists authorizations of both grants.
func (s *Store) Authorizations(ctx context.Context, f AuthorizationFilter) ([]oauth.Authorization, error) {
	rows, err := s.readers.QueryContext(ctx, `select `+authorizationColumns+` from authorizations
		where ($1 or account_id = $2) and ($3 or application_id = $4) order by id desc limit $5`,
		f.AccountID.IsZero(), f.AccountID[:], f.ApplicationID.IsZero(), f.ApplicationID[:], f.Limit)
	return collect(rows, err, scanAuthorization)
}

// revokeAll ends every authorization of the code grant that an account gave to
// an application; a zero account stands for all.
func (s *Store) revokeAll(tx *transaction, application, account oauth.ID, reason oauth.Reason) error {
	const revoked = `update authorizations set status = 3, revoked_at = $1, revoked_reason = $2
		where grant_type = 'authorization_code' and status <> 3 and application_id = $3`
	now := toMillis(s.now())
	var err error
	if account.IsZero() {
		_, err = tx.exec(revoked, now, string(reason), application[:])
	} else {
		_, err = tx.exec(revoked+` and account_id = $4`, now, string(reason), application[:], account[:])
	}
	return err
}

// LivingGrants reads the active authorizations of the code grant that an account
// gave, by application.
func (s *Store) LivingGrants(ctx context.Context, account oauth.ID) (map[oauth.ID][]oauth.Authorization, error) {
	rows, err := s.readers.QueryContext(ctx, `select `+authorizationColumns+` from authorizations
		where grant_type = 'authorization_code' and account_id = $1 and status = 2`, account[:])
	all, err := collect(rows, err, scanAuthorization)
	living := map[oauth.ID][]oauth.Authorization{}
	for _, a := range all {
		living[a.ApplicationID] = append(living[a.ApplicationID], a)
	}
	return living, err
}
