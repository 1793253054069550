package store

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/latchkey/latchkey/internal/oauth"
)

// MaxMembers is how many accounts may have one role in an application.
const MaxMembers = 50

// Members lists the accounts that have a role in an application, those that came first
// first.
func (s *Store) Members(ctx context.Context, application oauth.ID) ([]oauth.Member, error) {
	rows, err := s.engine.db().QueryContext(ctx, `select account_id, name, username, role, application_members.created_at
		from application_members join accounts on accounts.id = account_id
		where application_id = $1 order by application_members.created_at, account_id`, application[:])
	return collect(rows, err, func(r row) (m oauth.Member, err error) {
		err = r.Scan(fixed(m.AccountID[:]), &m.Name, &m.Username, &m.Role, millis{&m.Since})
		return m, err
	})
}

// HasRole reports whether an account has a role in an application.
func (s *Store) HasRole(ctx context.Context, application, account oauth.ID, role oauth.Role) (has bool, err error) {
	err = s.engine.db().QueryRowContext(ctx, hasRole, application[:], account[:], string(role)).Scan(&has)
	return has, fault(err)
}

const hasRole = `select exists (select 1 from application_members where application_id = $1 and account_id = $2 and role = $3)`

// ApplicationsByRole lists the applications in which an account has a role, the oldest
// first.
func (s *Store) ApplicationsByRole(ctx context.Context, account oauth.ID, role oauth.Role) ([]oauth.Application, error) {
	rows, err := s.engine.db().QueryContext(ctx, applicationsByRole, account[:], string(role))
	return collect(rows, err, scanApplication)
}

const applicationsByRole = selectApplication + ` where applications.id in
	(select application_id from application_members where account_id = $1 and role = $2) order by applications.id`

// ManagedApplications lists the applications that an account owns, alone or with others,
// and whose name has a text in it, the newest first. Capitals make no difference.
func (s *Store) ManagedApplications(ctx context.Context, account oauth.ID, text string, p Page) ([]oauth.Application, error) {
	// It is in no name. SQLite refuses a pattern of 50,000 bytes.
	if utf8.RuneCountInString(text) > oauth.MaxName {
		return nil, nil
	}
	rows, err := s.engine.db().QueryContext(ctx, managedApplications, account[:], string(oauth.RoleCoOwner), containing(text), upTo(p.Before), p.Limit)
	return collect(rows, err, scanApplication)
}

// containing is a pattern of what has a text in it, for like with the escape character !.
func containing(text string) string {
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(text) + "%"
}

// Those of one's own are cut to a page before they are joined: they may be many.
const managedApplications = selectApplication + ` where applications.id in (
		select id from (select id from applications where owner_id = $1 and id < $4 and lower(name) like lower($3) escape '!'
			order by id desc limit $5) as own
		union all select application_id from application_members where account_id = $1 and role = $2)
	and lower(applications.name) like lower($3) escape '!' and applications.id < $4 order by applications.id desc limit $5`

// owns reports whether the actor owns an application, as it is now. A command has no account, and
// may do what owners may.
func (t *transaction) owns(a oauth.Application) bool {
	return t.actor.AccountID.IsZero() || t.actor.AccountID == a.OwnerID
}

// manages reports whether the actor owns an application, alone or with others.
func (t *transaction) manages(a oauth.Application) (may bool, err error) {
	if t.owns(a) {
		return true, nil
	}
	err = t.queryRow(hasRole, a.ID[:], t.actor.AccountID[:], string(oauth.RoleCoOwner)).Scan(&may)
	return may, err
}

// mayName reports whether the actor may give and take a role: co-owners decide about testers alone.
func (t *transaction) mayName(a oauth.Application, role oauth.Role) (bool, error) {
	if role == oauth.RoleTester {
		return t.manages(a)
	}
	return t.owns(a), nil
}

// lockApplication reads an application and locks it. It refuses where there is none.
func (t *transaction) lockApplication(id oauth.ID) (oauth.Application, error) {
	a, err := scanApplication(t.queryRow(selectApplication+` where applications.id = $1`+t.lockOf("applications"), id[:]))
	return a, t.absent(err)
}

// managed reads an application for a change by those who manage it, and locks it. It refuses
// where the actor does so no more: the page with the form knew only what was before.
func (t *transaction) managed(id oauth.ID) (oauth.Application, error) {
	a, err := t.lockApplication(id)
	if err != nil || t.refusal != nil {
		return a, err
	}
	may, err := t.manages(a)
	if err == nil && !may {
		err = t.refuse(ErrNotFound)
	}
	return a, err
}

