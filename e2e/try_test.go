package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestTrial runs the flow of an application by hand, and looks who can.
func TestTrial(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	for _, part := range []struct {
		name string
		test func(*testing.T, *server)
	}{
		{"a confidential application is tried to its end", func(t *testing.T, s *server) { testTrial(t, s, false) }},
		{"a public application is tried to its end", func(t *testing.T, s *server) { testTrial(t, s, true) }},
		{"a refusal is shown as the application gets it", testTrialRefused},
		{"nobody else is sent to the callback of a trial", testTrialCallback},
		{"somebody else who signs in during a trial does not go on with it", testTrialSignIn},
		{"an answer counts only for the attempt that it belongs to", testTrialState},
		{"a trial reaches nothing but what it made", testTrialReach},
	} {
		t.Run(part.name, func(t *testing.T) { t.Parallel(); part.test(t, s) })
	}
}

// begin opens the page that tries an application, and returns the request that it offers.
func (b *browser) begin(t *testing.T, app application) url.Values {
	t.Helper()
	u, err := url.Parse(b.open(t, app.path()+"/try").link(t, "Send it: open the consent page"))
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// code is the text of the code with this id.
func (p *page) code(id string) string {
	for c := range descendants(p.root, "code") {
		if attr(c, "id") == id {
			return c.FirstChild.Data
		}
	}
	return ""
}

// given are the tokens that a page shows in an answer.
func (p *page) given(t *testing.T) tokens {
	t.Helper()
	text := strings.ReplaceAll(p.code("response"), `": "`, `":"`)
	got := tokens{Access: member(text, "access_token"), Refresh: member(text, "refresh_token")}
	if !tokenShape.MatchString(got.Access) || !tokenShape.MatchString(got.Refresh) {
		t.Fatalf("no tokens are shown:\n%s", p.text())
	}
	return got
}

func testTrial(t *testing.T, s *server, public bool) {
	person, b := s.signedIn(t, "Tess Trial")
	app := s.register(t, registration{owner: person.email, public: public})
	p := b.visit(t, b.begin(t, app))
	p.reads(t, http.StatusOK, "wants to use your account", "You will return to "+strings.TrimPrefix(s.url, "http://"))
	p = b.press(t, p, "Allow")
	p.reads(t, http.StatusOK, "The authorization answer", "iss="+url.QueryEscape(s.url), "grant_type=authorization_code", "code_verifier=")
	if got := p.code("next-request"); strings.Contains(got, "$CLIENT_SECRET") == public || strings.Contains(got, "client_id=") != public {
		t.Errorf("the next request is:\n%s", got)
	}
	p = b.press(t, p, "Exchange the code")
	p.reads(t, http.StatusOK, "HTTP/1.1 200 OK", "Cache-Control: no-store", `"token_type": "Bearer"`)
	if got := p.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("a page with tokens has Cache-Control %q", got)
	}
	first := p.given(t)
	p = b.press(t, p, "Call the API")
	p.reads(t, http.StatusOK, "GET /irk/api/v1/me HTTP/1.1", person.email)
	p = b.press(t, p, "Refresh")
	second := p.given(t)
	if second.Refresh == first.Refresh {
		t.Error("the refresh token did not change")
	}
	s.me(t, second.Access).checkStatus(t, http.StatusOK)
	p = b.press(t, p, "Revoke")
	p.reads(t, http.StatusOK, "POST /irk/oauth/revoke HTTP/1.1", "HTTP/1.1 200 OK")
	b.press(t, p, "Call the API").reads(t, http.StatusOK, "HTTP/1.1 401 Unauthorized", "WWW-Authenticate: Bearer")
	s.me(t, second.Access).checkStatus(t, http.StatusUnauthorized)
}

func testTrialRefused(t *testing.T, s *server) {
	app := s.register(t, registration{})
	p := s.session.press(t, s.session.visit(t, s.session.begin(t, app)), "Cancel")
	p.reads(t, http.StatusOK, "The answer is an error.", "error=access_denied", "Start again")
	if p.offers("Exchange the code") {
		t.Error("there is nothing to exchange")
	}
	p = s.session.open(t, app.path()+"/try?scope=events&scope=nothing")
	if got := p.code("request"); !strings.Contains(got, "scope=events\n") {
		t.Errorf("the request with another scope is:\n%s", got)
	}
}

// trialCallback is the page of the server that takes the answers of trials.
func (s *server) trialCallback(app application) string { return s.url + app.path() + "/try/callback" }

