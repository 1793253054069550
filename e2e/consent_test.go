package e2e_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestConsent(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	bob := s.newAccount(t, "Bob Babbage")
	t.Run("asking", func(t *testing.T) { t.Parallel(); testAsking(t, s) })
	t.Run("prompt", func(t *testing.T) { t.Parallel(); testPrompt(t, s) })
	t.Run("binding", func(t *testing.T) { t.Parallel(); testBinding(t, s, bob) })
	t.Run("cross-site", func(t *testing.T) { t.Parallel(); testCrossSite(t, s, bob) })
	t.Run("signing in", func(t *testing.T) { t.Parallel(); testSignIn(t, s, bob) })
	t.Run("the page", func(t *testing.T) { t.Parallel(); testConsentPage(t, s) })
}

func testAsking(t *testing.T, s *server) {
	community := []string{"profile", "events", "community"}
	rows := []struct {
		name          string
		app           registration
		first, second []string // what is asked for, beyond the ordinary request
		asks          bool
	}{
		{"the same scopes are not asked for again", registration{}, nil, nil, false},
		{"fewer scopes are not asked for again", registration{}, []string{"scope", "profile events"}, nil, false},
		{"the same scopes in another order are not asked for again", registration{},
			[]string{"scope", "profile events"}, []string{"scope", "events profile"}, false},
		{"more scopes ask", registration{}, nil, []string{"scope", "profile events"}, true},
		{"other scopes ask", registration{scopes: community}, []string{"scope", "events"}, []string{"scope", "community"}, true},
		{"prompt=consent asks", registration{}, nil, []string{"prompt", "consent"}, true},
		{"a loopback redirect always asks", registration{redirects: []string{"http://127.0.0.1/callback"}}, nil, nil, true},
		{"another redirect_uri of the application is not asked for", registration{redirects: []string{callback, callback + "2"}},
			nil, []string{"redirect_uri", callback + "2"}, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			app := s.register(t, row.app)
			p := s.session.visit(t, app.request(row.first...))
			if !p.offers("Allow") {
				t.Fatalf("the first request is not asked about: %d %s", p.status, p.text())
			}
			s.session.press(t, p, "Allow")
			checkAsked(t, s.session.visit(t, app.request(row.second...)), row.asks)
		})
	}
	for _, redirect := range []string{callback, "http://127.0.0.1/callback", "com.example.app:/callback"} {
		t.Run("a public application is always asked about, at "+redirect, func(t *testing.T) {
			t.Parallel()
			app := s.register(t, registration{public: true, redirects: []string{redirect}})
			request := app.request("code_challenge", challenge(strings.Repeat("v", 43)), "code_challenge_method", "S256")
			s.session.authorize(t, request)
			checkAsked(t, s.session.visit(t, request), true)
		})
	}
	t.Run("scopes that were approved one after the other add up", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		s.session.authorize(t, app.request("scope", "profile"))
		s.session.authorize(t, app.request("scope", "events"))
		checkAsked(t, s.session.visit(t, app.request("scope", "profile events")), false)
	})
	t.Run("HEAD approves nothing", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		s.session.authorize(t, app.request())
		req, err := http.NewRequest(http.MethodHead, s.url+"/auth/authorize?"+app.request().Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		s.session.do(t, req).checkNoCode(t)
	})
	t.Run("suspending an application stops a consent page that is open", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		p := s.session.visit(t, app.request())
		s.command(t, "", "application", "suspend", app.ClientID)
		s.session.press(t, p, "Allow").checkErrorPage(t)
	})
}

func checkAsked(t *testing.T, p *page, asks bool) {
	t.Helper()
	if asks && !p.offers("Allow") {
		t.Errorf("the person is not asked: %d, redirect to %v\n%s", p.status, p.away, p.text())
	}
	if !asks && (p.away == nil || !p.away.Query().Has("code")) {
		t.Errorf("no code without asking: %d, redirect to %v\n%s", p.status, p.away, p.text())
	}
}

