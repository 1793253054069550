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
	err := g.store.Revoke(ctx, oauth.Revocation{
		ID: presented.ID, Reason: oauth.ReasonRequested,
		By: oauth.Revoker{ApplicationID: c.application.ID, Public: c.application.Public, Token: presented},
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case errors.Is(err, oauth.ErrUnrecognised):
		return g.revokeOlder(ctx, c, presented, from)
	}
	return failure(err)
}

// revokeOlder ends an authorization of a public application for a token of an older
// generation; any other token that proves nothing changes nothing.
func (g *Grants) revokeOlder(ctx context.Context, c Client, presented oauth.Token, from netip.Addr) error {
	a, err := g.store.Authorization(ctx, presented.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return failure(err)
	case a.ApplicationID != c.application.ID || a.Status == oauth.StatusRevoked:
		return nil
	}
	if older, err := g.isOlder(a, presented, from); err != nil || !older {
		return err
	}
	return failure(g.store.Revoke(ctx, oauth.Revocation{ID: a.ID, Reason: oauth.ReasonRequested}))
}

// Revoke ends an authorization by its id, for the operator. The error is
// store.ErrNotFound where there is none.
func (g *Grants) Revoke(ctx context.Context, id oauth.ID) error {
	return g.store.RevokeByOperator(ctx, id)
}
