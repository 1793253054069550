package store

import (
	"context"
	"errors"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

const authorizationColumns = `id, application_id, account_id, grant_type, status, scope, created_at,
	code_hash, code_expires_at, redirect_uri, redirect_uri_sent, challenge,
	generation, rotated_at, replayed_at, key_id,
	access_hash, access_scope, access_issued_at, access_expires_at, refresh_hash,
	previous_access_hash, previous_access_scope, previous_access_issued_at, previous_access_expires_at,
	previous_refresh_hash, revoked_at, revoked_reason, sweep_after`

// wholeAuthorization are the columns that what client_credentials yields leaves at
// their defaults, too.
const wholeAuthorization = authorizationColumns + `, ends_at`

const selectAuthorization = `select ` + wholeAuthorization + ` from authorizations`

func scanAuthorization(r row) (oauth.Authorization, error) {
	var a oauth.Authorization
	err := r.Scan(authorizationDestinations(&a)...)
	return a, notFound(err)
}

func authorizationDestinations(a *oauth.Authorization) []any {
	return []any{
		fixed(a.ID[:]), fixed(a.ApplicationID[:]), fixed(a.AccountID[:]), &a.GrantType, &a.Status, &a.Scope, millis{&a.CreatedAt},
		fixed(a.CodeHash[:]), millis{&a.CodeExpiresAt}, &a.RedirectURI, &a.RedirectURISent, &a.Challenge,
		&a.Generation, millis{&a.RotatedAt}, millis{&a.ReplayedAt}, fixed(a.KeyID[:]),
		fixed(a.Access.Hash[:]), &a.Access.Scope, millis{&a.Access.IssuedAt}, millis{&a.Access.ExpiresAt}, fixed(a.RefreshHash[:]),
		fixed(a.PreviousAccess.Hash[:]), &a.PreviousAccess.Scope, millis{&a.PreviousAccess.IssuedAt}, millis{&a.PreviousAccess.ExpiresAt},
		fixed(a.PreviousRefreshHash[:]), millis{&a.RevokedAt}, &a.RevokedReason, millis{&a.SweepAfter}, millis{&a.EndsAt},
	}
}

// insertAuthorization adds the row unless its id is taken, and reports whether it did.
func insertAuthorization(tx *transaction, a oauth.Authorization) (bool, error) {
	inserted, err := tx.insert(tx, &a)
	if err == nil && inserted {
		tx.early.add(a.EarlySweep(), a.ID)
	}
	return inserted, err
}

// insertByID is for an engine on which ids are the primary key.
func insertByID(tx *transaction, a *oauth.Authorization) (bool, error) {
	n, err := tx.exec(`insert into authorizations (`+wholeAuthorization+`) values `+rowsOf(1, 30)+` on conflict (id) do nothing`, valuesOf(a)...)
	return n == 1, err
}

// valuesOf are the values of wholeAuthorization.
func valuesOf(a *oauth.Authorization) []any {
	return []any{
		a.ID[:], a.ApplicationID[:], a.AccountID[:], string(a.GrantType), int64(a.Status), string(a.Scope), toMillis(a.CreatedAt),
		blob(a.CodeHash[:]), toMillis(a.CodeExpiresAt), a.RedirectURI, a.RedirectURISent, string(a.Challenge),
		int64(a.Generation), toMillis(a.RotatedAt), toMillis(a.ReplayedAt), blob(a.KeyID[:]),
		blob(a.Access.Hash[:]), string(a.Access.Scope), toMillis(a.Access.IssuedAt), toMillis(a.Access.ExpiresAt), blob(a.RefreshHash[:]),
		blob(a.PreviousAccess.Hash[:]), string(a.PreviousAccess.Scope), toMillis(a.PreviousAccess.IssuedAt), toMillis(a.PreviousAccess.ExpiresAt),
		blob(a.PreviousRefreshHash[:]), toMillis(a.RevokedAt), string(a.RevokedReason), toMillis(a.SweepAfter), toMillis(a.EndsAt),
	}
}

// Authorization reads one authorization.
func (s *Store) Authorization(ctx context.Context, id oauth.ID) (oauth.Authorization, error) {
	a, err := s.engine.authorization(ctx, id)
	return a, fault(err)
}

// AccessToken finds the authorization of an access token whose hash is presented,
// and what the row keeps of the token. ErrNotFound: it does not live, or its account
// is disabled. It answers from memory where that can be trusted; a token that does not
// match what is remembered is looked up again.
func (s *Store) AccessToken(ctx context.Context, id oauth.ID, presented oauth.Hash) (oauth.Check, oauth.AccessToken, error) {
	now := s.Now()
	if c, ok := s.memory.recall(id); ok {
		if token, lives := c.check.AccessTokenFor(presented, now); lives && !c.disabled {
			return c.check, token, nil
		}
	}
	c, err := s.memory.learn(id, func() (checked, error) { return s.engine.check(ctx, id) })
	if err != nil {
		return oauth.Check{}, oauth.AccessToken{}, fault(err)
	}
	token, lives := c.check.AccessTokenFor(presented, now)
	if !lives || c.disabled {
		return c.check, token, ErrNotFound
	}
	return c.check, token, nil
}

// RedeemCode exchanges a code. The error is an *oauth.Error where the rule refuses, and the
// whole row comes with it.
func (s *Store) RedeemCode(ctx context.Context, e oauth.Redemption) (oauth.Authorization, error) {
	return s.change(ctx, e)
}

// RotateRefresh refreshes. The error is an *oauth.Error where the rule refuses,
// or oauth.ErrUnrecognised, and the whole row comes with it.
func (s *Store) RotateRefresh(ctx context.Context, e oauth.Rotation) (oauth.Authorization, error) {
	return s.change(ctx, e)
}

// Revoke ends an authorization.
func (s *Store) Revoke(ctx context.Context, e oauth.Revocation) error {
	_, err := s.change(ctx, e)
	return err
}

func (s *Store) change(ctx context.Context, e oauth.Event) (oauth.Authorization, error) {
	after, err := s.engine.change(ctx, e)
	changed := change{kind: authorizationChanged, id: e.AuthorizationID()}
	var refusal *oauth.Error
	_, revocation := e.(oauth.Revocation)
	// A revocation is announced also when its outcome is unknown.
	if ended := errors.As(err, &refusal) && refusal.Ended; !ended && (!revocation || errors.Is(err, ErrNotFound) || errors.Is(err, oauth.ErrUnrecognised)) {
		// Other replicas need not hear of it: what they remember only gets older.
		s.memory.drop(changed)
		return after, fault(err)
	}
	if refusal != nil && refusal.Ended {
		return after, errors.Join(err, s.afterwards(nil, changed))
	}
	return after, s.afterwards(fault(err), changed)
}

// Issue adds an authorization that is active from the start: client_credentials.
func (s *Store) Issue(ctx context.Context, a oauth.Authorization) error {
	return fault(s.engine.issue(ctx, a))
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
	// Declined is what the account was offered and left out, just now.
	Declined oauth.Scope
	// Review tells that an application is a draft until an administrator has verified it.
	Review bool
}

// Approve adds a pending authorization, and remembers the consent where the
// account was asked. ErrAnswered: the id was used before. ErrChanged: the
// application, the account or the consent is not what it was, or the account may not
// approve this draft any more.
func (s *Store) Approve(ctx context.Context, e Approval) error {
	a := e.Authorization
	err := s.transact(ctx, func(tx *transaction) error {
		application, err := scanApplication(tx.queryRow(selectApplication+` where applications.id = $1`+tx.shareOf("applications"), a.ApplicationID[:]))
		if err != nil {
			return tx.absent(err)
		}
		may, err := tx.mayApprove(application, a.AccountID, e.Review)
		if err != nil {
			return err
		}
		if !may {
			return tx.refuse(ErrChanged)
		}
		account, err := scanAccountOnly(tx.queryRow(selectAccount+` where id = $1`, a.AccountID[:]))
		if err != nil {
			return tx.absent(err)
		}
		consent, err := scanConsent(tx.queryRow(selectConsent+` where account_id = $1 and application_id = $2`+tx.lock, a.AccountID[:], a.ApplicationID[:]))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if application.Suspended() || account.Disabled || application.Identity() != e.Identity ||
			!e.Asked && !consent.Covers(e.Identity, a, s.engine.now()) {
			return tx.refuse(ErrChanged)
		}
		inserted, err := insertAuthorization(tx, a)
		if err != nil {
			return err
		}
		if !inserted {
			return tx.refuse(ErrAnswered)
		}
		if !e.Asked {
			return nil
		}
		if err := putConsent(tx, consent.Renew(e.Identity, a, e.Declined, s.engine.now())); err != nil {
			return err
		}
		detail := string(a.Scope)
		if !a.EndsAt.IsZero() {
			detail += " until " + a.EndsAt.Format(time.RFC3339)
		}
		return tx.audit(oauth.AuditApproved, aboutAuthorization(a, application.Name), detail)
	})
	if !errors.Is(err, errUnknownOutcome) {
		return fault(err)
	}
	if confirmErr := s.confirm(ctx, a); confirmErr != nil {
		return errDown(errors.Join(err, confirmErr))
	}
	return nil
}

// confirm finds out whether the commit of an approval happened whose outcome is unknown: finding
// our own hash in the row means that it did. A standby may lack the row, and a lock is a write, so
// that this waits for the standby, too.
func (s *Store) confirm(ctx context.Context, a oauth.Authorization) error {
	return s.write(ctx, func(tx *transaction) error {
		row, err := scanAuthorization(tx.queryRow(selectAuthorization+tx.byID+tx.lock, a.ID[:]))
		if err == nil && !row.CodeHash.Matches(a.CodeHash) {
			return ErrNotFound
		}
		return err
	})
}

// Refuse remembers that the account was asked and did not allow it, so that the
// same question cannot be answered again. ErrAnswered: it was answered before. name is
// the application's.
func (s *Store) Refuse(ctx context.Context, a oauth.Authorization, name string) error {
	return s.write(ctx, func(tx *transaction) error {
		inserted, err := insertAuthorization(tx, a)
		if err != nil {
			return err
		}
		if !inserted {
			return tx.refuse(ErrAnswered)
		}
		return tx.audit(oauth.AuditRefused, aboutAuthorization(a, name), string(a.Scope))
	})
}

// aboutAuthorization is an authorization for the audit log, with the name of its application.
func aboutAuthorization(a oauth.Authorization, name string) oauth.AuditSubject {
	return oauth.AuditSubject{AccountID: a.AccountID, ApplicationID: a.ApplicationID, Name: name}
}

// AuthorizationFilter selects authorizations. A zero field selects all. Of an account or an
// application only those of the code grant are found: no index has the others, which may be
// very many.
type AuthorizationFilter struct {
	AccountID     oauth.ID
	ApplicationID oauth.ID
	// Limit bounds how many are returned, the newest first.
	Limit int
}

// Authorizations lists authorizations.
func (s *Store) Authorizations(ctx context.Context, f AuthorizationFilter) ([]oauth.Authorization, error) {
	query, args := s.authorizationList(f)
	rows, err := s.engine.db().QueryContext(ctx, query, args...)
	return collect(rows, err, scanAuthorization)
}

func (s *Store) authorizationList(f AuthorizationFilter) (query string, args []any) {
	condition := ""
	switch {
	case !f.ApplicationID.IsZero() && !f.AccountID.IsZero():
		condition, args = ` where grant_type = 'authorization_code' and application_id = $2 and account_id = $3`, []any{f.ApplicationID[:], f.AccountID[:]}
	case !f.ApplicationID.IsZero():
		condition, args = ` where grant_type = 'authorization_code' and application_id = $2`, []any{f.ApplicationID[:]}
	case !f.AccountID.IsZero():
		// What has ended need not have a consent, but the log has what the account answered.
		condition, args = ` where grant_type = 'authorization_code' and account_id = $2 and application_id in (
			select application_id from consents where account_id = $2
			union select application_id from audit where account_id = $2 and kind in ($3, $4))`,
			[]any{f.AccountID[:], string(oauth.AuditApproved), string(oauth.AuditRefused)}
	}
	return selectAuthorization + condition + ` order by ` + s.engine.rowName() + ` desc limit $1`, append([]any{f.Limit}, args...)
}

// revokeAll ends every authorization of the code grant that an account gave to
// an application. They are locked in the order of their ids, as in every batch.
func (s *Store) revokeAll(tx *transaction, application, account oauth.ID, reason oauth.Reason) ([]change, error) {
	// Those that are revoked already are dropped from memory again: an earlier attempt
	// may have been committed later than it was given up.
	rows, err := tx.query(`select id, status, sweep_after from authorizations
		where grant_type = 'authorization_code' and application_id = $1 and account_id = $2
		order by id`+tx.lock, application[:], account[:])
	ended := oauth.Authorization{}.Revoked(reason, s.engine.now())
	var told []oauth.Occurrence
	changes, err := collect(rows, err, func(r row) (change, error) {
		a := oauth.Authorization{ApplicationID: application, AccountID: account}
		err := r.Scan(fixed(a.ID[:]), &a.Status, millis{&a.SweepAfter})
		after := a.Revoked(reason, ended.RevokedAt)
		if after.Status != a.Status {
			tx.early.add(after.EarlySweep(), a.ID)
		}
		if o, ok := oauth.RevocationOf(a, after); ok {
			told = append(told, o)
		}
		return change{kind: authorizationChanged, id: a.ID}, err
	})
	if err != nil {
		return nil, err
	}
	kept := toMillis(ended.SweepAfter)
	_, err = tx.exec(`update authorizations set status = 3, revoked_at = $1, revoked_reason = $2,
			sweep_after = case when sweep_after < $3 then $3 else sweep_after end
		where grant_type = 'authorization_code' and status <> 3 and application_id = $4 and account_id = $5`,
		toMillis(ended.RevokedAt), string(ended.RevokedReason), kept, application[:], account[:])
	if err == nil {
		err = tx.tellEach(told)
	}
	return changes, err
}

// LivingGrants reads the active authorizations of the code grant that an account
// gave, by application.
func (s *Store) LivingGrants(ctx context.Context, account oauth.ID) (map[oauth.ID][]oauth.Authorization, error) {
	rows, err := s.engine.db().QueryContext(ctx, selectLivingGrants, account[:])
	all, err := collect(rows, err, scanAuthorization)
	living := map[oauth.ID][]oauth.Authorization{}
	for _, a := range all {
		living[a.ApplicationID] = append(living[a.ApplicationID], a)
	}
	return living, err
}

const selectLivingGrants = selectAuthorization + ` where status = 2 and ` + givenByAccount

// givenByAccount finds the authorizations of the code grant that the account $1 gave.
// Each has a consent as long as it lives: so they need no index by accounts alone.
const givenByAccount = `grant_type = 'authorization_code' and account_id = $1
	and application_id in (select application_id from consents where account_id = $1` + ofPresent + `)`
