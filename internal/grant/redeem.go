package grant

import (
	"context"
	"errors"
	"net/netip"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// CodeRequest is a token request of the grant authorization_code (RFC 6749 §4.1.3).
type CodeRequest struct {
	Code, RedirectURI, Verifier string
	// Address is the client's, for the audit log.
	Address netip.Addr
}

// Redeem exchanges a code for the first tokens of its authorization.
func (g *Grants) Redeem(ctx context.Context, c Client, r CodeRequest) (Tokens, error) {
	if r.Code == "" {
		return Tokens{}, oauth.NewError(oauth.InvalidRequest, "code is missing")
	}
	code, ok := oauth.ParseToken(r.Code, g.now())
	if !ok {
		return Tokens{}, oauth.ErrUnknownCode
	}
	access, err := oauth.NewToken(g.random, code.ID)
	if err != nil {
		return Tokens{}, oauth.Internal(err)
	}
	refresh, err := oauth.NewToken(g.random, code.ID)
	if err != nil {
		return Tokens{}, oauth.Internal(err)
	}
	allowed := g.Allowed(*c.application)
	a, err := g.store.RedeemCode(ctx, oauth.Redemption{
		Code: code, ApplicationID: c.application.ID, RedirectURI: r.RedirectURI, Verifier: r.Verifier, Allowed: allowed,
		AccessHash: access.Hash(oauth.KindAccessToken), RefreshHash: refresh.Hash(oauth.KindRefreshToken),
		AccessLifetime: g.config.Refresh.AccessLifetime, RefreshIdle: g.config.Refresh.Idle,
	})
	if errors.Is(err, store.ErrNotFound) {
		return Tokens{}, oauth.ErrUnknownCode
	}
	if err != nil {
		g.noteEnd(ctx, c, a, err, r.Address)
		return Tokens{}, &Refused{Application: *c.application, Authorization: a, Presented: code, err: failure(err)}
	}
	g.meter.Issued(c.application.ID, a.AccountID)
	tokens := g.answer(a, access, allowed)
	tokens.RefreshToken = refresh.String()
	return tokens, nil
}

// noteEnd records that an event ended an authorization instead of doing what was
// asked: someone may hold what is not theirs.
func (g *Grants) noteEnd(ctx context.Context, c Client, a oauth.Authorization, err error, from netip.Addr) {
	var refusal *oauth.Error
	if errors.As(err, &refusal) && refusal.Ended {
		g.noteMisuse(ctx, c, a, a.RevokedReason, from)
	}
}

// noteMisuse records for which misuse an authorization is revoked.
func (g *Grants) noteMisuse(ctx context.Context, c Client, a oauth.Authorization, reason oauth.Reason, from netip.Addr) {
	g.log.Warn("authorization is revoked", "authorization", a.ID, "application", a.ApplicationID, "account", a.AccountID, "reason", reason)
	ctx = oauth.WithActor(ctx, oauth.Actor{Name: "somebody", Address: from.String()})
	g.store.EndedByMisuse(ctx, a, c.application.Name, reason)
}
