package oauth

import "time"

// Account is the resource owner: a person on the platform.
type Account struct {
	ID       ID
	Email    string
	Username string
	Name     string
	// AvatarURL is empty when the account has no picture.
	AvatarURL string
	// Administrator may allow scopes that need an approval.
	Administrator bool
	// Disabled accounts cannot sign in, and no token of theirs works.
	Disabled  bool
	CreatedAt time.Time
}

// Session is a browser in which an account is signed in.
type Session struct {
	ID        ID
	AccountID ID
	// Hash is of the cookie's token.
	Hash      Hash
	UserAgent string
	// Address is the client's IP address at sign-in.
	Address    string
	CreatedAt  time.Time
	LastSeenAt time.Time
	ExpiresAt  time.Time
}

// Consent is the remembered fact that an account approved an application.
type Consent struct {
	AccountID     ID
	ApplicationID ID
	Scope         Scope
	// Identity is the application's as it was shown when the account approved.
	Identity  Identity
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Covers reports whether the consent stands for these scopes of an application
// that still is what the account was shown.
func (c Consent) Covers(identity Identity, scope Scope) bool {
	return c.Identity == identity && c.Scope.Covers(scope)
}

// Renew is the consent after the account approved scope. What it approved of a
// different identity is forgotten.
func (c Consent) Renew(identity Identity, scope Scope, now time.Time) Consent {
	if c.Identity == identity {
		scope = c.Scope.With(scope)
	}
	if c.CreatedAt.IsZero() {
		c.CreatedAt = now
	}
	c.Scope, c.Identity, c.UpdatedAt = scope, identity, now
	return c
}
