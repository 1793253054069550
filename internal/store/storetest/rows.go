package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

func notFound(f *fixture) {
	g := &grant{code: f.token(f.id()), application: f.register()}
	_, err := f.store.RedeemCode(f.ctx, g.redemption())
	f.is(err, store.ErrNotFound)
	f.is(f.store.Revoke(f.ctx, oauth.Revocation{ID: g.code.ID}), store.ErrNotFound)
	_, err = f.store.Authorization(f.ctx, g.code.ID)
	f.is(err, store.ErrNotFound)
	_, err = f.store.Account(f.ctx, g.code.ID)
	f.is(err, store.ErrNotFound)
	f.is(f.store.SuspendApplication(f.ctx, g.code.ID, ""), store.ErrNotFound)
	f.is(f.store.DisableAccount(f.ctx, g.code.ID), store.ErrNotFound)
}

// refusals: developers are told why from the row.
func refusals(f *fixture) {
	a, key := f.register(), f.key()
	waiting, living, ended := f.approve(a), f.approve(a), f.approve(a)
	f.redeem(living)
	f.redeem(ended)
	_, err := f.store.RotateRefresh(f.ctx, rotation(key, living, living.refresh))
	f.must(err)
	f.clock.Add(time.Second)
	f.must(f.store.Revoke(f.ctx, oauth.Revocation{ID: ended.code.ID, Reason: oauth.ReasonDisconnected}))
	refresh := func(g *grant, presented oauth.Token) func() (oauth.Authorization, error) {
		return func() (oauth.Authorization, error) { return f.store.RotateRefresh(f.ctx, rotation(key, g, presented)) }
	}
	redeem := func(g *grant, code oauth.Token, redirectURI string) func() (oauth.Authorization, error) {
		e := g.redemption()
		e.Code, e.RedirectURI = code, redirectURI
		return func() (oauth.Authorization, error) { return f.store.RedeemCode(f.ctx, e) }
	}
	for _, c := range []struct {
		name   string
		of     *grant
		refuse func() (oauth.Authorization, error)
	}{
		{"a refresh of what has ended", ended, refresh(ended, ended.refresh)},
		{"a code for a refresh token", living, refresh(living, living.code)},
		{"an access token for a refresh token", living, refresh(living, living.access)},
		{"a refresh token for a code", living, redeem(living, living.refresh, "")},
		{"a code that waits, with a wrong redirect_uri", waiting, redeem(waiting, waiting.code, "https://other.example/")},
		{"a code that is used twice", living, redeem(living, living.code, "")},
	} {
		got, err := c.refuse()
		if want := f.row(c.of); err == nil || got != want {
			f.Errorf("%s: %v, with the row\n%+v\nwhich is\n%+v", c.name, err, got, want)
		}
	}
}

