package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// unbroken is as long as a name may be, without a place to break the line.
const unbroken = "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW"

// registerAs creates an application that people are shown by this name and site.
func (s *server) registerAs(t *testing.T, owner, name, site, redirect string, scopes ...string) application {
	t.Helper()
	args := []string{"application", "create", "--json", "--owner", owner, "--name", name, "--site", site, "--redirect-uri", redirect}
	for _, scope := range scopes {
		args = append(args, "--scope", scope)
	}
	app := application{redirect: redirect}
	if err := json.Unmarshal([]byte(s.command(t, "", args...)), &app); err != nil {
		t.Fatal(err)
	}
	s.vault.add("client secret", app.ClientSecret)
	return app
}

// testTour visits every page, filled with the longest that people can type; each is measured as
// it is loaded.
func testTour(t *testing.T, c *chromium, s *server) {
	person := s.newAccount(t, unbroken)
	redirect := "https://" + strings.Repeat("long-host-name.", 15) + "example/" + strings.Repeat("path", 200)
	site := "https://" + strings.Repeat("long-host-name.", 15) + "example/" + strings.Repeat("site", 50)
	app := s.registerAs(t, person.email, unbroken, site, redirect, "profile", "events", "community")
	b := c.profile(t, s.url)
	strangers(t, b, s, app)
	b.signIn(t, s, person)
	s.clientCredentials(t, app, unbroken)
	s.browser(person).visit(t, app.request("redirect_uri", app.redirect+"/")).checkErrorPage(t)
	for _, path := range []string{
		app.path() + "/usage", app.path() + "/usage?days=90", app.path() + "/errors",
		"/settings/applications", "/settings/applications/new", app.path(),
		app.path() + "/settings", "/settings/connections", "/settings/profile", "/settings/security",
	} {
		if status := b.open(t, s.url+path); status != http.StatusOK {
			t.Errorf("%s is answered %d", path, status)
		}
	}
	insiders(t, b, s, person, app)
}

// begins demands that the keyboard is where the form is wrong.
func (b *tab) begins(t *testing.T, selector string) {
	t.Helper()
	if !obtain(t, b, chromedp.Evaluate[bool](fmt.Sprintf("document.activeElement.matches(%q)", selector))) {
		t.Errorf("%s: the keyboard is not at %s", b.at(t), selector)
	}
}

// isLegible demands that the page, in each language, fits with its text twice as large (WCAG 2.2,
// 1.4.4), and that no choice is cut off as it is.
func (b *tab) isLegible(t *testing.T) {
	t.Helper()
	for _, language := range []string{"Deutsch", "English"} {
		b.press(t, language)
		found := obtain(t, b, chromedp.Evaluate[struct{ Wide, Cut []string }](`(() => {
			const cut = [...document.querySelectorAll("select")].filter(e => {
				const shown = e.offsetWidth;
				e.style.cssText = "flex: none; width: max-content";
				const whole = e.offsetWidth;
				e.style.cssText = "";
				return shown < whole;
			});
			const room = document.scrollingElement.clientWidth;
			document.documentElement.style.fontSize = "200%";
			const wide = [...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > room);
			document.documentElement.style.fontSize = "";
			return {wide: wide.map(e => e.outerHTML), cut: cut.map(e => e.outerHTML)};
		})()`))
		if len(found.Wide)+len(found.Cut) > 0 {
			t.Errorf("%s, %s: twice as large these are too wide: %q, and as they are these are cut: %q", b.at(t), language, found.Wide, found.Cut)
		}
	}
}

// strangers visits what people see who are not signed in.
func strangers(t *testing.T, b *tab, s *server, app application) {
	t.Helper()
	b.open(t, s.url+"/sign-in")
	b.fill(t, "Email address", unbroken+"@people.example", "Password", "x")
	b.press(t, "Sign in")
	b.begins(t, "#password")
	// A script that comes late leaves the keyboard to whoever types by then.
	b.do(t, chromedp.Focus(chromedp.ID("email")))
	obtain(t, b, chromedp.Evaluate[bool](`import("/assets/page.js?late").then(() => true)`, chromedp.EvalAwaitPromise))
	b.begins(t, "#email")
	b.ask(t, s, app)
	b.reads(t, "to continue to "+unbroken)
	b.press(t, "Sign up")
	b.fill(t, "Name", strings.Repeat(unbroken, 2), "Email address", unbroken+"@people.example", "Password", "x")
	if status := b.press(t, "Create account"); status < 400 {
		t.Errorf("an impossible account is answered %d", status)
	}
	b.ask(t, s, app, "client_id", unbroken)
	b.reads(t, "This request cannot be answered", "For the developer of the application")
	b.open(t, s.url+"/"+unbroken)
	b.reads(t, "There is no such page")
}

// insiders visits the pages that come after a form.
func insiders(t *testing.T, b *tab, s *server, person account, app application) {
	t.Helper()
	b.ask(t, s, app, "scope", "profile events community")
	b.reads(t, unbroken+" wants to use your account")
	b.isLegible(t)
	s.browser(person).authorize(t, app.request())
	b.ask(t, s, app, "scope", "profile events community", "prompt", "consent")
	b.reads(t, "New: it will also be able to", "1 permission that you approved before")
	b.open(t, s.url+"/settings/connections")
	b.reads(t, unbroken)
	b.isLegible(t)
	b.unfold(t, "Disconnect")
	b.measure(t)
	b.open(t, s.url+"/settings/applications/new")
	b.fill(t, "Name", "x", "Redirect URLs", app.redirect+"*")
	b.press(t, "Create application")
	b.reads(t, "must have no wildcard")
	b.begins(t, "#redirect_uris")
	b.fill(t, "Redirect URLs", app.redirect)
	b.choose(t, "profile")
	b.press(t, "Create application")
	b.reads(t, "Choose at least one scope.")
	b.begins(t, "fieldset[aria-describedby=scope-problem]")
	b.open(t, s.url+app.path())
	b.unfold(t, "Replace the secret")
	b.measure(t)
	b.press(t, "Replace secret")
	b.begins(t, ".notice:has(+ .secret)")
	b.follow(t, "Settings")
	b.unfold(t, "Delete this application")
	b.measure(t)
	b.fill(t, "Site", "ftp://"+unbroken)
	b.press(t, "Save")
	b.reads(t, "Enter an address that begins with https://.")
	b.open(t, s.url+"/settings/applications/"+unbroken)
	b.reads(t, "There is nothing here")
	b.open(t, s.url+"/settings/profile")
	b.fill(t, "Name", strings.Repeat(unbroken, 2))
	b.press(t, "Save")
	b.reads(t, "Use at most 80 characters")
	b.open(t, s.url+"/settings/security")
	b.fill(t, "Present password", "x", "New password", "x")
	b.press(t, "Change password")
	b.reads(t, "This is not your password.")
	b.open(t, s.url+app.path()+"/settings")
	b.unfold(t, "Delete this application")
	b.press(t, "Delete application")
	b.reads(t, "The application is deleted.")
	b.begins(t, ".notice")
}
