package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestAuthorization(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	t.Run("state", func(t *testing.T) { t.Parallel(); testState(t, s) })
	t.Run("the answer", func(t *testing.T) { t.Parallel(); testAuthorizationAnswer(t, s) })
	t.Run("an error page", func(t *testing.T) { t.Parallel(); testErrorPages(t, s) })
	t.Run("an error in a redirect", func(t *testing.T) { t.Parallel(); testErrorRedirects(t, s) })
	t.Run("redirect URIs", func(t *testing.T) { t.Parallel(); testRedirectURIs(t, s) })
	t.Run("PKCE", func(t *testing.T) { t.Parallel(); testPKCE(t, s) })
	t.Run("replay", func(t *testing.T) { t.Parallel(); testCodeReplay(t, s) })
}

// oddStates are hard to carry through URLs, forms and pages unharmed.
func oddStates() map[string]string {
	return map[string]string{
		"spaces":              " a  b ",
		"plus":                "a+b",
		"percent":             "100%",
		"an encoded percent":  "%2B%20%25",
		"query punctuation":   "a&b=c?d#e;f/g",
		"markup":              `"quoted" 'single' <b>&amp;</b> \`,
		"letters of anywhere": "ünïcødé ☃ \U0001F5DD",
		"a line feed":         "line\nfeed",
		"a carriage return":   "carriage\rreturn\r\n",
		"bytes that no UTF-8": "\xff\xfe\xc3\x28",
		"a control character": "a\x01b",
		"length":              strings.Repeat("x", 1500),
		"much to encode":      strings.Repeat("/", 8_000),
	}
}

func testState(t *testing.T, s *server) {
	app := s.register(t, registration{})
	all := ""
	for name, state := range oddStates() {
		all += state
		t.Run(name+" comes back with the code", func(t *testing.T) {
			t.Parallel()
			checkState(t, s.session.authorize(t, app.request("state", state)), state)
		})
		t.Run(name+" comes back through the consent page", func(t *testing.T) {
			t.Parallel()
			p := s.session.visit(t, app.request("state", state, "prompt", "consent"))
			checkState(t, s.session.press(t, p, "Allow").away, state)
		})
		t.Run(name+" comes back with a refusal", func(t *testing.T) {
			t.Parallel()
			p := s.session.visit(t, app.request("state", state, "prompt", "consent"))
			checkState(t, s.session.press(t, p, "Cancel").away, state)
		})
		t.Run(name+" comes back with an error", func(t *testing.T) {
			t.Parallel()
			checkState(t, s.session.visit(t, app.request("state", state, "scope", "nonsense")).away, state)
		})
	}
	t.Run("all of it comes back after signing in", func(t *testing.T) {
		t.Parallel()
		checkState(t, s.browser(s.ada).authorize(t, app.request("state", all)), all)
	})
	t.Run("none comes back when none was sent", func(t *testing.T) {
		t.Parallel()
		if to := s.session.authorize(t, app.request("state", "")); to.Query().Has("state") {
			t.Errorf("redirect to %s", to)
		}
	})
}

func checkState(t *testing.T, to *url.URL, want string) {
	t.Helper()
	if to == nil {
		t.Fatal("no redirect to the application")
	}
	q, err := url.ParseQuery(to.RawQuery)
	if err != nil {
		t.Fatalf("the query of %s: %v", to, err)
	}
	if len(q["state"]) != 1 || q.Get("state") != want {
		t.Errorf("state comes back as %q, want %q", q["state"], want)
	}
}

func testAuthorizationAnswer(t *testing.T, s *server) {
	t.Run("adds code, state and iss to the query that the URL had", func(t *testing.T) {
		t.Parallel()
		redirect := "https://client.example/callback?tenant=a%20b&flag"
		app := s.register(t, registration{redirects: []string{redirect}})
		to := s.session.authorize(t, app.request())
		if !strings.HasPrefix(to.String(), redirect+"&") {
			t.Errorf("redirect to %s, want the query of %s kept", to, redirect)
		}
		checkAnswer(t, s, to, "")
		s.redeem(t, app, to.Query().Get("code")).tokens(t)
	})
	t.Run("goes to the redirect_uri as it was registered", func(t *testing.T) {
		t.Parallel()
		redirect := "https://client.example/a%2Fb/%C3%A4;p=1"
		app := s.register(t, registration{redirects: []string{redirect}})
		if to := s.session.authorize(t, app.request()); !strings.HasPrefix(to.String(), redirect+"?") {
			t.Errorf("redirect to %s, want %s", to, redirect)
		}
	})
	t.Run("is kept by no cache, and posts nothing on", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		allowed := s.session.press(t, s.session.visit(t, app.request()), "Allow")
		for p, want := range map[*page]int{allowed: http.StatusSeeOther, s.session.visit(t, app.request()): http.StatusFound} {
			if p.status != want || p.header.Get("Cache-Control") != "no-store" {
				t.Errorf("status %d, want %d; Cache-Control %q", p.status, want, p.header.Get("Cache-Control"))
			}
		}
	})
	t.Run("is access_denied with state and iss when the person cancels", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		p := s.session.visit(t, app.request())
		checkAnswer(t, s, s.session.press(t, p, "Cancel").away, "access_denied")
		if !s.session.visit(t, app.request()).offers("Allow") {
			t.Error("a refusal is remembered as consent")
		}
	})
	t.Run("is access_denied to an application that was approved before as well", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		s.session.authorize(t, app.request())
		p := s.session.visit(t, app.request("prompt", "consent"))
		checkAnswer(t, s, s.session.press(t, p, "Cancel").away, "access_denied")
	})
}

// checkAnswer demands one code, or the error given, with iss and the usual state.
func checkAnswer(t *testing.T, s *server, to *url.URL, wantError string) {
	t.Helper()
	if to == nil {
		t.Fatal("no redirect to the application")
	}
	q := to.Query()
	if len(q["iss"]) != 1 || q.Get("iss") != s.url {
		t.Errorf("iss is %q, want %s", q["iss"], s.url)
	}
	if q.Get("state") != "af0ifjsldkj" {
		t.Errorf("state is %q", q.Get("state"))
	}
	if q.Get("error") != wantError || q.Has("code") == q.Has("error") {
		t.Errorf("error is %q, want %q; redirect to %s", q.Get("error"), wantError, to)
	}
	if description := q.Get("error_description"); description != "" {
		if err := describes(description); err != nil {
			t.Error(err)
		}
	}
}

func testErrorPages(t *testing.T, s *server) {
	app := s.register(t, registration{})
	two := s.register(t, registration{redirects: []string{callback, callback + "2"}})
	suspended := s.register(t, registration{})
	s.command(t, "", "application", "suspend", suspended.ClientID)
	private := s.register(t, registration{public: true, redirects: []string{"com.example.app:/callback"}})
	rows := map[string]string{
		"for an unknown client_id":              app.request("client_id", strings.Repeat("A", 43)).Encode(),
		"for a client_id that is right in half": app.request("client_id", app.ClientID[:22]+strings.Repeat("A", 21)).Encode(),
		"for a client_id of another form":       app.request("client_id", "☃<script>").Encode(),
		"for no client_id":                      app.request("client_id", "").Encode(),
		"for two client_ids":                    app.request().Encode() + "&client_id=x",
		"for a suspended application":           suspended.request().Encode(),
		"for two redirect_uris":                 app.request().Encode() + "&redirect_uri=https%3A%2F%2Fevil.example%2F",
		"for no redirect_uri of two":            two.request("redirect_uri", "").Encode(),
		"for a query that cannot be parsed":     app.request().Encode() + "&x=%zz",
		"for a state that cannot be parsed":     app.request("state", "").Encode() + "&state=%",
		"for a query that is too long encoded":  app.request("state", "").Encode() + "&state=" + strings.Repeat("/", 25_000),
		"for a private-use URI of another path": private.request("redirect_uri", "com.example.app:/other").Encode(),
	}
	for name, uri := range map[string]string{
		"another host":         "https://evil.example/callback",
		"a slash more":         callback + "/",
		"a query more":         callback + "?x=1",
		"an empty query more":  callback + "?",
		"a fragment more":      callback + "#x",
		"the host in capitals": "https://CLIENT.example/callback",
		"http":                 "http://client.example/callback",
		"a port":               "https://client.example:8443/callback",
		"the default port":     "https://client.example:443/callback",
		"user info":            "https://client.example@evil.example/callback",
		"dots in the path":     "https://client.example/x/../callback",
		"percent encoding":     "https://client.example/%63allback",
		"a script":             "javascript:alert(1)",
		"a loopback host":      "http://127.0.0.1/callback",
		"no scheme":            "//client.example/callback",
		"space around":         " " + callback,
		"only its beginning":   "https://client.example/",
		"a longer path":        callback + "/more",
	} {
		rows["for a redirect_uri with "+name] = app.request("redirect_uri", uri).Encode()
	}
	for name, query := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.session.open(t, "/auth/authorize?"+query).checkErrorPage(t)
			s.browser(s.ada).open(t, "/auth/authorize?"+query).checkErrorPage(t)
			s.session.open(t, "/auth/authorize?"+query+"&prompt=none").checkErrorPage(t)
		})
	}
}

func testErrorRedirects(t *testing.T, s *server) {
	app, public := s.register(t, registration{}), s.register(t, registration{public: true})
	rows := []struct{ name, query, code string }{
		{"no response_type", app.request("response_type", "").Encode(), "invalid_request"},
		{"the implicit grant", app.request("response_type", "token").Encode(), "unsupported_response_type"},
		{"a hybrid response_type", app.request("response_type", "code token").Encode(), "unsupported_response_type"},
		{"a response_type of hostile characters", app.request("response_type", "\"\\☃\x00").Encode(), "unsupported_response_type"},
		{"an unknown scope", app.request("scope", "profile nonsense").Encode(), "invalid_scope"},
		{"an unknown scope with prompt=login", app.request("scope", "nonsense", "prompt", "login").Encode(), "invalid_scope"},
		{"a scope of hostile characters", app.request("scope", "\"\\☃").Encode(), "invalid_scope"},
		{"a scope that needs an administrator", app.request("scope", "profile community").Encode(), "invalid_scope"},
		{"scope sent twice", app.request().Encode() + "&scope=profile", "invalid_request"},
		{"scope sent twice, once without a value", app.request("scope", "").Encode() + "&scope=&scope=profile", "invalid_request"},
		{"response_type sent twice", app.request().Encode() + "&response_type=code", "invalid_request"},
		{"code_challenge sent twice", app.request("code_challenge", challenge("a"), "code_challenge_method", "S256").Encode() +
			"&code_challenge=" + challenge("b"), "invalid_request"},
		{"a plain challenge", app.request("code_challenge", challenge("a"), "code_challenge_method", "plain").Encode(), "invalid_request"},
		{"a challenge without a method, which means plain", app.request("code_challenge", challenge("a")).Encode(), "invalid_request"},
		{"an unknown challenge method", app.request("code_challenge", challenge("a"), "code_challenge_method", "S512").Encode(), "invalid_request"},
		{"a challenge of another length", app.request("code_challenge", "short", "code_challenge_method", "S256").Encode(), "invalid_request"},
		{"a public application without a challenge", public.request().Encode(), "invalid_request"},
		{"prompt=none with another prompt", app.request("prompt", "none login").Encode(), "invalid_request"},
	}
	for _, row := range rows {
		t.Run(row.name+" is "+row.code+" once the person is signed in", func(t *testing.T) {
			t.Parallel()
			checkAnswer(t, s, s.session.open(t, "/auth/authorize?"+row.query).away, row.code)
			if p := s.browser(s.ada).open(t, "/auth/authorize?"+row.query); !strings.Contains(row.query, "prompt=none") && p.away != nil {
				t.Errorf("redirects a stranger to %s", p.away)
			}
		})
	}
	t.Run("state sent twice is invalid_request", func(t *testing.T) {
		t.Parallel()
		p := s.session.open(t, "/auth/authorize?"+app.request().Encode()+"&state=x")
		if p.away == nil || p.away.Query().Get("error") != "invalid_request" {
			t.Errorf("status %d, redirect to %v", p.status, p.away)
		}
	})
	t.Run("a stranger signs in first and is redirected then", func(t *testing.T) {
		t.Parallel()
		for query, code := range map[string]string{
			app.request("response_type", "token").Encode():              "unsupported_response_type",
			app.request("scope", "").Encode() + "&scope=&scope=profile": "invalid_request",
			app.request().Encode() + "&prompt=&prompt":                  "invalid_request",
		} {
			b := s.browser(s.ada)
			p := b.open(t, "/auth/authorize?"+query)
			checkAnswer(t, s, b.signIn(t, p).away, code)
		}
	})
	t.Run("an unknown parameter is no error", func(t *testing.T) {
		t.Parallel()
		checkAnswer(t, s, s.session.authorize(t, app.request("audience", "x", "nonce", "y")), "")
	})
}

func testCodeReplay(t *testing.T, s *server) {
	app, other := s.register(t, registration{}), s.register(t, registration{})
	t.Run("a code used twice ends what the first use made", func(t *testing.T) {
		t.Parallel()
		code := s.code(t, app)
		first := s.redeem(t, app, code).tokens(t)
		s.checkAlive(t, first.Access)
		s.redeem(t, app, code).checkRefused(t, "invalid_grant")
		s.checkDead(t, app, first)
	})
	t.Run("a code used after a refresh ends the refreshed tokens", func(t *testing.T) {
		t.Parallel()
		code := s.code(t, app)
		second := s.refresh(t, app, s.redeem(t, app, code).tokens(t).Refresh).tokens(t)
		s.redeem(t, app, code).checkRefused(t, "invalid_grant")
		s.checkDead(t, app, second)
	})
	t.Run("a replay that proves no possession changes nothing", func(t *testing.T) {
		t.Parallel()
		verifier := strings.Repeat("v", 43)
		code := s.code(t, app, "code_challenge", challenge(verifier), "code_challenge_method", "S256")
		first := s.redeem(t, app, code, "code_verifier", verifier).tokens(t)
		s.redeem(t, app, code).checkRefused(t, "invalid_grant")
		s.redeem(t, app, code, "code_verifier", strings.Repeat("w", 43)).checkRefused(t, "invalid_grant")
		s.redeem(t, app, code, "code_verifier", verifier, "redirect_uri", callback+"2").checkRefused(t, "invalid_grant")
		s.redeem(t, other, code, "code_verifier", verifier).checkRefused(t, "invalid_grant")
		s.checkAlive(t, first.Access)
		s.refresh(t, app, first.Refresh).tokens(t)
	})
	t.Run("another application cannot use a code or use it up", func(t *testing.T) {
		t.Parallel()
		code := s.code(t, app)
		s.redeem(t, other, code).checkRefused(t, "invalid_grant")
		s.redeem(t, app, code).tokens(t)
	})
}
