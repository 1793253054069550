package oauth

import "time"

// GrantType tells how an authorization came to be.
type GrantType string

// The grant types whose product is an authorization (RFC 6749 §4.1, §4.4).
const (
	GrantAuthorizationCode GrantType = "authorization_code"
	GrantClientCredentials GrantType = "client_credentials"
)

// Status is where an authorization is in its life.
type Status uint8

// An authorization is pending until its code is redeemed, active while its
// tokens live, and revoked for ever.
const (
	StatusPending Status = iota + 1
	StatusActive
	StatusRevoked
)

// Reason tells why an authorization was revoked.
type Reason string

// The reasons for which authorizations end.
const (
	ReasonRefused      Reason = "the account did not allow it"
	ReasonRequested    Reason = "revoked by the application"
	ReasonDisconnected Reason = "disconnected by the account"
	ReasonOperator     Reason = "revoked by the operator"
	ReasonCodeReplay   Reason = "its code was used twice"
	ReasonTokenReplay  Reason = "an old refresh token was used"
	ReasonWornOut      Reason = "too many refreshes"
	ReasonDeleted      Reason = "the application was deleted"
	ReasonSurplus      Reason = "more authorizations than one application may have"
	ReasonRemoved      Reason = "no test account any more"
)

// MaxGeneration bounds the walk that recognises old refresh tokens: a rotation
// past it revokes. It is two years of two-hourly refreshes.
const MaxGeneration = 10_000

// previousAccessLife is how long the access token before a rotation still
// works, for requests in flight.
const previousAccessLife = 30 * time.Second

// Authorization is one approval, or one client_credentials request, through its
// whole life. It is one row, and every event is one conditional write of it.
type Authorization struct {
	ID            ID
	ApplicationID ID
	// AccountID is who approved; for client_credentials the application's owner.
	AccountID ID
	GrantType GrantType
	Status    Status
	// Scope is what was granted. What a token may do is also limited by what is
	// still configured and still allowed to the application.
	Scope     Scope
	CreatedAt time.Time
	// EndsAt is when the account's approval ends, zero for one without a limit. No
	// token outlives it.
	EndsAt time.Time

	CodeHash      Hash
	CodeExpiresAt time.Time
	// RedirectURI is where the code went; RedirectURISent tells whether the
	// authorization request named it, so that the token request must too.
	RedirectURI     string
	RedirectURISent bool
	Challenge       Challenge

	// Generation is 1 after the code was redeemed and grows with each rotation.
	Generation uint32
	// RotatedAt is when the current generation began: the idle clock.
	RotatedAt time.Time
	// ReplayedAt is when the refresh that led to the current generation was
	// last repeated.
	ReplayedAt time.Time
	// KeyID names the server key that derived the current generation.
	KeyID       KeyID
	Access      AccessToken
	RefreshHash Hash

	PreviousAccess      AccessToken
	PreviousRefreshHash Hash

	RevokedAt     time.Time
	RevokedReason Reason

	// SweepAfter is when the row can no longer matter to anybody. It is rounded
	// up, to a week while the authorization is refreshed, so that an event seldom
	// changes it: it has an index. See EarlySweep.
	SweepAfter time.Time
}

// Asked is the authorization that a question to an account is about. QuestionLife
// bounds how long the question may be answered.
func (a Authorization) Asked() Authorization {
	a.SweepAfter = roundUp(a.CreatedAt.Add(2*QuestionLife), time.Hour)
	return a
}

// QuestionLife is how long a consent page may be answered. The row that an answer
// makes outlives it, so that no page is answered twice.
const QuestionLife = time.Hour

// Issued is an authorization that is active from the start.
func (a Authorization) Issued() Authorization {
	a.SweepAfter = roundUp(a.Access.ExpiresAt, time.Hour)
	return a
}

// UntilIdle keeps the row as long as its tokens can live, or the refresh token that its code
// will be redeemed for, and until its question is over.
func (a Authorization) UntilIdle(idle time.Duration) Authorization {
	from, least := a.RotatedAt, a.Access.ExpiresAt
	if a.Status == StatusPending {
		from, least = a.CreatedAt, a.Asked().SweepAfter
	}
	ends := from.Add(idle)
	if ends.Before(least) {
		ends = least
	}
	a.SweepAfter = roundUp(ends, 7*24*time.Hour)
	if kept := roundUp(a.EndsAt.Add(reasonKept), time.Hour); !a.EndsAt.IsZero() && kept.Before(a.SweepAfter) {
		a.SweepAfter = kept
	}
	return a
}

// Ended reports whether the account's approval was limited in time, and the time is over.
func (a Authorization) Ended(now time.Time) bool { return Over(a.EndsAt, now) }

