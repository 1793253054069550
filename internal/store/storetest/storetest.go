// Package storetest is the contract of internal/store, with its races, as one
// suite that runs on every engine. It drives the store by its events alone.
package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// Clock is the clock of a store under test: it stands still until it is moved.
type Clock struct{ offset atomic.Int64 }

var beginning = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// Now reads the clock.
func (c *Clock) Now() time.Time { return beginning.Add(time.Duration(c.offset.Load())) }

// Add moves it.
func (c *Clock) Add(d time.Duration) { c.offset.Add(int64(d)) }

// Opener opens an empty store that goes by the clock, and closes it when the
// test ends.
type Opener func(t *testing.T, clock *Clock) *store.Store

// Rounds is how often each race is run.
const Rounds = 200

// Run runs the suite.
func Run(t *testing.T, open Opener) {
	for name, test := range map[string]func(*fixture){
		"one of many redemptions wins":                       raceRedeem,
		"refreshes with one token get one answer":            raceRefresh,
		"a revocation beats every refresh":                   raceRevokeRefresh,
		"a deleted application has nothing alive":            raceDeleteRedeem,
		"an approval does not outlive a deletion":            raceDeleteApprove,
		"a disconnection leaves nothing alive":               raceDisconnectRedeem,
		"a disconnection ends what was given, once":          disconnections,
		"an approval counts once":                            raceApprove,
		"an approval without asking needs the consent":       approveSilently,
		"an approval needs what was shown":                   approveChanged,
		"an approval for a time ends":                        approveForATime,
		"a consent grows, and starts anew with the identity": consentGrows,
		"an event on nothing is not found":                   notFound,
		"a refusal comes with the whole row":                 refusals,
		"an application ends its own authorizations, once":   revocations,
		"a disabled account and a suspended owner":           disabled,
		"an email address and a username belong to one":      taken,
		"a password is changed from what it was":             password,
		"a session ends":                                     sessions,
		"a secret is replaced":                               secrets,
		"a picture replaces the one before it":               portraits,
		"a logo goes with its application":                   logos,
		"settings are kept":                                  settings,
		"a caller that has left does not hold up others":     abandoned,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newFixture(t, open))
		})
	}
}

// fixture is one store with the account and the application of a test.
type fixture struct {
	*testing.T
	ctx   context.Context
	store *store.Store
	clock *Clock
	owner oauth.Account
}

func newFixture(t *testing.T, open Opener) *fixture {
	t.Helper()
	clock := &Clock{}
	return &fixture{T: t, ctx: t.Context(), store: open(t, clock), clock: clock}
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) id() oauth.ID {
	f.Helper()
	id, err := oauth.NewID(rand.Reader, f.clock.Now())
	f.must(err)
	return id
}

func (f *fixture) token(id oauth.ID) oauth.Token {
	f.Helper()
	token, err := oauth.NewToken(rand.Reader, id)
	f.must(err)
	return token
}

func (f *fixture) account(name string) oauth.Account {
	f.Helper()
	a := oauth.Account{ID: f.id(), Email: name + "@example.com", Username: name, Name: name, CreatedAt: f.clock.Now()}
	f.must(f.store.CreateAccount(f.ctx, a, "hash of "+name))
	return a
}

func (f *fixture) register() oauth.Application {
	f.Helper()
	if f.owner.ID.IsZero() {
		f.owner = f.account("owner")
	}
	id, clientID, err := oauth.NewClientID(rand.Reader, f.clock.Now())
	f.must(err)
	a := oauth.Application{
		ID: id, ClientID: clientID, OwnerID: f.owner.ID, OwnerName: f.owner.Name, Name: "App", RedirectURIs: []string{"https://app.example/cb"},
		Scope: "profile", SecretHash: oauth.HashClientSecret(id, "secret"), SecretCreatedAt: f.clock.Now(), CreatedAt: f.clock.Now(),
	}
	f.must(f.store.RegisterApplication(f.ctx, a))
	return a
}

func (f *fixture) edit(a oauth.Application) error {
	return f.store.EditApplication(f.ctx, a.ID, func(oauth.Application) (oauth.Application, error) { return a, nil })
}

