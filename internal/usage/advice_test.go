package usage

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

func TestRedirectURIsAreCompared(t *testing.T) {
	const one = "https://app.example/callback"
	for _, c := range []struct {
		registered      string
		presented, want string
	}{
		{one, one + "/", "redirect_uri differs by a trailing slash from " + one + ", which is registered."},
		{one + "/", one, "redirect_uri differs by a trailing slash from " + one + "/, which is registered."},
		{"https://app.example", "https://app.example/", "redirect_uri differs by a trailing slash from https://app.example, which is registered."},
		{one, "https://App.example/callback", "redirect_uri differs only in the case of the host from " + one + ", which is registered."},
		{one, "https://app.example/Callback", "redirect_uri differs only in the case of the path from " + one + ", which is registered."},
		{one, "http://app.example/callback", "redirect_uri begins with http instead of https: " + one + " is registered."},
		{"http://127.0.0.1/callback", "https://127.0.0.1/callback", "redirect_uri begins with https instead of http: http://127.0.0.1/callback is registered."},
		{one, "https://app.example:8443/callback", "redirect_uri has another port than " + one + ", which is registered."},
		{"http://127.0.0.1/callback", "http://localhost:3000/callback", "redirect_uri has localhost instead of 127.0.0.1, as in http://127.0.0.1/callback, which is registered."},
		{one, "https://app.example:443/callback", "redirect_uri is written differently from " + one + ", which is registered: each character counts."},
		{"http://app.example:80/callback", "http://app.example/callback", "redirect_uri is written differently from http://app.example:80/callback, which is registered: each character counts."},
		{one, "https://www.app.example/callback", "redirect_uri differs by www. from " + one + ", which is registered."},
		{one, one + "?user=ada@example.com", "redirect_uri has a query, and " + one + " is registered without one. What an application wants back belongs into state."},
		{one + "?v=1", one, "redirect_uri lacks the query of " + one + "?v=1, which is registered."},
		{one + "?v=1", one + "?v=2", "redirect_uri has another query than " + one + "?v=1, which is registered. What an application wants back belongs into state."},
		{one, one + "#done", "redirect_uri has a fragment, behind #, and " + one + " is registered without one."},
		{one, "https%3A%2F%2Fapp.example%2Fcallback", "redirect_uri is percent-encoded twice; decoded once more it is " + one + ", which is registered."},
		{one, one + "\n", "redirect_uri has a space or a line break around " + one + ", which is registered."},
		{"https://app.example/a%20b", "https://app.example/a%20%62", "redirect_uri differs only in its percent-encoding from https://app.example/a%20b, which is registered."},
		{one, "HTTPS://app.example/callback", "redirect_uri is written differently from " + one + ", which is registered: each character counts."},
		{one, "https://app.example/oauth", "redirect_uri has another path than " + one + ", which is registered."},
		{one, "https://staging.app.example/callback", "redirect_uri has the host staging.app.example instead of the one of " + one + ", which is registered."},
		{one, "http://app.example/callback/", "redirect_uri http://app.example/callback/ differs in several places from " + one + ", which is registered."},
		{one, "com.example.app:/cb", "redirect_uri com.example.app:/cb is not registered."},
		{one, "https://elsewhere.example/cb?email=ada@example.com&x", "redirect_uri https://elsewhere.example/cb?email=...&x=... differs"},
		{one, "https://ada:secret@app.example/callback2?t=" + strings.Repeat("s", 50), "redirect_uri https://app.example/callback2?t=... differs"},
	} {
		for _, registered := range [][]string{{c.registered}, {"https://other.example/far/away", c.registered}} {
			said, _ := redirectDifference(registered, c.presented)
			if got := said.String(); !strings.HasPrefix(got, strings.TrimSuffix(c.want, " differs")) {
				t.Errorf("%s beside %s: %q, want %q", c.presented, registered, got, c.want)
			}
			for _, private := range []string{"ada@", "secret@", "ssss"} {
				if strings.Contains(said.String(), private) {
					t.Errorf("%q tells what is private", said)
				}
			}
		}
	}
}