// expiry is when a token expires that lives for so long, if the approval does.
func (a Authorization) expiry(now time.Time, lifetime time.Duration) time.Time {
	expires := now.Add(lifetime)
	if EndsBefore(a.EndsAt, expires) {
		return a.EndsAt
	}
	return expires
}

// EarlySweep is when the row stops to matter if nothing happens to it any more, where
// that is more than an hour, to which SweepAfter is rounded, before SweepAfter: it was
// revoked, or its code waits. Otherwise it is zero.
func (a Authorization) EarlySweep() time.Time {
	var early time.Time
	switch a.Status {
	case StatusPending:
		early = a.Asked().SweepAfter
	case StatusRevoked:
		early = a.ReasonKept()
	}
	if early.Add(time.Hour).Before(a.SweepAfter) {
		return early
	}
	return time.Time{}
}

// Sweepable reports whether a row that has come to its EarlySweep may go.
func (a Authorization) Sweepable(now time.Time) bool {
	early := a.EarlySweep()
	return !early.IsZero() && !now.Before(early)
}

// reasonKept is how long the reason can be told for which an authorization ended.
const reasonKept = 24 * time.Hour

// ReasonKept is until when the reason can be told for which it ended. It is not rounded:
// so the sweeper's appointments with what is revoked are in the order of their making.
func (a Authorization) ReasonKept() time.Time { return a.RevokedAt.Add(reasonKept) }

func roundUp(t time.Time, d time.Duration) time.Time { return t.Truncate(d).Add(d) }

// AccessToken is what a row keeps of an access token.
type AccessToken struct {
	Hash      Hash
	Scope     Scope
	IssuedAt  time.Time
	ExpiresAt time.Time
}

func (t AccessToken) accepts(presented Hash, now time.Time) bool {
	return t.Hash.Matches(presented) && now.Before(t.ExpiresAt)
}

// Check is what of an authorization decides whether an access token lives, and
// whose it is.
type Check struct {
	ApplicationID, AccountID ID
	GrantType                GrantType
	Status                   Status
	Access, PreviousAccess   AccessToken
}

// Check is what decides about the access tokens of the authorization.
func (a Authorization) Check() Check {
	return Check{
		ApplicationID: a.ApplicationID, AccountID: a.AccountID, GrantType: a.GrantType, Status: a.Status,
		Access: a.Access, PreviousAccess: a.PreviousAccess,
	}
}

// AccessTokenFor finds the living access token whose hash is presented.
func (c Check) AccessTokenFor(presented Hash, now time.Time) (AccessToken, bool) {
	current := c.Access.accepts(presented, now)
	previous := c.PreviousAccess.accepts(presented, now)
	switch {
	case c.Status != StatusActive:
		return AccessToken{}, false
	case current:
		return c.Access, true
	case previous:
		return c.PreviousAccess, true
	}
	return AccessToken{}, false
}

// hasHeld reports whether the token is the code, or an access or refresh token
// of the current or the previous generation, alive or not.
func (a Authorization) hasHeld(t Token) bool {
	access, refresh := t.Hash(KindAccessToken), t.Hash(KindRefreshToken)
	held := a.CodeHash.Matches(t.Hash(KindCode))
	held = a.Access.Hash.Matches(access) || held
	held = a.PreviousAccess.Hash.Matches(access) || held
	held = a.RefreshHash.Matches(refresh) || held
	return a.PreviousRefreshHash.Matches(refresh) || held
}

// Idle reports whether nobody used the refresh token for so long that it is dead.
func (a Authorization) Idle(limit time.Duration, now time.Time) bool {
	return now.Sub(a.RotatedAt) >= limit
}

// Revoked is the authorization after it was ended.
func (a Authorization) Revoked(reason Reason, now time.Time) Authorization {
	a.Status, a.RevokedAt, a.RevokedReason = StatusRevoked, now, reason
	if kept := roundUp(a.ReasonKept(), time.Hour); a.SweepAfter.Before(kept) {
		a.SweepAfter = kept
	}
	return a
}

// Event is something that happens to an existing authorization. The store loads
// the row, lets the event decide, and commits the row that Decide returns, if it
// differs, in one conditional write. Decide also returns the error for the
// caller: a row that changed and an error together mean that the event ended
// the authorization.
type Event interface {
	// AuthorizationID names the row.
	AuthorizationID() ID
	// Repeatable events have the same outcome for everybody who makes the same one
	// at the same time.
	Repeatable() bool
	// Decide applies the event. accountDisabled is about the row's account.
	Decide(a Authorization, accountDisabled bool, now time.Time) (Authorization, error)
}
