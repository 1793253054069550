package oauth

import "time"

// Consent is the remembered fact that an account approved an application.
type Consent struct {
	AccountID     ID
	ApplicationID ID
	Scope         Scope
	// Declined is what the account was offered and left out.
	Declined Scope
	// Identity is the application's as it was shown when the account approved.
	Identity Identity
	// EndsAt is when the consent counts no more, zero for one without a limit.
	EndsAt    time.Time
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Counts reports whether the consent is for an application that still is what the
// account was shown, and has not ended.
func (c Consent) Counts(identity Identity, now time.Time) bool {
	return c.Identity == identity && !c.Ended(now)
}

// Ended reports whether the consent was limited in time, and the time is over.
func (c Consent) Ended(now time.Time) bool { return Over(c.EndsAt, now) }

// Over reports whether an end of an approval, of which zero is never, has come.
func Over(end, now time.Time) bool { return !end.IsZero() && !now.Before(end) }

// Covers reports whether the consent stands for an authorization of an application
// with this identity: for its scope, and for as long.
func (c Consent) Covers(identity Identity, a Authorization, now time.Time) bool {
	return c.Counts(identity, now) && c.Scope.Covers(a.Scope) && !EndsBefore(c.EndsAt, a.EndsAt)
}

// EndsBefore compares two ends of approvals, of which zero is never.
func EndsBefore(one, other time.Time) bool {
	return !one.IsZero() && (other.IsZero() || one.Before(other))
}

// Settles decides what the account approves of what is asked for without being asked
// again, and reports false if it has to be asked: all that is required was approved, and
// each that is optional was either approved or declined.
func (c Consent) Settles(asked, optional Scope) (approved Scope, ok bool) {
	approved = asked.Within(c.Scope)
	left := asked.Without(approved)
	return approved, approved != "" && c.Declined.Within(optional).Covers(left)
}

// Renew is the consent after the account approved an authorization and declined what
// else it was offered. What it approved of a different identity, or for a time that is
// over, is forgotten. What it approved before and was not asked about now lasts no
// longer for it.
func (c Consent) Renew(identity Identity, a Authorization, declined Scope, now time.Time) Consent {
	scope, ends := a.Scope, a.EndsAt
	if c.Counts(identity, now) {
		before := c.Scope.Without(declined)
		if !scope.Covers(before) && EndsBefore(c.EndsAt, ends) {
			ends = c.EndsAt
		}
		scope, declined = before.With(scope), c.Declined.Without(scope).With(declined)
	}
	if c.CreatedAt.IsZero() {
		c.CreatedAt = now
	}
	c.AccountID, c.ApplicationID = a.AccountID, a.ApplicationID
	c.Scope, c.Declined, c.Identity, c.EndsAt, c.UpdatedAt = scope, declined, identity, ends, now
	return c
}
