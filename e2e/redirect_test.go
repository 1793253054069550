package e2e_test

import (
	"strings"
	"testing"
)

func testRedirectURIs(t *testing.T, s *server) {
	t.Run("loopback", func(t *testing.T) { t.Parallel(); testLoopback(t, s) })
	t.Run("at the token endpoint", func(t *testing.T) { t.Parallel(); testRedirectAtToken(t, s) })
	t.Run("at registration", func(t *testing.T) { t.Parallel(); testRedirectRegistration(t, s) })
	t.Run("a private-use scheme works for a public application", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{public: true, redirects: []string{"com.example.app:/callback"}})
		s.checkAlive(t, s.grant(t, app).Access)
	})
}

func testLoopback(t *testing.T, s *server) {
	rows := []struct {
		name, registered, requested string
		allowed                     bool
	}{
		{"127.0.0.1 matches with any port", "http://127.0.0.1/callback", "http://127.0.0.1:51234/callback", true},
		{"127.0.0.1 matches with another port", "http://127.0.0.1:8080/callback", "http://127.0.0.1:51234/callback", true},
		{"127.0.0.1 matches without a port", "http://127.0.0.1:8080/callback", "http://127.0.0.1/callback", true},
		{"[::1] matches with any port", "http://[::1]/callback", "http://[::1]:51234/callback", true},
		{"localhost matches with any port", "http://localhost/callback", "http://localhost:51234/callback", true},
		{"a query is kept and compared", "http://127.0.0.1/callback?a=b", "http://127.0.0.1:51234/callback?a=b", true},
		{"another path does not match", "http://127.0.0.1/callback", "http://127.0.0.1:51234/other", false},
		{"another query does not match", "http://127.0.0.1/callback", "http://127.0.0.1:51234/callback?a=b", false},
		{"localhost is not 127.0.0.1", "http://127.0.0.1/callback", "http://localhost:51234/callback", false},
		{"[::1] is not 127.0.0.1", "http://127.0.0.1/callback", "http://[::1]:51234/callback", false},
		{"https is not http", "http://127.0.0.1/callback", "https://127.0.0.1:51234/callback", false},
		{"user info is no port", "http://127.0.0.1/callback", "http://127.0.0.1:80@evil.example/callback", false},
		{"a longer host does not match", "http://localhost/callback", "http://localhost.evil.example:80/callback", false},
		{"a port must be a number", "http://127.0.0.1/callback", "http://127.0.0.1:x/callback", false},
		{"https loopback has no free port", "https://localhost/callback", "https://localhost:8443/callback", false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			app := s.register(t, registration{redirects: []string{row.registered}})
			if !row.allowed {
				s.session.visit(t, app.request("redirect_uri", row.requested)).checkErrorPage(t)
				return
			}
			to := s.session.authorize(t, app.request("redirect_uri", row.requested))
			if !strings.HasPrefix(to.String(), row.requested) {
				t.Fatalf("redirect to %s, want %s", to, row.requested)
			}
			code := to.Query().Get("code")
			s.redeem(t, app, code, "redirect_uri", row.registered).checkRefused(t, "invalid_grant")
			s.redeem(t, app, code, "redirect_uri", row.requested).tokens(t)
		})
	}
}

func testRedirectAtToken(t *testing.T, s *server) {
	one := s.register(t, registration{})
	two := s.register(t, registration{redirects: []string{callback, callback + "2"}})
	rows := []struct {
		name      string
		app       application
		authorize string // empty leaves it out
		token     string
		redeemed  bool
	}{
		{"the same one redeems", one, callback, callback, true},
		{"the same one of two redeems", two, callback, callback, true},
		{"the other one of two does not", two, callback, callback + "2", false},
		{"leaving it out does not, when it was sent to authorize", one, callback, "", false},
		{"leaving it out redeems, when authorize had none", one, "", "", true},
		{"the one used redeems, when authorize had none", one, "", callback, true},
		{"another one does not, when authorize had none", one, "", callback + "2", false},
		{"a slash more does not", one, callback, callback + "/", false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			code := s.code(t, row.app, "redirect_uri", row.authorize)
			a := s.redeem(t, row.app, code, "redirect_uri", row.token)
			if row.redeemed {
				a.tokens(t)
				return
			}
			a.checkRefused(t, "invalid_grant")
			s.redeem(t, row.app, code).tokens(t)
		})
	}
}

