package store

import (
	"context"
	"errors"

	"github.com/latchkey/latchkey/internal/oauth"
)

const selectConsent = `select account_id, application_id, scope, declined, identity, ends_at, created_at, updated_at from consents`

// ofPresent leaves out the consents to applications that were deleted, which the sweeper
// will remove.
const ofPresent = ` and exists (select 1 from applications where applications.id = application_id)`

func scanConsent(r row) (c oauth.Consent, err error) {
	err = r.Scan(fixed(c.AccountID[:]), fixed(c.ApplicationID[:]), &c.Scope, &c.Declined, fixed(c.Identity[:]), millis{&c.EndsAt}, millis{&c.CreatedAt}, millis{&c.UpdatedAt})
	return c, notFound(err)
}

func putConsent(tx *transaction, c oauth.Consent) error {
	_, err := tx.exec(`insert into consents (account_id, application_id, scope, declined, identity, ends_at, created_at, updated_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8)
		on conflict (account_id, application_id) do update set
			scope = excluded.scope, declined = excluded.declined, identity = excluded.identity, ends_at = excluded.ends_at, updated_at = excluded.updated_at`,
		c.AccountID[:], c.ApplicationID[:], string(c.Scope), string(c.Declined), c.Identity[:], toMillis(c.EndsAt), toMillis(c.CreatedAt), toMillis(c.UpdatedAt))
	return err
}

// Consent reads what an account approved of an application; ErrNotFound where
// it never did, or has disconnected since.
func (s *Store) Consent(ctx context.Context, account, application oauth.ID) (oauth.Consent, error) {
	return scanConsent(s.engine.db().QueryRowContext(ctx, selectConsent+` where account_id = $1 and application_id = $2`+ofPresent, account[:], application[:]))
}

// Consents lists what an account approved, the newest first.
func (s *Store) Consents(ctx context.Context, account oauth.ID) ([]oauth.Consent, error) {
	rows, err := s.engine.db().QueryContext(ctx, selectConsent+` where account_id = $1`+ofPresent+` order by created_at desc`, account[:])
	return collect(rows, err, scanConsent)
}

// Disconnect forgets the consent of an account to an application and revokes
// every authorization that came of it, pending ones too, in one transaction.
func (s *Store) Disconnect(ctx context.Context, account, application oauth.ID) error {
	var ended []change
	err := s.write(ctx, func(tx *transaction) error {
		forgotten, more, err := s.disconnect(tx, account, application, oauth.ReasonDisconnected)
		// An earlier attempt may have been committed although that was not heard.
		ended = append(ended, more...)
		if err != nil || !forgotten {
			return err
		}
		a, err := scanApplication(tx.queryRow(selectApplication+` where applications.id = $1`, application[:]))
		if errors.Is(err, ErrNotFound) {
			// It was deleted, and written down as that.
			return nil
		}
		if err != nil {
			return err
		}
		return tx.audit(oauth.AuditDisconnected, oauth.AuditSubject{AccountID: account, ApplicationID: application, Name: a.Name}, "")
	})
	return s.afterwards(err, ended...)
}

// disconnect forgets the consent of an account to an application, if there is one, with
// what was seen of its use, and revokes every authorization that came of it.
func (s *Store) disconnect(tx *transaction, account, application oauth.ID, reason oauth.Reason) (forgotten bool, ended []change, err error) {
	n, err := tx.exec(`delete from consents where account_id = $1 and application_id = $2`, account[:], application[:])
	if err != nil {
		return false, nil, err
	}
	if _, err := tx.exec(`delete from uses where account_id = $1 and application_id = $2`, account[:], application[:]); err != nil {
		return false, nil, err
	}
	ended, err = s.revokeAll(tx, application, account, reason)
	return n > 0, ended, err
}