// revocations: an application ends its own authorizations alone, and each once: why and when it
// ended is told for as long as the row is kept.
func revocations(f *fixture) {
	a, other := f.register(), f.register()
	ended, waiting := f.approve(a), f.approve(a)
	e := ended.redemption()
	e.RefreshIdle = 180 * 24 * time.Hour // so that a revocation does not have to keep it longer
	_, err := f.store.RedeemCode(f.ctx, e)
	f.must(err)
	living := f.row(ended)
	for who, by := range map[string]oauth.Revoker{
		"another application":                      {ApplicationID: other.ID, Token: ended.refresh},
		"another public application":               {ApplicationID: other.ID, Public: true, Token: ended.refresh},
		"a public application that proves nothing": {ApplicationID: a.ID, Public: true, Token: f.token(ended.code.ID)},
	} {
		f.is(f.store.Revoke(f.ctx, oauth.Revocation{ID: ended.code.ID, Reason: oauth.ReasonRequested, By: by}), oauth.ErrUnrecognised)
		f.equal("what "+who+" wants to revoke", f.row(ended), living)
	}
	f.must(f.store.Revoke(f.ctx, oauth.Revocation{ID: ended.code.ID, Reason: oauth.ReasonDisconnected}))
	before := f.row(ended)
	f.clock.Add(time.Minute)
	for _, by := range []oauth.Revoker{{}, {ApplicationID: a.ID, Token: ended.refresh}} {
		f.must(f.store.Revoke(f.ctx, oauth.Revocation{ID: ended.code.ID, Reason: oauth.ReasonRequested, By: by}))
		f.equal("what was revoked before", f.row(ended), before)
	}
	f.must(f.store.Revoke(f.ctx, oauth.Revocation{ID: waiting.code.ID, Reason: oauth.ReasonRequested, By: oauth.Revoker{ApplicationID: a.ID, Token: waiting.code}}))
	row := f.row(waiting)
	f.equal("status of what waited", row.Status, oauth.StatusRevoked)
	f.equal("it is swept before its reason may be forgotten", row.SweepAfter.Before(row.ReasonKept()), false)
	beside := f.approve(a)
	long := func(g *grant) {
		e := g.redemption()
		e.RefreshIdle = 180 * 24 * time.Hour
		_, err := f.store.RedeemCode(f.ctx, e)
		f.must(err)
	}
	long(beside)
	lives := f.row(beside)
	for _, by := range []oauth.Revoker{{}, {ApplicationID: a.ID}} {
		one := f.approve(a)
		long(one)
		was := f.row(one)
		f.must(f.store.Revoke(f.ctx, oauth.Revocation{ID: one.code.ID, Reason: oauth.ReasonRequested, By: by}))
		f.equal("what is revoked", f.row(one), was.Revoked(oauth.ReasonRequested, f.clock.Now()))
		f.equal("what lives beside it", f.row(beside), lives)
	}
}

// disconnections: an account takes back what it gave, which has not ended before. What an
// application got for itself is not of its owner's giving.
func disconnections(f *fixture) {
	a := f.register()
	gone, living, theirs, own := f.approve(a), f.approve(a), &grant{}, f.token(f.id())
	f.redeem(living)
	approval := f.approval(a, theirs)
	approval.Authorization.AccountID = f.account("ada").ID
	f.must(f.store.Approve(f.ctx, approval))
	f.must(f.store.Issue(f.ctx, oauth.Authorization{
		ID: own.ID, ApplicationID: a.ID, AccountID: f.owner.ID, GrantType: oauth.GrantClientCredentials, Status: oauth.StatusActive, Generation: 1,
	}.Issued()))
	f.must(f.store.Revoke(f.ctx, oauth.Revocation{ID: gone.code.ID, Reason: oauth.ReasonRequested}))
	f.clock.Add(time.Minute)
	rows := func() (all [4]oauth.Authorization) {
		for i, g := range []*grant{living, gone, theirs, {code: own}} {
			all[i] = f.row(g)
		}
		return all
	}
	want := rows()
	want[0] = want[0].Revoked(oauth.ReasonDisconnected, f.clock.Now())
	f.must(f.store.Disconnect(f.ctx, f.owner.ID, a.ID))
	f.equal("what is left", rows(), want)
}

func disabled(f *fixture) {
	a, key := f.register(), f.key()
	g, waiting := f.approve(a), f.approve(a)
	f.redeem(g)
	before := f.row(g)
	f.must(f.store.DisableAccount(f.ctx, f.owner.ID))
	_, err := f.store.RotateRefresh(f.ctx, rotation(key, g, g.refresh))
	f.refused(err, oauth.InvalidGrant)
	_, err = f.store.RedeemCode(f.ctx, waiting.redemption())
	f.refused(err, oauth.InvalidGrant)
	f.equal("the row of a disabled account", f.row(g), before)
	read, err := f.store.Application(f.ctx, a.ID)
	f.must(err)
	f.equal("the application of a disabled owner is suspended", read.Suspended(), true)
	f.is(f.store.Approve(f.ctx, f.approval(a, &grant{})), store.ErrChanged)
	f.must(f.store.EnableAccount(f.ctx, f.owner.ID))
	_, err = f.store.RotateRefresh(f.ctx, rotation(key, g, g.refresh))
	f.must(err)
	f.redeem(waiting)
	approval := f.approval(a, &grant{})
	approval.Authorization.AccountID = f.account("ada").ID
	f.must(f.store.DisableAccount(f.ctx, approval.Authorization.AccountID))
	f.is(f.store.Approve(f.ctx, approval), store.ErrChanged)
}

