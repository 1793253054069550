package e2e_test

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func testSignIn(t *testing.T, s *server, bob account) {
	app := s.register(t, registration{})
	t.Run("pages cannot be framed, sniffed or scripted", func(t *testing.T) {
		t.Parallel()
		checkPageHeaders(t, s.browser(bob).visit(t, app.request()))
		checkPageHeaders(t, s.browser(bob).visit(t, app.request("client_id", "x")))
		checkPageHeaders(t, s.browser(bob).open(t, "/"))
	})
	t.Run("the session's cookie is kept from scripts and other sites", func(t *testing.T) {
		t.Parallel()
		b := s.browser(bob)
		b.signIn(t, b.visit(t, app.request()))
		if len(b.client.Jar.Cookies(b.origin)) == 0 {
			t.Fatal("a signed-in browser holds no cookie")
		}
		cookies := s.vault.setCookies()
		for _, c := range cookies {
			sameSite := c.SameSite == http.SameSiteLaxMode || c.SameSite == http.SameSiteStrictMode
			if !c.HttpOnly || !sameSite || c.Secure {
				t.Errorf("cookie %s: HttpOnly %v, SameSite %v, Secure %v on http", c.Name, c.HttpOnly, c.SameSite, c.Secure)
			}
		}
	})
	t.Run("a sign-in starts a new session", func(t *testing.T) {
		t.Parallel()
		b := s.browser(bob)
		b.signIn(t, b.visit(t, app.request()))
		before, copied := b.client.Jar.Cookies(b.origin), s.browser(bob)
		copied.client.Jar.SetCookies(copied.origin, before)
		copied.open(t, "/settings/profile").reads(t, http.StatusOK, "Profile")
		b.signIn(t, b.visit(t, app.request("prompt", "login")))
		if !copied.open(t, "/settings/profile").offers("Sign in") {
			t.Error("the session before goes on")
		}
		after := b.client.Jar.Cookies(b.origin)
		for _, old := range before {
			if slices.ContainsFunc(after, func(c *http.Cookie) bool { return len(old.Value) > 20 && c.Value == old.Value }) {
				t.Errorf("cookie %s outlives a sign-in", old.Name)
			}
		}
	})
	t.Run("a sign-out ends the session and forgets its cookie", func(t *testing.T) {
		t.Parallel()
		b, copied := s.browser(bob), s.browser(bob)
		b.signIn(t, b.open(t, "/sign-in"))
		copied.client.Jar.SetCookies(copied.origin, b.client.Jar.Cookies(b.origin))
		copied.open(t, "/settings/profile").reads(t, http.StatusOK, "Profile")
		if p := b.submit(t, "/sign-out", nil); !p.offers("Sign in") || !strings.Contains(p.text(), "You are signed out.") || len(b.client.Jar.Cookies(b.origin)) != 0 {
			t.Errorf("the browser is at %s and has %d cookies", p.url, len(b.client.Jar.Cookies(b.origin)))
		}
		if p := copied.open(t, "/settings/profile"); !p.offers("Sign in") {
			t.Errorf("who copied the cookie is at %s:\n%s", p.url, p.text())
		}
	})
	t.Run("an unknown address and a wrong password get the same answer", func(t *testing.T) {
		t.Parallel()
		answers := map[string]bool{}
		for _, email := range []string{bob.email, strings.ToLower(rand.Text()) + "@people.example"} {
			b := s.browser(bob)
			p := b.press(t, b.visit(t, app.request()), "Sign in", "email", email, "password", "wrong "+bob.password)
			if !p.offers("Sign in") {
				t.Fatalf("no second try: %d %s", p.status, p.text())
			}
			answers[strings.ReplaceAll(p.text(), email, "EMAIL")+http.StatusText(p.status)] = true
		}
		if len(answers) != 1 {
			t.Errorf("the answers differ: %v", answers)
		}
	})
	t.Run("an address signs in however it is capitalised, and with spaces around it", func(t *testing.T) {
		t.Parallel()
		b := s.browser(account{email: " " + strings.ToUpper(bob.email) + " ", password: bob.password})
		b.authorize(t, app.request())
	})
	t.Run("no page carries the password back", func(t *testing.T) {
		t.Parallel()
		b := s.browser(bob)
		p := b.press(t, b.visit(t, app.request()), "Sign in", "email", bob.email, "password", "wrong "+bob.password)
		for in := range descendants(p.root, "input") {
			if strings.Contains(attr(in, "value"), bob.password) {
				t.Errorf("the field %s holds what was typed as the password", attr(in, "name"))
			}
		}
	})
	t.Run("an issuer on https behind a proxy gets host-bound cookies and answers as itself", func(t *testing.T) {
		t.Parallel()
		testBehindProxy(t)
	})
}

// checkPageHeaders demands what keeps a page from being framed, sniffed or scripted.
func checkPageHeaders(t *testing.T, p *page) {
	t.Helper()
	policy := p.header.Get("Content-Security-Policy")
	if strings.Contains(policy, "unsafe-") || strings.Contains(policy, "nonce-") {
		t.Errorf("the content security policy allows inline code: %s", policy)
	}
	if got := directive(policy, "frame-ancestors"); !slices.Equal(got, []string{"'none'"}) {
		t.Errorf("frame-ancestors is %q in %q", got, policy)
	}
	if script := directive(policy, "script-src"); script == nil && !slices.Equal(directive(policy, "default-src"), []string{"'none'"}) {
		t.Errorf("scripts are not restricted by %q", policy)
	}
	if directive(policy, "form-action") == nil {
		t.Errorf("forms are not restricted by %q", policy)
	}
	if got := p.header.Get("X-Frame-Options"); got != "DENY" {
		t.Errorf("X-Frame-Options is %q", got)
	}
	if got := p.header.Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("X-Content-Type-Options is %q", got)
	}
	if p.header.Get("Referrer-Policy") == "" {
		t.Error("no Referrer-Policy")
	}
	for d := range p.root.Descendants() {
		if d.Data == "style" || d.Data == "script" && attr(d, "src") == "" || attr(d, "style") != "" || attr(d, "onclick") != "" {
			t.Errorf("inline code or style in <%s>", d.Data)
		}
	}
}

// proxy stands where a reverse proxy ends TLS: it passes requests for https on to the server.
type proxy struct {
	next   http.RoundTripper
	server *url.URL
}

func (p *proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	inner := r.Clone(r.Context())
	inner.Host = r.URL.Host
	inner.URL.Scheme, inner.URL.Host = p.server.Scheme, p.server.Host
	inner.Header.Set("X-Forwarded-Proto", "https")
	inner.Header.Set("X-Forwarded-For", "192.0.2.1")
	res, err := p.next.RoundTrip(inner)
	if res != nil {
		res.Request = r
	}
	return res, err
}

func testBehindProxy(t *testing.T) {
	s := settle(t, config+"trusted_proxies: [127.0.0.0/8]\n", "--issuer", "https://id.example")
	app := s.register(t, registration{})
	inside, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(&url.URL{Scheme: "https", Host: "id.example"}, s.ada, &proxy{s.client.Transport, inside})
	to := b.authorize(t, app.request())
	if iss := to.Query().Get("iss"); iss != "https://id.example" {
		t.Errorf("iss is %q", iss)
	}
	s.redeem(t, app, to.Query().Get("code")).tokens(t)
	cookies := s.vault.setCookies()
	if len(cookies) == 0 {
		t.Fatal("no cookie was set")
	}
	for _, c := range cookies {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("cookie %s: Secure %v, HttpOnly %v, SameSite %v", c.Name, c.Secure, c.HttpOnly, c.SameSite)
		}
	}
}
