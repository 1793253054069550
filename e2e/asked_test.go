package e2e_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// askedConfig has scopes of every kind that the consent page tells apart.
const askedConfig = `
scopes:
  - {name: profile, description: See your name}
  - {name: events, description: See the events you attend}
  - {name: photos, description: See your photos}
  - {name: messages, description: Read your messages, sensitive: true}
  - {name: invoices, description: See your invoices, sensitive: true}
brand: {name: Tidewater}
limits: {exempt: [127.0.0.0/8]}
`

var askedScopes = []string{"profile", "events", "photos", "messages", "invoices"}

func TestWhatThePersonIsAsked(t *testing.T) {
	t.Parallel()
	s := start(t, askedConfig, "--access-token-lifetime", "48h")
	s.ada = s.newAccount(t, "Ada Lovelace", "--admin")
	s.session = s.browser(s.ada)
	s.session.authorize(t, s.register(t, registration{}).request())
	t.Run("the page", func(t *testing.T) { t.Parallel(); testAskedPage(t, s) })
	t.Run("what may be left out", func(t *testing.T) { t.Parallel(); testLeavingOut(t, s) })
	t.Run("what may be left out of a stale page", func(t *testing.T) { t.Parallel(); testStaleChoices(t, s) })
	t.Run("for how long", func(t *testing.T) { t.Parallel(); testForHowLong(t, s) })
}

func testAskedPage(t *testing.T, s *server) {
	t.Run("what is sensitive is set apart", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{scopes: askedScopes})
		p := s.session.visit(t, app.request("scope", "profile messages events"))
		checkPart(t, p, "Especially sensitive", "Read your messages")
		checkPart(t, p, "It will be able to", "See your name See the events you attend")
	})
	t.Run("on growth the difference is shown, and the rest is folded", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{scopes: askedScopes})
		s.session.authorize(t, app.request("scope", "profile messages"))
		p := s.session.visit(t, app.request("scope", "profile messages events invoices"))
		checkPart(t, p, "New, and especially sensitive", "See your invoices")
		checkPart(t, p, "New: it will also be able to", "See the events you attend")
		if got := folded(p); got != "2 permissions that you approved before See your name Read your messages" {
			t.Errorf("folded is %q", got)
		}
	})
	t.Run("asked again for the same, nothing is folded", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{scopes: askedScopes})
		s.session.authorize(t, app.request("scope", "profile messages"))
		p := s.session.visit(t, app.request("scope", "profile messages", "prompt", "consent"))
		checkPart(t, p, "It will be able to, as you approved before", "See your name")
		checkPart(t, p, "Especially sensitive", "Read your messages")
		if got := folded(p); got != "" {
			t.Errorf("folded is %q", got)
		}
	})
	t.Run("it says who asks, who is signed in and where the person returns to", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{scopes: askedScopes})
		text := s.session.visit(t, app.request()).text()
		for _, want := range []string{"by Ada Lovelace not verified by Tidewater", "Signed in as Ada Lovelace (" + s.ada.email + ") Not you?",
			"You will return to client.example Cancel Allow"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not on the page:\n%s", want, text)
			}
		}
	})
}

// answer presses Allow after changing what the form sends.
func (b *browser) answer(t *testing.T, p *page, change func(url.Values)) *page {
	t.Helper()
	form, pressed := p.button("Allow")
	if form == nil {
		t.Fatalf("the person is not asked: %d, redirect to %v\n%s", p.status, p.away, p.text())
	}
	values := asLoaded(form)
	values.Set(attr(pressed, "name"), attr(pressed, "value"))
	change(values)
	req := b.post(t, p, form, pressed, values)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.Header.Set("Origin", b.origin.String())
	return b.do(t, req)
}

func lasting(choice string) func(url.Values) {
	return func(values url.Values) { values.Set("lasting", choice) }
}

func testForHowLong(t *testing.T, s *server) {
	const day = 24 * 60 * 60
	for choice, seconds := range map[string]int64{"": 2 * day, "month": 2 * day, "day": day} {
		t.Run("approved for: "+choice, func(t *testing.T) {
			t.Parallel()
			app := s.register(t, registration{})
			answer := s.session.answer(t, s.session.visit(t, app.request()), lasting(choice))
			got := s.redeem(t, app, answer.away.Query().Get("code")).tokens(t)
			if got.ExpiresIn > seconds || got.ExpiresIn < seconds-int64(patience.Seconds()) {
				t.Errorf("expires_in is %d, want %d", got.ExpiresIn, seconds)
			}
			s.checkEnds(t, app, choice, 1)
			// Not asked again; what comes of it ends when the approval does.
			s.redeem(t, app, s.session.visit(t, app.request()).away.Query().Get("code")).tokens(t)
			s.checkEnds(t, app, choice, 2)
		})
	}
	t.Run("a time that was not offered approves nothing", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		p := s.session.answer(t, s.session.visit(t, app.request()), lasting("century"))
		p.checkErrorPage(t)
		if !strings.Contains(p.text(), "This page was out of date") {
			t.Errorf("the page says:\n%s", p.text())
		}
	})
}

// checkEnds looks at when the authorizations of the application end.
func (s *server) checkEnds(t *testing.T, app application, choice string, count int) {
	t.Helper()
	var all []struct {
		EndsAt *time.Time `json:"ends_at"`
	}
	if err := json.Unmarshal([]byte(s.command(t, "", "authorization", "list", "--json", "--application", app.ClientID)), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != count {
		t.Errorf("there are %d authorizations, want %d", len(all), count)
	}
	for _, a := range all {
		want := map[string]time.Duration{"day": 24 * time.Hour, "month": 30 * 24 * time.Hour}[choice]
		switch {
		case want == 0 && a.EndsAt != nil:
			t.Errorf("an approval without a limit ends at %v", a.EndsAt)
		case want > 0 && (a.EndsAt == nil || time.Until(*a.EndsAt) > want || time.Until(*a.EndsAt) < want-patience):
			t.Errorf("an approval for %v ends at %v", want, a.EndsAt)
		}
		if want > 0 && !a.EndsAt.Equal(*all[0].EndsAt) {
			t.Errorf("one ends at %v, another at %v", a.EndsAt, all[0].EndsAt)
		}
	}
}

// checkPart demands that under the heading stands this and nothing else.
func checkPart(t *testing.T, p *page, heading, want string) {
	t.Helper()
	if got := part(p, heading); got != want {
		t.Errorf("under %q stands %q, want %q; the page:\n%s", heading, got, want, p.text())
	}
}

// part is what a person reads in the section or the fieldset with this heading.
func part(p *page, heading string) string {
	for _, tag := range []string{"section", "fieldset"} {
		for section := range descendants(p.root, tag) {
			if rest, ok := strings.CutPrefix(words(section), heading+" "); ok && named(section, heading) {
				return rest
			}
		}
	}
	return ""
}

func named(section *html.Node, heading string) bool {
	for _, tag := range []string{"h2", "legend"} {
		for h := range descendants(section, tag) {
			return words(h) == heading
		}
	}
	return false
}

// folded is what a person has to unfold.
func folded(p *page) string {
	for d := range descendants(p.root, "details") {
		return words(d)
	}
	return ""
}
