package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/latchkey/latchkey/internal/oauth"
)

const selectAccount = `select id, email, username, name, avatar_url, administrator, disabled_at <> 0, created_at, password from accounts`

func scanAccount(r row) (a oauth.Account, password string, err error) {
	err = r.Scan(fixed(a.ID[:]), &a.Email, &a.Username, &a.Name, &a.AvatarURL, &a.Administrator, &a.Disabled, millis{&a.CreatedAt}, &password)
	return a, password, notFound(err)
}

// scanAccountOnly is scanAccount without the password, which signing in alone needs.
func scanAccountOnly(r row) (oauth.Account, error) {
	a, _, err := scanAccount(r)
	return a, err
}

// EmailKey is the form in which two spellings of one address are the same.
func EmailKey(email string) string { return strings.ToLower(email) }

// CreateAccount adds an account with the hash of its password. ErrEmailTaken and
// ErrUsernameTaken tell what another account has.
func (s *Store) CreateAccount(ctx context.Context, a oauth.Account, password string) error {
	return s.write(ctx, func(tx *transaction) error {
		if err := checkTaken(tx, a); err != nil || tx.refusal != nil {
			return err
		}
		if err := insertAccount(tx, a, password); err != nil {
			return err
		}
		if tx.actor.AccountID == a.ID {
			return tx.audit(oauth.AuditSignedUp, aboutAccount(a), "")
		}
		detail := ""
		if a.Administrator {
			detail = "administrator"
		}
		return tx.audit(oauth.AuditAccountCreated, aboutAccount(a), detail)
	})
}

func insertAccount(tx *transaction, a oauth.Account, password string) error {
	_, err := tx.exec(`insert into accounts (id, email, email_key, username, name, avatar_url, password, administrator, disabled_at, created_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9)`,
		a.ID[:], a.Email, EmailKey(a.Email), a.Username, a.Name, a.AvatarURL, password, a.Administrator, toMillis(a.CreatedAt))
	return err
}

func checkTaken(tx *transaction, a oauth.Account) error {
	var email, username bool
	err := tx.queryRow(`select exists (select 1 from accounts where email_key = $1 and id <> $3),
			exists (select 1 from accounts where username = $2 and id <> $3)`,
		EmailKey(a.Email), a.Username, a.ID[:]).Scan(&email, &username)
	switch {
	case err != nil:
		return err
	case email:
		return tx.refuse(ErrEmailTaken)
	case username:
		return tx.refuse(ErrUsernameTaken)
	}
	return nil
}

// Account reads an account.
func (s *Store) Account(ctx context.Context, id oauth.ID) (oauth.Account, error) {
	a, err := s.engine.account(ctx, id)
	return a, fault(err)
}

// RememberedAccount is Account, from memory where that can be trusted.
func (s *Store) RememberedAccount(ctx context.Context, id oauth.ID) (oauth.Account, error) {
	return s.memory.account(id, func() (oauth.Account, error) { return s.Account(ctx, id) })
}

// AccountByEmail reads an account and the hash of its password.
func (s *Store) AccountByEmail(ctx context.Context, email string) (a oauth.Account, password string, err error) {
	return scanAccount(s.engine.db().QueryRowContext(ctx, selectAccount+` where email_key = $1`, EmailKey(email)))
}

// AccountByUsername reads an account.
func (s *Store) AccountByUsername(ctx context.Context, username string) (oauth.Account, error) {
	return scanAccountOnly(s.engine.db().QueryRowContext(ctx, selectAccount+` where username = $1`, username))
}

// Accounts lists all accounts, the oldest first.
func (s *Store) Accounts(ctx context.Context) ([]oauth.Account, error) {
	rows, err := s.engine.db().QueryContext(ctx, selectAccount+` order by id`)
	return collect(rows, err, scanAccountOnly)
}

// ChangeProfile writes the name and the username of an account. With another name its
// applications lose the verified mark: people are shown whose they are.
func (s *Store) ChangeProfile(ctx context.Context, a oauth.Account) error {
	err := s.write(ctx, func(tx *transaction) error {
		if err := checkTaken(tx, a); err != nil || tx.refusal != nil {
			return err
		}
		before, err := scanAccountOnly(tx.queryRow(selectAccount+` where id = $1`+tx.lock, a.ID[:]))
		if err != nil {
			return tx.absent(err)
		}
		changed := changes("name", before.Name, a.Name) + changes("username", before.Username, a.Username)
		if changed == "" {
			return nil
		}
		err = tx.oneRow(`update accounts set name = $1, username = $2 where id = $3`, a.Name, a.Username, a.ID[:])
		if err != nil || tx.refusal != nil {
			return err
		}
		if before.Name != a.Name {
			if err := tx.unmarkOwned(a.ID); err != nil {
				return err
			}
		}
		return tx.audit(oauth.AuditProfileChanged, aboutAccount(a), strings.TrimSuffix(changed, ", "))
	})
	return s.afterwards(err, change{kind: accountChanged, id: a.ID})
}

// changes tells in the audit log from what to what something was changed.
func changes(what, from, to string) string {
	if from == to {
		return ""
	}
	return fmt.Sprintf("%s %q to %q, ", what, from, to)
}

func aboutAccount(a oauth.Account) oauth.AuditSubject {
	return oauth.AuditSubject{AccountID: a.ID, Name: a.Name}
}

// ChangePassword replaces the hash old of an account's password, only if it is
// still that, ends every session but keep, and gives keep another hash: its cookie may be
// in foreign hands as well.
func (s *Store) ChangePassword(ctx context.Context, account oauth.ID, old, password string, keep oauth.ID, hash oauth.Hash) error {
	return s.write(ctx, func(tx *transaction) error {
		err := tx.oneRow(`update accounts set password = $1 where id = $2 and password = $3`, password, account[:], old)
		if err != nil || tx.refusal != nil {
			return err
		}
		if _, err := tx.exec(`update sessions set hash = $1 where id = $2 and account_id = $3`, hash[:], keep[:], account[:]); err != nil {
			return err
		}
		return tx.passwordChanged(account, keep)
	})
}

// SetPassword replaces the hash of an account's password, whatever it was, and ends
// every session. ErrNotFound: there is no such account.
func (s *Store) SetPassword(ctx context.Context, account oauth.ID, password string) error {
	return s.write(ctx, func(tx *transaction) error {
		err := tx.oneRow(`update accounts set password = $1 where id = $2`, password, account[:])
		if err != nil || tx.refusal != nil {
			return err
		}
		return tx.passwordChanged(account, oauth.ID{})
	})
}

// passwordChanged ends every session of an account but keep, and writes down why.
func (t *transaction) passwordChanged(account, keep oauth.ID) error {
	if _, err := t.exec(`delete from sessions where account_id = $1 and id <> $2`, account[:], keep[:]); err != nil {
		return err
	}
	return t.auditOwn(oauth.AuditPasswordChanged, account, "")
}
