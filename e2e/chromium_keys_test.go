package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// testKeys goes the ways of all three with nothing but keys, on a phone in the dark and at a
// desk in the light.
func testKeys(t *testing.T, c *chromium, s *server) {
	for _, view := range []struct {
		window window
		scheme string
	}{{phone, "dark"}, {desk, "light"}} {
		for _, way := range []struct {
			who  string
			walk func(*testing.T, *tab, *server, *landing)
		}{{"a person", keysOfPerson}, {"a developer", keysOfDeveloper}, {"an administrator", keysOfAdministrator}} {
			t.Run(way.who+", "+view.window.name+", "+view.scheme, func(t *testing.T) {
				t.Parallel()
				s := s
				if way.who == "an administrator" {
					s = start(t, exempt) // which nobody has set up
				}
				l := newLanding(t)
				b := c.profile(t, s.url, l.URL)
				b.window, b.scheme = view.window, view.scheme
				b.settle(t)
				way.walk(t, b, s, l)
			})
		}
	}
}

// remember keeps how whatever can have the focus looks without it.
const remember = `(() => {
	globalThis.outlook = e => [e, ...e.labels ?? []].map(x => getComputedStyle(x)).map(s =>
		(s.outlineStyle === "none" ? "" : s.outlineStyle + s.outlineWidth + s.outlineColor) + s.boxShadow).join();
	globalThis.unfocused ??= new Map([...document.querySelectorAll("a, button, input, select, textarea, summary, [tabindex]")]
		.filter(e => e !== document.activeElement).map(e => [e, outlook(e)]));
})()`

// standing is where the keyboard is, and whether a person sees that.
type standing struct {
	// Position tells elements of the page apart; it is -1 on none.
	Position   int
	Role, Name string
	Complaint  string
}

const stand = `(e => {
	const where = {position: [...document.querySelectorAll("body *")].indexOf(e), role: e.computedRole, name: e.computedName, complaint: ""};
	if (e === document.body) return where;
	const shown = [e, ...e.labels ?? []].some(x => [...x.getClientRects()].some(r => {
		const left = Math.max(r.left, 0), right = Math.min(r.right, innerWidth), top = Math.max(r.top, 0), bottom = Math.min(r.bottom, innerHeight);
		if (right - left < 2 || bottom - top < 2) return false;
		const there = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
		return there !== null && (x.contains(there) || there.contains(x)) && x.checkVisibility({opacityProperty: true, visibilityProperty: true});
	}));
	if (!shown) where.complaint = "is not to be seen";
	else if (unfocused.get(e) === outlook(e)) where.complaint = "looks as it does without the focus";
	return where;
})(document.activeElement)`

// reach presses Tab until the keyboard is on what people hear under this name, which may be cut
// short with "…". Whatever it passes must be seen, and be seen to have the focus.
func (b *tab) reach(t *testing.T, name string) {
	t.Helper()
	b.wander(t, name, chromedp.KeyEvent(kb.Tab))
}

// back is reach the other way round.
func (b *tab) back(t *testing.T, name string) {
	t.Helper()
	b.wander(t, name, chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
}

func (b *tab) wander(t *testing.T, name string, step chromedp.Action[chromedp.Void]) {
	t.Helper()
	obtain(t, b, chromedp.Evaluate[chromedp.Void](remember))
	passed, still, last := map[int]string{}, 0, -2
	for {
		b.do(t, step)
		at := obtain(t, b, chromedp.Evaluate[standing](stand))
		if at.Complaint != "" {
			t.Errorf("%s: the %s %q has the keyboard and %s", b.at(t), at.Role, at.Name, at.Complaint)
		}
		start, cut := strings.CutSuffix(name, "…")
		if at.Name == name || cut && strings.HasPrefix(at.Name, start) {
			return
		}
		// A date is several stops of one element.
		if still++; at.Position != last {
			still = 0
		}
		if _, again := passed[at.Position]; again && still%5 == 0 {
			t.Fatalf("the keyboard never comes to %q, but to %v; %s", name, passed, b.scene())
		}
		last, passed[at.Position] = at.Position, at.Role+" "+at.Name
	}
}

// write enters pairs of label and value with the keyboard, instead of what stands there.
func (b *tab) write(t *testing.T, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		b.reach(t, pairs[i])
		b.do(t, chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)), paste(pairs[i+1]))
	}
}

