package e2e_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// journey is one person's way through the pages, from signing up to signing out.
type journey struct {
	*tab
	s      *server
	person account
	app    application
	back   *landing
}

func testJourney(t *testing.T, c *chromium, s *server) {
	back := newLanding(t)
	j := &journey{tab: c.profile(t, s.url, back.URL), s: s, back: back}
	j.person = s.newcomer("Grace Hopper")
	j.signUp(t)
	j.register(t)
	j.checkSecretOnce(t)
	j.edit(t)
	j.replaceSecret(t)
	got := j.allow(t)
	j.cancel(t)
	j.disconnect(t, got)
	j.signOut(t)
}

func (j *journey) signUp(t *testing.T) {
	t.Helper()
	j.open(t, j.s.url)
	j.follow(t, "Sign up")
	j.fill(t, "Name", j.person.name, "Email address", j.person.email, "Password", "password")
	if status := j.press(t, "Create account"); status != http.StatusUnprocessableEntity {
		t.Errorf("a common password is answered %d", status)
	}
	j.fill(t, "Password", j.person.password)
	if status := j.press(t, "Create account"); status != http.StatusOK {
		t.Fatalf("signing up ends with %d\n%s", status, j.scene())
	}
	j.reads(t, j.person.name, "You have no applications.")
}

func (j *journey) register(t *testing.T) {
	t.Helper()
	j.follow(t, "New application")
	j.reads(t, "community See the communities you belong to An administrator has to allow it.")
	j.fill(t, "Name", "Compiler", "Redirect URLs", "http://compiler.example/callback")
	if status := j.press(t, "Create application"); status != http.StatusUnprocessableEntity {
		t.Errorf("an http redirect URL to a host elsewhere is answered %d", status)
	}
	j.reads(t, "may use http for 127.0.0.1, [::1] and localhost only")
	j.fill(t, "Redirect URLs", j.back.URL+"/callback")
	j.choose(t, "events")
	j.press(t, "Create application")
	j.app = application{
		ClientID:     obtain(t, j.tab, chromedp.Text(chromedp.ID("client_id"))),
		ClientSecret: j.secret(t),
		redirect:     j.back.URL + "/callback",
	}
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`).MatchString(j.app.ClientID) {
		t.Errorf("client_id is %q, want 43 characters of base64url", j.app.ClientID)
	}
}

// secret reads the secret that the page shows, as text that one click selects.
func (j *journey) secret(t *testing.T) string {
	t.Helper()
	secret := obtain(t, j.tab, chromedp.Text(chromedp.ID("client_secret")))
	j.s.vault.add("client secret", secret)
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(secret) {
		t.Fatalf("the page shows a secret of %d characters, want 64 hex characters", len(secret))
	}
	j.do(t, chromedp.Click(chromedp.ID("client_secret")))
	if selected := obtain(t, j.tab, chromedp.Evaluate[string]("getSelection().toString()")); selected != secret {
		t.Errorf("one click on the secret selects %q", selected)
	}
	return secret
}

// checkSecretOnce demands that the secret can be copied now, and is seen never again.
func (j *journey) checkSecretOnce(t *testing.T) {
	t.Helper()
	obtain(t, j.tab, chromedp.Evaluate[bool]("getSelection().empty(), true"))
	j.permit(t, cdpbrowser.PermissionSettingDenied, "clipboard-write")
	j.do(t, click(`//button[@data-copy="client_secret"]`))
	if selected := obtain(t, j.tab, chromedp.Poll[string]("getSelection().toString()")); selected != j.app.ClientSecret {
		t.Errorf("the Copy button that may not copy selects %q", selected)
	}
	j.permit(t, cdpbrowser.PermissionSettingGranted, "clipboard-write", "clipboard-read")
	j.do(t, click(`//button[@data-copy="client_secret"]`), chromedp.WaitVisible(`//button[@data-copy="client_secret"][text()="Copied"]`))
	copied := obtain(t, j.tab, chromedp.Evaluate[string]("navigator.clipboard.readText()", chromedp.EvalAwaitPromise))
	if copied != j.app.ClientSecret {
		t.Errorf("the Copy button put %q into the clipboard", copied)
	}
	j.do(t, chromedp.Reload())
	j.checkSecretGone(t)
	j.follow(t, "OAuth applications")
	j.follow(t, "Compiler")
	j.checkSecretGone(t)
}

func (j *journey) checkSecretGone(t *testing.T) {
	t.Helper()
	j.reads(t, "The secret was shown when it was made")
	if j.holds(t, j.app.ClientSecret) {
		t.Error("the page holds the secret a second time")
	}
	cookies, err := chromedp.Call(j.ctx, network.GetCookies, network.GetCookiesParams{})
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range cookies.Cookies {
		if strings.Contains(cookie.Value, j.app.ClientSecret) {
			t.Errorf("the cookie %s keeps the secret", cookie.Name)
		}
	}
}

