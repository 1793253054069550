package store

import (
	"context"
	"errors"
	"slices"

	"github.com/latchkey/latchkey/internal/oauth"
)

// ErrLastAdministrator: without this account nobody could administer the platform.
var ErrLastAdministrator = errors.New("the account is the last administrator")

// onAccount makes something happen to an account and writes it down. act hears whether
// another account that is not disabled administers the platform, and reports whether it
// changed anything. ErrNotFound: there is no such account, or the actor, unless it is a command,
// is no administrator any more.
func (s *Store) onAccount(ctx context.Context, id oauth.ID, kind oauth.AuditKind, act func(tx *transaction, a oauth.Account, others bool) (bool, error)) error {
	err := s.write(ctx, func(tx *transaction) error {
		// All administrators are locked, in the order of their ids as everywhere, so that two
		// do not undo each other.
		rows, err := tx.query(selectAccount+` where administrator or id = $1 order by id`+tx.lock, id[:])
		all, err := collect(rows, err, scanAccountOnly)
		if err != nil {
			return err
		}
		self := slices.IndexFunc(all, func(a oauth.Account) bool { return a.ID == id })
		may := tx.actor.AccountID.IsZero() || slices.ContainsFunc(all, func(a oauth.Account) bool {
			return a.ID == tx.actor.AccountID && a.Administrator && !a.Disabled
		})
		if self < 0 || !may {
			return tx.refuse(ErrNotFound)
		}
		others := slices.ContainsFunc(all, func(a oauth.Account) bool { return a.Administrator && !a.Disabled && a.ID != id })
		changed, err := act(tx, all[self], others)
		if err != nil || !changed || tx.refusal != nil {
			return err
		}
		return tx.audit(kind, aboutAccount(all[self]), "")
	})
	return s.afterwards(err, change{kind: accountChanged, id: id})
}

// DisableAccount switches an account off: no sign-in, no token, no session.
// ErrLastAdministrator: another account wants it, and nobody would be left who could undo
// it on the pages. A command may always.
func (s *Store) DisableAccount(ctx context.Context, id oauth.ID) error {
	return s.onAccount(ctx, id, oauth.AuditAccountDisabled, func(tx *transaction, a oauth.Account, others bool) (bool, error) {
		if a.Administrator && !others && !tx.actor.AccountID.IsZero() {
			return false, tx.refuse(ErrLastAdministrator)
		}
		// One that came meanwhile goes too, also where the account was disabled before.
		if _, err := tx.exec(`delete from sessions where account_id = $1`, id[:]); err != nil || a.Disabled {
			return false, err
		}
		err := tx.oneRow(`update accounts set disabled_at = $1 where id = $2`, toMillis(tx.now), id[:])
		if err != nil {
			return false, err
		}
		return true, tx.tellOwned(id, true)
	})
}

// EnableAccount undoes DisableAccount; tokens that have not expired work again.
func (s *Store) EnableAccount(ctx context.Context, id oauth.ID) error {
	return s.onAccount(ctx, id, oauth.AuditAccountEnabled, func(tx *transaction, a oauth.Account, _ bool) (bool, error) {
		if !a.Disabled {
			return false, nil
		}
		err := tx.oneRow(`update accounts set disabled_at = 0 where id = $1`, id[:])
		if err != nil {
			return false, err
		}
		return true, tx.tellOwned(id, false)
	})
}

// MakeAdministrator lets an account administer the platform.
func (s *Store) MakeAdministrator(ctx context.Context, id oauth.ID) error {
	return s.onAccount(ctx, id, oauth.AuditAdministratorMade, func(tx *transaction, a oauth.Account, _ bool) (bool, error) {
		if a.Administrator {
			return false, nil
		}
		return true, tx.oneRow(`update accounts set administrator = $1 where id = $2`, true, id[:])
	})
}

// UnmakeAdministrator undoes MakeAdministrator. ErrLastAdministrator: no other account
// that is not disabled could do it again.
func (s *Store) UnmakeAdministrator(ctx context.Context, id oauth.ID) error {
	return s.onAccount(ctx, id, oauth.AuditAdministratorUnmade, func(tx *transaction, a oauth.Account, others bool) (bool, error) {
		switch {
		case !a.Administrator:
			return false, nil
		case !others:
			return false, tx.refuse(ErrLastAdministrator)
		}
		return true, tx.oneRow(`update accounts set administrator = $1 where id = $2`, false, id[:])
	})
}

// RevokeByOperator ends an authorization by its id. ErrNotFound: there is none.
func (s *Store) RevokeByOperator(ctx context.Context, id oauth.ID) error {
	err := s.write(ctx, func(tx *transaction) error {
		a, err := scanAuthorization(tx.queryRow(selectAuthorization+tx.byID+tx.lock, id[:]))
		if err != nil {
			return tx.absent(err)
		}
		if a.Status == oauth.StatusRevoked {
			return nil
		}
		ended := a.Revoked(oauth.ReasonOperator, s.engine.now())
		err = tx.oneRow(`update authorizations set status = $2, revoked_at = $3, revoked_reason = $4, sweep_after = $5`+tx.byID,
			id[:], int64(ended.Status), toMillis(ended.RevokedAt), string(ended.RevokedReason), toMillis(ended.SweepAfter))
		if err != nil || tx.refusal != nil {
			return err
		}
		tx.early.add(ended.EarlySweep(), ended.ID)
		if o, told := oauth.RevocationOf(a, ended); told {
			if _, _, err := tx.tell(o); err != nil {
				return err
			}
		}
		application, err := scanApplication(tx.queryRow(selectApplication+` where applications.id = $1`, a.ApplicationID[:]))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		return tx.audit(oauth.AuditAuthorizationRevoked, aboutAuthorization(a, application.Name), "authorization "+id.String())
	})
	return s.afterwards(err, change{kind: authorizationChanged, id: id})
}