// AddMember gives an account a role in an application, which may have it already. There is
// one heir: a new one takes the place of the one before. ErrFull: MaxMembers have the role.
// ErrNotFound: the account owns the application by now, or the actor may not name anybody.
func (s *Store) AddMember(ctx context.Context, application oauth.ID, account oauth.Account, role oauth.Role) error {
	return s.onMember(ctx, application, oauth.AuditMemberAdded, account, role, func(tx *transaction, a oauth.Application) (bool, error) {
		may, err := tx.mayName(a, role)
		if err != nil {
			return false, err
		}
		if !may || a.OwnerID == account.ID {
			return false, tx.refuse(ErrNotFound)
		}
		var has bool
		if err := tx.queryRow(hasRole, application[:], account.ID[:], string(role)).Scan(&has); err != nil || has {
			return false, err
		}
		if role == oauth.RoleHeir {
			if _, err := tx.exec(`delete from application_members where application_id = $1 and role = $2`, application[:], string(role)); err != nil {
				return false, err
			}
		}
		var members int
		err = tx.queryRow(`select count(*) from application_members where application_id = $1 and role = $2`, application[:], string(role)).Scan(&members)
		if err != nil {
			return false, err
		}
		if members >= MaxMembers {
			return false, tx.refuse(ErrFull)
		}
		_, err = tx.exec(`insert into application_members (application_id, account_id, role, created_at) values ($1, $2, $3, $4)`,
			application[:], account.ID[:], string(role), toMillis(tx.now))
		return true, err
	})
}

// RemoveMember takes a role from an account. Where a review is required, a draft is
// disconnected from the account, unless another role lets it stay; an heir never approved
// as one. ErrNotFound: it does not have the role, or the actor, who may always take its own, may
// not take it.
func (s *Store) RemoveMember(ctx context.Context, application oauth.ID, account oauth.Account, role oauth.Role, review bool) error {
	var ended []change
	err := s.onMember(ctx, application, oauth.AuditMemberRemoved, account, role, func(tx *transaction, a oauth.Application) (bool, error) {
		may, err := tx.mayName(a, role)
		if err != nil {
			return false, err
		}
		if !may && tx.actor.AccountID != account.ID {
			return false, tx.refuse(ErrNotFound)
		}
		err = tx.oneRow(`delete from application_members where application_id = $1 and account_id = $2 and role = $3`,
			application[:], account.ID[:], string(role))
		if err != nil || tx.refusal != nil || role == oauth.RoleHeir {
			return true, err
		}
		if may, err := tx.mayApprove(a, account.ID, review); err != nil || may {
			return true, err
		}
		_, more, err := s.disconnect(tx, account.ID, application, oauth.ReasonRemoved)
		// An earlier attempt may have been committed although that was not heard.
		ended = append(ended, more...)
		return true, err
	})
	return s.afterwards(err, ended...)
}

// Inherit makes the heir of an application its owner. ErrNotFound: it is not offered to
// the account any more, or by somebody whose account is disabled. What an administrator
// found of the application counted for the owner before, and so did its co-owners: they
// can have tokens of the owner's account. Its webhook leads to a host of the owner before,
// who knows its secret.
func (s *Store) Inherit(ctx context.Context, application oauth.ID, account oauth.Account) error {
	return s.onMember(ctx, application, oauth.AuditApplicationInherited, account, oauth.RoleHeir, func(tx *transaction, a oauth.Application) (bool, error) {
		if a.OwnerDisabled {
			return false, tx.refuse(ErrNotFound)
		}
		err := tx.oneRow(`delete from application_members where application_id = $1 and account_id = $2 and role = $3`,
			application[:], account.ID[:], string(oauth.RoleHeir))
		if err != nil || tx.refusal != nil {
			return false, err
		}
		_, err = tx.exec(`delete from application_members where application_id = $1 and (account_id = $2 or role = $3)`,
			application[:], account.ID[:], string(oauth.RoleCoOwner))
		if err != nil {
			return false, err
		}
		_, err = tx.exec(`update applications set owner_id = $1, inherited_at = $2, submitted_at = 0, verified_at = 0 where id = $3`,
			account.ID[:], toMillis(tx.now), application[:])
		if err == nil {
			_, err = tx.dropWebhook(a)
		}
		return true, err
	})
}

// onMember does something about a member of an application that is there, and writes
// down that it was done, where f says that it changed anything.
func (s *Store) onMember(ctx context.Context, application oauth.ID, kind oauth.AuditKind, account oauth.Account, role oauth.Role,
	f func(*transaction, oauth.Application) (changed bool, err error)) error {
	err := s.write(ctx, func(tx *transaction) error {
		a, err := tx.lockApplication(application)
		if err != nil || tx.refusal != nil {
			return err
		}
		if changed, err := f(tx, a); err != nil || !changed || tx.refusal != nil {
			return err
		}
		detail := string(role) + ": " + account.Name
		if kind == oauth.AuditApplicationInherited {
			detail = "from " + a.OwnerName
			if a.Verified() {
				detail += ", " + verifiedMark
			}
		}
		return tx.audit(kind, oauth.AuditSubject{AccountID: account.ID, ApplicationID: a.ID, Name: a.Name}, detail)
	})
	return s.afterwards(err, change{kind: applicationChanged, id: application})
}
