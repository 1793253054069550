package oauth

import "time"

// Redemption is the exchange of a code for the first tokens (RFC 6749 §4.1.3).
type Redemption struct {
	Code Token
	// ApplicationID is of the authenticated application.
	ApplicationID ID
	// RedirectURI and Verifier are empty when the request had none.
	RedirectURI, Verifier string
	// Allowed is what the application may still be granted.
	Allowed Scope
	// AccessHash and RefreshHash are of the first generation, drawn at random.
	AccessHash, RefreshHash Hash
	AccessLifetime          time.Duration
	// RefreshIdle is how long the refresh token lives that nobody uses.
	RefreshIdle time.Duration
}

// AuthorizationID names the row that the code points to.
func (e Redemption) AuthorizationID() ID { return e.Code.ID }

// Repeatable is false: of two redemptions of one code the second is a replay.
func (e Redemption) Repeatable() bool { return false }

// Decide lets a code count only once everything that comes with it matches;
// until then nothing changes, so that a leaked code without its verifier burns
// nothing. Then a pending authorization becomes active, and one that was active
// already is revoked: its code was used twice (RFC 6749 §4.1.2).
func (e Redemption) Decide(a Authorization, accountDisabled bool, now time.Time) (Authorization, error) {
	if a.ApplicationID != e.ApplicationID || !a.CodeHash.Matches(e.Code.Hash(KindCode)) {
		return a, ErrUnknownCode
	}
	// RFC 6749 §4.1.3: required and identical if the authorization request had it.
	switch {
	case a.RedirectURISent && e.RedirectURI == "":
		return a, NewError(InvalidGrant, "redirect_uri is missing: the authorization request had one, so the token request needs the same")
	case e.RedirectURI != "" && e.RedirectURI != a.RedirectURI:
		return a, NewError(InvalidGrant, "redirect_uri is not the one of the authorization request")
	}
	if err := a.Challenge.Verify(e.Verifier); err != nil {
		return a, err
	}
	switch {
	case a.Status == StatusActive:
		return a.Revoked(ReasonCodeReplay, now), NewError(InvalidGrant, "code was used before; all tokens that it gave are revoked now").ended()
	case a.Status != StatusPending:
		return a, NewError(InvalidGrant, "code was used before, or its authorization was revoked")
	case !now.Before(a.CodeExpiresAt):
		return a, NewError(InvalidGrant, "code has expired; send the person to the authorize page again")
	case a.Ended(now):
		return a, ErrEnded
	case accountDisabled:
		return a, ErrAccountDisabled
	case a.Scope.Within(e.Allowed) == "":
		return a, ErrNothingLeft
	}
	a.Status = StatusActive
	a.Generation, a.RotatedAt = 1, now
	a.Access = AccessToken{Hash: e.AccessHash, Scope: a.Scope, IssuedAt: now, ExpiresAt: a.expiry(now, e.AccessLifetime)}
	a.RefreshHash = e.RefreshHash
	return a.UntilIdle(e.RefreshIdle), nil
}

// ErrUnknownCode is the answer to a code that proves nothing.
var ErrUnknownCode = NewError(InvalidGrant, "code is not one that was given to this application")

// ErrEnded is the answer to a code or a refresh token whose approval was for a time that
// is over.
var ErrEnded = NewError(InvalidGrant, "the account approved this for a limited time, which is over; send the person to the authorize page again")

// ErrAccountDisabled is the answer to a code or a refresh token of an account that is
// disabled; when it is enabled they work again.
var ErrAccountDisabled = NewError(InvalidGrant, "the account is disabled")

// ErrNothingLeft is the answer when an application is no longer allowed anything of what
// was granted to it.
var ErrNothingLeft = NewError(InvalidScope, "nothing that was granted is still allowed to this application")