// seat is an application with what it was given.
type seat struct {
	now         time.Time
	application oauth.Application
	secret, old string
	tokens      map[oauth.Kind]oauth.Token
	row         oauth.Authorization
	catalogue   oauth.Catalogue
}

func newSeat(t *testing.T) *seat {
	t.Helper()
	s := &seat{now: start, secret: strings.Repeat("0123abcd", 8), old: strings.Repeat("f00d", 16), tokens: map[oauth.Kind]oauth.Token{}}
	ids := &bench{t: t, at: start}
	application, authorization := ids.id(), ids.id()
	s.application = oauth.Application{
		ID: application, ClientID: oauth.Token{ID: application, Secret: oauth.Secret{1}}.String(), RedirectURIs: []string{"https://app.example/callback"}, Scope: "profile events",
		SecretHash: oauth.HashClientSecret(application, s.secret), PreviousSecretHash: oauth.HashClientSecret(application, s.old), PreviousSecretEndsAt: start.Add(-time.Hour),
	}
	for i, kind := range []oauth.Kind{oauth.KindCode, oauth.KindAccessToken, oauth.KindRefreshToken} {
		s.tokens[kind] = oauth.Token{ID: authorization, Secret: oauth.Secret{byte(i + 1)}}
	}
	s.row = oauth.Authorization{
		ID: authorization, ApplicationID: application, Status: oauth.StatusPending, Scope: "profile", CreatedAt: start.Add(-90 * time.Second), RotatedAt: start.Add(-time.Hour),
		CodeHash: s.tokens[oauth.KindCode].Hash(oauth.KindCode), CodeExpiresAt: start.Add(-30 * time.Second), RedirectURI: "https://app.example/callback", RedirectURISent: true,
		Access:      oauth.AccessToken{Hash: s.tokens[oauth.KindAccessToken].Hash(oauth.KindAccessToken), ExpiresAt: start.Add(-5 * time.Minute)},
		RefreshHash: s.tokens[oauth.KindRefreshToken].Hash(oauth.KindRefreshToken),
	}
	s.catalogue = oauth.Catalogue{Default: "profile", Permissions: []oauth.Permission{
		{Name: "profile"}, {Name: "events"}, {Name: "community", NeedsApproval: true, NeedsConsent: true}, {Name: "calendar"},
	}}
	return s
}

// advises demands what is told of an attempt, as far as want says it, and nothing secret.
func (s *seat) advises(t *testing.T, a Attempt, refusal *oauth.Error, want string) {
	t.Helper()
	a.Application, a.Catalogue, a.RemoteAddr = s.application, s.catalogue, "192.0.2.1:1"
	told := a.refusal(oauth.ID{1}, refusal, s.now)
	if got := told.Wrong.String() + " " + told.Mend.String(); !strings.Contains(got, want) {
		t.Errorf("told was %q, want %q", got, want)
	}
	if told.Mend.IsZero() {
		t.Error("it is not told how to mend it")
	}
	written, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{s.secret, s.old, s.tokens[oauth.KindCode].String(), s.tokens[oauth.KindAccessToken].String(), s.tokens[oauth.KindRefreshToken].String()} {
		if strings.Contains(string(written), secret) {
			t.Errorf("a secret is told: %s", written)
		}
	}
}

