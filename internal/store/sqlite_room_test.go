package store

import (
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

func TestARowKeepsItsSizeForLife(t *testing.T) {
	s, ctx := openForTest(t), t.Context()
	s.stopSweeping()
	s.sweeping.Wait()
	id, account, now := surplusID(t), surplusID(t), s.Now()
	must(t, s.CreateAccount(ctx, oauth.Account{ID: account, Email: "ada@x.example", Username: "ada", CreatedAt: now}, ""))
	var begun int64
	sized := func(after string, err error) {
		t.Helper()
		must(t, err)
		var bytes int64
		must(t, s.engine.db().QueryRowContext(ctx, `select sum(payload) from dbstat where name = 'authorizations'`).Scan(&bytes))
		if begun == 0 {
			begun = bytes
		}
		// The sizes of the blobs themselves take a byte or two.
		if bytes < begun-3 || bytes > begun {
			t.Errorf("after %s the row has %d bytes; it began with %d", after, bytes, begun)
		}
	}
	code := oauth.Token{ID: id, Secret: oauth.Secret{1}}
	sized("its approval", s.Issue(ctx, oauth.Authorization{
		ID: id, AccountID: account, GrantType: oauth.GrantAuthorizationCode, Status: oauth.StatusPending, Scope: "profile library",
		CreatedAt: now, CodeHash: code.Hash(oauth.KindCode), CodeExpiresAt: now.Add(time.Hour), RedirectURI: "https://app.example/callback",
	}.UntilIdle(24*time.Hour)))
	token := func(generation byte) oauth.Token { return oauth.Token{ID: id, Secret: oauth.Secret{2, generation}} }
	_, err := s.RedeemCode(ctx, oauth.Redemption{
		Code: code, Allowed: "profile library", AccessHash: oauth.Hash{1}, RefreshHash: token(1).Hash(oauth.KindRefreshToken),
		AccessLifetime: time.Hour, RefreshIdle: 24 * time.Hour,
	})
	sized("its code was redeemed", err)
	for generation := range byte(3) {
		_, err := s.RotateRefresh(ctx, oauth.Rotation{
			Refresh: token(generation + 1), Allowed: "profile library", KeyID: oauth.KeyID{1},
			AccessHash: oauth.Hash{generation}, RefreshHash: token(generation + 2).Hash(oauth.KindRefreshToken),
			Limits: oauth.RefreshLimits{AccessLifetime: time.Hour, Idle: 24 * time.Hour, ReplayWindow: time.Second},
		})
		sized("a refresh", err)
	}
	sized("its end", s.Revoke(ctx, oauth.Revocation{ID: id, Reason: oauth.ReasonRequested, By: oauth.Revoker{Token: token(1)}}))
}
