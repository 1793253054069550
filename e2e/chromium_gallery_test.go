package e2e_test

import (
	"context"
	"crypto/rand"
	"image/color"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// tidepool is the platform that the pictures show.
const tidepool = `
brand: {name: Tidepool}
scopes:
  - {name: profile, description: "See your name, picture and email address"}
  - {name: sightings, description: See what you have found on the shore}
  - {name: events, description: "See the events you attend, and add new ones"}
  - {name: messages, description: Read your private messages, sensitive: true, consent: required}
  - {name: groups, description: See the groups you belong to, approval: administrator, consent: required}
limits: {exempt: [127.0.0.0/8, 203.0.113.0/24, 198.51.100.0/24, 192.0.2.0/24]}
trusted_proxies: [127.0.0.0/8]
`

// gallery is a platform with some life, for pictures of its pages.
type gallery struct {
	*server
	c                     *chromium
	mara, jonas, ida, lea account
	atlas, pilot, clock   application
}

// testGallery takes the pictures of the documentation, and some more for people to look at.
func testGallery(t *testing.T, c *chromium, _ *server) {
	g := &gallery{server: start(t, tidepool), c: c}
	g.ida = g.person(t, "Ida Okafor", "--admin")
	g.mara, g.jonas, g.lea = g.person(t, "Mara Lindqvist"), g.person(t, "Jonas Weber"), g.person(t, "Lea Moreau")
	g.atlas = g.application(t, g.mara, "Seaweed Atlas", "profile", "sightings", "events", "messages")
	g.command(t, "", "application", "update", g.atlas.ClientID, "--optional-scope", "events")
	g.pilot = g.application(t, g.mara, "Harbour Pilot", "profile", "events")
	g.clock = g.application(t, g.lea, "Moon Clock", "profile", "groups")
	g.ada, g.session = g.jonas, g.signedIn(t, g.jonas, "203.0.113.24", firefox)
	g.past(t)
	g.administrate(t)
	g.asPerson(t)
	g.asDeveloper(t)
	g.asAdministrator(t)
}

const (
	firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:150.0) Gecko/20100101 Firefox/150.0"
	iphone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1"
)

func (g *gallery) person(t *testing.T, name string, flags ...string) account {
	t.Helper()
	a := account{strings.ToLower(strings.ReplaceAll(name, " ", ".")) + "@tidepool.example", "pass phrase " + rand.Text(), name}
	g.vault.add("password", a.password)
	g.command(t, a.password+"\n", append([]string{"account", "create", "--email", a.email, "--name", a.name, "--password-stdin"}, flags...)...)
	return a
}

func (g *gallery) application(t *testing.T, owner account, name string, scopes ...string) application {
	t.Helper()
	site := "https://" + strings.ToLower(strings.ReplaceAll(name, " ", "-")) + ".example"
	return g.registerAs(t, owner.email, name, site, site+"/oauth/callback", scopes...)
}

// proxied is a transport through the proxy of the platform.
type proxied struct {
	next           http.RoundTripper
	address, agent string
}

func (p proxied) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", p.address)
	r.Header.Set("User-Agent", p.agent)
	return p.next.RoundTrip(r)
}

// signedIn is the browser of a person somewhere.
func (g *gallery) signedIn(t *testing.T, person account, address, agent string) *browser {
	t.Helper()
	b := g.browser(person)
	b.client.Transport = proxied{b.client.Transport, address, agent}
	b.signIn(t, b.open(t, "/sign-in"))
	return b
}

// sitting opens a tab in which somebody is signed in.
func (g *gallery) sitting(t *testing.T, person account, address string) *tab {
	t.Helper()
	b := g.c.profile(t, g.url)
	b.comesFrom(t, address)
	b.open(t, g.url+"/sign-in")
	b.enter(t, person)
	return b
}

