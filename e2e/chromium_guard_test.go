package e2e_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/security"
	cdptarget "github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// signedIn opens a profile in which a person is signed in.
func (c *chromium) signedIn(t *testing.T, s *server, person account, origins ...string) *tab {
	t.Helper()
	b := c.profile(t, append(origins, s.url)...)
	b.signIn(t, s, person)
	return b
}

func (b *tab) signIn(t *testing.T, s *server, person account) {
	t.Helper()
	b.open(t, s.url+"/sign-in")
	b.enter(t, person)
	b.reads(t, "OAuth applications", person.name)
}

// enter fills the sign-in form that the page shows.
func (b *tab) enter(t *testing.T, person account) {
	t.Helper()
	b.fill(t, "Email address", person.email, "Password", person.password)
	b.press(t, "Sign in")
}

// ask opens an authorization request.
func (b *tab) ask(t *testing.T, s *server, app application, pairs ...string) int64 {
	t.Helper()
	return b.open(t, s.url+"/auth/authorize?"+app.request(pairs...).Encode())
}

func testWaysBack(t *testing.T, c *chromium, s *server) {
	t.Run("to an app by its private-use scheme", func(t *testing.T) { t.Parallel(); testPrivateUse(t, c, s) })
	t.Run("which a stricter policy would block", func(t *testing.T) { t.Parallel(); testBlocked(t, c) })
	t.Run("to a loopback address of IPv6", func(t *testing.T) {
		t.Parallel()
		l := unstarted(t)
		l.listen(t, "[::1]:0")
		l.Start()
		app := s.register(t, registration{redirects: []string{"http://[::1]/callback"}, public: true})
		app.redirect = l.URL + "/callback"
		verifier := strings.Repeat("verifier-", 6)
		b := c.signedIn(t, s, s.ada, l.URL)
		b.ask(t, s, app, "code_challenge", challenge(verifier), "code_challenge_method", "S256")
		b.press(t, "Allow")
		s.redeem(t, app, l.arrived(t).Get("code"), "code_verifier", verifier).tokens(t)
	})
	t.Run("for somebody who has no account yet", func(t *testing.T) {
		t.Parallel()
		l := newLanding(t)
		app := s.register(t, registration{redirects: []string{l.URL + "/callback"}})
		bob := s.newcomer("Bob Babbage")
		b := c.profile(t, s.url, l.URL)
		b.ask(t, s, app)
		b.press(t, "Sign up")
		b.fill(t, "Name", bob.name, "Email address", bob.email, "Password", bob.password)
		b.press(t, "Create account")
		b.reads(t, "Signed in as "+bob.name+" ("+bob.email+")")
		b.press(t, "Allow")
		s.redeem(t, app, l.arrived(t).Get("code")).tokens(t)
	})
	t.Run("over other https hosts, and straight after signing in", func(t *testing.T) { t.Parallel(); testHTTPS(t, c, s) })
}

func testPrivateUse(t *testing.T, c *chromium, s *server) {
	const uri = "com.example.app:/callback"
	app := s.register(t, registration{redirects: []string{uri}, public: true})
	verifier := strings.Repeat("verifier-", 6)
	b := c.signedIn(t, s, s.ada, "com.example.app:")
	b.ask(t, s, app, "code_challenge", challenge(verifier), "code_challenge_method", "S256")
	b.reads(t, "You will return to com.example.app:")
	// The request is only made when the policy of the page lets the form's redirect pass.
	sent := obtain(t, b, chromedp.WaitEvent(network.RequestWillBeSent, func(e network.EventRequestWillBeSent) bool {
		return strings.HasPrefix(e.Request.URL, uri+"?")
	}, click(button("Allow"))))
	u, err := url.Parse(sent.Request.URL)
	if err != nil {
		t.Fatal(err)
	}
	if u.Query().Get("state") != app.request().Get("state") || u.Query().Get("iss") != s.url {
		t.Errorf("the app is called with %s", u)
	}
	s.redeem(t, app, u.Query().Get("code"), "code_verifier", verifier).tokens(t)
}

// testBlocked shows that Chromium judges the hop to the app by the policy of the form's page.
func testBlocked(t *testing.T, c *chromium) {
	l := unstarted(t)
	l.onward = "com.example.app:/callback?code=1"
	l.Start()
	l.show("/", `<meta http-equiv="Content-Security-Policy" content="form-action 'self'"><h1>Form</h1>
		<form method="post" action="/callback"><button>Go</button></form>`)
	b := c.profile(t, l.URL) // the app's scheme is a stranger: a request to it would be noticed
	b.open(t, l.URL+"/")
	b.watch.expect(`form-action`)
	obtain(t, b, chromedp.WaitEvent(log.EntryAdded, func(e log.EventEntryAdded) bool {
		return strings.Contains(e.Entry.Text, "form-action")
	}, click(button("Go"))))
	l.arrived(t)
}

