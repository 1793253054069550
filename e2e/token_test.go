package e2e_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	app := s.register(t, registration{})

	grants := []struct {
		name    string
		values  func(t *testing.T) url.Values
		refresh bool
	}{
		{"a code is redeemed", func(t *testing.T) url.Values { return app.redemption(s.code(t, app)) }, true},
		{"a refresh token is used", func(t *testing.T) url.Values { return refreshment(s.grant(t, app).Refresh) }, true},
		{"client credentials are granted", func(*testing.T) url.Values {
			return url.Values{"grant_type": {"client_credentials"}}
		}, false},
	}
	for _, grant := range grants {
		for _, st := range styles() {
			t.Run(grant.name+" "+st.name, func(t *testing.T) {
				t.Parallel()
				values := grant.values(t)
				before := time.Now().Unix()
				got := checkTokens(t, s.do(t, st.write(app, tokenPath, values)), before, grant.refresh)
				if old := values.Get("refresh_token"); old != "" && old == got.Refresh {
					t.Error("the refresh token is the old one")
				}
				checkMe(t, s.me(t, got.Access), s.ada)
			})
		}
	}

	t.Run("scope", func(t *testing.T) { t.Parallel(); testScopeOfTokens(t, s) })
	t.Run("credentials", func(t *testing.T) { t.Parallel(); testCredentials(t, s) })
	t.Run("golang.org/x/oauth2", func(t *testing.T) { t.Parallel(); testOAuth2Library(t, s) })
}

// checkTokens demands the exact form of docs/protocol.md, "Tokens".
func checkTokens(t *testing.T, a answer, before int64, refresh bool) tokens {
	t.Helper()
	got := a.tokens(t)
	if kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type")); kind != jsonType {
		t.Errorf("Content-Type is %q", a.header.Get("Content-Type"))
	}
	want := []string{"access_token", "created_at", "expires_in", "scope", "token_type"}
	if refresh {
		want = []string{"access_token", "created_at", "expires_in", "refresh_token", "scope", "token_type"}
	}
	if keys := slices.Sorted(maps.Keys(a.object(t))); !slices.Equal(keys, want) {
		t.Errorf("the answer has the members %q, want %q", keys, want)
	}
	if !tokenShape.MatchString(got.Access) || refresh && !tokenShape.MatchString(got.Refresh) {
		t.Errorf("tokens are not 43 characters of base64url: %s", a.body)
	}
	if got.Access == got.Refresh {
		t.Error("access and refresh token are the same")
	}
	if got.Type != "Bearer" || got.ExpiresIn != 7200 || got.Scope != "profile" {
		t.Errorf("token_type, expires_in, scope are %q, %d, %q; want Bearer, 7200, profile", got.Type, got.ExpiresIn, got.Scope)
	}
	if now := time.Now().Unix(); got.CreatedAt < before-1 || got.CreatedAt > now+1 {
		t.Errorf("created_at is %d, want between %d and %d", got.CreatedAt, before, now)
	}
	return got
}

// checkMe demands the form of docs/protocol.md, "Calling the API", and the person given.
func checkMe(t *testing.T, a answer, person account) {
	t.Helper()
	a.checkStatus(t, http.StatusOK)
	user, _ := a.object(t)["user"].(map[string]any)
	want := []string{"avatar_url", "created_at", "email", "id", "name", "username"}
	if keys := slices.Sorted(maps.Keys(user)); !slices.Equal(keys, want) {
		t.Errorf("user has the members %q, want %q", keys, want)
	}
	id, _ := user["id"].(string)
	if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("id is %v, want a UUID", user["id"])
	}
	if user["email"] != person.email || user["name"] != person.name {
		t.Errorf("me is %v, %v; want %s, %s", user["email"], user["name"], person.email, person.name)
	}
}