func taken(f *fixture) {
	f.account("ada")
	other := oauth.Account{ID: f.id(), Email: "ADA@Example.com", Username: "other", Name: "Other"}
	f.is(f.store.CreateAccount(f.ctx, other, "x"), store.ErrEmailTaken)
	other.Email, other.Username = "other@example.com", "ada"
	f.is(f.store.CreateAccount(f.ctx, other, "x"), store.ErrUsernameTaken)
	other.Username = "other"
	f.must(f.store.CreateAccount(f.ctx, other, "x"))
	other.Username = "ada"
	f.is(f.store.ChangeProfile(f.ctx, other), store.ErrUsernameTaken)
	other.Name = "Another"
	for _, other.Username = range []string{"other", "another"} {
		f.must(f.store.ChangeProfile(f.ctx, other))
		read, err := f.store.AccountByUsername(f.ctx, other.Username)
		f.must(err)
		f.equal("the account", read, other)
	}
	wins := f.together(8, func(i int) error {
		racer := oauth.Account{ID: f.id(), Email: "race@example.com", Username: "racer", Name: "Racer"}
		if err := f.store.CreateAccount(f.ctx, racer, "x"); errors.Is(err, store.ErrEmailTaken) {
			return oauth.NewError(oauth.InvalidRequest, "taken")
		} else {
			return err
		}
	})
	f.equal("accounts with one address", wins, 1)
}

func password(f *fixture) {
	a := f.account("ada")
	keep, other := f.session(a), f.session(a)
	f.is(f.store.ChangePassword(f.ctx, a.ID, "not it", "new", keep.ID, oauth.Hash{1}), store.ErrNotFound)
	f.must(f.store.ChangePassword(f.ctx, a.ID, "hash of ada", "new", keep.ID, oauth.Hash{2}))
	_, stored, err := f.store.AccountByEmail(f.ctx, "Ada@example.com")
	f.must(err)
	f.equal("the stored password", stored, "new")
	kept, err := f.store.Session(f.ctx, keep.ID)
	f.must(err)
	f.equal("the hash of the session that is kept", kept.Hash, oauth.Hash{2})
	_, err = f.store.Session(f.ctx, other.ID)
	f.is(err, store.ErrNotFound)
	// Whoever proved the old password comes too late.
	late := keep
	late.ID = f.id()
	f.is(f.store.StartSession(f.ctx, late, "hash of ada", keep.ID), store.ErrNotFound)
	_, err = f.store.Session(f.ctx, keep.ID)
	f.must(err)
	// Nobody gives another's session a hash.
	theirs := f.session(f.account("bob"))
	f.must(f.store.ChangePassword(f.ctx, a.ID, "new", "newer", theirs.ID, oauth.Hash{3}))
	untouched, err := f.store.Session(f.ctx, theirs.ID)
	f.must(err)
	f.equal("the hash of another's session", untouched.Hash, theirs.Hash)
}

func (f *fixture) session(a oauth.Account) oauth.Session {
	f.Helper()
	token := f.token(f.id())
	s := oauth.Session{
		ID: token.ID, AccountID: a.ID, Hash: token.Hash(oauth.KindSession), UserAgent: "test", Address: "192.0.2.1",
		CreatedAt: f.clock.Now(), LastSeenAt: f.clock.Now(), ExpiresAt: f.clock.Now().Add(time.Hour),
	}
	f.must(f.store.StartSession(f.ctx, s, "hash of "+a.Name, oauth.ID{}))
	return s
}