func testPrompt(t *testing.T, s *server) {
	approved := s.register(t, registration{})
	s.session.authorize(t, approved.request())
	rows := []struct {
		name    string
		b       *browser
		app     registration
		before  bool // approved once already
		request []string
		want    string // the error, or empty for a code
	}{
		{"none for a stranger is login_required", s.browser(s.ada), registration{}, true, nil, "login_required"},
		{"none before any approval is consent_required", s.session, registration{}, false, nil, "consent_required"},
		{"none for what was approved gives a code", s.session, registration{}, true, nil, ""},
		{"none for more than was approved is consent_required", s.session, registration{}, true, []string{"scope", "profile events"}, "consent_required"},
		{"none for a loopback redirect is consent_required", s.session,
			registration{redirects: []string{"http://127.0.0.1/callback"}}, true, nil, "consent_required"},
		{"none for a public application is consent_required", s.session, registration{public: true}, true,
			[]string{"code_challenge", challenge("v"), "code_challenge_method", "S256"}, "consent_required"},
		{"none with an unknown scope is invalid_scope", s.session, registration{}, true, []string{"scope", "nonsense"}, "invalid_scope"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			app := s.register(t, row.app)
			if row.before {
				request := app.request(row.request...)
				request.Set("scope", "profile")
				s.session.authorize(t, request)
			}
			checkAnswer(t, s, row.b.visit(t, app.request(append(row.request, "prompt", "none")...)).away, row.want)
		})
	}
	t.Run("login asks a signed-in person to sign in, once", func(t *testing.T) {
		t.Parallel()
		b := s.browser(s.ada)
		b.authorize(t, approved.request())
		p := b.visit(t, approved.request("prompt", "login"))
		if !p.offers("Sign in") {
			t.Fatalf("no sign-in page: %d, redirect to %v\n%s", p.status, p.away, p.text())
		}
		if !b.visit(t, approved.request("prompt", "login")).offers("Sign in") {
			t.Error("a second request does not ask to sign in")
		}
		checkAnswer(t, s, b.signIn(t, p).away, "")
	})
	t.Run("login cannot be passed by without signing in", func(t *testing.T) {
		t.Parallel()
		b := s.browser(s.ada)
		b.authorize(t, approved.request())
		p := b.visit(t, approved.request("prompt", "login"))
		b.press(t, p, "Sign in", "email", s.ada.email, "password", "not "+s.ada.password).checkNoCode(t)
		b.open(t, p.url.RequestURI()).checkNoCode(t)
	})
}

func testBinding(t *testing.T, s *server, bob account) {
	t.Run("a second submit of a consent page approves nothing", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		p := s.session.visit(t, app.request())
		s.redeem(t, app, s.session.press(t, p, "Allow").away.Query().Get("code")).tokens(t)
		s.session.press(t, p, "Allow").checkNoCode(t)
	})
	t.Run("Allow after Cancel approves nothing", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		p := s.session.visit(t, app.request())
		s.session.press(t, p, "Cancel")
		s.session.press(t, p, "Allow").checkNoCode(t)
	})
	t.Run("a consent page is of no use to somebody else", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		p := s.session.visit(t, app.request())
		mallory := s.browser(bob)
		mallory.authorize(t, s.register(t, registration{}).request())
		mallory.press(t, p, "Allow").checkNoCode(t)
		checkAsked(t, mallory.visit(t, app.request()), true)
		checkAsked(t, s.session.press(t, p, "Allow"), false)
	})
	t.Run("a consent page is of no use in another session of the same person", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		p := s.session.visit(t, app.request())
		second := s.browser(s.ada)
		second.authorize(t, s.register(t, registration{}).request())
		second.press(t, p, "Allow").checkNoCode(t)
		checkAsked(t, s.session.press(t, p, "Allow"), false)
	})
	t.Run("a consent page is of no use without a session", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		p := s.session.visit(t, app.request())
		s.browser(s.ada).press(t, p, "Allow").checkNoCode(t)
	})
	t.Run("a sign-in as somebody else in another tab approves nothing", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		b := s.browser(s.ada)
		b.authorize(t, s.register(t, registration{}).request())
		p := b.visit(t, app.request())
		b.person = bob
		b.signIn(t, b.visit(t, app.request("prompt", "login")))
		b.press(t, p, "Allow").checkNoCode(t)
		checkAsked(t, b.visit(t, app.request()), true)
	})
	t.Run("a consent page is of no use when what it shows of the application has changed", func(t *testing.T) {
		t.Parallel()
		for _, change := range [][]string{
			{"--name", "Another"}, {"--site", "https://client.example"}, {"--privacy", "https://client.example"}, {"--terms", "https://client.example"},
			{"--redirect-uri", callback, "--redirect-uri", callback + "2"},
		} {
			app := s.register(t, registration{})
			p := s.session.visit(t, app.request())
			s.command(t, "", append([]string{"application", "update", app.ClientID}, change...)...)
			checkOutOfDate(t, s.session.press(t, p, "Allow"))
		}
	})
	t.Run("a consent page counts although the application may ask for something else meanwhile", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		p := s.session.visit(t, app.request())
		s.command(t, "", "application", "update", app.ClientID, "--scope", "profile")
		checkAsked(t, s.session.press(t, p, "Allow"), false)
	})
	t.Run("nothing that a consent page posts can be changed", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		p := s.session.visit(t, app.request())
		form, pressed := p.button("Allow")
		hidden := url.Values{}
		for in := range descendants(form, "input") {
			hidden.Set(attr(in, "name"), attr(in, "value"))
		}
		if len(hidden) == 0 {
			t.Error("the consent form carries nothing that binds it")
		}
		for name := range hidden {
			changed := url.Values{attr(pressed, "name"): {attr(pressed, "value")}}
			for other := range hidden {
				changed.Set(other, hidden.Get(other))
			}
			changed.Set(name, "x"+hidden.Get(name))
			req := s.session.post(t, p, form, pressed, changed)
			req.Header.Set("Sec-Fetch-Site", "same-origin")
			req.Header.Set("Origin", s.url)
			s.session.do(t, req).checkNoCode(t)
		}
	})
	t.Run("what is approved is the request that was shown", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{redirects: []string{callback, callback + "2"}})
		changes := [][]string{{"scope", "profile events"}, {"redirect_uri", callback + "2"}, {"state", "other"},
			{"code_challenge", challenge("v"), "code_challenge_method", "S256"}}
		for _, change := range changes {
			p := s.session.visit(t, app.request("prompt", "consent"))
			req := s.session.submission(t, p, "Allow")
			req.URL.RawQuery = app.request(append(change, "prompt", "consent")...).Encode()
			req.Header.Set("Sec-Fetch-Site", "same-origin")
			req.Header.Set("Origin", s.url)
			got := s.session.do(t, req)
			if got.away == nil || !got.away.Query().Has("code") {
				continue
			}
			// The query may be ignored; then the answer is to the request that was shown.
			if !strings.HasPrefix(got.away.String(), callback+"?") || got.away.Query().Get("state") != "af0ifjsldkj" {
				t.Errorf("%s was not shown, yet the redirect goes to %s", change, got.away)
			}
			checkScope(t, s.redeem(t, app, got.away.Query().Get("code")).tokens(t), "profile")
		}
	})
}