func parameters(t *testing.T, pairs ...string) oauth.Parameters {
	t.Helper()
	p, err := oauth.ParseParameters(strings.TrimPrefix(oauth.AddToRedirectURI("", paired(pairs)...), "?"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func paired(pairs []string) (all []oauth.Parameter) {
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, oauth.Parameter{Name: pairs[i], Value: pairs[i+1]})
	}
	return all
}

func TestClientsLearnWhyTheyAreNotKnown(t *testing.T) {
	s := newSeat(t)
	refusal := oauth.NewError(oauth.InvalidClient, "client_id is unknown, or client_secret is wrong")
	for _, c := range []struct{ secret, want string }{
		{"", "No client_secret came."},
		{s.secret + "\n", "has a space or a line break around it"},
		{" " + s.secret, "has a space or a line break around it"},
		{`"` + s.secret + `"`, "has quotation marks around it"},
		{s.application.ClientID, "The client_secret that came is the client_id."},
		{s.old, "it ended on 2026-11-01 11:20:00 UTC"},
		{s.old + "\n", "often ends with a line break"},
		{s.secret[:60], "The client_secret has 60 characters; a secret has 64."},
		{s.secret[:1], "The client_secret has one character; a secret has 64."},
		{strings.ToUpper(s.secret), "has other characters than a secret"},
		{strings.Repeat("1234abcd", 8), "none of this application, or one that was replaced twice"},
	} {
		s.advises(t, Attempt{Place: "token", ContentType: typeForm, Secret: c.secret}, refusal, c.want)
	}
	s.application.Public = true
	s.advises(t, Attempt{Place: "token", ContentType: typeForm, Secret: s.secret}, refusal, "the application is public and has none")
	s.advises(t, Attempt{Place: "introspect", ContentType: typeForm, Proven: true, Parameters: parameters(t, "token", "x")}, oauth.NewError(oauth.UnauthorizedClient, "no"), "Register a confidential application")
	s.application.Public = false
	s.advises(t, Attempt{Place: "token", ContentType: typeForm, Proven: true, Parameters: parameters(t, "grant_type", "client_credentials")}, oauth.NewError(oauth.UnauthorizedClient, "no"), "Replace the secret in the settings of the application")
	s.application.SuspendedAt = s.now
	s.advises(t, Attempt{Place: "token", ContentType: typeForm}, refusal, "Ask those who run this platform.")
}

func TestBodiesAreExplained(t *testing.T) {
	s := newSeat(t)
	refusal := oauth.NewError(oauth.InvalidRequest, "Content-Type must be ...")
	for _, c := range []struct {
		contentType string
		json        bool
		want        string
	}{
		{"", false, "The request has no Content-Type."},
		{"multipart/form-data", false, "URLSearchParams instead of FormData"},
		{"text/plain", false, "neither of those that are read"},
		{typeForm, true, "The body is JSON, but its Content-Type says that it is a form."},
		{typeJSON, false, "The Content-Type says JSON, but the body is none."},
		{typeJSON, true, "Send a JSON object whose values are all strings."},
		{typeForm, false, "Encode the body as a form"},
	} {
		s.advises(t, Attempt{Place: "token", ContentType: c.contentType, LooksJSON: c.json, Unreadable: true}, refusal, c.want)
	}
	s.advises(t, Attempt{Place: "token", ContentType: typeForm, Encoded: true, Unreadable: true}, refusal, "The body has a Content-Encoding, such as gzip. Send it as it is")
	s.advises(t, Attempt{Place: "token", ContentType: typeForm, Parameters: parameters(t, "code", "a", "code", "b")}, refusal, "Send each parameter once")
	s.advises(t, Attempt{Place: "token", ContentType: typeJSON, LooksJSON: true}, refusal, "Send the credentials in one place")
	s.advises(t, Attempt{Place: "revoke", ContentType: typeForm, Proven: true}, refusal, "Send the token in the body")
	s.advises(t, Attempt{Place: "token", ContentType: typeForm, Unreadable: true}, oauth.NewError(oauth.TooLarge, "no"), "Send the parameters of the request alone.")
	s.advises(t, Attempt{Place: "token", ContentType: typeForm, Proven: true, Parameters: parameters(t, `{"redirect_uri": "https://app.example/?a`, `b"}`)}, refusal, "The body is JSON, but its Content-Type says that it is a form.")
}

func TestAuthorizationRequestsAreExplained(t *testing.T) {
	s := newSeat(t)
	challenge := strings.Repeat("A", 43)
	var many strings.Builder
	for i := range 300 {
		fmt.Fprintf(&many, "scope%d ", i)
	}
	for _, c := range []struct {
		refusal oauth.Code
		pairs   []string
		want    string
	}{
		{oauth.InvalidRequest, []string{"redirect_uri", "https://app.example/callback/"}, "Send https://app.example/callback, or register the other URL too"},
		{oauth.InvalidRequest, []string{"redirect_uri", "http://app.example/callback"}, "Send https://app.example/callback. The other URL cannot be registered. A redirect URL may use http for"},
		{oauth.InvalidRequest, []string{"redirect_uri", "https://app.example:99999/callback"}, "which is registered. Send https://app.example/callback. The other URL cannot be registered. It has no valid port"},
		{oauth.InvalidRequest, []string{"redirect_uri", "https://app.example:port/callback"}, "(unreadable) is not registered. Send one that is registered; this one cannot be. It is not an absolute URL"},
		{oauth.InvalidRequest, []string{"redirect_uri", "https://elsewhere.example/cb"}, "or register the other URL too"},
		{oauth.InvalidRequest, nil, "Send response_type=code."},
		{oauth.UnsupportedResponseType, []string{"response_type", "id_token token"}, "The implicit and the hybrid flow are not offered"},
		{oauth.InvalidRequest, []string{"response_type", "code", "code_challenge", challenge, "code_challenge_method", "plain"}, "The code_challenge_method is plain"},
		{oauth.InvalidRequest, []string{"response_type", "code", "code_challenge", challenge}, "which means plain"},
		{oauth.InvalidRequest, []string{"response_type", "code", "code_challenge", challenge, "code_challenge_method", "s256"}, "is not S256, written like this"},
		{oauth.InvalidRequest, []string{"response_type", "code", "code_challenge_method", "S256"}, "came without a code_challenge"},
		{oauth.InvalidRequest, []string{"response_type", "code", "code_challenge", challenge + "=", "code_challenge_method", "S256"}, "ends with =, the padding"},
		{oauth.InvalidRequest, []string{"response_type", "code", "code_challenge", "+" + challenge[1:], "code_challenge_method", "S256"}, "instead of base64url"},
		{oauth.InvalidRequest, []string{"response_type", "code", "code_challenge", strings.Repeat("0a", 32), "code_challenge_method", "S256"}, "is the SHA-256 in hexadecimal"},
		{oauth.InvalidRequest, []string{"response_type", "code", "code_challenge", "short", "code_challenge_method", "S256"}, "has 5 characters"},
		{oauth.InvalidRequest, []string{"response_type", "code", "code_challenge", "s", "code_challenge_method", "S256"}, "has one character;"},
		{oauth.InvalidRequest, []string{"response_type", "code", "prompt", "none login"}, "Send prompt=none alone"},
		{oauth.InvalidScope, []string{"response_type", "code", "scope", "profile,events"}, "not separated by spaces"},
		{oauth.InvalidScope, []string{"response_type", "code", "scope", "Profile"}, "There is no scope Profile, but one that is called profile."},
		{oauth.InvalidScope, []string{"response_type", "code", "scope", "event"}, "but one that is called events"},
		{oauth.InvalidScope, []string{"response_type", "code", "scope", "email"}, "There is no scope email. Ask for scopes by the names"},
		{oauth.InvalidScope, []string{"response_type", "code", "scope", "calendar"}, "The scope calendar is not allowed to the application. Tick it in the settings"},
		{oauth.InvalidScope, []string{"response_type", "code", "scope", "community"}, "An administrator of this platform has to allow it. Ask for it in the settings"},
		{oauth.InvalidScope, []string{"response_type", "code", "scope", strings.Repeat("s", 50)}, "There is no scope [...]. Ask for scopes"},
		{oauth.InvalidScope, []string{"response_type", "code", "scope", "pro\"file"}, "a character that no scope has"},
		{oauth.InvalidScope, []string{"response_type", "code", "scope", many.String()}, "The request asks for too many scopes. Ask for scopes by the names"},
	} {
		s.advises(t, Attempt{Place: "authorize", Parameters: parameters(t, c.pairs...)}, oauth.NewError(c.refusal, "no"), c.want)
	}
	s.advises(t, Attempt{Place: "authorize", Parameters: parameters(t, "response_type", "code")},
		oauth.NewError(oauth.AccessDenied, "this application is a draft"), "or submit the application for review")
	s.advises(t, Attempt{Place: "authorize", Parameters: parameters(t, "response_type", "code")},
		oauth.ErrNoChallenge, "No code_challenge came, but PKCE is required")
}

func TestCodesAreExplained(t *testing.T) {
	s := newSeat(t)
	code, uri := s.tokens[oauth.KindCode], "https://app.example/callback"
	try := func(change func(*Attempt), want string, pairs ...string) {
		t.Helper()
		a := Attempt{Place: "token", Proven: true, ContentType: typeForm, Authorization: s.row, Presented: code,
			Parameters: parameters(t, append(pairs, "grant_type", "authorization_code", "code", code.String())...)}
		refusal := oauth.NewError(oauth.InvalidGrant, "no")
		if change != nil {
			change(&a)
		}
		if a.Authorization.Status == oauth.StatusRevoked && a.Authorization.RevokedReason == oauth.ReasonCodeReplay {
			refusal.Ended = true
		}
		s.advises(t, a, refusal, want)
	}
	try(nil, "The code was 90 seconds old; codes live for 60.", "redirect_uri", uri)
	try(nil, "No redirect_uri came with the code, but the authorization request had one.")
	try(nil, "redirect_uri differs by a trailing slash from "+uri, "redirect_uri", uri+"/")
	try(func(a *Attempt) { a.Authorization = a.Authorization.Revoked(oauth.ReasonCodeReplay, s.now) }, "The code was used twice, so all tokens that came of it are revoked. The second time was 90 seconds after it was made.")
	try(func(a *Attempt) {
		a.Authorization = a.Authorization.Revoked(oauth.ReasonCodeReplay, s.now)
		a.Authorization.CreatedAt = s.now.Add(-time.Second)
	}, "The second time was one second after it was made.")
	try(func(a *Attempt) { a.Authorization = a.Authorization.Revoked(oauth.ReasonDisconnected, s.now) }, "the account disconnected the application")
	try(func(a *Attempt) { a.Authorization.ApplicationID = oauth.ID{9} }, "The code was given to another application.")
	try(func(a *Attempt) { a.Authorization = oauth.Authorization{} }, "No such code was given")
	try(func(a *Attempt) { a.Presented = s.tokens[oauth.KindAccessToken] }, "What came as code is a token.")
	try(func(a *Attempt) { a.Authorization.Challenge = oauth.Challenge(strings.Repeat("A", 43)) }, "The code_verifier is missing", "redirect_uri", uri)
	try(func(a *Attempt) { a.Authorization.Challenge = oauth.Challenge(strings.Repeat("A", 43)) }, "is the code_challenge", "redirect_uri", uri, "code_verifier", strings.Repeat("A", 43))
	try(func(a *Attempt) { a.Authorization.Challenge = oauth.Challenge(strings.Repeat("A", 43)) }, "has 5 characters; it must have 43 to 128", "redirect_uri", uri, "code_verifier", "short")
	try(func(a *Attempt) { a.Authorization.Challenge = oauth.Challenge(strings.Repeat("A", 43)) }, "has one character; it must have 43 to 128", "redirect_uri", uri, "code_verifier", "s")
	try(func(a *Attempt) { a.Authorization.Challenge = oauth.Challenge(strings.Repeat("A", 43)) }, "is not the one whose SHA-256", "redirect_uri", uri, "code_verifier", strings.Repeat("B", 50))
	try(func(a *Attempt) { a.Authorization.Challenge = oauth.Challenge(strings.Repeat("A", 43)) }, "has another character than A-Z a-z 0-9 - . _ ~", "redirect_uri", uri, "code_verifier", strings.Repeat("+/", 22)+"==")
	try(nil, "the authorization request had no code_challenge", "redirect_uri", uri, "code_verifier", strings.Repeat("B", 50))
	for refusal, want := range map[*oauth.Error]string{
		oauth.ErrEnded:           "for a limited time, which is over. Send the person to the authorize page again.",
		oauth.ErrAccountDisabled: "The account is disabled. Nothing can be done until the account is enabled.",
		oauth.ErrNothingLeft:     "Nothing that was granted is allowed to the application any more: community. An administrator of this platform has to allow it",
	} {
		granted := s.row
		granted.Scope = "community"
		s.advises(t, Attempt{Place: "token", Proven: true, ContentType: typeForm, Authorization: granted, Presented: code,
			Parameters: parameters(t, "grant_type", "authorization_code", "code", code.String(), "redirect_uri", uri)}, refusal, want)
	}
	try(func(a *Attempt) {
		a.Parameters = parameters(t, "grant_type", "authorization_code", "code", code.String()+"%3D")
	}, "code is percent-encoded twice.")
	try(func(a *Attempt) { a.Parameters = parameters(t, "grant_type", "authorization_code", "code", "abc") }, "code has 3 characters instead of 43.")
	try(func(a *Attempt) { a.Parameters = parameters(t, "grant_type", "authorization_code", "code", "a") }, "code has one character instead of 43.")
	try(func(a *Attempt) { a.Parameters = parameters(t, "grant_type", "authorization_code") }, "Send the parameter code")
}

func TestGrantTypesAreExplained(t *testing.T) {
	s := newSeat(t)
	for kind, want := range map[string]string{
		"": "Send grant_type in the body", "password": "The grant password is not offered", "authorizationCode": "not quite, authorization_code",
		"refresh": "Send grant_type=authorization_code, refresh_token or", "refresh-token": "not quite, refresh_token", "implicit": "Send grant_type=authorization_code, refresh_token or",
	} {
		code := oauth.UnsupportedGrantType
		if kind == "" {
			code = oauth.InvalidRequest
		}
		s.advises(t, Attempt{Place: "token", Proven: true, ContentType: typeForm, Parameters: parameters(t, "grant_type", kind)}, oauth.NewError(code, "no"), want)
	}
}

func TestScopesOfClientCredentialsAreExplained(t *testing.T) {
	for _, c := range []struct {
		allowed, usual oauth.Scope
		asked, want    string
	}{
		{"profile community", "profile", "profile community", "Only a person can give the scope community. Ask for other scopes with client_credentials"},
		{"profile community", "community", "", "Only a person can give the scope community."},
		{"events", "profile", "", "No scope came, so the default was asked for, which is not allowed to the application: profile."},
		{"events", "profile community", " ", "which is not allowed to the application: profile community."},
		{"events", "", "", "No scope came, and this platform has no default."},
		{"events", "profile", "calendar", "The scope calendar is not allowed to the application. Tick it in the settings"},
	} {
		s := newSeat(t)
		s.application.Scope, s.catalogue.Default = c.allowed, c.usual
		s.advises(t, Attempt{Place: "token", Proven: true, ContentType: typeForm, Parameters: parameters(t, "grant_type", "client_credentials", "scope", c.asked)},
			oauth.NewError(oauth.InvalidScope, "no"), c.want)
	}
}

func TestRefreshTokensAreExplained(t *testing.T) {
	s := newSeat(t)
	refresh := s.tokens[oauth.KindRefreshToken]
	s.row.Status = oauth.StatusActive
	try := func(refusal *oauth.Error, presented oauth.Token, change func(*oauth.Authorization), want string, pairs ...string) {
		t.Helper()
		row := s.row
		if change != nil {
			change(&row)
		}
		s.advises(t, Attempt{Place: "token", Proven: true, ContentType: typeForm, Authorization: row, Presented: presented,
			Parameters: parameters(t, append(pairs, "grant_type", "refresh_token", "refresh_token", presented.String())...)}, refusal, want)
	}
	no := oauth.NewError(oauth.InvalidGrant, "no")
	try(oauth.ErrReplayedRefreshToken, oauth.Token{ID: s.row.ID}, nil, "The refresh token was replaced by a rotation; the one in use then began on 2026-11-01 11:20:00 UTC.")
	try(no, refresh, func(a *oauth.Authorization) { *a = a.Revoked(oauth.ReasonRequested, s.now) }, "the application revoked it, on 2026-11-01 12:20:00 UTC")
	try(no, refresh, nil, "The refresh token was last used on")
	try(no, refresh, func(a *oauth.Authorization) { a.PreviousRefreshHash, a.RefreshHash = a.RefreshHash, oauth.Hash{} }, "The refresh token was replaced by a rotation on")
	try(no, refresh, func(a *oauth.Authorization) { a.ApplicationID = oauth.ID{9} }, "was given to another application")
	try(no, s.tokens[oauth.KindAccessToken], nil, "What came as refresh_token is an access token.")
	try(no, s.tokens[oauth.KindCode], nil, "What came as refresh_token is a code.")
	try(oauth.ErrUnknownRefreshToken, oauth.Token{ID: s.row.ID}, func(a *oauth.Authorization) { *a = oauth.Authorization{} }, "No such refresh token was given")
	try(oauth.NewError(oauth.InvalidScope, "no"), refresh, nil, "The refresh asks for more than was granted: profile.", "scope", "profile events")
	repeated := func(a *oauth.Authorization) {
		a.Scope, a.Access.Scope, a.PreviousRefreshHash, a.RefreshHash = "profile events", "profile", a.RefreshHash, oauth.Hash{}
	}
	for _, asked := range []string{"", "events", "profile events"} {
		try(oauth.ErrRepeatedOtherwise("profile"), refresh, repeated, "The refresh repeats one whose answer had another scope: profile. Repeat it with that scope", "scope", asked)
	}
	try(oauth.ErrNothingLeft, refresh, nil, "Nothing that was granted is allowed to the application any more: profile. Tick it")
	try(oauth.ErrNothingLeft, refresh, nil, "Nothing that was granted is allowed to the application any more: profile. Tick it", "scope", "profile")
	try(oauth.ErrAccountDisabled, refresh, nil, "The account is disabled. Keep the refresh token: it works again when the account is enabled.")
	try(oauth.ErrAccountDisabled, refresh, repeated, "The account is disabled. Keep the refresh token")
	try(oauth.ErrEnded, refresh, nil, "for a limited time, which is over. Send the person to the authorize page again.")
	try(oauth.NewError(oauth.TooManyRequests, "slow"), oauth.Token{ID: s.row.ID}, nil, "Wait as long as the header Retry-After says")
}

func TestAccessTokensAreExplained(t *testing.T) {
	s := newSeat(t)
	access := s.tokens[oauth.KindAccessToken]
	dead := oauth.NewError(oauth.InvalidToken, "the access token is unknown, expired or revoked")
	s.row.Status = oauth.StatusActive
	s.advises(t, Attempt{Place: "me", Proven: true, Authorization: s.row, Presented: access}, dead, "The access token expired on 2026-11-01 12:15:00 UTC, 300 seconds before.")
	s.row.Access.ExpiresAt = s.now.Add(-time.Second)
	s.advises(t, Attempt{Place: "me", Proven: true, Authorization: s.row, Presented: access}, dead, "12:19:59 UTC, one second before.")
	s.advises(t, Attempt{Place: "check", Proven: true, Authorization: s.row.Revoked(oauth.ReasonRequested, s.now), Presented: access}, dead, "The authorization of this access token has ended.")
	s.row.Access.ExpiresAt = s.now.Add(time.Hour)
	s.advises(t, Attempt{Place: "me", Proven: true, Authorization: s.row, Presented: access}, dead, "The account of this access token is disabled.")
	s.advises(t, Attempt{Place: "check", Proven: true, Scope: "profile events", Held: "profile"}, oauth.NewError(oauth.InsufficientScope, "no"), "The access token may do: profile. The API asks for: profile events. Ask people for events")
}

func TestAddressesOfPeopleAreShortened(t *testing.T) {
	for _, c := range []struct {
		place  string
		public bool
		want   string
	}{{"token", false, "192.0.2.77"}, {"token", true, "192.0.2.0/24"}, {"authorize", false, "192.0.2.0/24"}, {"me", false, "192.0.2.0/24"}, {"revoke", false, "192.0.2.77"}} {
		a := Attempt{Place: c.place, RemoteAddr: "192.0.2.77:4711", Application: oauth.Application{Public: c.public}}
		if got := a.address(); got != c.want {
			t.Errorf("%s of a public application %v: %s, want %s", c.place, c.public, got, c.want)
		}
	}
}
