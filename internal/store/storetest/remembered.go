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
