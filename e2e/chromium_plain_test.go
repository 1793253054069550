package e2e_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/chromedp/chromedp"
)

// plain is a tab without scripts.
func (c *chromium) plain(t *testing.T, s *server, person account, origins ...string) *tab {
	t.Helper()
	b := c.profile(t, append(origins, s.url)...)
	b.withoutScripts(t)
	b.signIn(t, s, person)
	return b
}

// sure demands that an address is answered with a page, and goes there.
func (b *tab) sure(t *testing.T, address string) {
	t.Helper()
	if status := b.open(t, address); status != http.StatusOK {
		t.Errorf("%s is answered %d", address, status)
	}
}

func testWithoutScripts(t *testing.T, c *chromium, s *server) {
	l := newLanding(t)
	app := s.register(t, registration{redirects: []string{l.URL + "/callback"}, optional: []string{"events"}})
	_, person := s.stranger()
	b := c.profile(t, s.url, l.URL)
	b.withoutScripts(t)
	b.ask(t, s, app, "scope", "profile events")
	b.press(t, "Sign up")
	b.fill(t, "Name", person.name, "Email address", person.email, "Password", person.password)
	b.press(t, "Create account")
	b.choose(t, "See the events you attend")
	b.press(t, "Allow")
	checkScope(t, s.redeem(t, app, l.arrived(t).Get("code")).tokens(t), "profile")

	b.sure(t, s.url+"/settings/connections")
	b.press(t, "Deutsch")
	b.reads(t, "Verbundene Anwendungen")
	b.press(t, "English")
	b.unfold(t, "Disconnect")
	b.press(t, "Disconnect "+s.nameOf(t, app))
	b.reads(t, "No application may use your account.")
	b.follow(t, "Profile")
	b.fill(t, "Name", "Frances E. Allen")
	b.press(t, "Save")
	b.reads(t, "Saved.", "Frances E. Allen")
	b.follow(t, "Password and sessions")
	fresh := "another " + person.password
	s.vault.add("password", fresh)
	b.fill(t, "Present password", person.password, "New password", fresh)
	b.press(t, "Change password")
	person.password = fresh
	s.signIn(t, person)
	b.sure(t, s.url+"/settings/security")
	b.press(t, "Sign out everywhere else")
	b.reads(t, "Signed out everywhere else.")
	b.press(t, "Sign out")
	b.sure(t, s.url+"/sign-in")
}

func testDeveloperWithoutScripts(t *testing.T, c *chromium, s *server) {
	tester := s.newAccount(t, "Tessa Tester")
	l := newLanding(t)
	b := c.plain(t, s, s.newAccount(t, "Dora Developer"), l.URL)
	b.follow(t, "New application")
	b.fill(t, "Name", "Plain", "Redirect URLs", "http://app.example/callback")
	b.press(t, "Create application")
	b.reads(t, "may use http for 127.0.0.1, [::1] and localhost only")
	b.fill(t, "Redirect URLs", l.URL+"/callback")
	b.press(t, "Create application")
	secret := obtain(t, b, chromedp.Text(chromedp.ID("client_secret")))
	s.vault.add("client secret", secret)
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(secret) {
		t.Errorf("the page shows a secret of %d characters", len(secret))
	}
	// Proof that scripts are off: the script of every page would show it.
	if b.has(t, `//button[@data-copy]`) || !b.holds(t, "data-copy") {
		t.Error("a Copy button is shown that cannot work")
	}
	app := application{ClientID: obtain(t, b, chromedp.Text(chromedp.ID("client_id"))), ClientSecret: secret, redirect: l.URL + "/callback"}
	b.choose(t, "Python")
	b.reads(t, "import requests")
	b.follow(t, "Open it")
	b.press(t, "Allow")
	s.redeem(t, app, l.arrived(t).Get("code")).tokens(t)
	s.clientCredentials(t, app, "nonsense").checkRefused(t, "invalid_scope")

	b.sure(t, s.url+app.path())
	b.unfold(t, "Replace the secret")
	b.press(t, "Replace secret")
	b.press(t, "End the old secret now")
	b.follow(t, "Settings")
	b.fill(t, "Site", "https://plain.example")
	b.press(t, "Save")
	b.reads(t, "Saved.")
	b.follow(t, "Usage")
	b.follow(t, "7 days")
	b.unfold(t, "API calls as a table")
	b.reads(t, "(so far)")
	b.follow(t, "Errors")
	b.follow(t, "invalid_scope")
	b.reads(t, "There is no scope nonsense.")
	b.follow(t, "Webhook")
	b.fill(t, "URL", l.URL)
	b.press(t, "Create webhook")
	b.press(t, "Send a test event")
	b.reads(t, "webhook.test")
	b.follow(t, "People")
	b.fill(t, "Add a test account", tester.email)
	b.press(t, "Add test account")
	b.press(t, "Remove "+tester.name)
	b.follow(t, "Settings")
	b.unfold(t, "Delete this application")
	b.press(t, "Delete application")
	b.reads(t, "The application is deleted.")
}

func testAdministratorWithoutScripts(t *testing.T, c *chromium, s *server) {
	grace := s.newAccount(t, "Grace Hopper")
	app := s.registerAs(t, grace.email, "Plain Sailing", "https://plain.example", callback, "profile")
	s.grant(t, app)
	b := c.plain(t, s, s.newAccount(t, "Barbara Liskov", "--admin"))
	b.follow(t, "Administration")
	b.reads(t, "The last 30 days")
	b.unfold(t, "API calls as a table")
	b.reads(t, "(so far)")
	b.follow(t, "Applications")
	b.search(t, app.ClientID)
	b.follow(t, "Plain Sailing")
	b.press(t, "Verify application")
	b.press(t, "Allow community")
	b.reads(t, "The scope is allowed.")
	b.follow(t, "Suspend application …")
	b.reads(t, "Authorizations that live 1")
	b.fill(t, "Why it is suspended", "It sent mail that nobody asked for.")
	b.press(t, "Suspend application")
	b.press(t, "Resume application")
	b.follow(t, "Accounts")
	b.search(t, grace.email)
	b.follow(t, grace.name)
	b.follow(t, "Disable account …")
	b.press(t, "Disable account")
	b.reads(t, "The account is disabled.")
	b.press(t, "Enable account")
	b.follow(t, "Audit log")
	b.unfold(t, "Filter")
	b.fill(t, "Done to the account", grace.email)
	b.press(t, "Filter")
	b.reads(t, "account.disabled", "account.enabled")

	first := start(t, exempt)
	_, person := first.stranger()
	fresh := c.profile(t, first.url)
	fresh.withoutScripts(t)
	fresh.open(t, first.url+first.firstRun(t))
	fresh.fill(t, "Name of the platform", "Tidepool Club", "Name", person.name, "Email address", person.email, "Password", person.password)
	fresh.press(t, "Set up the platform")
	fresh.reads(t, "The platform is set up. Welcome.")
}
