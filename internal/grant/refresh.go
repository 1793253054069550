package grant

import (
	"context"
	"errors"
	"net/netip"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
	"github.com/latchkey/latchkey/internal/throttle"
)

// RefreshRequest is a token request of the grant refresh_token (RFC 6749 §6).
type RefreshRequest struct {
	RefreshToken string
	// Scope is the parameter as it was sent.
	Scope string
	// Address is the client's, for the throttle and the audit log.
	Address netip.Addr
}

// Refresh replaces a refresh token by its successors. Repeating the last refresh
// yields the same two tokens; an older refresh token ends the authorization.
func (g *Grants) Refresh(ctx context.Context, c Client, r RefreshRequest) (Tokens, error) {
	if r.RefreshToken == "" {
		return Tokens{}, oauth.NewError(oauth.InvalidRequest, "refresh_token is missing")
	}
	scope, refusal := oauth.ParseScope(r.Scope)
	if refusal != nil {
		return Tokens{}, refusal
	}
	presented, ok := oauth.ParseToken(r.RefreshToken, g.now())
	if !ok {
		return Tokens{}, oauth.ErrUnknownRefreshToken
	}
	access, next := g.key.Successors(presented)
	allowed := g.Allowed(*c.application)
	a, err := g.store.RotateRefresh(ctx, oauth.Rotation{
		Refresh: presented, ApplicationID: c.application.ID, Public: c.application.Public, Scope: scope, Allowed: allowed,
		AccessHash: access.Hash(oauth.KindAccessToken), RefreshHash: next.Hash(oauth.KindRefreshToken), KeyID: g.keyID,
		Limits: g.config.Refresh,
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Tokens{}, oauth.ErrUnknownRefreshToken
	case errors.Is(err, oauth.ErrUnrecognised):
		err = g.judgeUnrecognised(ctx, c, a, presented, r.Address)
		return Tokens{}, &Refused{Application: *c.application, Authorization: a, Presented: presented, err: err}
	case err != nil:
		g.noteEnd(ctx, c, a, err, r.Address)
		return Tokens{}, &Refused{Application: *c.application, Authorization: a, Presented: presented, err: failure(err)}
	}
	g.meter.Refreshed(c.application.ID, a.AccountID)
	tokens := g.answer(a, access, allowed)
	tokens.RefreshToken = next.String()
	return tokens, nil
}

// judgeUnrecognised revokes when the presented refresh token is of an older
// generation: theft, or a broken client. A token that proves nothing changes
// nothing.
func (g *Grants) judgeUnrecognised(ctx context.Context, c Client, a oauth.Authorization, presented oauth.Token, from netip.Addr) error {
	older, err := g.isOlder(a, presented, from)
	if err != nil {
		return err
	}
	if !older {
		return oauth.ErrUnknownRefreshToken
	}
	if err := g.store.Revoke(ctx, oauth.Revocation{ID: a.ID, Reason: oauth.ReasonTokenReplay}); err != nil {
		return failure(err)
	}
	g.noteMisuse(ctx, c, a, oauth.ReasonTokenReplay, from)
	return oauth.ErrReplayedRefreshToken
}

// isOlder walks from the presented refresh token towards the current one. The
// walk costs up to MaxGeneration hashes, so those that lead nowhere are counted.
func (g *Grants) isOlder(a oauth.Authorization, presented oauth.Token, from netip.Addr) (bool, error) {
	if a.KeyID != g.keyID || a.Generation < 3 {
		return false, nil
	}
	// Whoever has a token of the authorization must not use up what others may prove.
	key := string(a.ID[:]) + throttle.Network(from)
	if wait, ok := g.walks.Take(key, from); !ok {
		slow := oauth.NewError(oauth.TooManyRequests, "too many wrong refresh tokens for this authorization")
		slow.RetryAfter = wait
		return false, slow
	}
	reaches := g.key.Reaches(presented, a.RefreshHash, int(a.Generation)-1)
	if reaches {
		g.walks.Return(key, from)
	}
	return reaches, nil
}
