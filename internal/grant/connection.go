package grant

import (
	"context"
	"errors"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// Connection is an application that an account has approved.
type Connection struct {
	Application oauth.Application
	Since       time.Time
	// LastUsed is when tokens were last given out, zero if never.
	LastUsed time.Time
	// Scope is what the application may do, by consent or by a token that lives.
	Scope oauth.Scope
}

// Connections lists the applications that an account has approved, the newest first.
func (g *Grants) Connections(ctx context.Context, account oauth.ID) ([]Connection, error) {
	consents, err := g.store.Consents(ctx, account)
	if err != nil {
		return nil, failure(err)
	}
	living, err := g.store.LivingGrants(ctx, account)
	if err != nil {
		return nil, failure(err)
	}
	connections := make([]Connection, 0, len(consents))
	for _, c := range consents {
		application, err := g.store.Application(ctx, c.ApplicationID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, failure(err)
		}
		connection := Connection{Application: application, Since: c.CreatedAt, Scope: c.Scope}
		for _, l := range living[c.ApplicationID] {
			connection.Scope = connection.Scope.With(l.Scope)
			if l.RotatedAt.After(connection.LastUsed) {
				connection.LastUsed = l.RotatedAt
			}
		}
		connection.Scope = connection.Scope.Within(g.Allowed(application))
		connections = append(connections, connection)
	}
	return connections, nil
}

// Disconnect ends all authorizations that an account gave to an application and
// forgets its consent, at once.
func (g *Grants) Disconnect(ctx context.Context, account, application oauth.ID) error {
	return failure(g.store.Disconnect(ctx, account, application))
}

// List returns authorizations for the operator, the newest first.
func (g *Grants) List(ctx context.Context, f store.AuthorizationFilter) ([]oauth.Authorization, error) {
	return g.store.Authorizations(ctx, f)
}
