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
	// Refreshed is when tokens were last given out, zero if never.
	Refreshed time.Time
	// Used is what the application has really used, when last and from where.
	Used oauth.Use
	// Scope is what the application may do, by consent or by a token that lives.
	Scope oauth.Scope
	// EndsAt is when it may do nothing more, zero where the account set no limit.
	EndsAt time.Time
}

// Connections lists the applications that an account has approved, the newest first;
// not those for which it did for a time that is over.
func (g *Grants) Connections(ctx context.Context, account oauth.ID) ([]Connection, error) {
	consents, err := g.store.Consents(ctx, account)
	if err != nil {
		return nil, failure(err)
	}
	living, err := g.store.LivingGrants(ctx, account)
	if err != nil {
		return nil, failure(err)
	}
	uses, err := g.store.Uses(ctx, account)
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
		connection := Connection{Application: application, Since: c.CreatedAt, Used: uses[c.ApplicationID]}
		over := !connection.add(c.Scope, c.EndsAt, g.now())
		for _, l := range living[c.ApplicationID] {
			over = !connection.add(l.Scope, l.EndsAt, g.now()) && over
			if l.RotatedAt.After(connection.Refreshed) {
				connection.Refreshed = l.RotatedAt
			}
		}
		if over {
			continue
		}
		connection.Scope = connection.Scope.Within(g.Allowed(application))
		connections = append(connections, connection)
	}
	return connections, nil
}

// add adds a scope that the application has until ends, and reports false if that is over.
func (c *Connection) add(scope oauth.Scope, ends, now time.Time) bool {
	if oauth.Over(ends, now) {
		return false
	}
	if c.Scope == "" || oauth.EndsBefore(c.EndsAt, ends) {
		c.EndsAt = ends
	}
	c.Scope = c.Scope.With(scope)
	return true
}

// Disconnect ends all authorizations that an account gave to an application and
// forgets its consent, at once.
func (g *Grants) Disconnect(ctx context.Context, account, application oauth.ID) error {
	return failure(g.store.Disconnect(ctx, account, application))
}

// DisconnectAll disconnects every application that an account has approved.
func (g *Grants) DisconnectAll(ctx context.Context, account oauth.ID) error {
	consents, err := g.store.Consents(ctx, account)
	if err != nil {
		return failure(err)
	}
	for _, c := range consents {
		if err := g.Disconnect(ctx, account, c.ApplicationID); err != nil {
			return err
		}
	}
	return nil
}

// List returns authorizations for the operator, the newest first.
func (g *Grants) List(ctx context.Context, f store.AuthorizationFilter) ([]oauth.Authorization, error) {
	return g.store.Authorizations(ctx, f)
}