func testHTTPS(t *testing.T, c *chromium, s *server) {
	elsewhere, l := unstarted(t), unstarted(t)
	elsewhere.StartTLS()
	elsewhere.URL = strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)
	l.onward = elsewhere.URL + "/landed"
	l.StartTLS()
	app := s.register(t, registration{redirects: []string{l.URL + "/callback"}})
	b := c.signedIn(t, s, s.ada, l.URL, elsewhere.URL)
	_, err := chromedp.Call(b.ctx, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
	if err != nil {
		t.Fatal(err)
	}
	b.ask(t, s, app)
	for _, step := range []string{"Allow", "sign in, not asked again"} {
		if step == "Allow" {
			b.press(t, step)
		} else {
			b.open(t, s.url)
			b.press(t, "Sign out")
			b.ask(t, s, app)
			b.enter(t, s.ada)
		}
		code := l.arrived(t).Get("code")
		if at := b.at(t); at != elsewhere.URL+"/landed" {
			t.Errorf("%s: the browser is at %s, want where the callback leads to", step, at)
		}
		s.redeem(t, app, code).tokens(t)
	}
}

func testOtherSites(t *testing.T, c *chromium, s *server) {
	bob := s.newAccount(t, "Bob Babbage")
	app := s.register(t, registration{owner: bob.email})
	near, far := newLanding(t), unstarted(t) // another port is the same site, another host is not
	far.Start()
	far.URL = strings.Replace(far.URL, "127.0.0.1", "localhost", 1)
	b := c.signedIn(t, s, bob, near.URL, far.URL)
	far.show("/frame", `<h1>Frame</h1><iframe width="300" src="`+near.URL+`/landed"></iframe>`)
	b.open(t, far.URL+"/frame")
	if shown := b.frame(t).URL; shown != near.URL+"/landed" {
		t.Fatalf("a page that may be framed is not: the frame shows %s", shown)
	}
	for name, l := range map[string]*landing{"another port": near, "another host": far} {
		for _, path := range []string{"/sign-in", app.path(), "/auth/authorize?" + app.request().Encode()} {
			checkUnframed(t, b, l, name, s.url+path)
		}
		for _, action := range []string{
			app.path() + "/delete", app.path() + "/secret",
			"/sign-out", "/sign-in", "/settings/security/sessions/end-others", "/auth/authorize?" + app.request().Encode(),
		} {
			l.show("/form", fmt.Sprintf(`<h1>Form</h1><form method="post" action="%s">
				<input name="step" value="switch"><input name="overlap" value="0s"><button>Win</button></form>`, html.EscapeString(s.url+action)))
			b.open(t, l.URL+"/form")
			if status := b.press(t, "Win"); status != http.StatusForbidden {
				t.Errorf("%s posts to %s and is answered %d", name, action, status)
			}
			b.reads(t, "Nothing was changed.")
		}
	}
	b.open(t, s.url)
	b.reads(t, bob.name)
	s.clientCredentials(t, app, "").tokens(t)
}

// checkUnframed demands that a page which frames the address shows an error of Chromium in its place.
func checkUnframed(t *testing.T, b *tab, l *landing, name, address string) {
	t.Helper()
	b.watch.expect("frame-ancestors")
	b.watch.expect("X-Frame-Options")
	l.show("/frame", fmt.Sprintf(`<h1>Frame</h1><iframe width="300" src="%s"></iframe>`, html.EscapeString(address)))
	b.open(t, l.URL+"/frame")
	if shown := b.frame(t).URL; shown != "chrome-error://chromewebdata/" {
		t.Errorf("%s frames %s and shows %s", name, address, shown)
	}
}

