package grant

import (
	"context"
	"errors"
	"net/netip"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// RevokeToken ends the authorization that a token belongs to (RFC 7009), be it
// a code, an access or a refresh token, alive or not. A token that is unknown,
// or of another application, changes nothing and is no error.
func (g *Grants) RevokeToken(ctx context.Context, c Client, token string, from netip.Addr) error {
	if token == "" {
		return oauth.NewError(oauth.InvalidRequest, "token is missing")
	}
	presented, ok := oauth.ParseToken(token, g.now())
	if !ok {
		return nil
	}
	a, err := g.store.Authorization(ctx, presented.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return failure(err)
	case a.ApplicationID != c.application.ID || a.Status == oauth.StatusRevoked:
		return nil
	}
	// Whoever has the secret of a confidential application may name its
	// authorization by the id half alone; of a public one the token must prove itself.
	if c.application.Public && !a.HasHeld(presented) {
		if older, err := g.isOlder(a, presented, from); err != nil || !older {
			return err
		}
	}
	return failure(g.store.Revoke(ctx, oauth.Revocation{ID: a.ID, Reason: oauth.ReasonRequested}))
}

// Revoke ends an authorization by its id, for the operator. The error is
// store.ErrNotFound where there is none.
func (g *Grants) Revoke(ctx context.Context, id oauth.ID) error {
	return g.store.Revoke(ctx, oauth.Revocation{ID: id, Reason: oauth.ReasonOperator})
}
