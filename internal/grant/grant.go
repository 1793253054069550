// Package grant is the life of an authorization: an account approves, the
// application redeems, refreshes and revokes, an API checks. One file an event.
//
// It authenticates the application, makes the event, hands it to the store and
// turns the outcome into an answer. What an event does to an authorization is
// decided by internal/oauth; how requests look is internal/endpoint's business.
package grant

import (
	"io"
	"log/slog"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
	"github.com/latchkey/latchkey/internal/throttle"
	"github.com/latchkey/latchkey/internal/usage"
)

// Config is what the operator decides about authorizations.
type Config struct {
	Scopes *oauth.Scopes
	// CodeLifetime is how long a code waits to be redeemed.
	CodeLifetime time.Duration
	Refresh      oauth.RefreshLimits
	// RequirePKCE of confidential applications too.
	RequirePKCE bool
	// Review of an application by an administrator is required before everybody can
	// authorize it.
	Review bool
	// Exempt are client addresses that no throttle counts.
	Exempt throttle.Exempt
}

// Grants makes and ends the authorizations of one store.
type Grants struct {
	store  *store.Store
	meter  *usage.Meter
	key    oauth.Key
	keyID  oauth.KeyID
	random io.Reader
	now    func() time.Time
	log    *slog.Logger
	config Config
	// walks counts, for each authorization and network, refresh tokens that proved nothing.
	walks *throttle.Throttle
}

// New makes the grants of a store with its server key. The meter counts what they give.
func New(s *store.Store, meter *usage.Meter, key oauth.Key, random io.Reader, now func() time.Time, log *slog.Logger, config Config) *Grants {
	return &Grants{
		store: s, meter: meter, key: key, keyID: key.ID(), random: random, now: now, log: log, config: config,
		walks: throttle.New(5, 12*time.Second, config.Exempt, now),
	}
}

// Catalogue is the scopes of this platform.
func (g *Grants) Catalogue() oauth.Catalogue { return g.config.Scopes.Catalogue() }

// Configured is every scope of this platform.
func (g *Grants) Configured() oauth.Scope { return g.config.Scopes.All() }

// Allowed is what an application may be granted: its scope as far as it is still
// configured.
func (g *Grants) Allowed(a oauth.Application) oauth.Scope {
	return a.Scope.Within(g.config.Scopes.All())
}

// NeedsChallenge reports whether an application must use PKCE.
func (g *Grants) NeedsChallenge(a oauth.Application) bool { return a.Public || g.config.RequirePKCE }

// Tokens is the answer to a token request (RFC 6749 §5.1).
type Tokens struct {
	AccessToken string
	// RefreshToken is empty for client_credentials.
	RefreshToken string
	Scope        oauth.Scope
	CreatedAt    time.Time
	// ExpiresIn is what remains of the access token's life, in whole seconds, one at least: clients
	// take zero as a life without end.
	ExpiresIn int64
}

// answer describes the current tokens of an authorization.
func (g *Grants) answer(a oauth.Authorization, access oauth.Token, limit oauth.Scope) Tokens {
	// The clock of the replica that issued it may be some milliseconds ahead of ours.
	remaining := min(a.Access.ExpiresAt.Sub(g.now()), a.Access.ExpiresAt.Sub(a.Access.IssuedAt))
	return Tokens{
		AccessToken: access.String(),
		Scope:       a.Access.Scope.Within(limit),
		CreatedAt:   a.Access.IssuedAt,
		ExpiresIn:   max(1, int64((remaining+time.Second-time.Millisecond)/time.Second)),
	}
}

// failure makes an answer of what the store says. Refusals of the rules pass as
// they are.
func failure(err error) error {
	if err == nil {
		return nil
	}
	return oauth.ErrorOf(err)
}