// frame is the only frame on the page, wherever Chromium keeps it: those of another site are targets
// of their own.
func (b *tab) frame(t *testing.T) *cdp.Frame {
	t.Helper()
	tree, err := chromedp.Call(b.ctx, cdppage.GetFrameTree, cdp.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	if frames := tree.FrameTree.ChildFrames; len(frames) == 1 {
		return frames[0].Frame
	}
	all, err := chromedp.Targets(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	self := chromedp.FromContext(b.ctx).Target.TargetID
	i := slices.IndexFunc(all, func(info *cdptarget.Info) bool { return info.Type == "iframe" && info.ParentID == self })
	if i < 0 {
		t.Fatalf("there is no frame; %s", b.scene())
	}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(all[i].TargetID), chromedp.WithDetachOnCancel())
	defer cancel()
	if tree, err = chromedp.Call(ctx, cdppage.GetFrameTree, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	return tree.FrameTree.Frame
}

func testStalePages(t *testing.T, c *chromium, s *server) {
	t.Run("prompt=login asks for the password of somebody signed in", func(t *testing.T) {
		t.Parallel()
		l := newLanding(t)
		app := s.register(t, registration{redirects: []string{l.URL + "/callback"}})
		b := c.signedIn(t, s, s.ada, l.URL)
		b.ask(t, s, app, "prompt", "login")
		wrong := s.ada
		wrong.password += "x"
		b.enter(t, wrong)
		b.reads(t, "The email address or the password is wrong.")
		l.untouched(t)
		b.fill(t, "Password", s.ada.password)
		b.press(t, "Sign in")
		b.press(t, "Allow")
		s.redeem(t, app, l.arrived(t).Get("code")).tokens(t)
	})
	t.Run("somebody else signed in meanwhile", func(t *testing.T) { t.Parallel(); testSomebodyElse(t, c, s) })
	t.Run("a second press of Allow is none", func(t *testing.T) {
		t.Parallel()
		l := newLanding(t)
		l.gate = make(chan struct{}) // as long as the application is slow, the page stands there
		app := s.register(t, registration{redirects: []string{l.URL + "/callback"}})
		b := c.signedIn(t, s, s.ada, l.URL)
		b.ask(t, s, app)
		press := b.aim(t, button("Allow"))
		b.do(t, press)
		code := l.arrived(t).Get("code")
		b.do(t, press)
		close(l.gate)
		b.do(t, chromedp.WaitVisible(`//h1[text()="Landed"]`))
		l.untouched(t)
		s.redeem(t, app, code).tokens(t)
	})
	t.Run("without scripts a second press of Allow approves nothing more", func(t *testing.T) {
		t.Parallel()
		l := newLanding(t)
		l.gate = make(chan struct{})
		t.Cleanup(func() { close(l.gate) })
		app := s.register(t, registration{redirects: []string{l.URL + "/callback"}})
		b := c.signedIn(t, s, s.ada, l.URL)
		b.withoutScripts(t)
		b.ask(t, s, app)
		press := b.aim(t, button("Allow"))
		b.do(t, press)
		code := l.arrived(t).Get("code")
		// The first press gets no response before the gate opens, only a redirect.
		second := obtain(t, b, chromedp.WaitEvent(network.ResponseReceived, func(e network.EventResponseReceived) bool {
			return e.Type == network.ResourceTypeDocument
		}, press))
		if second.Response.Status != http.StatusConflict {
			t.Errorf("the second press is answered %d", second.Response.Status)
		}
		b.do(t, chromedp.WaitVisible(`//h1[text()="You have answered this already"]`))
		l.untouched(t)
		if n := len(s.authorizations(t, "--application", app.ClientID)); n != 1 {
			t.Errorf("there are %d authorizations, want 1", n)
		}
		s.redeem(t, app, code).tokens(t)
	})
}

// aim finds where to click before anything moves: while a page is awaited, Chromium answers no
// questions about the one that still stands there, but takes clicks.
func (b *tab) aim(t *testing.T, path string) chromedp.Action[chromedp.Void] {
	t.Helper()
	b.do(t, chromedp.ScrollIntoView(path))
	box := obtain(t, b, chromedp.Dimensions(path)).Content
	return chromedp.MouseClickXY((box[0]+box[4])/2, (box[1]+box[5])/2)
}

func testSomebodyElse(t *testing.T, c *chromium, s *server) {
	l := newLanding(t)
	app := s.register(t, registration{redirects: []string{l.URL + "/callback"}})
	bob := s.newAccount(t, "Bob Babbage")
	b := c.signedIn(t, s, s.ada, l.URL)
	b.ask(t, s, app)
	b.beside(t).signIn(t, s, bob)
	if status := b.press(t, "Allow"); status != http.StatusConflict {
		t.Errorf("an old consent page is answered %d", status)
	}
	b.reads(t, "Nothing was approved.")
	l.untouched(t)
	if n := len(s.authorizations(t, "--application", app.ClientID)); n != 0 {
		t.Errorf("an old consent page made %d authorizations", n)
	}
	b.follow(t, "Look at the request again")
	b.reads(t, "Signed in as Bob Babbage ("+bob.email+")")
	b.press(t, "Not you?")
	b.enter(t, s.ada)
	b.reads(t, "Signed in as "+s.ada.name+" ("+s.ada.email+")")
	b.press(t, "Allow")
	s.redeem(t, app, l.arrived(t).Get("code")).tokens(t)
}

func testSessions(t *testing.T, c *chromium, s *server) {
	bob := s.newAccount(t, "Bob Babbage")
	here := c.signedIn(t, s, bob)
	for _, end := range []string{"Sign out of Chrome on Linux", "Sign out everywhere else"} {
		there := c.signedIn(t, s, bob)
		here.open(t, s.url+"/settings/security")
		here.reads(t, "Chrome on Linux this browser")
		here.press(t, end)
		here.reads(t, map[bool]string{true: "Signed out everywhere else.", false: "Signed out there."}[end == "Sign out everywhere else"])
		if here.has(t, button("Sign out everywhere else")) {
			t.Errorf("%s: the page still lists another session", end)
		}
		there.open(t, s.url+"/settings/applications")
		if at := there.at(t); !strings.HasPrefix(at, s.url+"/sign-in") {
			t.Errorf("%s: the other browser is at %s", end, at)
		}
	}
	here.open(t, s.url+"/settings/applications")
	here.reads(t, bob.name)
}
