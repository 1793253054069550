package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// testAdministrator is a day of an administrator: the pages are looked at in a real
// browser, and shot for people to look at.
func testAdministrator(t *testing.T, c *chromium, s *server) {
	boss := s.newAccount(t, "Barbara Liskov", "--admin")
	grace := s.newAccount(t, "Grace Hopper")
	app := s.registerAs(t, grace.email, "Seaweed Atlas", "https://seaweed.example", "https://seaweed.example/callback", "profile", "events")
	s.registerAs(t, grace.email, unbroken, "https://"+strings.Repeat("long-host-name.", 15)+"example/", "https://seaweed.example/"+unbroken, "profile")
	s.grant(t, app)
	b := c.profile(t, s.url)
	b.signIn(t, s, boss)
	b.follow(t, "Administration")
	b.follow(t, "Applications")
	b.shoot(t, "admin-applications", 1280, "light")
	b.shoot(t, "admin-applications-phone", 360, "dark")
	b.search(t, "seaweed")
	b.follow(t, "Seaweed Atlas")
	b.reads(t, "Not verified.", "application.registered")
	b.press(t, "Verify application")
	b.reads(t, "The application is verified.")
	b.press(t, "Allow community")
	b.reads(t, "The scope is allowed.")
	b.shoot(t, "admin-application", 1280, "light")
	b.shoot(t, "admin-application-phone", 360, "light")
	b.follow(t, "Suspend application …")
	b.reads(t, "Authorizations that live", "Accounts that gave them")
	if status := b.press(t, "Suspend application"); status != http.StatusUnprocessableEntity {
		t.Errorf("a suspension without a reason is answered %d", status)
	}
	b.reads(t, "Write a sentence: the owner reads it.")
	b.fill(t, "Why it is suspended", "It sent mail that nobody asked for.")
	b.shoot(t, "admin-suspend", 1280, "dark")
	b.press(t, "Suspend application")
	b.reads(t, "The application is suspended.", "It sent mail that nobody asked for.")
	b.press(t, "Resume application")
	b.unfold(t, "Take the mark away")
	b.fill(t, "Why the mark goes", "It was sold.")
	b.press(t, "Take the mark away")
	b.reads(t, "Told last: It was sold.")
	administerAccounts(t, b, grace)
	readAudit(t, b, grace)
}

// search types into the search field of a list.
func (b *tab) search(t *testing.T, text string) {
	t.Helper()
	b.do(t, click(`//input[@type="search"]`), paste(text))
	b.press(t, "Search")
}

func administerAccounts(t *testing.T, b *tab, grace account) {
	t.Helper()
	b.follow(t, "Accounts")
	b.shoot(t, "admin-accounts", 1280, "light")
	b.search(t, grace.email)
	b.follow(t, grace.name)
	b.reads(t, grace.email, "Seaweed Atlas", "account.created")
	b.shoot(t, "admin-account", 1280, "dark")
	b.shoot(t, "admin-account-phone", 360, "light")
	b.follow(t, "Make administrator …")
	b.shoot(t, "admin-promote", 1280, "light")
	b.shoot(t, "admin-promote-phone", 360, "dark")
	b.press(t, "Make administrator")
	b.reads(t, "The account is an administrator now.")
	b.press(t, "Take administration away")
	b.follow(t, "Disable account …")
	b.reads(t, "Applications it owns", "Authorizations given to them")
	b.shoot(t, "admin-disable", 1280, "light")
	b.press(t, "Disable account")
	b.reads(t, "The account is disabled.")
	b.press(t, "Enable account")
	b.reads(t, "The account is enabled.")
}

func readAudit(t *testing.T, b *tab, grace account) {
	t.Helper()
	b.follow(t, "Audit log")
	b.reads(t, "account.enabled", "application.suspended", "Barbara Liskov", "127.0.0.1")
	b.shoot(t, "admin-audit", 1280, "light")
	b.shoot(t, "admin-audit-phone", 360, "dark")
	// A browser would save the sign-in page under that name once the session is over.
	if b.has(t, `//a[@download]`) {
		t.Error("a link of the audit log names the file that its answer is saved as")
	}
	b.unfold(t, "Filter")
	b.fill(t, "Done to the account", grace.email, "Done by", "Barbara Liskov is no username")
	if status := b.press(t, "Filter"); status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong filter is answered %d", status)
	}
	b.reads(t, "There is no such account.")
	b.fill(t, "Done by", "")
	b.press(t, "Filter")
	b.reads(t, "account.disabled", "Grace Hopper")
	b.shoot(t, "admin-audit-filter", 1280, "dark")
	b.fill(t, "Done by", "server")
	b.press(t, "Filter")
	b.reads(t, "Nothing was found.")
}

