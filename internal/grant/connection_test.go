package grant_test

import (
	"crypto/rand"
	"log/slog"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/grant"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
	"github.com/latchkey/latchkey/internal/usage"
)

const (
	day    = 24 * time.Hour
	secret = "the client_secret"
)

// connected is an account that approves an application, while time passes as the test wants.
type connected struct {
	*testing.T
	*grant.Grants
	store       *store.Store
	scopes      *oauth.Scopes
	now         time.Time
	account     oauth.ID
	application oauth.Application
}

func newConnected(t *testing.T) *connected {
	t.Helper()
	c := &connected{T: t, now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	s, err := store.Open(t.Context(), store.Options{Folder: t.TempDir(), Now: func() time.Time { return c.now }, Log: slog.New(slog.DiscardHandler)})
	c.must(err)
	t.Cleanup(func() { c.must(s.Close()) })
	key, err := oauth.NewKey(rand.Reader)
	c.must(err)
	c.store, c.scopes = s, oauth.NewScopes(oauth.Catalogue{Permissions: []oauth.Permission{{Name: "profile"}, {Name: "events"}}})
	c.Grants = grant.New(s, usage.New(s, rand.Reader, s.Now, slog.New(slog.DiscardHandler)), key, rand.Reader, s.Now, slog.New(slog.DiscardHandler), grant.Config{
		Scopes: c.scopes, CodeLifetime: time.Minute, Refresh: oauth.RefreshLimits{AccessLifetime: time.Hour, Idle: 180 * day},
	})
	c.account, err = c.NewID()
	c.must(err)
	c.must(s.CreateAccount(t.Context(), oauth.Account{ID: c.account, Email: "ada@example.com", Username: "ada", Name: "Ada", CreatedAt: c.now}, "hash"))
	id, clientID, err := oauth.NewClientID(rand.Reader, c.now)
	c.must(err)
	c.application = oauth.Application{
		ID: id, ClientID: clientID, OwnerID: c.account, OwnerName: "Ada", Name: "App", RedirectURIs: []string{"https://app.example/cb"},
		Scope: "profile events", CreatedAt: c.now, SecretHash: oauth.HashClientSecret(id, secret), SecretCreatedAt: c.now,
	}
	c.must(s.RegisterApplication(t.Context(), c.application))
	return c
}

func (c *connected) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// approve approves, and makes tokens of it.
func (c *connected) approve(scope oauth.Scope, lasting time.Duration) oauth.ID {
	c.Helper()
	id, err := c.NewID()
	c.must(err)
	r := grant.Request{Application: c.application, RedirectURI: c.application.RedirectURIs[0], Scope: scope}
	if lasting > 0 {
		r.EndsAt = c.now.Add(lasting)
	}
	code, err := c.Approve(c.Context(), id, c.account, r, true)
	c.must(err)
	token, _ := oauth.ParseToken(code, c.now)
	_, err = c.store.RedeemCode(c.Context(), oauth.Redemption{
		Code: token, ApplicationID: c.application.ID, Allowed: c.application.Scope, AccessHash: oauth.Hash{1}, RefreshHash: oauth.Hash{2},
		AccessLifetime: time.Hour, RefreshIdle: 180 * day,
	})
	c.must(err)
	return id
}

// shows demands one connection with this scope that ends then, or none for an empty scope.
func (c *connected) shows(scope oauth.Scope, ends time.Time) {
	c.Helper()
	all, err := c.Connections(c.Context(), c.account)
	c.must(err)
	switch {
	case scope == "" && len(all) == 0:
	case scope == "" || len(all) != 1:
		c.Errorf("there are %d connections: %+v", len(all), all)
	case !all[0].Scope.Equal(scope) || !all[0].EndsAt.Equal(ends):
		c.Errorf("it has %q until %v, want %q until %v", all[0].Scope, all[0].EndsAt, scope, ends)
	}
}

func TestAConnectionForATimeEnds(t *testing.T) {
	c := newConnected(t)
	ends := c.now.Add(day)
	c.approve("profile", day)
	c.shows("profile", ends)
	c.now = ends
	c.shows("", time.Time{})
}

func TestAConnectionLastsAsLongAsWhatLastsLongest(t *testing.T) {
	c := newConnected(t)
	forever := c.approve("profile", 0)
	c.approve("profile events", day)
	c.shows("profile events", time.Time{})
	c.now = c.now.Add(day)
	c.shows("profile", time.Time{})
	c.must(c.store.Revoke(c.Context(), oauth.Revocation{ID: forever, Reason: oauth.ReasonRequested}))
	c.shows("", time.Time{})
}

func TestAnApprovalForATimeIsRememberedAsLong(t *testing.T) {
	c := newConnected(t)
	c.approve("profile", day)
	for passed, want := range map[time.Duration]oauth.Scope{0: "profile", day - 1: "profile", day: ""} {
		before := c.now
		c.now = c.now.Add(passed)
		remembered, changed, err := c.Remembered(c.Context(), c.account, c.application)
		c.must(err)
		if remembered.Scope != want || changed {
			t.Errorf("after %v %q is remembered, changed: %v", passed, remembered.Scope, changed)
		}
		c.now = before
	}
}

func TestAConnectionShowsWhatIsStillConfigured(t *testing.T) {
	c := newConnected(t)
	c.approve("profile events", 0)
	c.scopes.Replace(oauth.Catalogue{Permissions: []oauth.Permission{{Name: "profile"}}})
	c.shows("profile", time.Time{})
}

func TestWhatAnAccountRefusedIsRevokedFromTheStart(t *testing.T) {
	c := newConnected(t)
	id, err := c.NewID()
	c.must(err)
	c.must(c.Refuse(t.Context(), id, c.account, grant.Request{Application: c.application, RedirectURI: c.application.RedirectURIs[0], Scope: "profile"}))
	a, err := c.store.Authorization(t.Context(), id)
	c.must(err)
	if a.Status != oauth.StatusRevoked || a.RevokedReason != oauth.ReasonRefused || !a.RevokedAt.Equal(c.now) {
		t.Errorf("status %v, %q, at %v", a.Status, a.RevokedReason, a.RevokedAt)
	}
}
