package e2e_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// focused is what the keyboard is on: the text of a button, or the name and the value of a field.
const focused = `(e => e.tagName == "BUTTON" ? e.innerText : (e.name ?? "") + " " + (e.value ?? ""))(document.activeElement)`

// tabTo presses Tab until the keyboard is there.
func (b *tab) tabTo(t *testing.T, where string) {
	t.Helper()
	var passed []string
	for range 30 {
		b.do(t, chromedp.KeyEvent(kb.Tab))
		at := obtain(t, b, chromedp.Evaluate[string](focused))
		if at == where {
			return
		}
		passed = append(passed, at)
	}
	t.Fatalf("Tab leads to %q, never to %q; %s", passed, where, b.scene())
}

// testChoosing answers consent pages without a mouse.
func testChoosing(t *testing.T, c *chromium, s *server) {
	l := newLanding(t)
	app := s.register(t, registration{
		redirects: []string{l.URL + "/callback"}, scopes: []string{"profile", "events", "community"}, optional: []string{"events", "community"},
	})
	b := c.profile(t, s.url, l.URL)
	b.signIn(t, s, s.newAccount(t, "Bob Babbage"))
	scope := []string{"scope", "profile events community"}

	b.ask(t, s, app, scope...)
	b.tabTo(t, "scope events")
	b.do(t, chromedp.KeyEvent(" "))
	b.tabTo(t, "lasting ")
	b.do(t, chromedp.KeyEvent(kb.ArrowDown))
	b.tabTo(t, "Cancel")
	b.tabTo(t, "Allow")
	b.load(t, chromedp.KeyEvent(kb.Enter))
	checkScope(t, s.redeem(t, app, l.arrived(t).Get("code")).tokens(t), "profile", "community")
	s.checkEnds(t, app, "month", 1)

	// A loopback redirect is asked about every time; what was left out is not ticked.
	b.ask(t, s, app, scope...)
	b.tabTo(t, "scope events")
	b.do(t, chromedp.KeyEvent(" "))
	b.tabTo(t, "scope community")
	b.do(t, chromedp.KeyEvent(" "))
	b.tabTo(t, "Allow")
	b.load(t, chromedp.KeyEvent(kb.Enter))
	checkScope(t, s.redeem(t, app, l.arrived(t).Get("code")).tokens(t), "profile", "events")

	b.ask(t, s, app, "scope", "events community")
	b.tabTo(t, "scope events")
	b.do(t, chromedp.KeyEvent(" "))
	b.tabTo(t, "Allow")
	if status := b.load(t, chromedp.KeyEvent(kb.Enter)); status != 422 {
		t.Errorf("to choose nothing is answered %d", status)
	}
	b.reads(t, "Choose at least one, or cancel.")
	b.tabTo(t, "Cancel")
	b.load(t, chromedp.KeyEvent(kb.Enter))
	if got := l.arrived(t).Get("error"); got != "access_denied" {
		t.Errorf("Cancel answers %q", got)
	}
}