func (j *journey) edit(t *testing.T) {
	t.Helper()
	j.follow(t, "Settings")
	j.fill(t, "Name", "Compiler Two", "Site", "https://compiler.example", "Redirect URLs", j.app.redirect+"\n"+j.app.redirect+"/second")
	j.press(t, "Save")
	j.reads(t, "Saved.", "Compiler Two")
	if got := obtain(t, j.tab, chromedp.Value(chromedp.ID("redirect_uris"))); got != j.app.redirect+"\n"+j.app.redirect+"/second" {
		t.Errorf("the redirect URLs are now %q", got)
	}
}

func (j *journey) replaceSecret(t *testing.T) {
	t.Helper()
	j.follow(t, "Overview")
	before := j.app
	j.unfold(t, "Replace the secret")
	j.press(t, "Replace secret")
	j.app.ClientSecret = j.secret(t)
	if j.app.ClientSecret == before.ClientSecret {
		t.Error("the new secret is the old one")
	}
	j.reads(t, "Before it")
	j.s.clientCredentials(t, before, "").tokens(t)
	j.s.clientCredentials(t, j.app, "").tokens(t)
	j.unfold(t, "Replace the secret")
	j.choose(t, "The old secret ends now.")
	j.press(t, "Replace secret")
	before, j.app.ClientSecret = j.app, j.secret(t)
	j.s.clientCredentials(t, before, "").checkRefused(t, "invalid_client")
	j.s.clientCredentials(t, j.app, "").tokens(t)
}

// oddState has what badly escaped URLs lose.
const oddState = `a b+c&d=e%20"é"<>#?/\`

// ask opens the authorization request and reads the consent page.
func (j *journey) ask(t *testing.T) {
	t.Helper()
	q := j.app.request("state", oddState, "scope", "profile events")
	j.open(t, j.s.url+"/auth/authorize?"+q.Encode())
	j.reads(t,
		"Compiler Two wants to use your account", "by Grace Hopper", "https://compiler.example",
		"See your name, picture and email address", "See the events you attend",
		"You will return to "+strings.TrimPrefix(j.back.URL, "http://"),
		"Signed in as Grace Hopper ("+j.person.email+")", "Not you?")
}

func (j *journey) allow(t *testing.T) tokens {
	t.Helper()
	j.ask(t)
	j.press(t, "Allow")
	answer := j.back.arrived(t)
	j.landed(t)
	if answer.Get("state") != oddState || answer.Get("iss") != j.s.url || !tokenShape.MatchString(answer.Get("code")) {
		t.Fatalf("the callback got %v", answer)
	}
	got := j.s.redeem(t, j.app, answer.Get("code")).tokens(t)
	me := j.s.me(t, got.Access)
	me.checkStatus(t, http.StatusOK)
	if !strings.Contains(string(me.body), j.person.email) {
		t.Errorf("me answers %s, want %s", me.body, j.person.email)
	}
	return got
}

// landed demands that the application's redirect onward was followed to its end.
func (j *journey) landed(t *testing.T) {
	t.Helper()
	if at := j.at(t); at != j.back.URL+"/landed" {
		t.Errorf("the browser is at %s, want the page that the callback leads to", at)
	}
}

func (j *journey) cancel(t *testing.T) {
	t.Helper()
	j.ask(t)
	j.press(t, "Cancel")
	answer := j.back.arrived(t)
	j.landed(t)
	if answer.Get("error") != "access_denied" || answer.Get("state") != oddState || answer.Get("iss") != j.s.url || answer.Has("code") {
		t.Errorf("after Cancel the callback got %v", answer)
	}
	j.ask(t) // a loopback redirect is asked about every time
}

func (j *journey) disconnect(t *testing.T, got tokens) {
	t.Helper()
	j.open(t, j.s.url)
	j.follow(t, "Connected applications")
	j.reads(t, "Compiler Two", "by Grace Hopper", "See the events you attend", "until you disconnect it", "Last used")
	j.unfold(t, "Disconnect")
	j.reads(t, "Compiler Two can do nothing more with your account at once")
	j.press(t, "Disconnect Compiler Two")
	j.reads(t, "Disconnected.", "No application may use your account.")
	j.s.checkDead(t, j.app, got)
}

func (j *journey) signOut(t *testing.T) {
	t.Helper()
	j.press(t, "Sign out")
	// Chromium may keep whole pages for the way back, even those that no cache may store.
	obtain(t, j.tab, chromedp.WaitEvent(cdppage.FrameNavigated, nil, chromedp.Evaluate[chromedp.Void]("history.back()")))
	if j.holds(t, "Connected applications") {
		t.Error("after signing out the way back shows the settings")
	}
	j.open(t, j.s.url+"/settings/connections")
	if at := j.at(t); at != j.s.url+"/sign-in?continue=%2Fsettings%2Fconnections" {
		t.Errorf("after signing out the settings lead to %s", at)
	}
	j.fill(t, "Email address", j.person.email, "Password", j.person.password+"x")
	if status := j.press(t, "Sign in"); status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong password is answered %d", status)
	}
	j.reads(t, "The email address or the password is wrong.")
	j.fill(t, "Password", j.person.password)
	j.press(t, "Sign in")
	if at := j.at(t); at != j.s.url+"/settings/connections" {
		t.Errorf("signing in leads to %s, want the page that was asked for", at)
	}
}
