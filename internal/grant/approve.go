package grant

import (
	"context"
	"errors"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// Request is an authorization request that was found valid.
type Request struct {
	Application oauth.Application
	// RedirectURI is where the answer goes; RedirectURISent tells whether the
	// request named it.
	RedirectURI     string
	RedirectURISent bool
	// Scope is what is asked for, and then what the account approved of it; Declined is
	// what it was offered and left out.
	Scope, Declined oauth.Scope
	Challenge       oauth.Challenge
	// EndsAt is when the account's approval ends, zero for one without a limit.
	EndsAt time.Time
}

// CheckRequest decides what an authorization request asks for, once its
// application and redirect URI are known (RFC 6749 §4.1.1, RFC 7636 §4.3).
func (g *Grants) CheckRequest(r Request, scope, challenge, method string) (Request, error) {
	var err *oauth.Error
	if r.Challenge, err = oauth.ParseChallenge(challenge, method, g.NeedsChallenge(r.Application)); err != nil {
		return r, err
	}
	if r.Scope, err = g.Catalogue().Request(scope, g.Allowed(r.Application)); err != nil {
		return r, err
	}
	return r, nil
}

// Remembered is what an account approved of an application before; the zero
// Consent where it never did, or for a time that is over. changed tells that the
// application is no longer what the account was shown, so that the consent counts
// for nothing.
func (g *Grants) Remembered(ctx context.Context, account oauth.ID, a oauth.Application) (c oauth.Consent, changed bool, err error) {
	c, err = g.store.Consent(ctx, account, a.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return oauth.Consent{}, false, nil
	case err != nil:
		return oauth.Consent{}, false, failure(err)
	case c.Identity != a.Identity():
		return oauth.Consent{}, true, nil
	case c.Ended(g.now()):
		return oauth.Consent{}, false, nil
	}
	return c, false, nil
}

// ErrAnswered and ErrChanged are the store's: an approval that does not count.
var (
	ErrAnswered = store.ErrAnswered
	ErrChanged  = store.ErrChanged
)

// NewID draws the id that an approval will have. It is drawn when the account is
// asked, so that one question yields one authorization at most.
func (g *Grants) NewID() (oauth.ID, error) { return oauth.NewID(g.random, g.now()) }

// Approve makes a pending authorization and returns its code. With asked, the
// account allowed it just now and the consent is remembered; without, a
// remembered consent must still cover it. ErrAnswered: the id was used before.
// ErrChanged: the application, the account or the consent is not what it was.
func (g *Grants) Approve(ctx context.Context, id, account oauth.ID, r Request, asked bool) (code string, err error) {
	token, err := oauth.NewToken(g.random, id)
	if err != nil {
		return "", oauth.Internal(err)
	}
	a := g.asked(id, account, r)
	a.Status = oauth.StatusPending
	a.CodeHash, a.CodeExpiresAt = token.Hash(oauth.KindCode), a.CreatedAt.Add(g.config.CodeLifetime)
	a = a.UntilIdle(g.config.Refresh.Idle)
	err = g.store.Approve(ctx, store.Approval{Authorization: a, Identity: r.Application.Identity(), Asked: asked, Declined: r.Declined, Review: g.config.Review})
	switch {
	case errors.Is(err, store.ErrAnswered), errors.Is(err, store.ErrChanged):
		return "", err
	case errors.Is(err, store.ErrNotFound):
		return "", ErrChanged
	case err != nil:
		return "", failure(err)
	}
	return token.String(), nil
}

// Refuse remembers that the account did not allow a request, so that the page
// that asked cannot be answered again. ErrAnswered: it was answered before.
func (g *Grants) Refuse(ctx context.Context, id, account oauth.ID, r Request) error {
	a := g.asked(id, account, r)
	a.Status, a.RevokedAt, a.RevokedReason = oauth.StatusRevoked, a.CreatedAt, oauth.ReasonRefused
	err := g.store.Refuse(ctx, a, r.Application.Name)
	if errors.Is(err, store.ErrAnswered) {
		return err
	}
	return failure(err)
}

// asked is the authorization that a request is about, before it is decided.
func (g *Grants) asked(id, account oauth.ID, r Request) oauth.Authorization {
	a := oauth.Authorization{
		ID: id, ApplicationID: r.Application.ID, AccountID: account, GrantType: oauth.GrantAuthorizationCode, Scope: r.Scope,
		CreatedAt: g.now(), RedirectURI: r.RedirectURI, RedirectURISent: r.RedirectURISent, Challenge: r.Challenge,
		EndsAt: r.EndsAt,
	}
	return a.Asked()
}
