package oauth

import "time"

// Consent is the remembered fact that an account approved an application.
type Consent struct {
	AccountID     ID
	ApplicationID ID
	Scope         Scope
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
func (c Consent) Ended(now time.Time) bool { return !c.EndsAt.IsZero() && !now.Before(c.EndsAt) }

// Covers reports whether the consent stands for an authorization of an application
// with this identity: for its scope, and for as long.
func (c Consent) Covers(identity Identity, a Authorization, now time.Time) bool {
	return c.Counts(identity, now) && c.Scope.Covers(a.Scope) && !EndsBefore(c.EndsAt, a.EndsAt)
}

// EndsBefore compares two ends of approvals, of which zero is never.
func EndsBefore(one, other time.Time) bool {
	return !one.IsZero() && (other.IsZero() || one.Before(other))
}

// Renew is the consent after the account approved an authorization. What it approved
// of a different identity, or for a time that is over, is forgotten. What it approved
// before and was not asked about now lasts no longer for it.
func (c Consent) Renew(identity Identity, a Authorization, now time.Time) Consent {
	scope, ends := a.Scope, a.EndsAt
	if c.Counts(identity, now) {
		if !scope.Covers(c.Scope) && EndsBefore(c.EndsAt, ends) {
			ends = c.EndsAt
		}
		scope = c.Scope.With(scope)
	}
	if c.CreatedAt.IsZero() {
		c.CreatedAt = now
	}
	c.AccountID, c.ApplicationID = a.AccountID, a.ApplicationID
	c.Scope, c.Identity, c.EndsAt, c.UpdatedAt = scope, identity, ends, now
	return c
}
