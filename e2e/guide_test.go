package e2e_test

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func TestGuide(t *testing.T) {
	t.Parallel()
	s := settle(t, config+"paths: {authorize: /oauth/ask, token: /oauth/tokens, revoke: /oauth/end, introspect: /oauth/look, check: /oauth/gate, me: /api/whoami}\n")
	t.Run("every link leads somewhere, whoever reads", func(t *testing.T) { t.Parallel(); testGuideLinks(t, s) })
	t.Run("every address is the configured one", func(t *testing.T) {
		t.Parallel()
		b := s.browser(account{})
		for path := range guideSections(t, b) {
			text := b.open(t, path).text()
			for _, wrong := range []string{"/irk/", "/auth/authorize"} {
				if strings.Contains(text, wrong) {
					t.Errorf("%s names %s", path, wrong)
				}
			}
		}
		b.open(t, "/docs/discovery").reads(t, http.StatusOK,
			s.url+"/oauth/ask", s.url+"/oauth/tokens", s.url+"/oauth/end", s.url+"/oauth/look", s.url+"/oauth/gate", s.url+"/api/whoami")
	})
	t.Run("every error of the protocol is explained, and leads there", func(t *testing.T) {
		t.Parallel()
		p := s.browser(account{}).open(t, "/docs/errors")
		explained := map[string]bool{}
		for h := range descendants(p.root, "h2") {
			explained[attr(h, "id")] = true
		}
		for _, code := range errorCodes(t) {
			if !explained[code] {
				t.Errorf("nothing explains %s", code)
			}
		}
		a := s.do(t, post("/oauth/tokens", "application/x-www-form-urlencoded", "grant_type=nothing"))
		if want := `"error_uri":"` + s.url + "/docs/errors#"; !strings.Contains(string(a.body), want) {
			t.Errorf("the answer has no %s: %s", want, a.body)
		}
	})
	t.Run("the browser leads there too", func(t *testing.T) {
		t.Parallel()
		b := s.browser(account{})
		to := b.open(t, "/oauth/ask?client_id=nobody").link(t, "Read about it")
		path, anchor, _ := strings.Cut(to, "#")
		if !hasID(b.open(t, path), anchor) {
			t.Errorf("the page of a broken request leads to %s, which is not there", to)
		}
		app := s.register(t, registration{})
		query := url.Values{"client_id": {app.ClientID}, "response_type": {"code"}, "prompt": {"none"}}
		back := b.open(t, "/oauth/ask?"+query.Encode()).away
		if want := s.url + "/docs/errors#login_required"; back == nil || back.Query().Get("error_uri") != want {
			t.Errorf("the answer leads to %s, want %s", back, want)
		}
	})
	t.Run("a developer's own application is filled in, and nobody else's", func(t *testing.T) {
		t.Parallel()
		grace := s.newAccount(t, "Grace Hopper")
		own, other := s.registerAs(t, grace.email, "Own", "", "https://own.example/cb", "profile"), s.register(t, registration{})
		b := s.browser(grace)
		b.open(t, "/docs/start").reads(t, http.StatusOK, "YOUR_CLIENT_ID")
		b.signIn(t, b.open(t, "/sign-in"))
		b.open(t, "/docs/start").reads(t, http.StatusOK, own.ClientID, "Filled in for Own")
		newer := s.registerAs(t, grace.email, "Newer", "", "https://newer.example/cb", "profile")
		b.open(t, "/docs/start").reads(t, http.StatusOK, newer.ClientID)
		p := b.open(t, "/docs/start?application="+own.ClientID)
		p.reads(t, http.StatusOK, own.ClientID)
		for _, link := range []string{"Tokens", "Asking a person"} {
			b.open(t, p.link(t, link)).reads(t, http.StatusOK, own.ClientID)
		}
		if p := b.open(t, "/docs/start?application="+other.ClientID); strings.Contains(p.text(), other.ClientID) {
			t.Error("somebody else's application is filled in")
		}
	})
	t.Run("an application of several owners, and an older one, can be chosen", func(t *testing.T) {
		t.Parallel()
		hedy := s.newAccount(t, "Hedy Lamarr")
		shared, older := s.register(t, registration{}), s.register(t, registration{owner: hedy.email, public: true})
		newer := s.register(t, registration{owner: hedy.email})
		b, owner := s.signIn(t, hedy), s.signIn(t, s.ada)
		owner.press(t, owner.open(t, shared.path()+"/people"), "Add co-owner", "co-owner", hedy.email)
		b.open(t, "/docs/tokens").reads(t, http.StatusOK, newer.ClientID+":$CLIENT_SECRET")
		b.open(t, "/docs/tokens?application="+shared.ClientID).reads(t, http.StatusOK, shared.ClientID+":$CLIENT_SECRET")
		b.open(t, "/docs/tokens?application="+older.ClientID).reads(t, http.StatusOK, "-d client_id="+older.ClientID, "Yours is public: this is refused.")
	})
	t.Run("a search finds, and says when it finds nothing", func(t *testing.T) {
		t.Parallel()
		b := s.browser(account{})
		found := b.open(t, "/docs?q=invalid_gr")
		found.reads(t, http.StatusOK, "invalid_grant")
		for title := range descendants(found.root, "title") {
			if !strings.HasPrefix(words(title), "Search: invalid_gr") {
				t.Errorf("the title of what was found is %q", words(title))
			}
		}
		b.open(t, "/docs?q=zebra").reads(t, http.StatusOK, "Nothing was found.")
		b.open(t, "/docs?q="+url.QueryEscape(`"><script>alert(1)</script>`)).reads(t, http.StatusOK, "<script>")
		b.open(t, "/docs/nowhere").reads(t, http.StatusNotFound, "There is no such page")
	})
}

