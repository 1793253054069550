package store

import (
	"context"
	"strings"

	"github.com/latchkey/latchkey/internal/oauth"
)

// What lists of accounts and applications can be narrowed to.
const (
	Administrators = "administrators"
	Disabled       = "disabled"

	Submitted = "submitted"
	Asking    = "asking"
	Verified  = "verified"
	Suspended = "suspended"
)

// Page is where a list begins, the newest first, and how long it may be.
type Page struct {
	// Before is the last of the page before; zero for the first page.
	Before oauth.ID
	Limit  int
}

// upTo is an id that is larger than all that a page may have: the last of the page before, or where
// that is zero, which is the first page, more than any id.
func upTo(before oauth.ID) []byte {
	if before.IsZero() {
		return []byte(strings.Repeat("\xff", 16))
	}
	return before[:]
}

// beginning bounds the texts that begin with a prefix: they are not less than the
// first and less than the second.
func beginning(prefix string) (from, to string) { return prefix, prefix + "\U0010FFFF" }

// AccountPage lists accounts, all of them or Administrators or Disabled ones, the newest
// first.
func (s *Store) AccountPage(ctx context.Context, state string, p Page) ([]oauth.Account, error) {
	rows, err := s.engine.db().QueryContext(ctx, accountPage(state), upTo(p.Before), p.Limit)
	return collect(rows, err, scanAccountOnly)
}

func accountPage(state string) string {
	condition := map[string]string{Administrators: "administrator and ", Disabled: "disabled_at > 0 and "}[state]
	return selectAccount + ` where ` + condition + `id < $1 order by id desc limit $2`
}

// FindAccounts lists accounts whose email address, username or name begins with a text,
// in the order of their names. Capitals make no difference.
func (s *Store) FindAccounts(ctx context.Context, prefix string, limit int) ([]oauth.Account, error) {
	key, keyEnd := beginning(EmailKey(prefix))
	name, nameEnd := beginning(prefix)
	rows, err := s.engine.db().QueryContext(ctx, findAccounts, key, keyEnd, name, nameEnd, limit)
	return collect(rows, err, scanAccountOnly)
}

// The database makes name_key, and compares with what it makes of the prefix itself.
const findAccounts = selectAccount + ` where id in (
		select id from (select id from accounts where email_key >= $1 and email_key < $2 order by email_key limit $5) as by_email
		union select id from (select id from accounts where username >= $1 and username < $2 order by username limit $5) as by_username
		union select id from (select id from accounts where name_key >= lower($3) and name_key < lower($4) order by name_key limit $5) as by_name
	) order by name_key, id limit $5`

// ApplicationPage lists applications, all of them or those in a state: Submitted, Asking
// for a scope, Verified or Suspended; the newest first.
func (s *Store) ApplicationPage(ctx context.Context, state string, p Page) ([]oauth.Application, error) {
	rows, err := s.engine.db().QueryContext(ctx, applicationPage(state), upTo(p.Before), p.Limit)
	return collect(rows, err, scanApplication)
}

func applicationPage(state string) string {
	condition := map[string]string{
		Submitted: "submitted_at > 0 and ", Asking: "requested_scope <> '' and ", Verified: "verified_at > 0 and ", Suspended: "suspended_at > 0 and ",
	}[state]
	return selectApplication + ` where ` + condition + `applications.id < $1 order by applications.id desc limit $2`
}

// ApplicationPageOf lists the applications of an owner, the newest first.
func (s *Store) ApplicationPageOf(ctx context.Context, owner oauth.ID, p Page) ([]oauth.Application, error) {
	rows, err := s.engine.db().QueryContext(ctx, applicationPageOf, owner[:], upTo(p.Before), p.Limit)
	return collect(rows, err, scanApplication)
}

const applicationPageOf = selectApplication + ` where owner_id = $1 and applications.id < $2 order by applications.id desc limit $3`

