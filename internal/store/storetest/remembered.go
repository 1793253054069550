package storetest

import (
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// RefreshRemembered asks about an access token, so that its row is remembered, before a refresh
// and after it.
func RefreshRemembered(t *testing.T, open Opener) {
	f := newFixture(t, open)
	g := f.approve(f.register())
	f.redeem(g)
	asked := func() error {
		_, _, err := f.store.AccessToken(f.ctx, g.access.ID, g.access.Hash(oauth.KindAccessToken))
		return err
	}
	f.must(asked())
	_, err := f.store.RotateRefresh(f.ctx, rotation(f.key(), g, g.refresh))
	f.must(err)
	f.must(asked())
	f.clock.Add(30 * time.Second)
	f.is(asked(), store.ErrNotFound)
}

// Remembered asks twice for the access token of a person and for that of an application: what is
// remembered, once the store trusts its memory, is what was read.
func Remembered(t *testing.T, open Opener) {
	f := newFixture(t, open)
	a, key, now := f.register(), f.key(), f.clock.Now()
	g := f.approve(a)
	f.redeem(g)
	f.clock.Add(time.Minute)
	_, err := f.store.RotateRefresh(f.ctx, rotation(key, g, g.refresh))
	f.must(err)
	access, _ := key.Successors(g.refresh)
	own := f.token(f.id())
	f.must(f.store.Issue(f.ctx, oauth.Authorization{
		ID: own.ID, ApplicationID: a.ID, AccountID: f.owner.ID, GrantType: oauth.GrantClientCredentials, Status: oauth.StatusActive,
		Scope: "community", CreatedAt: now, RotatedAt: now, Generation: 1,
		Access: oauth.AccessToken{Hash: own.Hash(oauth.KindAccessToken), Scope: "community", IssuedAt: now, ExpiresAt: now.Add(time.Hour)},
	}.Issued()))
	for _, token := range []oauth.Token{access, own} {
		row, err := f.store.Authorization(f.ctx, token.ID)
		f.must(err)
		want := row.Check()
		for _, how := range []string{"read", "remembered"} {
			got, of, err := f.store.AccessToken(f.ctx, token.ID, token.Hash(oauth.KindAccessToken))
			f.must(err)
			f.equal("what is "+how, got, want)
			f.equal("the token that is "+how, of, row.Access)
			want.PreviousAccess = oauth.AccessToken{}
		}
		refused := func() {
			for range 2 {
				_, _, err := f.store.AccessToken(f.ctx, token.ID, token.Hash(oauth.KindAccessToken))
				f.is(err, store.ErrNotFound)
			}
		}
		f.must(f.store.DisableAccount(f.ctx, f.owner.ID))
		refused()
		f.must(f.store.EnableAccount(f.ctx, f.owner.ID))
		f.must(f.store.Revoke(f.ctx, oauth.Revocation{ID: token.ID, Reason: oauth.ReasonOperator}))
		refused()
	}
	for range 2 {
		f.owner.Name += "s"
		f.must(f.store.ChangeProfile(f.ctx, f.owner))
		read, err := f.store.RememberedAccount(f.ctx, f.owner.ID)
		f.must(err)
		f.equal("the name that is remembered", read.Name, f.owner.Name)
	}
}
