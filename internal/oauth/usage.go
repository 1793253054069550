package oauth

import "time"

// Usage is how much an application did in some time.
type Usage struct {
	// Issued counts answers to codes and to client_credentials, Refreshed those to
	// refresh tokens.
	Issued, Refreshed int64
	// Calls counts living access tokens that an API asked about.
	Calls int64
	// Errors counts requests that were refused.
	Errors int64
}

// Add is the usage of both.
func (u Usage) Add(other Usage) Usage {
	return Usage{u.Issued + other.Issued, u.Refreshed + other.Refreshed, u.Calls + other.Calls, u.Errors + other.Errors}
}

// IsZero reports whether nothing was done.
func (u Usage) IsZero() bool { return u == Usage{} }

// UsageDay is what was done on a day that begins at Day, in UTC.
type UsageDay struct {
	Day time.Time
	Usage
	// Accounts are those for which something was done.
	Accounts Sketch
}

// Tally is what an application did in a part of an hour.
type Tally struct {
	ApplicationID ID
	// Hour is the beginning of the hour, Since that of the part.
	Hour, Since time.Time
	Usage
	Accounts Sketch
	// SecretUsed and PreviousSecretUsed tell which secrets proved who the application is.
	SecretUsed, PreviousSecretUsed bool
}

// Use is what an application has really used of an account.
type Use struct {
	// Scope is what an API asked for when the application called it.
	Scope Scope
	// At is when that was last seen, to a quarter of an hour.
	At time.Time
	// Network is the address block that the last call came from, as in 192.0.2.0/24.
	Network string
}

// Later is what is known from both of two observations.
func (u Use) Later(other Use) Use {
	scope := u.Scope.With(other.Scope)
	if other.At.After(u.At) {
		u = other
	}
	u.Scope = scope
	return u
}

// Connection names an account and an application that may use it.
type Connection struct{ AccountID, ApplicationID ID }

// Refusal is a refused request of an application, as its developers are told of it. It
// holds nothing secret.
type Refusal struct {
	ID            ID
	ApplicationID ID
	// Place is the endpoint: authorize, token, revoke, introspect, check or me.
	Place string
	// Code and Description are what the program was answered.
	Code, Description string
	// Wrong says what was wrong, where more is known than the program was told, and
	// Mend what to do.
	Wrong, Mend Sentence
	// Address is the client's, or its address block where that may be a person's.
	Address string
	// More is how many refused requests of the same minute are left out for it.
	More int64
}

// At is when it happened.
func (r Refusal) At() time.Time { return r.ID.Time() }
