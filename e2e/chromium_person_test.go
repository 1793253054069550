package e2e_test

import (
	"crypto/rand"
	"image/color"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// pick chooses a file in the field that has this label.
func (b *tab) pick(t *testing.T, label string, content []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "me.png")
	write(t, file, string(content))
	field := `//*[@id=//label[normalize-space()="` + label + `"]/@for]`
	b.do(t, chromedp.SetUploadFiles(field, []string{file}))
}

// colour is what a pixel of the picture on the page looks like, as r,g,b.
func (b *tab) colour(t *testing.T) string {
	t.Helper()
	return obtain(t, b, chromedp.Evaluate[string](`(() => {
		const shown = document.getElementById("portrait"), c = document.createElement("canvas");
		if (shown.localName === "span") return "none";
		c.width = c.height = 1;
		const x = c.getContext("2d");
		x.drawImage(shown, 0, 0, 1, 1);
		return [...x.getImageData(0, 0, 1, 1).data].slice(0, 3).join();
	})()`))
}

// testAddress signs in with addresses that Chromium refuses, or sends in another form, where a
// field has the type email.
func testAddress(t *testing.T, c *chromium, s *server) {
	for _, email := range []string{"jörg." + strings.ToLower(rand.Text()) + "@people.example", "ada." + strings.ToLower(rand.Text()) + "@bücher.example"} {
		person := account{email, "pass phrase " + rand.Text(), "Jörg Bücher"}
		s.vault.add("password", person.password)
		s.command(t, person.password+"\n", "account", "create", "--email", person.email, "--name", person.name, "--password-stdin")
		c.signedIn(t, s, person)
	}
}

func testPicture(t *testing.T, c *chromium, s *server) {
	bob := s.newAccount(t, "Bob Babbage")
	b := c.signedIn(t, s, bob)
	b.open(t, s.url+"/settings/profile")
	if got := b.colour(t); got != "none" {
		t.Fatalf("a new account has a picture: %s", got)
	}
	green, purple := color.NRGBA{G: 255, A: 255}, color.NRGBA{R: 255, B: 255, A: 255}
	b.pick(t, "Choose a picture", dotted(t, green, 0))
	b.do(t, chromedp.WaitVisible(`//canvas[@id="portrait"]`))
	if got := b.colour(t); got != "0,255,0" {
		t.Errorf("before the upload the page shows %s", got)
	}
	b.measure(t)
	b.press(t, "Upload")
	b.reads(t, "Your picture is changed.")
	if got := b.colour(t); got != "0,255,0" {
		t.Errorf("after the upload the page shows %s", got)
	}
	// The script makes a file fit that is larger than the server takes.
	b.pick(t, "Another picture", dotted(t, purple, 3<<20))
	b.do(t, chromedp.WaitVisible(`//input[@type="file" and @data-fits]`))
	b.press(t, "Upload")
	b.reads(t, "Your picture is changed.")
	if got := b.colour(t); got != "255,0,255" {
		t.Errorf("after a large upload the page shows %s", got)
	}
	b.pick(t, "Another picture", []byte("no picture"))
	if status := b.press(t, "Upload"); status != http.StatusUnprocessableEntity {
		t.Errorf("no picture is answered %d", status)
	}
	b.reads(t, "The picture cannot be read.")
	b.press(t, "Remove picture")
	b.reads(t, "Your picture is removed.")
	if got := b.colour(t); got != "none" {
		t.Errorf("after the removal the page shows %s", got)
	}

	plain := c.profile(t, s.url)
	plain.withoutScripts(t)
	plain.signIn(t, s, bob)
	plain.open(t, s.url+"/settings/profile")
	plain.pick(t, "Choose a picture", dotted(t, green, 12<<20))
	if status := plain.press(t, "Upload"); status != http.StatusUnprocessableEntity {
		t.Errorf("a large picture without scripts is answered %d", status)
	}
	plain.reads(t, "Use a file of at most 2 MB.")
	plain.pick(t, "Choose a picture", dotted(t, green, 0))
	plain.press(t, "Upload")
	plain.reads(t, "Your picture is changed.")
}

func testConnections(t *testing.T, c *chromium, s *server) {
	bob := s.newAccount(t, "Bob Babbage")
	var got []tokens
	var apps []application
	for _, name := range []string{"Tidepool", "Seaweed Atlas", "Harbour Pilot"} {
		site := "https://" + strings.ToLower(strings.ReplaceAll(name, " ", "-")) + ".example"
		app := s.registerAs(t, s.ada.email, name, site, site+"/callback", "profile", "events")
		code := s.browser(bob).authorize(t, app.request("scope", "profile events")).Query().Get("code")
		apps, got = append(apps, app), append(got, s.redeem(t, app, code).tokens(t))
	}
	s.me(t, got[0].Access).checkStatus(t, http.StatusOK)
	b := c.signedIn(t, s, bob)
	card := func(name string) string {
		return obtain(t, b, chromedp.Evaluate[string](`[...document.querySelectorAll("article")].find(a => a.querySelector("h2").innerText === "`+name+`").innerText`))
	}
	eventually(t, "the page tells what was used", func() bool {
		b.open(t, s.url+"/settings/connections")
		return strings.Contains(card("Tidepool"), "127.0.0.0/24")
	})
	if text := card("Tidepool"); !strings.Contains(text, "picture and email address used") || !strings.Contains(text, "See the events you attend not used so far") {
		t.Errorf("of the application that was used stands there:\n%s", text)
	}
	if text := card("Seaweed Atlas"); strings.Contains(text, "address used") || strings.Contains(text, "network") {
		t.Errorf("of the application that was not used stands there:\n%s", text)
	}
	// The keyboard alone opens a part and presses its button.
	b.do(t, chromedp.Focus(`//summary[@aria-label="Disconnect Tidepool"]`), chromedp.KeyEvent(" "))
	b.measure(t)
	b.do(t, chromedp.KeyEvent("\t"))
	b.load(t, chromedp.KeyEvent("\r"))
	b.reads(t, "Disconnected.", "Seaweed Atlas", "Harbour Pilot")
	s.checkDead(t, apps[0], got[0])
	s.checkAlive(t, got[1].Access)
	b.unfold(t, "Disconnect all applications")
	b.reads(t, "All 2 applications can do nothing more with your account at once")
	b.press(t, "Disconnect all")
	b.reads(t, "All applications are disconnected.", "No application may use your account.")
	s.checkDead(t, apps[1], got[1])
	s.checkDead(t, apps[2], got[2])
}