func testTrialCallback(t *testing.T, s *server) {
	app, other := s.register(t, registration{}), s.register(t, registration{})
	stranger, b := s.signedIn(t, "Sam Stranger")
	refused := func(name string, b *browser, q url.Values) {
		t.Helper()
		p := b.visit(t, q)
		p.checkErrorPage(t)
		if !strings.Contains(p.text(), "redirect_uri is not registered") {
			t.Errorf("%s: %s", name, p.text())
		}
	}
	q := app.request("redirect_uri", s.trialCallback(app))
	refused("somebody else who is signed in", b, q)
	refused("nobody", s.browser(stranger), q)
	refused("the callback of another application", s.session, app.request("redirect_uri", s.trialCallback(other)))
	for _, more := range []string{"/", "?x=y", "%20", "/../callback"} {
		refused("with "+more, s.session, app.request("redirect_uri", s.trialCallback(app)+more))
	}
}

func testTrialSignIn(t *testing.T, s *server) {
	owner, other := s.newAccount(t, "Olga Owner"), s.newAccount(t, "Otto Other")
	app := s.register(t, registration{owner: owner.email})
	// The other has approved the application before, so he would not be asked.
	s.browser(other).authorize(t, app.request())
	for _, prompt := range []string{"", "login"} {
		b := s.signIn(t, owner)
		q := b.begin(t, app)
		q.Set("prompt", prompt)
		p := b.visit(t, q)
		if prompt == "" {
			p = b.press(t, p, "Not you?")
		}
		b.person = other
		b.signIn(t, p).checkErrorPage(t)
	}
	b := s.signIn(t, owner)
	q := b.begin(t, app)
	q.Set("prompt", "login consent")
	p := b.signIn(t, b.visit(t, q))
	p.reads(t, http.StatusOK, "wants to use your account", "You will return to "+strings.TrimPrefix(s.url, "http://"))
	if p = b.press(t, p, "Allow"); p.url.Path != app.path()+"/try/callback" || !p.url.Query().Has("code") {
		t.Errorf("the answer leads to %s", p.url.Redacted())
	}
}

func testTrialState(t *testing.T, s *server) {
	owner := s.newAccount(t, "Stan State")
	app, second := s.register(t, registration{owner: owner.email}), s.register(t, registration{owner: owner.email})
	b, elsewhere := s.signIn(t, owner), s.signIn(t, owner)
	q := b.begin(t, app)
	state := q.Get("state")
	for name, p := range map[string]*page{
		"no state":            b.open(t, app.path()+"/try/callback?code=x"),
		"a made-up state":     b.open(t, app.path()+"/try/callback?code=x&state="+strings.Repeat("A", 64)),
		"another session":     elsewhere.open(t, app.path()+"/try/callback?code=x&state="+state),
		"another application": b.open(t, second.path()+"/try/callback?code=x&state="+state),
	} {
		if p.status != http.StatusBadRequest || p.offers("Exchange the code") || !strings.Contains(p.text(), "belongs to no attempt of yours") {
			t.Errorf("%s is answered %d:\n%s", name, p.status, p.text())
		}
	}
	// The verifier is another in each trial, so a code of one is nothing in another.
	p := b.press(t, b.visit(t, q), "Allow")
	code := p.url.Query().Get("code")
	wrong := b.submit(t, app.path()+"/try/exchange", url.Values{"state": {b.begin(t, app).Get("state")}, "code": {code}})
	wrong.reads(t, http.StatusOK, "HTTP/1.1 400 Bad Request", "invalid_grant")
	b.press(t, p, "Exchange the code").given(t)
}

func testTrialReach(t *testing.T, s *server) {
	owner, person := s.newAccount(t, "Rhea Reach"), s.newAccount(t, "Paul Person")
	app := s.register(t, registration{owner: owner.email})
	b := s.signIn(t, owner)
	// Of somebody else, and of the owner at the registered redirect URL.
	for _, whose := range []account{person, owner} {
		code := s.browser(whose).authorize(t, app.request()).Query().Get("code")
		b.submit(t, app.path()+"/try/exchange", url.Values{"state": {b.begin(t, app).Get("state")}, "code": {code}}).
			reads(t, http.StatusOK, "HTTP/1.1 400 Bad Request", "code is not one that was given to this application")
		got := s.redeem(t, app, code).tokens(t)
		b.submit(t, app.path()+"/try/refresh", url.Values{"refresh_token": {got.Refresh}}).reads(t, http.StatusOK, "invalid_grant")
		b.submit(t, app.path()+"/try/revoke", url.Values{"access_token": {got.Access}}).reads(t, http.StatusOK, "HTTP/1.1 200 OK")
		s.me(t, got.Access).checkStatus(t, http.StatusOK)
	}
}
