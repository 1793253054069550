package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestWaysBackFromForms demands that an address to which only forms are sent is nowhere
// that a person ends up.
func TestWaysBackFromForms(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	t.Run("another language on what a form is answered is that of the page with the form", func(t *testing.T) {
		t.Parallel()
		testLanguageOfAnswers(t, s)
	})
	t.Run("what only takes a form leads to the page above it", func(t *testing.T) {
		t.Parallel()
		for path, want := range map[string]string{
			"/settings/security/password": "/settings/security", "/settings/connections/x/disconnect": "/settings/connections", "/sign-out": "/settings/applications",
		} {
			if p := s.session.open(t, path); p.status != http.StatusOK || p.url.RequestURI() != want {
				t.Errorf("%s leads to %s, %d", path, p.url, p.status)
			}
		}
	})
	t.Run("what is not there has a page that says so", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/assets/", "/assets", "/settings/nothing"} {
			s.session.open(t, path).reads(t, http.StatusNotFound, "There is no such page")
		}
	})
	t.Run("who has to sign in first gets to what was asked for", func(t *testing.T) {
		t.Parallel()
		for path, want := range map[string]string{
			"/settings/applications?q=abc": "/settings/applications?q=abc", "/admin/accounts?q=ada": "/admin/accounts?q=ada",
			"/settings/security?done=password": "/settings/security",
		} {
			b := s.browser(s.ada)
			p := b.open(t, path)
			if strings.Contains(p.text(), "signed out meanwhile") {
				t.Errorf("whoever opens %s was signed out", path)
			}
			if p = b.signIn(t, p); p.url.RequestURI() != want {
				t.Errorf("%s leads to %s, want %s", path, p.url, want)
			}
		}
	})
	t.Run("nobody is led away by what is to come after the sign-in or the sign-up", func(t *testing.T) {
		t.Parallel()
		for _, to := range []string{"https://evil.example/", "//evil.example/", `/\evil.example/`, "/\t/evil.example/", "evil.example"} {
			for path, as := range map[string]account{"/sign-in": s.ada, "/sign-up": s.newcomer("Nora")} {
				b := s.browser(as)
				p := b.open(t, path+"?continue="+url.QueryEscape(to))
				for in := range descendants(p.root, "input") {
					if attr(in, "value") == to {
						t.Errorf("%s carries %q on", path, to)
					}
				}
				p = b.submit(t, path, url.Values{"continue": {to}, "email": {as.email}, "password": {as.password}, "name": {as.name}})
				if p.away != nil || p.url.Path != "/settings/applications" {
					t.Errorf("%s leads to %s, %v", path, p.url, p.away)
				}
			}
		}
	})
	t.Run("what was done is told to who did it, and to nobody who follows a link", func(t *testing.T) {
		t.Parallel()
		testNoticesAreProved(t, s)
	})
	t.Run("who was signed out meanwhile is told that nothing was done, and gets back to the form", func(t *testing.T) {
		t.Parallel()
		testSignedOutMeanwhile(t, s)
	})
}