// testSetUp sets a new platform up, by the keys alone once the link is open.
func testSetUp(t *testing.T, c *chromium, _ *server) {
	s := start(t, exempt)
	_, person := s.stranger()
	b := c.profile(t, s.url)
	b.open(t, s.url+"/first-run?key="+strings.Repeat("0", 64))
	b.reads(t, "This link does not count")
	b.open(t, s.url+s.firstRun(t))
	if at := b.at(t); strings.Contains(at, "key") {
		t.Errorf("the key stays in the address %s", at[:len(s.url)+15])
	}
	b.reads(t, "Set up your platform", "You will be its first administrator.")
	b.press(t, "Set up the platform")
	b.shoot(t, "first-run-wrong-phone", 360, "light")
	b.fill(t, "Name of the platform", unbroken, "Name", person.name, "Email address", person.email, "Password", person.password)
	b.do(t, chromedp.Focus(`//*[@id="scope-2"]`), paste("tides"), chromedp.KeyEvent(kb.Tab), paste("See your tides"))
	b.shoot(t, "first-run", 1280, "dark")
	b.load(t, chromedp.KeyEvent(kb.Enter))
	b.reads(t, "The platform is set up. Welcome.", unbroken, "The last 30 days", "settings.changed")
	b.shoot(t, "admin-overview", 1280, "light")
	b.shoot(t, "admin-overview-phone", 360, "dark")
	testLongBrand(t, b, s)
}

// testLongBrand visits pages of every kind where the platform's name is as long as it may be.
func testLongBrand(t *testing.T, b *tab, s *server) {
	t.Helper()
	for _, w := range []window{desk, phone} {
		b.window = w
		b.settle(t)
		for _, path := range []string{"/settings/applications/new", "/settings/security", "/docs"} {
			b.open(t, s.url+path)
		}
		b.shoot(t, "long-brand-"+w.name, w.width, "light")
	}
	b.press(t, "Sign out")
	b.open(t, s.url+"/sign-in")
	b.shoot(t, "long-brand-stranger-phone", 360, "light")
}

// testSubmission is how a draft becomes an application for everybody.
func testSubmission(t *testing.T, c *chromium, _ *server) {
	s := start(t, config+"review: required\n")
	dora, boss := s.newAccount(t, "Dora Developer"), s.newAccount(t, "Barbara Liskov", "--admin")
	app := s.registerAs(t, dora.email, "Seaweed Atlas", "", callback, "profile")
	b := c.profile(t, s.url)
	b.signIn(t, s, boss)
	b.ask(t, s, app)
	b.reads(t, "Seaweed Atlas is not reviewed yet", "Back to client.example")
	b.shoot(t, "draft", 1280, "light")
	b.shoot(t, "draft-phone", 360, "dark")
	d := c.profile(t, s.url)
	d.signIn(t, s, dora)
	d.open(t, s.url+app.path()+"/settings")
	if status := d.press(t, "Ask for these scopes"); status != http.StatusUnprocessableEntity {
		t.Errorf("to ask for nothing is answered %d", status)
	}
	d.reads(t, "Choose at least one scope.")
	if at := obtain(t, d, chromedp.Evaluate[float64](`document.getElementById("requested_scope-problem").getBoundingClientRect().bottom / innerHeight`)); at < 0 || at > 1 {
		t.Errorf("what is wrong stands %v windows below the top of what is seen", at)
	}
	d.shoot(t, "review-asking", 1280, "light")
	d.do(t, click(`//section[@aria-labelledby="asking"]//label`))
	d.press(t, "Ask for these scopes")
	d.reads(t, "Asked. An administrator will decide about it.")
	d.follow(t, "Overview")
	d.shoot(t, "review-draft-phone", 360, "light")
	d.press(t, "Submit for review")
	d.reads(t, "Submitted. An administrator will look at the application.")
	d.shoot(t, "review-submitted", 1280, "light")
	b.open(t, s.url+"/admin")
	b.follow(t, "Waiting for review")
	b.follow(t, "Seaweed Atlas")
	b.shoot(t, "admin-application-submitted", 1280, "light")
	b.unfold(t, "Send it back")
	b.fill(t, "What is missing", "It has no home page.")
	b.press(t, "Send back")
	b.reads(t, "Told last: It has no home page.", "A draft: only its owner, co-owners and test accounts can authorize it.")
	d.follow(t, "Overview")
	d.reads(t, "An administrator wrote: It has no home page.")
	d.press(t, "Submit for review")
	s.command(t, "", "application", "update", app.ClientID, "--name", "Kelp Atlas")
	if status := b.press(t, "Verify application"); status != http.StatusConflict {
		t.Errorf("to verify another than was seen is answered %d", status)
	}
	b.begins(t, ".problem")
	b.press(t, "Verify application")
	d.follow(t, "Overview")
	d.reads(t, "Everybody can authorize this application.")
}