func testRedirectRegistration(t *testing.T, s *server) {
	rows := []struct {
		name, uri        string
		confidential, ok bool
	}{
		{"https is accepted", "https://client.example/a?b=c", true, true},
		{"http on loopback is accepted", "http://127.0.0.1:8080/a", true, true},
		{"a private-use scheme with a dot is accepted of a public application", "com.example.app:/a", false, true},
		{"a private-use scheme is refused of a confidential application", "com.example.app:/a", true, false},
		{"a private-use scheme without a dot is refused", "myapp:/a", false, false},
		{"http elsewhere is refused", "http://client.example/a", true, false},
		{"http on a host that only looks like loopback is refused", "http://127.0.0.1.evil.example/a", true, false},
		{"a fragment is refused", "https://client.example/a#b", true, false},
		{"an empty fragment is refused", "https://client.example/a#", true, false},
		{"user info is refused", "https://user@client.example/a", true, false},
		{"a wildcard host is refused", "https://*.client.example/a", true, false},
		{"a wildcard path is refused", "https://client.example/*", true, false},
		{"a relative one is refused", "/callback", true, false},
		{"one without a host is refused", "https:///a", true, false},
		{"a script is refused", "javascript:alert(1)", false, false},
		{"data is refused", "data:text/html,x", false, false},
		{"a file is refused", "file:///etc/passwd", false, false},
		{"code in its query is refused", "https://client.example/a?code=x", true, false},
		{"state in its query is refused", "https://client.example/a?state=x", true, false},
		{"error in its query is refused", "https://client.example/a?error=x", true, false},
		{"iss in its query is refused", "https://client.example/a?iss=x", true, false},
		{"space is refused", "https://client.example/a b", true, false},
		{"a line end is refused", "https://client.example/a\r\nb", true, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			args := []string{"application", "create", "--owner", s.ada.email, "--name", "Mail", "--redirect-uri", row.uri, "--json"}
			if !row.confidential {
				args = append(args, "--public")
			}
			r := s.try(t, "", args...)
			if row.ok && r.status != 0 {
				t.Errorf("refused with %d: %s", r.status, r.stderr)
			}
			if !row.ok {
				r.checkFailed(t, 1)
			}
		})
	}
}

func testPKCE(t *testing.T, s *server) {
	app, public := s.register(t, registration{}), s.register(t, registration{public: true})
	verifier, wrong := strings.Repeat("Az09-._~", 6), strings.Repeat("Az09-._~", 7)
	challenged := []string{"code_challenge", challenge(verifier), "code_challenge_method", "S256"}
	rows := []struct {
		name      string
		app       application
		challenge []string
		bad, good string // verifiers; an empty one is left out
	}{
		{"a confidential application's challenge makes the verifier mandatory", app, challenged, "", verifier},
		{"a confidential application's wrong verifier is refused", app, challenged, wrong, verifier},
		{"a public application's missing verifier is refused", public, challenged, "", verifier},
		{"a public application's wrong verifier is refused", public, challenged, wrong, verifier},
		{"the challenge is no verifier", app, challenged, challenge(verifier), verifier},
		{"a verifier cut short is refused", app, challenged, verifier[:47], verifier},
		{"a verifier without a challenge is refused", app, nil, verifier, ""},
	}
	for _, row := range rows {
		t.Run(row.name+" and uses nothing up", func(t *testing.T) {
			t.Parallel()
			code := s.code(t, row.app, row.challenge...)
			s.redeem(t, row.app, code, "code_verifier", row.bad).checkRefused(t, "invalid_grant")
			s.redeem(t, row.app, code, "code_verifier", row.good).tokens(t)
		})
	}
}
