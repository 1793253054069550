package oauth

import (
	"cmp"
	"errors"
	"time"
)

// Rotation is a refresh (RFC 6749 §6): the presented refresh token gives way to
// its successors, which are derived from it, so that a repetition yields the same.
type Rotation struct {
	Refresh Token
	// ApplicationID and Public are of the authenticated application.
	ApplicationID ID
	Public        bool
	// Scope is what the request asks for, empty when it had no scope.
	Scope Scope
	// Allowed is what the application may still be granted.
	Allowed Scope
	// AccessHash and RefreshHash are of the successors, derived with the key KeyID.
	AccessHash, RefreshHash Hash
	KeyID                   KeyID
	Limits                  RefreshLimits
}

// RefreshLimits are the times that refreshes go by.
type RefreshLimits struct {
	// AccessLifetime is how long an access token lives.
	AccessLifetime time.Duration
	// Idle is how long a refresh token lives that nobody uses.
	Idle time.Duration
	// ReplayWindow is how long after a rotation a public application may
	// repeat it.
	ReplayWindow time.Duration
}

// ErrUnrecognised is returned for a token that is none of the current or the
// previous generation of its authorization. Whether it is an older one is found out
// by Key.Reaches, outside the store's batch.
var ErrUnrecognised = errors.New("token is neither of the current nor of the previous generation")

// AuthorizationID names the row that the refresh token points to.
func (e Rotation) AuthorizationID() ID { return e.Refresh.ID }

// Repeatable is true: a refresh is idempotent.
func (e Rotation) Repeatable() bool { return true }

// Decide rotates for the current refresh token, repeats the last rotation for
// the previous one where that is safe, and revokes where it is not.
func (e Rotation) Decide(a Authorization, accountDisabled bool, now time.Time) (Authorization, error) {
	if a.ApplicationID != e.ApplicationID || a.Status == StatusPending {
		return a, ErrUnknownRefreshToken
	}
	presented := e.Refresh.Hash(KindRefreshToken)
	current, previous := a.RefreshHash.Matches(presented), a.PreviousRefreshHash.Matches(presented)
	switch {
	case a.Status == StatusRevoked && (current || previous):
		return a, NewError(InvalidGrant, "refresh_token was revoked (%s)", a.RevokedReason)
	case a.Status == StatusRevoked:
		return a, ErrUnknownRefreshToken
	case !current && !previous:
		return a, ErrUnrecognised
	case a.Ended(now):
		return a, ErrEnded
	case a.Idle(e.Limits.Idle, now):
		return a, NewError(InvalidGrant, "refresh_token has expired: nobody used it for too long")
	case accountDisabled:
		return a, ErrAccountDisabled
	case current:
		return e.rotate(a, now)
	}
	return e.replay(a, now)
}

func (e Rotation) rotate(a Authorization, now time.Time) (Authorization, error) {
	scope, err := e.narrow(a)
	if err != nil {
		return a, err
	}
	if a.Generation >= MaxGeneration {
		return a.Revoked(ReasonWornOut, now), NewError(InvalidGrant, "this authorization was refreshed too often; send the person to the authorize page again").ended()
	}
	a.PreviousAccess = a.Access
	if soon := now.Add(previousAccessLife); soon.Before(a.PreviousAccess.ExpiresAt) {
		a.PreviousAccess.ExpiresAt = soon
	}
	a.PreviousRefreshHash = a.RefreshHash
	a.Access = AccessToken{Hash: e.AccessHash, Scope: scope, IssuedAt: now, ExpiresAt: a.expiry(now, e.Limits.AccessLifetime)}
	a.RefreshHash, a.KeyID = e.RefreshHash, e.KeyID
	a.Generation++
	a.RotatedAt, a.ReplayedAt = now, time.Time{}
	return a.UntilIdle(e.Limits.Idle), nil
}

// narrow decides the scope of the answer: what was granted, or less.
func (e Rotation) narrow(a Authorization) (Scope, error) {
	possible := a.Scope.Within(e.Allowed)
	switch {
	case possible == "":
		return "", ErrNothingLeft
	case e.Scope == "":
		return a.Scope, nil
	}
	if more := e.Scope.Without(possible); more != "" {
		return "", NewError(InvalidScope, "a refresh may not add to the scope that was granted: %s; possible are: %s", more, possible)
	}
	return e.Scope, nil
}

func (e Rotation) replay(a Authorization, now time.Time) (Authorization, error) {
	if e.Public && now.Sub(a.RotatedAt) >= e.Limits.ReplayWindow {
		return a.Revoked(ReasonTokenReplay, now), ErrReplayedRefreshToken
	}
	if a.KeyID != e.KeyID || !a.RefreshHash.Matches(e.RefreshHash) || !a.Access.Hash.Matches(e.AccessHash) {
		return a, NewError(InvalidGrant, "refresh_token was used before, and the answer can no longer be repeated; use the newer one")
	}
	// What the application may do less since then, the answer leaves out.
	switch {
	case a.Access.Scope.Within(e.Allowed) == "":
		return a, ErrNothingLeft
	case !cmp.Or(e.Scope, a.Scope).Equal(a.Access.Scope):
		return a, ErrRepeatedOtherwise(a.Access.Scope)
	}
	a.ReplayedAt = now
	if !now.Before(a.Access.ExpiresAt) {
		a.Access.IssuedAt, a.Access.ExpiresAt = now, a.expiry(now, e.Limits.AccessLifetime)
		a = a.UntilIdle(e.Limits.Idle)
	}
	return a, nil
}

// ErrRepeatedOtherwise is the answer to a refresh that repeats the last one, but not with
// its scope.
func ErrRepeatedOtherwise(before Scope) *Error {
	return NewError(InvalidScope, "refresh_token was used before with another scope: %s; repeat the request with that one, or use the newer refresh token", before)
}

// ErrUnknownRefreshToken is the answer to a refresh token that proves nothing.
var ErrUnknownRefreshToken = NewError(InvalidGrant, "refresh_token is not one that was given to this application")

// ErrReplayedRefreshToken is the answer to a refresh token that was genuine but
// should be gone: theft, or a broken client. Its authorization is revoked.
var ErrReplayedRefreshToken = NewError(InvalidGrant, "refresh_token was replaced before; the authorization is revoked now, send the person to the authorize page again").ended()
