package grant

import (
	"context"
	"errors"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// Access is what a living access token stands for.
type Access struct {
	// Application is shared with others, and must not be changed.
	Application *oauth.Application
	// AccountID names the account, which is not disabled; Account reads it.
	AccountID oauth.ID
	GrantType oauth.GrantType
	// Token holds when the token was issued and when it expires.
	Token oauth.AccessToken
	// Scope is what the token may do now.
	Scope oauth.Scope
}

// Person is the account that approved, zero where none did: client_credentials.
func (a Access) Person() oauth.ID {
	if a.GrantType == oauth.GrantClientCredentials {
		return oauth.ID{}
	}
	return a.AccountID
}

// errDead is told of every access token that does not work, for whatever reason.
func errDead() *oauth.Error {
	return oauth.NewError(oauth.InvalidToken, "the access token is unknown, expired or revoked")
}

// Access finds what an access token stands for. The error is an *oauth.Error
// with the code InvalidToken when the token is not alive.
func (g *Grants) Access(ctx context.Context, token string) (Access, error) {
	now := g.now()
	presented, ok := oauth.ParseToken(token, now)
	if !ok {
		return Access{}, errDead()
	}
	access, err := g.access(ctx, presented)
	if errors.Is(err, store.ErrNotFound) {
		return Access{}, errDead()
	}
	var refused *Refused
	if errors.As(err, &refused) {
		return Access{}, refused
	}
	return access, failure(err)
}

func (g *Grants) access(ctx context.Context, presented oauth.Token) (Access, error) {
	hash := presented.Hash(oauth.KindAccessToken)
	check, living, err := g.store.AccessToken(ctx, presented.ID, hash)
	dead := errors.Is(err, store.ErrNotFound) && (check.Access.Hash.Matches(hash) || check.PreviousAccess.Hash.Matches(hash))
	if err != nil && !dead {
		return Access{}, err
	}
	application, err := g.store.RememberedApplication(ctx, check.ApplicationID)
	if err != nil {
		return Access{}, err
	}
	if dead || application.Suspended() {
		return Access{}, &Refused{Application: *application, Presented: presented, err: errDead(), Authorization: oauth.Authorization{
			ApplicationID: check.ApplicationID, Status: check.Status, Access: check.Access, PreviousAccess: check.PreviousAccess,
		}}
	}
	scope := living.Scope.Within(g.Allowed(*application))
	if check.GrantType == oauth.GrantClientCredentials {
		// The application belongs to somebody else now.
		if check.AccountID != application.OwnerID {
			return Access{}, errDead()
		}
		scope = scope.Within(g.config.Scopes.ForApplicationsAlone())
	}
	return Access{Application: application, AccountID: check.AccountID, GrantType: check.GrantType, Token: living, Scope: scope}, nil
}

// Account reads whom an access is about.
func (g *Grants) Account(ctx context.Context, a Access) (oauth.Account, error) {
	account, err := g.store.RememberedAccount(ctx, a.AccountID)
	return account, failure(err)
}

// Require refuses an access that lacks any token of the scope (RFC 6750 §3.1).
func (a Access) Require(scope oauth.Scope) error {
	if missing := scope.Without(a.Scope); missing != "" {
		refusal := oauth.NewError(oauth.InsufficientScope, "the access token lacks the scope: %s", missing)
		refusal.Scope = scope
		return refusal
	}
	return nil
}

// Introspect finds what an access token stands for, on behalf of an application
// (RFC 7662): a resource server sees every token, any other its own alone. It
// reports false for what is dead or none of the application's business.
func (g *Grants) Introspect(ctx context.Context, c Client, token string) (Access, bool, error) {
	switch {
	case c.application.Public:
		return Access{}, false, oauth.NewError(oauth.UnauthorizedClient, "introspection is for confidential applications: a public one cannot prove who it is")
	case token == "":
		return Access{}, false, oauth.NewError(oauth.InvalidRequest, "token is missing")
	}
	access, err := g.Access(ctx, token)
	var refusal *oauth.Error
	if errors.As(err, &refusal) && refusal.Code == oauth.InvalidToken {
		return Access{}, false, nil
	}
	if err != nil {
		return Access{}, false, err
	}
	visible := c.application.ResourceServer || access.Application.ID == c.application.ID
	return access, visible, nil
}