func sessions(f *fixture) {
	a, stranger := f.account("ada"), f.account("eve")
	first, second := f.session(a), f.session(a)
	read, err := f.store.Session(f.ctx, first.ID)
	f.must(err)
	f.equal("the session", read, first)
	f.must(f.store.EndSession(f.ctx, stranger.ID, first.ID))
	all, err := f.store.Sessions(f.ctx, a.ID)
	f.must(err)
	f.equal("sessions after a stranger's attempt", len(all), 2)
	first.LastSeenAt, first.ExpiresAt = f.clock.Now().Add(time.Minute), f.clock.Now().Add(2*time.Hour)
	f.must(f.store.SeeSession(f.ctx, first))
	all, err = f.store.Sessions(f.ctx, a.ID)
	f.must(err)
	f.equal("sessions, the one seen last first", all, []oauth.Session{first, second})
	third := second
	third.ID = f.id()
	f.must(f.store.StartSession(f.ctx, third, "hash of ada", second.ID))
	_, err = f.store.Session(f.ctx, second.ID)
	f.is(err, store.ErrNotFound)
	f.must(f.store.EndOtherSessions(f.ctx, a.ID, third.ID))
	_, err = f.store.Session(f.ctx, first.ID)
	f.is(err, store.ErrNotFound)
	f.clock.Add(time.Hour)
	all, err = f.store.Sessions(f.ctx, a.ID)
	f.must(err)
	f.equal("sessions after their end", len(all), 0)

	f.must(f.store.DisableAccount(f.ctx, a.ID))
	_, err = f.store.Session(f.ctx, third.ID)
	f.is(err, store.ErrNotFound)
	late := first
	late.ID = f.id()
	f.is(f.store.StartSession(f.ctx, late, "hash of ada", oauth.ID{}), store.ErrNotFound)
}

func secrets(f *fixture) {
	a := f.register()
	hash := func(secret string) oauth.Hash { return oauth.HashClientSecret(a.ID, secret) }
	accepts := func(secret string) bool {
		read, err := f.store.Application(f.ctx, a.ID)
		f.must(err)
		return read.AcceptsSecret(secret, f.clock.Now())
	}
	f.must(f.store.RotateSecret(f.ctx, a.ID, time.Time{}, hash("second"), f.clock.Now().Add(time.Hour)))
	f.equal("both secrets work", accepts("secret") && accepts("second"), true)
	f.must(f.store.RotateSecret(f.ctx, a.ID, time.Time{}, hash("third"), f.clock.Now().Add(time.Hour)))
	f.equal("the first works no more", accepts("secret"), false)
	f.equal("the second works", accepts("second"), true)
	f.clock.Add(time.Hour)
	f.equal("the second works no more", accepts("second"), false)
	f.equal("the third works", accepts("third"), true)
}

func settings(f *fixture) {
	_, err := f.store.Setting(f.ctx, "x")
	f.is(err, store.ErrNotFound)
	f.must(f.store.PutSetting(f.ctx, "x", "1"))
	f.must(f.store.PutSetting(f.ctx, "x", "2"))
	value, err := f.store.Setting(f.ctx, "x")
	f.must(err)
	f.equal("the setting", value, "2")
	for _, swap := range []struct{ name, value, before string }{{"x", "3", "2"}, {"x", "3", "3"}, {"x", "4", "3"}, {"y", "1", ""}} {
		before, err := f.store.SwapSetting(f.ctx, swap.name, swap.value)
		f.must(err)
		f.equal("the setting before "+swap.value, before, swap.before)
	}
	f.must(f.store.Ready(f.ctx))
}

func abandoned(f *fixture) {
	a := f.register()
	g := f.approve(a)
	gone, leave := context.WithCancel(f.ctx)
	leave()
	_, err := f.store.RedeemCode(gone, g.redemption())
	f.is(err, context.Canceled)
	if f.row(g).Status == oauth.StatusPending {
		f.redeem(g)
	}
}