// arrive presses Enter on what has this name, and waits for the page that it leads to.
func (b *tab) arrive(t *testing.T, name string) int64 {
	t.Helper()
	b.reach(t, name)
	return b.load(t, chromedp.KeyEvent(kb.Enter))
}

// hit presses a key where the keyboard is.
func (b *tab) hit(t *testing.T, key string) {
	t.Helper()
	b.do(t, chromedp.KeyEvent(key))
}

// keysOfPerson signs up, approves an application, looks at it, and disconnects it.
func keysOfPerson(t *testing.T, b *tab, s *server, l *landing) {
	app := s.register(t, registration{redirects: []string{l.URL + "/callback"}, scopes: []string{"profile", "events"}, optional: []string{"events"}})
	_, person := s.stranger()
	b.ask(t, s, app, "scope", "profile events")
	b.arrive(t, "Sign up")
	b.write(t, "Name", person.name, "Email address", person.email, "Password", person.password)
	b.arrive(t, "Create account")
	b.reads(t, "Signed in as "+person.name)
	b.reach(t, "See the events you attend")
	b.hit(t, " ")
	b.reach(t, "This lasts")
	b.hit(t, kb.ArrowDown)
	b.reach(t, "Allow")
	b.back(t, "Cancel")
	b.arrive(t, "Allow")
	checkScope(t, s.redeem(t, app, l.arrived(t).Get("code")).tokens(t), "profile")
	s.checkEnds(t, app, "month", 1)

	b.open(t, s.url+"/settings/profile")
	b.write(t, "Username", strings.Split(person.email, "@")[0]+"-2")
	b.arrive(t, "Save")
	b.reads(t, "Saved.")
	b.arrive(t, "Connected applications")
	b.reads(t, "See your name, picture and email address", "until ")
	b.arrive(t, "Deutsch")
	b.reads(t, "Verbundene Anwendungen")
	b.arrive(t, "English")
	b.reach(t, "Disconnect …")
	b.hit(t, kb.Enter)
	b.arrive(t, "Disconnect …")
	b.reads(t, "Disconnected.", "No application may use your account.")

	elsewhere := s.signIn(t, person)
	b.arrive(t, "Password and sessions")
	b.open(t, s.url+"/settings/security") // anew, since the inspector may have changed the window
	if !obtain(t, b, chromedp.Evaluate[bool](`document.querySelector(".sections [aria-current]").getBoundingClientRect().right <= innerWidth`)) {
		t.Error("the name of the open section is cut off")
	}
	// Whoever has colours of their own sees lines that are transparent.
	if lines := obtain(t, b, chromedp.Evaluate[int](`[...document.querySelectorAll(".sections a")].filter(a => a.offsetHeight > a.clientHeight).length`)); lines != 1 {
		t.Errorf("%d sections are marked as open", lines)
	}
	b.arrive(t, "Sign out everywhere else")
	b.reads(t, "Signed out everywhere else.")
	if p := elsewhere.open(t, "/settings/profile"); !p.offers("Sign in") {
		t.Errorf("the other session goes on:\n%s", p.text())
	}
	b.arrive(t, "Sign out")
	b.reads(t, "Sign in")
}