func testCrossSite(t *testing.T, s *server, bob account) {
	headers := map[string]map[string]string{
		"from another site":             {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
		"from a neighbouring site":      {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
		"by an old browser":             {"Origin": "https://evil.example"},
		"from a page without an origin": {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
	}
	for name, header := range headers {
		t.Run("a consent sent "+name+" is refused", func(t *testing.T) {
			t.Parallel()
			app := s.register(t, registration{})
			p := s.session.visit(t, app.request())
			req := s.session.submission(t, p, "Allow")
			for k, v := range header {
				req.Header.Set(k, v)
			}
			got := s.session.do(t, req)
			got.checkNoCode(t)
			if got.status != http.StatusForbidden {
				t.Errorf("status %d, want 403", got.status)
			}
			checkAsked(t, s.session.press(t, p, "Allow"), false)
		})
		t.Run("a sign-in sent "+name+" is refused", func(t *testing.T) {
			t.Parallel()
			b := s.browser(bob)
			p := b.visit(t, s.register(t, registration{}).request())
			req := b.submission(t, p, "Sign in", "email", bob.email, "password", bob.password)
			for k, v := range header {
				req.Header.Set(k, v)
			}
			if got := b.do(t, req); got.status != http.StatusForbidden {
				t.Errorf("status %d, want 403", got.status)
			}
		})
	}
}

func testConsentPage(t *testing.T, s *server) {
	t.Run("says who asks for what, who is signed in and where the browser will go", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		text := s.session.visit(t, app.request("scope", "profile events")).text()
		for _, want := range []string{"Calendar ", "Ada Lovelace", "client.example",
			"See your name, picture and email address", "See the events you attend"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not on the page:\n%s", want, text)
			}
		}
		if strings.Contains(text, "See the communities you belong to") {
			t.Error("a scope that was not asked for is on the page")
		}
	})
	rows := map[string]struct{ redirect, origin string }{
		"https":         {callback, "https:"},
		"loopback":      {"http://127.0.0.1:8123/callback", "http://127.0.0.1:8123"},
		"a private use": {"com.example.app:/callback", "com.example.app:"},
	}
	for name, row := range rows {
		t.Run("lets its form end at a callback of "+name, func(t *testing.T) {
			t.Parallel()
			app := s.register(t, registration{public: true, redirects: []string{row.redirect}})
			p := s.session.visit(t, app.request("code_challenge", challenge("v"), "code_challenge_method", "S256"))
			if !p.offers("Allow") {
				t.Fatalf("no consent page: %d %s", p.status, p.text())
			}
			checkPageHeaders(t, p)
			sources := directive(p.header.Get("Content-Security-Policy"), "form-action")
			for _, want := range []string{"'self'", "https:", row.origin} {
				if !slices.Contains(sources, want) {
					t.Errorf("form-action is %q, want %s in it", sources, want)
				}
			}
		})
	}
}

// directive returns the sources of one directive of a content security policy.
func directive(policy, name string) []string {
	for d := range strings.SplitSeq(policy, ";") {
		if words := strings.Fields(d); len(words) > 0 && words[0] == name {
			return words[1:]
		}
	}
	return nil
}
