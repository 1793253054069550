package store

import (
	"github.com/latchkey/latchkey/internal/oauth"
)

// audit writes an event down in the transaction that makes it happen, so that neither
// is without the other.
func (t *transaction) audit(kind oauth.AuditKind, subject oauth.AuditSubject, detail string) error {
	id, err := oauth.NewID(t.random, t.now)
	if err != nil {
		return err
	}
	_, err = t.exec(`insert into audit (id, kind, actor_id, actor_name, address, account_id, application_id, subject, detail)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		id[:], string(kind), blob(t.actor.AccountID[:]), t.actor.Name, t.actor.Address,
		blob(subject.AccountID[:]), blob(subject.ApplicationID[:]), subject.Name, detail)
	return err
}

// auditOwn writes down what an account does with itself, or a command with the account.
func (t *transaction) auditOwn(kind oauth.AuditKind, account oauth.ID, detail string) error {
	a, err := scanAccountOnly(t.queryRow(selectAccount+` where id = $1`, account[:]))
	if err != nil {
		return t.absent(err)
	}
	return t.audit(kind, aboutAccount(a), detail)
}
