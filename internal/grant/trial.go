package grant

import (
	"context"
	"errors"
	"net/netip"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// Trial is an application in the hands of somebody who manages it, without its secret.
// It can redeem, refresh and revoke what that person's own account approved for the
// callback of trials; everything else is unknown to it.
type Trial struct {
	grants   *Grants
	client   Client
	account  oauth.ID
	callback string
}

// Try lets the account of a person who is signed in, and manages the application, try it.
// That it does is looked up here, whatever the caller believes: the error has the code
// InvalidClient where it does not. callback is oauth.TrialCallback of the application.
func (g *Grants) Try(ctx context.Context, application oauth.Application, account oauth.ID, callback string) (Trial, error) {
	a, err := g.store.Application(ctx, application.ID)
	if err != nil {
		return Trial{}, failure(err)
	}
	manages := a.OwnerID == account
	if !manages {
		if manages, err = g.store.HasRole(ctx, a.ID, account, oauth.RoleCoOwner); err != nil {
			return Trial{}, failure(err)
		}
	}
	switch {
	case !manages:
		return Trial{}, errUnknownClient()
	case a.Suspended():
		return Trial{}, errSuspended()
	}
	return Trial{grants: g, client: Client{application: &a}, account: account, callback: callback}, nil
}

// owns reports whether a code or token belongs to an authorization of this trial. Whose
// an authorization is never changes, so what is read here holds afterwards.
func (t Trial) owns(ctx context.Context, token string) (bool, error) {
	presented, ok := oauth.ParseToken(token, t.grants.now())
	if !ok {
		return false, nil
	}
	a, err := t.grants.store.Authorization(ctx, presented.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return false, nil
	case err != nil:
		return false, failure(err)
	}
	return a.ApplicationID == t.client.application.ID && a.AccountID == t.account && a.RedirectURI == t.callback, nil
}

// Redeem is Grants.Redeem for a code of the trial.
func (t Trial) Redeem(ctx context.Context, r CodeRequest) (Tokens, error) {
	if owns, err := t.owns(ctx, r.Code); err != nil {
		return Tokens{}, err
	} else if !owns {
		return Tokens{}, oauth.ErrUnknownCode
	}
	return t.grants.Redeem(ctx, t.client, r)
}

// Refresh is Grants.Refresh for a refresh token of the trial.
func (t Trial) Refresh(ctx context.Context, r RefreshRequest) (Tokens, error) {
	if owns, err := t.owns(ctx, r.RefreshToken); err != nil {
		return Tokens{}, err
	} else if !owns {
		return Tokens{}, oauth.ErrUnknownRefreshToken
	}
	return t.grants.Refresh(ctx, t.client, r)
}

// RevokeToken is Grants.RevokeToken for a token of the trial.
func (t Trial) RevokeToken(ctx context.Context, token string, from netip.Addr) error {
	if owns, err := t.owns(ctx, token); err != nil || !owns {
		return err
	}
	return t.grants.RevokeToken(ctx, t.client, token, from)
}