// FindApplications lists applications whose name begins with a text, in the order of
// their names. Capitals make no difference.
func (s *Store) FindApplications(ctx context.Context, prefix string, limit int) ([]oauth.Application, error) {
	from, to := beginning(prefix)
	rows, err := s.engine.db().QueryContext(ctx, findApplications, from, to, limit)
	return collect(rows, err, scanApplication)
}

const findApplications = selectApplication + ` where applications.name_key >= lower($1) and applications.name_key < lower($2)
	order by applications.name_key limit $3`

// Living is what works at present because of an account or an application, as far as it
// is counted: up to CountedTo of each.
type Living struct {
	// Authorizations are the active ones that people gave.
	Authorizations int
	// Accounts are those that gave them to an application.
	Accounts int
	// Sessions are an account's; Applications those that it owns.
	Sessions, Applications int
	// AsOwner is what its applications live by.
	AsOwner *Living
}

// CountedTo is how far what lives is counted, so that a preview costs little.
const CountedTo = 10_000

// LivingOfApplication counts what stops when an application is suspended.
func (s *Store) LivingOfApplication(ctx context.Context, id oauth.ID) (l Living, err error) {
	err = s.engine.db().QueryRowContext(ctx, livingOfApplication, id[:], CountedTo, toMillis(s.Now())).Scan(&l.Authorizations, &l.Accounts)
	return l, fault(err)
}

// lives leaves out what an account approved for a time that is over at $3.
const lives = `status = 2 and (ends_at = 0 or ends_at > $3)`

const livingOfApplication = `select count(*), count(distinct account_id) from (select account_id from authorizations
	where grant_type = 'authorization_code' and application_id = $1 and ` + lives + ` limit $2) as living`

// LivingOfAccount counts what stops when an account is disabled: its own, and what its
// applications live by, as long as those are not suspended already.
func (s *Store) LivingOfAccount(ctx context.Context, id oauth.ID) (Living, error) {
	l := Living{AsOwner: &Living{}}
	now := toMillis(s.Now())
	err := s.engine.db().QueryRowContext(ctx, livingOfAccount, id[:], CountedTo, now).Scan(&l.Authorizations, &l.Sessions, &l.Applications)
	if err != nil {
		return l, fault(err)
	}
	err = s.engine.db().QueryRowContext(ctx, livingOfOwner, id[:], CountedTo, now).Scan(&l.AsOwner.Authorizations, &l.AsOwner.Accounts)
	return l, fault(err)
}

const livingOfAccount = `select
	(select count(*) from (select 1 from authorizations where ` + lives + ` and ` + givenByAccount + ` limit $2) as given),
	(select count(*) from sessions where account_id = $1 and expires_at > $3),
	(select count(*) from (select 1 from applications where owner_id = $1 limit $2) as owned)`

const livingOfOwner = `select count(*), count(distinct account_id) from (select account_id from authorizations
	where grant_type = 'authorization_code' and ` + lives + `
	and application_id in (select id from applications where owner_id = $1 and suspended_at = 0) limit $2) as living`

// Counts is how much there is of what an administrator looks after.
type Counts struct{ Accounts, Applications, Submitted, Asking, Suspended int64 }

// Counts counts up to CountedTo; beyond that accounts and applications are estimated.
func (s *Store) Counts(ctx context.Context) (c Counts, err error) {
	err = s.engine.db().QueryRowContext(ctx, selectCounts, CountedTo).Scan(&c.Accounts, &c.Applications, &c.Submitted, &c.Asking, &c.Suspended)
	if sizes := s.sizes.Load(); sizes != nil {
		c.Accounts, c.Applications = max(c.Accounts, (*sizes)["accounts"]), max(c.Applications, (*sizes)["applications"])
	}
	return c, fault(err)
}

const selectCounts = `select
	(select count(*) from (select 1 from accounts limit $1) as people),
	(select count(*) from (select 1 from applications limit $1) as registered),
	(select count(*) from (select 1 from applications where submitted_at > 0 limit $1) as submitted),
	(select count(*) from (select 1 from applications where requested_scope <> '' limit $1) as asking),
	(select count(*) from (select 1 from applications where suspended_at > 0 limit $1) as suspended)`