// comesFrom sends the tab through the proxy of the platform.
func (b *tab) comesFrom(t *testing.T, address string) {
	t.Helper()
	b.do(t, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"X-Forwarded-For": address}})
		return err
	}))
}

// calls makes a request of an application's own server.
func (g *gallery) calls(t *testing.T, address string, m message) answer {
	t.Helper()
	m.header.Set("X-Forwarded-For", address)
	return g.do(t, m)
}

// public gives the platform an address as a real one has.
const public = `(() => {
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(location.origin, "https://tidepool.example");
})()`

// shows takes a picture for the documentation.
func (b *tab) shows(t *testing.T, name string, w window, scheme string) {
	t.Helper()
	b.look(t, w, scheme)
	b.do(t, chromedp.Evaluate[chromedp.Void](public))
	picture := obtain(t, b, chromedp.FullScreenshot(100))
	b.settle(t)
	if *forRepository {
		picture = slim(t, picture)
	}
	keepPicture(t, "docs/"+name, picture)
}

// administrate verifies, suspends and resumes.
func (g *gallery) administrate(t *testing.T) {
	t.Helper()
	g.application(t, g.lea, "Free Coins", "profile", "messages")
	g.command(t, "", "application", "create", "--owner", g.jonas.email, "--name", "Tide Table", "--public", "--redirect-uri", "https://tide-table.example/back", "--scope", "profile")
	mara := g.signedIn(t, g.mara, "192.0.2.61", firefox)
	mara.send(t, g.atlas.path()+"/logo", "logo", emblem(t, color.NRGBA{14, 116, 110, 255}, 2))
	mara.send(t, g.pilot.path()+"/logo", "logo", emblem(t, color.NRGBA{178, 84, 40, 255}, 1))
	ida := g.signedIn(t, g.ida, "198.51.100.7", firefox)
	for _, name := range []string{"Seaweed Atlas", "Harbour Pilot"} {
		ida.press(t, g.applicationPage(t, ida, name), "Verify application")
	}
	page := g.applicationPage(t, ida, "Free Coins")
	ida.submit(t, page.url.Path+"/suspend", url.Values{"reason": {"It sent messages that nobody asked for."}})
}

func (g *gallery) applicationPage(t *testing.T, b *browser, name string) *page {
	t.Helper()
	return b.open(t, b.open(t, "/admin/applications?q="+url.QueryEscape(name)).link(t, name))
}

func (g *gallery) asPerson(t *testing.T) {
	t.Helper()
	b := g.c.profile(t, g.url)
	b.comesFrom(t, "203.0.113.24")
	wanted := []string{"scope", "profile sightings events"}
	b.ask(t, g.server, g.atlas, wanted...)
	b.shows(t, "sign-in", desk, "light")
	b.open(t, g.url+"/sign-up")
	b.shoot(t, "sign-up", 1280, "light")
	b.ask(t, g.server, g.atlas, "redirect_uri", g.atlas.redirect+"/")
	b.shoot(t, "error", 1280, "light")
	b.ask(t, g.server, g.atlas, wanted...)
	b.enter(t, g.jonas)
	b.shows(t, "consent", desk, "light")
	b.shows(t, "consent-phone", phone, "dark")

	got := g.redeem(t, g.atlas, g.session.authorize(t, g.atlas.request(wanted...)).Query().Get("code")).tokens(t)
	g.calls(t, "198.51.100.20", get(mePath, got.Access)).checkStatus(t, http.StatusOK)
	g.calls(t, "198.51.100.20", get(checkPath+"?scope=sightings", got.Access)).checkStatus(t, http.StatusOK)
	g.redeem(t, g.pilot, g.session.authorize(t, g.pilot.request("scope", "profile events")).Query().Get("code")).tokens(t)
	g.redeem(t, g.clock, g.session.authorize(t, g.clock.request()).Query().Get("code")).tokens(t)
	b.ask(t, g.server, g.atlas, "scope", "profile sightings events messages")
	b.shows(t, "consent-growth", desk, "dark")
	eventually(t, "what was used is told", func() bool {
		b.open(t, g.url+"/settings/connections")
		return strings.Contains(b.text(t), "198.51.100.0/24")
	})
	b.shows(t, "connections", desk, "light")
	b.shoot(t, "connections-phone", 360, "light")

	g.session.send(t, "/settings/profile/picture", "picture", emblem(t, color.NRGBA{92, 78, 160, 255}, 1))
	b.follow(t, "Profile")
	b.shows(t, "profile", desk, "light")
	g.signedIn(t, g.jonas, "203.0.113.180", iphone)
	b.follow(t, "Password and sessions")
	b.shows(t, "sessions", desk, "light")
	b.shoot(t, "sessions-phone", 360, "dark")
}