// guideSections are the pages of the documentation, by their addresses.
func guideSections(t *testing.T, b *browser) map[string]*page {
	t.Helper()
	all := map[string]*page{}
	for nav := range descendants(b.open(t, "/docs").root, "nav") {
		for a := range descendants(nav, "a") {
			path, _, _ := strings.Cut(attr(a, "href"), "?")
			if strings.HasPrefix(path, "/docs/") {
				all[path] = b.open(t, path)
			}
		}
	}
	if len(all) < 10 {
		t.Fatalf("the documentation has %d sections", len(all))
	}
	return all
}

func testGuideLinks(t *testing.T, s *server) {
	b := s.signIn(t, s.ada)
	sections := guideSections(t, b)
	for path, p := range sections {
		for article := range descendants(p.root, "article") {
			for a := range descendants(article, "a") {
				href := attr(a, "href")
				if !strings.HasPrefix(href, "/") {
					continue
				}
				to, anchor, _ := strings.Cut(href, "#")
				target := sections[to]
				if target == nil {
					target = b.open(t, to)
				}
				if target.status != http.StatusOK || anchor != "" && !hasID(target, anchor) {
					t.Errorf("%s leads to %s, which is not there", path, href)
				}
			}
		}
	}
}

func hasID(p *page, id string) bool {
	for n := range p.root.Descendants() {
		if n.Type == html.ElementNode && attr(n, "id") == id {
			return true
		}
	}
	return false
}

// errorCodes reads the codes of the protocol where they are declared.
func errorCodes(t *testing.T) []string {
	t.Helper()
	source, err := os.ReadFile("../internal/oauth/error.go")
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, found := range regexp.MustCompile(`Code\{"([a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
		codes = append(codes, found[1])
	}
	if len(codes) < 10 {
		t.Fatalf("only %d codes were found", len(codes))
	}
	return codes
}

// testGuidePages loads each section in a browser, where the inspector looks at it.
func testGuidePages(t *testing.T, c *chromium, s *server) {
	b := c.profile(t, s.url)
	b.open(t, s.url+"/docs")
	b.fill(t, "Search the documentation", "refresh")
	b.press(t, "Search")
	b.reads(t, "Search: refresh", "Tokens")
	b.signIn(t, s, s.ada)
	for path := range guideSections(t, s.browser(s.ada)) {
		b.open(t, s.url+path)
	}
	b.open(t, s.url+"/docs/errors")
	b.shoot(t, "docs", 1280, "light")
	b.shoot(t, "docs-phone", 360, "dark")
}