// grant is one authorization with its tokens.
type grant struct {
	code, access, refresh oauth.Token
	application           oauth.Application
}

func (f *fixture) approval(a oauth.Application, g *grant) store.Approval {
	f.Helper()
	now := f.clock.Now()
	g.code = f.token(f.id())
	g.access, g.refresh, g.application = f.token(g.code.ID), f.token(g.code.ID), a
	return store.Approval{
		Authorization: oauth.Authorization{
			ID: g.code.ID, ApplicationID: a.ID, AccountID: f.owner.ID, GrantType: oauth.GrantAuthorizationCode, Status: oauth.StatusPending,
			Scope: "profile", CreatedAt: now, CodeHash: g.code.Hash(oauth.KindCode), CodeExpiresAt: now.Add(time.Minute), RedirectURI: a.RedirectURIs[0],
		},
		Identity: a.Identity(), Asked: true,
	}
}

func (f *fixture) approve(a oauth.Application) *grant {
	f.Helper()
	g := &grant{}
	f.must(f.store.Approve(f.ctx, f.approval(a, g)))
	return g
}

func (g *grant) redemption() oauth.Redemption {
	return oauth.Redemption{
		Code: g.code, ApplicationID: g.application.ID, Allowed: "profile", AccessLifetime: time.Hour,
		AccessHash: g.access.Hash(oauth.KindAccessToken), RefreshHash: g.refresh.Hash(oauth.KindRefreshToken),
	}
}

func (f *fixture) redeem(g *grant) {
	f.Helper()
	_, err := f.store.RedeemCode(f.ctx, g.redemption())
	f.must(err)
}

func rotation(key oauth.Key, g *grant, presented oauth.Token) oauth.Rotation {
	access, next := key.Successors(presented)
	return oauth.Rotation{
		Refresh: presented, ApplicationID: g.application.ID, Allowed: "profile", KeyID: key.ID(),
		AccessHash: access.Hash(oauth.KindAccessToken), RefreshHash: next.Hash(oauth.KindRefreshToken),
		Limits: oauth.RefreshLimits{AccessLifetime: time.Hour, Idle: 24 * time.Hour, ReplayWindow: 10 * time.Second},
	}
}

func (f *fixture) key() oauth.Key {
	f.Helper()
	key, err := oauth.NewKey(rand.Reader)
	f.must(err)
	return key
}

func (f *fixture) row(g *grant) oauth.Authorization {
	f.Helper()
	row, err := f.store.Authorization(f.ctx, g.code.ID)
	f.must(err)
	return row
}

// together runs n calls at once and returns how many had no error. An error that
// is no refusal fails the test.
func (f *fixture) together(n int, call func(i int) error) (accepted int) {
	f.Helper()
	var wins atomic.Int64
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			var refusal *oauth.Error
			switch err := call(i); {
			case err == nil:
				wins.Add(1)
			case !errors.As(err, &refusal) && !errors.Is(err, store.ErrAnswered) && !errors.Is(err, store.ErrChanged) && !errors.Is(err, store.ErrNotFound):
				f.Errorf("call %d: %v", i, err)
			}
		})
	}
	done.Wait()
	return int(wins.Load())
}

// sweep sweeps until there is nothing left to do.
func (f *fixture) sweep() {
	f.Helper()
	for removed := 1; removed > 0; {
		var err error
		removed, err = f.store.Sweep(f.ctx)
		f.must(err)
	}
}

func (f *fixture) refused(err error, code oauth.Code) {
	f.Helper()
	var refusal *oauth.Error
	if !errors.As(err, &refusal) || refusal.Code != code {
		f.Errorf("got %v; want %s", err, code.Wire)
	}
}

func (f *fixture) is(err, want error) {
	f.Helper()
	if !errors.Is(err, want) || err == nil {
		f.Errorf("got %v; want %v", err, want)
	}
}

func (f *fixture) equal(what string, got, want any) {
	f.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		f.Errorf("%s: got %v; want %v", what, got, want)
	}
}
