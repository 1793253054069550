package e2e_test

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestConfiguration(t *testing.T) {
	t.Parallel()
	t.Run("a flag, a variable and a key of the file set the same thing", func(t *testing.T) { t.Parallel(); testSameSetting(t) })
	t.Run("an access token expires and a repeated refresh gives it a new life", func(t *testing.T) { t.Parallel(); testExpiry(t) })
	t.Run("PKCE can be required of all", func(t *testing.T) { t.Parallel(); testRequiredPKCE(t) })
	t.Run("sign-up can be used and be switched off", func(t *testing.T) { t.Parallel(); testSignUp(t) })
	t.Run("guessing passwords is throttled where nothing is exempt", func(t *testing.T) { t.Parallel(); testSignInThrottle(t) })
}

// settle runs a server with one account that has no session yet.
func settle(t *testing.T, config string, flags ...string) *server {
	t.Helper()
	s := start(t, config, flags...)
	s.ada = s.newAccount(t, "Ada Lovelace")
	s.session = s.browser(s.ada)
	return s
}

// eventually asks again and again until the answer is yes.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	deadline, again := time.After(patience), time.NewTicker(10*time.Millisecond)
	defer again.Stop()
	for !yes() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("not after %v: %s", patience, what)
		}
	}
}

func testSameSetting(t *testing.T) {
	lifetime := func(t *testing.T, s *server) {
		t.Helper()
		got := s.clientCredentials(t, s.register(t, registration{}), "").tokens(t)
		if got.ExpiresIn != 3600 {
			t.Errorf("expires_in is %d, want 3600", got.ExpiresIn)
		}
	}
	t.Run("by a flag", func(t *testing.T) {
		t.Parallel()
		lifetime(t, settle(t, config, "--access-token-lifetime", "1h"))
	})
	t.Run("by a key of the file", func(t *testing.T) {
		t.Parallel()
		lifetime(t, settle(t, config+"access_token_lifetime: 1h\n"))
	})
	t.Run("by a variable", func(t *testing.T) {
		t.Parallel()
		s := settle(t, config) // for its account and application, which serve finds again
		s.terminate(t)
		s.process = launch(t, []string{"LATCHKEY_ACCESS_TOKEN_LIFETIME=1h"},
			"serve", "--listen", "127.0.0.1:0", "--data", s.data, "--config", s.config)
		s.url = s.listening(t)
		lifetime(t, s)
		s.terminate(t)
	})
	t.Run("a value that cannot be read is refused", func(t *testing.T) {
		t.Parallel()
		data := filepath.Join(t.TempDir(), "data")
		run(t, "", "serve", "--listen", "127.0.0.1:0", "--data", data, "--access-token-lifetime", "soon").checkFailed(t, 2)
		run(t, "", "serve", "--listen", "nowhere", "--data", data).checkFailed(t, 1, 2)
	})
}

func testExpiry(t *testing.T) {
	s := settle(t, config+"access_token_lifetime: 2s\n")
	app := s.register(t, registration{})
	first := s.grant(t, app)
	second := s.refresh(t, app, first.Refresh).tokens(t)
	if second.ExpiresIn != 2 {
		t.Errorf("expires_in is %d, want 2", second.ExpiresIn)
	}
	eventually(t, "the access token has expired", func() bool { return s.me(t, second.Access).status == http.StatusUnauthorized })
	if fields := s.introspect(t, app, second.Access); len(fields) != 1 || fields["active"] != false {
		t.Errorf("introspection of an expired token answers %v", fields)
	}
	third := s.refresh(t, app, first.Refresh).tokens(t)
	if third.Access != second.Access || third.Refresh != second.Refresh || third.ExpiresIn < 1 {
		t.Errorf("same access token: %v, same refresh token: %v, expires_in %d", third.Access == second.Access,
			third.Refresh == second.Refresh, third.ExpiresIn)
	}
	s.checkAlive(t, third.Access)

	eventually(t, "the access token has expired again", func() bool { return s.me(t, third.Access).status == http.StatusUnauthorized })
	s.revoke(t, app, third.Access).checkStatus(t, http.StatusOK)
	s.refresh(t, app, third.Refresh).checkRefused(t, "invalid_grant")
}

func testRequiredPKCE(t *testing.T) {
	s := settle(t, config+"require_pkce: true\n")
	app := s.register(t, registration{})
	checkAnswer(t, s, s.session.authorize(t, app.request()), "invalid_request")
	verifier := strings.Repeat("v", 43)
	code := s.code(t, app, "code_challenge", challenge(verifier), "code_challenge_method", "S256")
	s.redeem(t, app, code, "code_verifier", verifier).tokens(t)
}

func testSignUp(t *testing.T) {
	open, closed := settle(t, config), settle(t, config, "--sign-up=false")
	app := open.register(t, registration{})
	newcomer := open.newcomer("Nora Newcomer")
	b := open.browser(newcomer)
	form := b.press(t, b.visit(t, app.request()), "Sign up")
	fill := []string{"name", newcomer.name, "email", newcomer.email, "password", newcomer.password}

	wrong := open.browser(newcomer)
	p := wrong.press(t, form, "Create account", "name", " ", "email", "nobody", "password", "short")
	for _, told := range []string{"Enter a name.", "Enter an email address", "Use at least 8 characters."} {
		if !strings.Contains(p.text(), told) {
			t.Errorf("with all fields wrong the form does not say %q:\n%s", told, p.text())
		}
	}
	for name, password := range map[string]string{"short": "seven77", "common": "password1"} {
		stranger := open.browser(newcomer)
		p := stranger.press(t, form, "Create account", "name", "S", "email", name+"@people.example", "password", password)
		if !p.offers("Create account") {
			t.Errorf("a %s password is not refused: %d\n%s", name, p.status, p.text())
		}
	}

	other := closed.register(t, registration{})
	filled := url.Values{"step": {"sign-up"}}
	for i := 0; i < len(fill); i += 2 {
		filled.Set(fill[i], fill[i+1])
	}
	for _, path := range []string{"/sign-up", "/auth/authorize?" + other.request().Encode()} {
		closed.browser(newcomer).submit(t, path, filled).reads(t, http.StatusUnprocessableEntity, "Accounts are created by those who run this platform.")
	}
	if strings.Contains(closed.command(t, "", "account", "list"), newcomer.email) {
		t.Error("an account was created although sign-up is switched off")
	}
	closed.browser(newcomer).open(t, "/sign-up").reads(t, http.StatusForbidden, "Sign-up is closed")
	if closed.browser(newcomer).visit(t, other.request()).offers("Sign up") {
		t.Error("sign-up is offered although it is switched off")
	}

	to := b.agree(t, b.press(t, form, "Create account", fill...))
	checkAnswer(t, open, to, "")
	checkMe(t, open.me(t, open.redeem(t, app, to.Query().Get("code")).tokens(t).Access), newcomer)
}

func testSignInThrottle(t *testing.T) {
	s := settle(t, strings.Replace(config, "exempt: [127.0.0.0/8]", "exempt: []", 1))
	app := s.register(t, registration{})
	b := s.browser(s.ada)
	form := b.visit(t, app.request())
	for range 50 {
		p := b.press(t, form, "Sign in", "email", s.ada.email, "password", "wrong "+rand.Text())
		if p.status == http.StatusTooManyRequests {
			return
		}
	}
	t.Error("fifty wrong passwords are all looked at")
}