func testScopeOfTokens(t *testing.T, s *server) {
	app := s.register(t, registration{scopes: []string{"profile", "events", "community"}})
	t.Run("a code without scope gives the default", func(t *testing.T) {
		t.Parallel()
		if got := s.grant(t, app, "scope", ""); got.Scope != "profile" {
			t.Errorf("scope is %q, want profile", got.Scope)
		}
	})
	t.Run("a code gives all that was asked and approved", func(t *testing.T) {
		t.Parallel()
		checkScope(t, s.grant(t, app, "scope", "profile events community"), "profile", "events", "community")
	})
	t.Run("client credentials give what was asked", func(t *testing.T) {
		t.Parallel()
		checkScope(t, s.clientCredentials(t, app, "events").tokens(t), "events")
	})
	for _, separator := range []string{"%20", "+"} {
		t.Run("scopes in a query are separated by "+separator, func(t *testing.T) {
			t.Parallel()
			query := app.request("scope", "").Encode() + "&scope=profile" + separator + "events"
			to := s.session.agree(t, s.session.open(t, "/auth/authorize?"+query))
			checkScope(t, s.redeem(t, app, to.Query().Get("code")).tokens(t), "profile", "events")
		})
	}
}

func checkScope(t *testing.T, got tokens, want ...string) {
	t.Helper()
	have := strings.Split(got.Scope, " ")
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("scope is %q, want %q", got.Scope, want)
	}
}

func testCredentials(t *testing.T, s *server) {
	app, other := s.register(t, registration{}), s.register(t, registration{})
	values := url.Values{"grant_type": {"client_credentials"}}
	plain := post(tokenPath, formType, values.Encode())
	accepted := []struct {
		name string
		m    message
	}{
		{"Basic raw, as curl sends it", plain.basic(app.ClientID, app.ClientSecret)},
		{"Basic form-encoded as strict clients do", plain.basic(encodePunctuation(app.ClientID), encodePunctuation(app.ClientSecret))},
		{"Basic with every character form-encoded", plain.basic(encodeAll(app.ClientID), encodeAll(app.ClientSecret))},
		{"Basic with its scheme in lower case", lowerBasic(app, plain)},
		{"Basic and the same client_id in the body", post(tokenPath, formType, with(url.Values{}, "grant_type", "client_credentials",
			"client_id", app.ClientID).Encode()).basic(app.ClientID, app.ClientSecret)},
		{"Basic and an empty client_secret in the body", post(tokenPath, formType, values.Encode()+"&client_secret=").
			basic(app.ClientID, app.ClientSecret)},
		{"a content type with a charset", post(tokenPath, formType+"; charset=UTF-8", app.identify(values).Encode())},
		{"JSON with a charset and space around", post(tokenPath, "application/json;charset=utf-8", "\n"+toJSON(app.identify(values))+" \n")},
		{"a content type with parameters that are none", post(tokenPath, "Application/X-WWW-form-urlencoded ; UTF-8;;charset=", app.identify(values).Encode())},
		{"JSON with parameters that are none", post(tokenPath, "application/json; utf-8", toJSON(app.identify(values)))},
		{"JSON with an empty parameter", post(tokenPath, "application/json;;charset=utf-8", toJSON(app.identify(values)))},
		{"an unknown parameter", post(tokenPath, formType, app.identify(values).Encode()+"&audience=x")},
		{"a query that says something else", post(tokenPath+"?grant_type=password&client_id=x", formType, app.identify(values).Encode())},
	}
	for _, c := range accepted {
		t.Run("accepted: "+c.name, func(t *testing.T) {
			t.Parallel()
			s.do(t, c.m).tokens(t)
		})
	}

	differing := []struct {
		name string
		body url.Values
	}{
		{"another application's client_id in the body", url.Values{"client_id": {other.ClientID}}},
		{"another application's credentials in the body", url.Values{"client_id": {other.ClientID}, "client_secret": {other.ClientSecret}}},
		{"another client_secret in the body", url.Values{"client_secret": {other.ClientSecret}}},
	}
	for _, c := range differing {
		t.Run("refused: Basic and "+c.name, func(t *testing.T) {
			t.Parallel()
			c.body.Set("grant_type", "client_credentials")
			s.do(t, post(tokenPath, formType, c.body.Encode()).basic(app.ClientID, app.ClientSecret)).checkRefused(t, "invalid_request")
			s.do(t, post(tokenPath, jsonType, toJSON(c.body)).basic(app.ClientID, app.ClientSecret)).checkRefused(t, "invalid_request")
		})
	}

	t.Run("a public application may send Basic with an empty secret", func(t *testing.T) {
		t.Parallel()
		public := s.register(t, registration{public: true})
		got := s.grant(t, public)
		s.do(t, post(tokenPath, formType, refreshment(got.Refresh).Encode()).basic(public.ClientID, "")).tokens(t)
	})
}

