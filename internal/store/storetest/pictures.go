package storetest

import (
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

func (f *fixture) picture(body string) *oauth.Picture {
	return &oauth.Picture{ID: f.id(), Type: "image/png", Body: []byte(body), CreatedAt: f.clock.Now()}
}

// kept reports whether the store still has a picture, whole.
func (f *fixture) kept(p *oauth.Picture) bool {
	f.Helper()
	read, err := f.store.Picture(f.ctx, p.ID)
	if err == nil {
		f.equal("a picture", read, *p)
		return true
	}
	f.is(err, store.ErrNotFound)
	return false
}

func portraits(f *fixture) {
	ada, bob := f.account("ada"), f.account("bob")
	address := func() string {
		f.Helper()
		a, err := f.store.RememberedAccount(f.ctx, ada.ID)
		f.must(err)
		return a.AvatarURL
	}
	f.equal("the picture of a new account", address(), "")
	first, second, other := f.picture("1"), f.picture("2"), f.picture("3")
	f.must(f.store.PutPortrait(f.ctx, bob.ID, other))
	f.must(f.store.PutPortrait(f.ctx, ada.ID, first))
	f.equal("the first picture", address(), first.Path())
	f.must(f.store.PutPortrait(f.ctx, ada.ID, second))
	f.equal("the second picture", address(), second.Path())
	f.equal("the first picture is kept", f.kept(first), false)
	ada.Username, ada.Name = "ada", "Ada Again"
	f.must(f.store.ChangeProfile(f.ctx, ada))
	f.equal("the picture after another change", address(), second.Path())
	f.equal("the second picture is kept", f.kept(second), true)
	f.must(f.store.PutPortrait(f.ctx, ada.ID, nil))
	f.equal("no picture", address(), "")
	f.equal("the second picture is kept", f.kept(second), false)
	f.equal("somebody else's picture is kept", f.kept(other), true)
	f.is(f.store.PutPortrait(f.ctx, f.id(), first), store.ErrNotFound)
	f.equal("a picture for nobody is kept", f.kept(first), false)

	session := f.session(bob)
	ctx := oauth.WithActor(f.ctx, oauth.Actor{AccountID: bob.ID, SessionID: session.ID})
	f.must(f.store.PutPortrait(ctx, bob.ID, first))
	f.must(f.store.EndSession(f.ctx, bob.ID, session.ID))
	f.is(f.store.PutPortrait(ctx, bob.ID, second), store.ErrSignedOut)
	f.is(f.store.PutPortrait(ctx, bob.ID, nil), store.ErrSignedOut)
	f.equal("the picture of somebody who was signed out meanwhile is kept", f.kept(first), true)
	f.equal("a picture that came too late is kept", f.kept(second), false)
}

func logos(f *fixture) {
	a, other := f.register(), f.register()
	first, second, theirs := f.picture("1"), f.picture("2"), f.picture("3")
	f.must(f.store.PutLogo(f.ctx, other.ID, theirs))
	f.must(f.store.PutLogo(f.ctx, a.ID, first))
	f.must(f.store.PutLogo(f.ctx, a.ID, second))
	read, err := f.store.Application(f.ctx, a.ID)
	f.must(err)
	f.equal("the logo", read.Logo, second.ID.String())
	f.equal("the first logo is kept", f.kept(first), false)
	f.must(f.store.DeleteApplication(f.ctx, a.ID))
	f.equal("the logo of a deleted application is kept", f.kept(second), false)
	f.equal("another application's logo is kept", f.kept(theirs), true)
	f.must(f.store.PutLogo(f.ctx, other.ID, nil))
	f.equal("a removed logo is kept", f.kept(theirs), false)
	f.is(f.store.PutLogo(f.ctx, a.ID, first), store.ErrNotFound)

	session := f.session(f.owner)
	ctx := oauth.WithActor(f.ctx, oauth.Actor{AccountID: f.owner.ID, SessionID: session.ID})
	f.must(f.store.PutLogo(ctx, other.ID, first))
	f.must(f.store.EndSession(f.ctx, f.owner.ID, session.ID))
	f.is(f.store.PutLogo(ctx, other.ID, second), store.ErrSignedOut)
	f.equal("the logo from before is kept", f.kept(first), true)
}