// keysOfDeveloper creates an application and looks through all its pages.
func keysOfDeveloper(t *testing.T, b *tab, s *server, l *landing) {
	person, tester := s.newAccount(t, "Dora Developer"), s.newAccount(t, "Tessa Tester")
	b.open(t, s.url)
	b.write(t, "Email address", person.email, "Password", person.password)
	b.load(t, chromedp.KeyEvent(kb.Enter))
	b.arrive(t, "New application")
	b.write(t, "Name", "Harbour Pilot")
	b.reach(t, "Confidential …")
	b.hit(t, kb.ArrowDown)
	b.hit(t, kb.ArrowUp)
	b.write(t, "Redirect URLs", l.URL+"/callback")
	b.reach(t, "events …")
	b.hit(t, " ")
	b.arrive(t, "Create application")
	app := application{
		ClientID:     obtain(t, b, chromedp.Text(chromedp.ID("client_id"))),
		ClientSecret: obtain(t, b, chromedp.Text(chromedp.ID("client_secret"))),
		redirect:     l.URL + "/callback",
	}
	s.vault.add("client secret", app.ClientSecret)
	b.permit(t, cdpbrowser.PermissionSettingGranted, "clipboard-write")
	b.reach(t, "Copy")
	b.hit(t, kb.Enter)
	b.do(t, chromedp.WaitVisible(`//button[@data-copy="client_secret"][text()="Copied"]`))
	b.reach(t, "curl")
	b.hit(t, kb.ArrowRight)
	b.do(t, chromedp.WaitVisible(`//*[@data-snippet="javascript"]`), chromedp.WaitNotVisible(`//*[@data-snippet="curl"]`))
	b.reach(t, "Replace the secret")
	b.hit(t, " ")
	b.reach(t, "The old secret works for 24 hours …")
	b.arrive(t, "Replace secret")
	b.reads(t, "Before it")

	b.arrive(t, "Settings")
	b.write(t, "Site", "https://harbour.example")
	b.arrive(t, "Save")
	b.reads(t, "Saved.")
	b.arrive(t, "People")
	b.write(t, "Add a test account", tester.email)
	b.arrive(t, "Add test account")
	b.reads(t, tester.name)
	s.clientCredentials(t, app, "nonsense").checkRefused(t, "invalid_scope")
	b.arrive(t, "Usage")
	b.arrive(t, "7 days")
	b.reach(t, "Errors as a table")
	b.hit(t, kb.Enter)
	b.reads(t, "(so far)")
	b.arrive(t, "Errors")
	b.arrive(t, "invalid_scope")
	b.reads(t, "There is no scope nonsense.")
	b.arrive(t, "Webhook")
	b.write(t, "URL", l.URL)
	b.arrive(t, "Create webhook")
	b.arrive(t, "Send a test event")
	b.reads(t, "webhook.test")
}

// keysOfAdministrator sets a platform up, and suspends an application.
func keysOfAdministrator(t *testing.T, b *tab, s *server, _ *landing) {
	_, person := s.stranger()
	b.open(t, s.url+s.firstRun(t))
	b.write(t, "Name of the platform", "Tidepool Club", "Name", person.name, "Email address", person.email, "Password", person.password)
	b.arrive(t, "Set up the platform")
	b.reads(t, "The platform is set up. Welcome.")
	b.arrive(t, "Sign out")
	b.write(t, "Email address", person.email, "Password", person.password)
	b.arrive(t, "Sign in")
	s.ada, s.session = person, s.browser(person)
	app := s.registerAs(t, person.email, "Seaweed Atlas", "https://seaweed.example", callback, "profile")
	token := s.grant(t, app).Access

	b.arrive(t, "Administration")
	b.arrive(t, "Applications")
	b.reach(t, "Search")
	b.do(t, paste("seaw"))
	b.load(t, chromedp.KeyEvent(kb.Enter))
	b.arrive(t, "Seaweed Atlas")
	b.arrive(t, "Suspend application …")
	b.reads(t, "Authorizations that live 1", "Accounts that gave them 1")
	b.write(t, "Why it is suspended", "It sent mail that nobody asked for.")
	b.arrive(t, "Suspend application")
	b.reads(t, "The application is suspended.")
	s.me(t, token).checkStatus(t, http.StatusUnauthorized)
	b.arrive(t, "Resume application")
	s.me(t, token).checkStatus(t, http.StatusOK)

	b.arrive(t, "Audit log")
	b.reach(t, "Filter")
	b.hit(t, kb.Enter)
	b.reach(t, "What")
	b.hit(t, "application.s")
	b.write(t, "Done to the application", app.ClientID)
	b.arrive(t, "Filter")
	b.reads(t, "application.suspended", "It sent mail that nobody asked for.")
	if found := obtain(t, b, chromedp.Evaluate[int](`document.querySelectorAll(".events > li").length`)); found != 1 {
		t.Errorf("the filter finds %d events, want 1; %s", found, b.scene())
	}
}