func testLanguageOfAnswers(t *testing.T, s *server) {
	app := s.register(t, registration{})
	bob, b := s.signedIn(t, "Bob Back", "--admin")
	_, own := s.found(t, "accounts", bob.email, bob.name)
	theirs := s.registerAs(t, bob.email, "Back and Forth", "", callback, "profile")
	for _, c := range []struct {
		path   string
		values url.Values
		want   string
	}{
		{"/settings/security/password", url.Values{"old_password": {"wrong"}, "password": {"pass phrase"}}, "/settings/security"},
		{"/settings/profile/picture", nil, "/settings/profile"},
		{"/settings/profile", url.Values{"name": {""}}, "/settings/profile"},
		{theirs.path() + "/people/add", url.Values{"role": {"tester"}, "tester": {"nobody"}}, theirs.path() + "/people"},
		{theirs.path() + "/logo", nil, theirs.path() + "/settings"},
		{theirs.path() + "/scopes", nil, theirs.path() + "/settings"},
		{own + "/disable", nil, own},
		{own + "/enable", nil, own},
		{"/settings/connections/" + app.ClientID + "/nothing/at/all", nil, "/settings/connections/" + app.ClientID + "/nothing/at/all"},
	} {
		p := b.submit(t, c.path, c.values)
		if p.status < 400 {
			t.Errorf("%s is answered %d", c.path, p.status)
			continue
		}
		p = b.press(t, p, "Deutsch")
		if p.url.RequestURI() != c.want || p.status == http.StatusMethodNotAllowed || p.header.Get("Content-Language") != "de" {
			t.Errorf("from %s another language leads to %s, %d", c.path, p.url, p.status)
		}
		b.press(t, p, "English")
	}

	stranger := s.browser(account{email: bob.email, password: "wrong " + bob.password})
	p := stranger.signIn(t, stranger.open(t, "/sign-in?continue=%2Fsettings%2Fprofile%3Fa%3Db"))
	stranger.person = bob
	p = stranger.press(t, p, "Deutsch")
	p = stranger.press(t, p, "Anmelden", "email", bob.email, "password", bob.password)
	if p.url.RequestURI() != "/settings/profile?a=b" {
		t.Errorf("a sign-in that failed at first leads to %s:\n%s", p.url, p.text())
	}
}

func testNoticesAreProved(t *testing.T, s *server) {
	led := s.signIn(t, s.ada)
	for path, told := range map[string]string{
		"/settings/profile?done=saved": "Saved.", "/settings/security?done=password": "The password is changed.",
		"/admin?done=set-up": "The platform is set up.", "/sign-in?done=nothing": "Nothing was changed.",
	} {
		if p := led.open(t, path); p.status != http.StatusOK || strings.Contains(p.text(), told) {
			t.Errorf("who is led to %s is told what nobody did, %d:\n%s", path, p.status, p.text())
		}
	}
	saved := led.press(t, led.open(t, "/settings/profile"), "Save")
	saved.reads(t, http.StatusOK, "Saved.")
	if other := led.open(t, "/settings/profile?done=picture"); strings.Contains(other.text(), "Your picture is changed.") {
		t.Errorf("who did something else is told what nobody did:\n%s", other.text())
	}
}

func testSignedOutMeanwhile(t *testing.T, s *server) {
	const told = "You were signed out meanwhile. Nothing was changed."
	app := s.register(t, registration{})
	_, path := s.found(t, "applications", app.ClientID, s.nameOf(t, app))
	for _, c := range []struct{ page, button, want string }{
		{"/settings/profile?done=saved", "Save", "/settings/profile"},
		{app.path() + "/settings", "Upload", app.path() + "/settings"},
		{"/settings/security", "Change password", "/settings/security"},
		{path, "Verify application", path},
	} {
		b := s.signIn(t, s.ada)
		b.press(t, b.open(t, "/settings/profile"), "Save").reads(t, http.StatusOK, "Saved.")
		p := b.open(t, c.page)
		b.submit(t, "/sign-out", nil)
		p = b.press(t, p, c.button)
		p.reads(t, http.StatusOK, told)
		p = b.signIn(t, p)
		if p.url.RequestURI() != c.want || strings.Contains(p.text(), told) || strings.Contains(p.text(), "Saved.") {
			t.Errorf("from %s one gets back to %s:\n%s", c.page, p.url, p.text())
		}
	}

	asked := s.browser(s.ada)
	question := asked.signIn(t, asked.visit(t, app.request("prompt", "consent")))
	asked.submit(t, "/sign-out", nil)
	asked.press(t, question, "Allow").reads(t, http.StatusConflict, "You were signed out meanwhile. Nothing was approved.")

	// Some browsers do not say where a form was.
	b := s.browser(s.ada)
	p := b.submit(t, "/settings/security/password", nil)
	p.reads(t, http.StatusOK, told)
	if p = b.signIn(t, p); p.url.Path != "/settings/security" {
		t.Errorf("without a referrer one gets back to %s", p.url)
	}
}