func (g *gallery) asDeveloper(t *testing.T) {
	t.Helper()
	g.makeMistakes(t)
	b := g.sitting(t, g.mara, "192.0.2.61")
	b.shoot(t, "applications", 1280, "light")
	b.follow(t, "Seaweed Atlas")
	b.shows(t, "application", desk, "light")
	b.shoot(t, "application-phone", 360, "dark")
	b.follow(t, "Settings")
	b.shows(t, "settings", desk, "light")
	b.follow(t, "Usage")
	b.shows(t, "usage", desk, "light")
	b.shows(t, "usage-phone", phone, "dark")
	b.follow(t, "Errors")
	b.shows(t, "errors", desk, "light")
	b.follow(t, "Webhook")
	l := newListener(t)
	b.fill(t, "URL", l.url)
	b.press(t, "Create webhook")
	l.secret = g.webhookSecret(t, g.signedIn(t, g.mara, "192.0.2.61", firefox).open(t, g.atlas.path()+"/webhook"))
	b.press(t, "Send a test event")
	l.next(t, "webhook.test")
	l.failures.Store(1)
	g.session.press(t, g.session.open(t, "/settings/connections"), "Disconnect Seaweed Atlas")
	eventually(t, "a delivery failed", func() bool {
		b.open(t, g.url+g.atlas.path()+"/webhook")
		return strings.Contains(b.text(t), "503")
	})
	g.beElsewhere(t, l)
	b.open(t, g.url+g.atlas.path()+"/webhook")
	b.shows(t, "webhook", desk, "light")
}

// makeMistakes makes those that developers make.
func (g *gallery) makeMistakes(t *testing.T) {
	t.Helper()
	app := g.atlas
	from := func(m message) { g.calls(t, "198.51.100.20", m) }
	wrong := app
	wrong.ClientSecret = app.ClientID
	from(post(tokenPath, formType, wrong.identify(url.Values{"grant_type": {"client_credentials"}}).Encode()))
	from(post(tokenPath, formType, app.identify(with(url.Values{"grant_type": {"client_credentials"}}, "scope", "sighting")).Encode()))
	code := g.code(t, app)
	from(post(tokenPath, formType, app.identify(app.redemption(code, "redirect_uri", app.redirect+"/")).Encode()))
	from(post(tokenPath, formType, app.identify(app.redemption(code)).Encode()))
	from(post(tokenPath, formType, app.identify(app.redemption(code)).Encode()))
	g.session.visit(t, app.request("redirect_uri", strings.Replace(app.redirect, "https:", "http:", 1)))
}

func (g *gallery) asAdministrator(t *testing.T) {
	t.Helper()
	b := g.sitting(t, g.ida, "198.51.100.7")
	b.follow(t, "Administration")
	b.shows(t, "admin", desk, "light")
	b.shoot(t, "admin-phone", 360, "dark")
	b.open(t, g.url+"/admin/applications?q=")
	b.shows(t, "admin-applications", desk, "light")
	b.follow(t, "Audit log")
	b.shows(t, "audit", desk, "light")
	b.shows(t, "audit-phone", phone, "dark")
}
