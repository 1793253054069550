package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/server"
)

// TestRequestsAllocateLittle holds what a request allocates between net/http and the
// disk, the writer's share included. The bounds leave a seventh of room above what was
// counted when they were set: raise one only with a reason.
func TestRequestsAllocateLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are counted without the race detector")
	}
	f := furnished(t)
	for _, c := range []struct {
		name  string
		most  float64
		ready func(t *testing.T) func()
	}{
		{"client_credentials", 23, f.credentials},
		{"code exchange", 29, f.exchange},
		{"refresh", 28, f.refresh},
		{"revoke", 23, f.revoke},
		{"introspect", 13, f.introspect},
		{"check", 6, f.check},
		{"me", 9, f.me},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := math.Inf(1)
			// What the server does beside them is counted, too, but not every time.
			for try := 0; try < 3 && n > c.most; try++ {
				n = min(n, testing.AllocsPerRun(counted, c.ready(t)))
			}
			if n > c.most {
				t.Errorf("a request allocates %v times; at most %v is asked", n, c.most)
			}
		})
	}
}

// counted is how many requests an average is taken of.
const counted = 200

// field is a server on a store with one application and one account.
type field struct {
	server      *server.Server
	house       *house
	account     oauth.ID
	application oauth.Application
	secret      string
}

func furnished(t *testing.T) *field {
	t.Helper()
	return furnishedAs(t, "http://127.0.0.1:8080")
}

func furnishedAs(t *testing.T, issuer string, proxies ...netip.Prefix) *field {
	t.Helper()
	c := &config{data: t.TempDir(), serving: true, accessLifetime: time.Hour, refreshIdle: 24 * time.Hour, sessionLifetime: time.Hour, perApplication: 1 << 20, trusted: proxies}
	c.terminal = terminal{out: io.Discard, err: io.Discard, env: func(string) (string, bool) { return "", false }}
	h, err := c.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.store.Close(); err != nil {
			t.Error(err)
		}
	})
	f := &field{house: h}
	if f.server, err = h.server(t.Context(), c, issuer); err != nil {
		t.Fatal(err)
	}
	now := h.now()
	f.account = f.id(t)
	if err := h.store.CreateAccount(t.Context(), oauth.Account{ID: f.account, Email: "ada@example.com", Username: "ada", CreatedAt: now}, ""); err != nil {
		t.Fatal(err)
	}
	id, clientID, err := oauth.NewClientID(rand.Reader, now)
	if err != nil {
		t.Fatal(err)
	}
	if f.secret, err = oauth.NewClientSecret(rand.Reader); err != nil {
		t.Fatal(err)
	}
	f.application = oauth.Application{
		ID: id, ClientID: clientID, OwnerID: f.account, Name: "App", RedirectURIs: []string{"https://app.example.com/callback"},
		Scope: "profile", ResourceServer: true, SecretHash: oauth.HashClientSecret(id, f.secret), SecretCreatedAt: now, CreatedAt: now,
	}
	if err := h.store.RegisterApplication(t.Context(), f.application); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *field) id(t *testing.T) oauth.ID {
	t.Helper()
	id, err := oauth.NewID(rand.Reader, f.house.now())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// living adds an authorization whose code waits, or was redeemed, and returns its
// token of that kind.
func (f *field) living(t *testing.T, kind oauth.Kind) oauth.Token {
	t.Helper()
	token, err := oauth.NewToken(rand.Reader, f.id(t))
	if err != nil {
		t.Fatal(err)
	}
	now := f.house.now()
	a := oauth.Authorization{
		ID: token.ID, ApplicationID: f.application.ID, AccountID: f.account, GrantType: oauth.GrantAuthorizationCode,
		Status: oauth.StatusPending, Scope: "profile", CreatedAt: now, RotatedAt: now,
	}
	switch kind {
	case oauth.KindCode:
		a.CodeHash, a.CodeExpiresAt = token.Hash(kind), now.Add(time.Hour)
	default:
		a.Status, a.Generation = oauth.StatusActive, 1
		a.RefreshHash = token.Hash(oauth.KindRefreshToken)
		a.Access = oauth.AccessToken{Hash: token.Hash(oauth.KindAccessToken), Scope: "profile", IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	}
	if err := f.house.store.Issue(t.Context(), a.UntilIdle(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	return token
}

// answer keeps the status and the body of an answer.
type answer struct {
	header http.Header
	status int
	body   []byte
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { a.body = append(a.body, b...); return len(b), nil }

// asking sends requests that were made before they are counted.
func (f *field) asking(t *testing.T, requests []*http.Request) func() {
	t.Helper()
	a := &answer{header: http.Header{}}
	return func() {
		clear(a.header)
		a.body = a.body[:0]
		f.server.ServeHTTP(a, requests[0])
		requests = requests[1:]
		if a.status != http.StatusOK {
			t.Fatalf("status %d: %s", a.status, a.body)
		}
	}
}

// each makes a request for every run; AllocsPerRun makes one more.
func each(request func() *http.Request) []*http.Request {
	var all []*http.Request
	for range counted + 1 {
		all = append(all, request())
	}
	return all
}

func (f *field) post(t *testing.T, path string, body map[string]string) *http.Request {
	t.Helper()
	body["client_id"], body["client_secret"] = f.application.ClientID, f.secret
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(string(encoded)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.RemoteAddr = "192.0.2.1:1"
	return r
}

func (f *field) credentials(t *testing.T) func() {
	return f.asking(t, each(func() *http.Request {
		return f.post(t, "/irk/oauth/token", map[string]string{"grant_type": "client_credentials", "scope": "profile"})
	}))
}

func (f *field) exchange(t *testing.T) func() {
	return f.asking(t, each(func() *http.Request {
		return f.post(t, "/irk/oauth/token", map[string]string{"grant_type": "authorization_code", "code": f.living(t, oauth.KindCode).String()})
	}))
}

func (f *field) refresh(t *testing.T) func() {
	return f.asking(t, each(func() *http.Request {
		return f.post(t, "/irk/oauth/token", map[string]string{"grant_type": "refresh_token", "refresh_token": f.living(t, oauth.KindRefreshToken).String()})
	}))
}

func (f *field) revoke(t *testing.T) func() {
	return f.asking(t, each(func() *http.Request {
		return f.post(t, "/irk/oauth/revoke", map[string]string{"token": f.living(t, oauth.KindAccessToken).String()})
	}))
}

func (f *field) introspect(t *testing.T) func() {
	token := f.living(t, oauth.KindAccessToken).String()
	return f.asking(t, each(func() *http.Request { return f.post(t, "/irk/oauth/introspect", map[string]string{"token": token}) }))
}

func (f *field) get(t *testing.T, path string) func() {
	t.Helper()
	token := f.living(t, oauth.KindAccessToken).String()
	return f.asking(t, each(func() *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", fmt.Sprintf("Bearer %s", token))
		r.RemoteAddr = "192.0.2.1:1"
		return r
	}))
}

func (f *field) check(t *testing.T) func() { return f.get(t, "/irk/oauth/check?scope=profile") }

func (f *field) me(t *testing.T) func() { return f.get(t, "/irk/api/v1/me") }