// encodePunctuation form-encodes also what net/url leaves alone, as strict clients do.
func encodePunctuation(s string) string {
	return strings.NewReplacer("-", "%2D", "_", "%5F").Replace(s)
}

func encodeAll(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02x", s[i])
	}
	return b.String()
}

func lowerBasic(app application, m message) message {
	m.header = m.header.Clone()
	m.header.Set("Authorization", "basic "+base64.StdEncoding.EncodeToString([]byte(app.ClientID+":"+app.ClientSecret)))
	return m
}

func testOAuth2Library(t *testing.T, s *server) {
	app := s.register(t, registration{})
	ways := map[string]oauth2.AuthStyle{
		"credentials in the header": oauth2.AuthStyleInHeader,
		"credentials in the body":   oauth2.AuthStyleInParams,
		"credentials as it finds":   oauth2.AuthStyleAutoDetect,
	}
	for name, way := range ways {
		t.Run("a code with PKCE, a call and a refresh with "+name, func(t *testing.T) {
			t.Parallel()
			ctx := context.WithValue(t.Context(), oauth2.HTTPClient, s.client)
			client := oauth2.Config{
				ClientID: app.ClientID, ClientSecret: app.ClientSecret, RedirectURL: app.redirect, Scopes: []string{"profile"},
				Endpoint: oauth2.Endpoint{AuthURL: s.url + "/auth/authorize", TokenURL: s.url + tokenPath, AuthStyle: way},
			}
			verifier := oauth2.GenerateVerifier()
			link := client.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier))
			to := s.session.agree(t, s.session.open(t, strings.TrimPrefix(link, s.url)))
			first, err := client.Exchange(ctx, to.Query().Get("code"), oauth2.VerifierOption(verifier))
			if err != nil {
				t.Fatal(err)
			}
			checkLibraryToken(t, first)

			stale := &oauth2.Token{AccessToken: first.AccessToken, RefreshToken: first.RefreshToken, Expiry: time.Now().Add(-time.Minute)}
			second, err := client.TokenSource(ctx, stale).Token()
			if err != nil {
				t.Fatal(err)
			}
			checkLibraryToken(t, second)
			if second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken {
				t.Error("the refresh answers the old tokens")
			}
			res, err := client.Client(ctx, second).Get(s.url + mePath)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("me answers %d", res.StatusCode)
			}
		})
		t.Run("client credentials with "+name, func(t *testing.T) {
			t.Parallel()
			ctx := context.WithValue(t.Context(), oauth2.HTTPClient, s.client)
			client := clientcredentials.Config{ClientID: app.ClientID, ClientSecret: app.ClientSecret,
				TokenURL: s.url + tokenPath, Scopes: []string{"events"}, AuthStyle: way}
			got, err := client.Token(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Valid() || got.RefreshToken != "" || got.Extra("scope") != "events" {
				t.Errorf("token for %v, valid: %v, with a refresh token: %v", got.Extra("scope"), got.Valid(), got.RefreshToken != "")
			}
		})
	}
}

func checkLibraryToken(t *testing.T, got *oauth2.Token) {
	t.Helper()
	if !got.Valid() || got.Type() != "Bearer" || got.RefreshToken == "" || got.Extra("scope") != "profile" {
		t.Errorf("the library reads type %q, scope %v, a refresh token: %v", got.Type(), got.Extra("scope"), got.RefreshToken != "")
	}
	if left := time.Until(got.Expiry); left < 7100*time.Second || left > 7200*time.Second {
		t.Errorf("the library reads an expiry in %v, want two hours", left)
	}
}
