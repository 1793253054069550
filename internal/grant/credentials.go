package grant

import (
	"context"

	"github.com/latchkey/latchkey/internal/oauth"
)

// ClientCredentials gives a confidential application a token for its owner's
// account (RFC 6749 §4.4). There is no refresh token: the application can ask again.
func (g *Grants) ClientCredentials(ctx context.Context, c Client, scope string) (Tokens, error) {
	if c.application.Public {
		return Tokens{}, oauth.NewError(oauth.UnauthorizedClient, "client_credentials is for confidential applications: a public one cannot prove who it is")
	}
	// The token is for the owner's account, and the owner before could ask for it.
	if c.inherited {
		return Tokens{}, oauth.NewError(oauth.UnauthorizedClient, "the application has another owner since this client_secret was made: replace the secret in the settings of the application")
	}
	granted, refusal := g.Catalogue().Request(scope, g.Allowed(*c.application))
	if refusal != nil {
		return Tokens{}, refusal
	}
	if refused := granted.Without(g.config.Scopes.ForApplicationsAlone()); refused != "" {
		return Tokens{}, oauth.NewError(oauth.InvalidScope, "only a person can give the scope: %s; use the grant authorization_code for it", refused)
	}
	id, err := g.NewID()
	if err != nil {
		return Tokens{}, oauth.Internal(err)
	}
	access, err := oauth.NewToken(g.random, id)
	if err != nil {
		return Tokens{}, oauth.Internal(err)
	}
	now := g.now()
	a := oauth.Authorization{
		ID: id, ApplicationID: c.application.ID, AccountID: c.application.OwnerID,
		GrantType: oauth.GrantClientCredentials, Status: oauth.StatusActive, Scope: granted, CreatedAt: now,
		Generation: 1, RotatedAt: now,
		Access: oauth.AccessToken{
			Hash: access.Hash(oauth.KindAccessToken), Scope: granted,
			IssuedAt: now, ExpiresAt: now.Add(g.config.Refresh.AccessLifetime),
		},
	}
	if err := g.store.Issue(ctx, a.Issued()); err != nil {
		return Tokens{}, failure(err)
	}
	g.meter.Issued(c.application.ID, oauth.ID{})
	return g.answer(a, access, granted), nil
}
