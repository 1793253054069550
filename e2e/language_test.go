package e2e_test

import (
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLanguages(t *testing.T) {
	t.Parallel()
	s := start(t, config)
	for _, row := range []struct{ name, accept, want string }{
		{"whoever asks for German reads German", "de-AT,de;q=0.9,en;q=0.5", "Anmelden"},
		{"the better of two is taken", "en;q=0.9,de;q=0.8", "Sign in"},
		{"who asks for neither reads English", "fr, ja;q=0.5", "Sign in"},
		{"who asks for nothing reads English", "", "Sign in"},
		{"who asks for nonsense reads English", ";;q=x,=", "Sign in"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := s.browser(account{}).openIn(t, row.accept, "/sign-in")
			if !p.offers(row.want) {
				t.Errorf("no button %q on the page:\n%s", row.want, p.text())
			}
		})
	}
	t.Run("a choice counts for more than what the browser asks for, and leads back", func(t *testing.T) {
		t.Parallel()
		b := s.browser(account{})
		p := b.press(t, b.open(t, "/sign-in?continue=%2Fsettings%2Fprofile"), "Deutsch")
		if !p.offers("Anmelden") || p.url.RequestURI() != "/sign-in?continue=%2Fsettings%2Fprofile" {
			t.Errorf("at %s the page reads:\n%s", p.url, p.text())
		}
		for root := range descendants(p.root, "html") {
			if attr(root, "lang") != "de" || p.header.Get("Content-Language") != "de" {
				t.Errorf("the page says that it is in %q, its header %q", attr(root, "lang"), p.header.Get("Content-Language"))
			}
		}
		if p = b.openIn(t, "en", "/sign-in"); !p.offers("Anmelden") {
			t.Errorf("the choice is forgotten:\n%s", p.text())
		}
	})
	t.Run("choosing a language leads nowhere else", func(t *testing.T) {
		t.Parallel()
		for _, to := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "javascript:alert(1)", "/\t/evil.example"} {
			b := s.browser(account{})
			p := b.press(t, b.open(t, "/sign-in"), "English", "continue", to)
			if p.away != nil || p.url.Path != "/sign-in" {
				t.Errorf("continue=%q leads to %s, away %v", to, p.url, p.away)
			}
		}
	})
}

// openIn follows a link in a browser that asks for languages.
func (b *browser) openIn(t *testing.T, accept, ref string) *page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.origin.String()+ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		req.Header.Set("Accept-Language", accept)
	}
	return b.do(t, req)
}

func TestBrand(t *testing.T) {
	t.Parallel()
	const logo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0h1v1z"/></svg>`
	t.Run("the pages carry the platform's name, logo, colour and styles", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		folder := filepath.Dir(s.config)
		write(t, filepath.Join(folder, "logo.svg"), logo)
		write(t, filepath.Join(folder, "own.css"), "\ufeffmain { letter-spacing: .01em }")
		s.serve(t, config+"brand: {name: Tidal & Co, logo: logo.svg, accent: '#ffcc00', css: own.css}\n")
		p := s.browser(account{}).open(t, "/sign-in")
		for title := range descendants(p.root, "title") {
			if words(title) != "Sign in · Tidal & Co" {
				t.Errorf("the title is %q", words(title))
			}
		}
		if !strings.HasPrefix(p.text(), "Skip to the content Tidal & Co") {
			t.Errorf("the page begins with %.60s", p.text())
		}
		if got := s.asset(t, "/assets/logo", "image/svg+xml"); got != logo {
			t.Errorf("the logo is %q", got)
		}
		// Yellow cannot be read on white: the pages darken it there.
		css := s.asset(t, "/assets/brand.css", "text/css; charset=utf-8")
		if !strings.Contains(css, "\nmain { letter-spacing: .01em") || !strings.HasPrefix(css, ":root{--accent:#") || strings.HasPrefix(css, ":root{--accent:#ffcc00") {
			t.Errorf("the brand's stylesheet is %s", css)
		}
	})
	for name, brand := range map[string]string{
		"a colour that is none":       "{accent: gold}",
		"a logo that is not there":    "{logo: missing.svg}",
		"a logo that is no image":     "{logo: latchkey.yaml}",
		"a stylesheet of a megabyte":  "{css: big.css}",
		"a key that nobody knows":     "{colour: '#ffffff'}",
		"a stylesheet not to be read": "{css: .}",
	} {
		t.Run("serve does not begin with "+name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			write(t, filepath.Join(folder, "big.css"), strings.Repeat("/**/", 1<<18))
			write(t, filepath.Join(folder, "latchkey.yaml"), config+"brand: "+brand+"\n")
			run(t, "", "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(folder, rand.Text()), "--config", filepath.Join(folder, "latchkey.yaml")).checkFailed(t, 1)
		})
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// asset reads a file that the pages need.
func (s *server) asset(t *testing.T, path, kind string) string {
	t.Helper()
	got := s.do(t, message{method: http.MethodGet, path: path, header: http.Header{}})
	if got.status != http.StatusOK || got.header.Get("Content-Type") != kind {
		t.Errorf("%s is answered %d with %q", path, got.status, got.header.Get("Content-Type"))
	}
	return string(got.body)
}
