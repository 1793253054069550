package e2e_test

import (
	"encoding/json"
	"fmt"
	"image/color"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDeveloper walks the pages about an application as HTTP sees them.
func TestDeveloper(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	for _, part := range []struct {
		name string
		test func(*testing.T, *server)
	}{
		{"each page about an application has a title of its own", testTitles},
		{"an application shows its logo and its links where people are asked", testLooks},
		{"the code for an application that asks nobody asks for what needs nobody", testCodeAlone},
		{"what people may leave out is chosen in the settings", testOptionalScopes},
		{"a replaced secret can be ended before its time", testEndSecret},
		{"a form that was sent before replaces no secret again", testReplacedBefore},
		{"a replaced secret works for as long as was chosen, within 30 days", testOverlap},
		{"a page from before a replacement ends no other secret", testEndedBefore},
		{"nothing is submitted where nothing is reviewed", testNoReview},
		{"what others change meanwhile stays", testMeanwhile},
		{"who is removed while a logo comes changes none", testRemovedMeanwhile},
		{"what cannot be is said beside the field", testWrongSettings},
		{"applications are found among many", testManyApplications},
		{"an account owns only so many applications", testFullAccount},
	} {
		t.Run(part.name, func(t *testing.T) { t.Parallel(); part.test(t, s) })
	}
}

// path is where the pages about an application are.
func (a application) path() string { return "/settings/applications/" + a.ClientID }

// settings are those that an application has after register, for a form.
func (a application) settings(pairs ...string) url.Values {
	v := url.Values{"name": {"Client"}, "redirect_uris": {a.redirect}, "scope": {"profile", "events"}}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func testTitles(t *testing.T, s *server) {
	app := s.register(t, registration{})
	where := map[string]string{}
	for _, tab := range []string{"", "/settings", "/try", "/usage", "/errors", "/webhook", "/people"} {
		for title := range descendants(s.session.open(t, app.path()+tab).root, "title") {
			if other, known := where[words(title)]; known {
				t.Errorf("%q is the title of %q and of %q", words(title), other, tab)
			}
			where[words(title)] = tab
		}
	}
}

func testCodeAlone(t *testing.T, s *server) {
	var app application
	created := s.command(t, "", "application", "create", "--owner", s.ada.email, "--name", "Alone", "--scope", "community", "--scope", "events", "--json")
	if err := json.Unmarshal([]byte(created), &app); err != nil {
		t.Fatal(err)
	}
	s.vault.add("client secret", app.ClientSecret)
	s.session.open(t, app.path()).reads(t, http.StatusOK, "grant_type=client_credentials", "'scope=events'")
	created = s.command(t, "", "application", "create", "--owner", s.ada.email, "--name", "Idle", "--scope", "community", "--json")
	if err := json.Unmarshal([]byte(created), &app); err != nil {
		t.Fatal(err)
	}
	s.vault.add("client secret", app.ClientSecret)
	p := s.session.open(t, app.path())
	p.reads(t, http.StatusOK, "may do nothing without people")
	if strings.Contains(p.text(), "client_credentials") {
		t.Error("an application that may do nothing without people is shown how to ask for client credentials")
	}
}

func testLooks(t *testing.T, s *server) {
	app := s.register(t, registration{})
	person := s.newAccount(t, "Lou Looks")
	links := []string{"privacy", "https://client.example/privacy", "terms", "https://client.example/terms", "site", "https://client.example"}
	s.session.submit(t, app.path()+"/settings", app.settings(links...)).reads(t, http.StatusOK, "Saved.")
	s.browser(person).authorize(t, app.request())
	p := s.session.send(t, app.path()+"/logo", "logo", dotted(t, color.NRGBA{B: 200, A: 255}, 0))
	p.reads(t, http.StatusOK, "Saved.")
	logo := p.image("emblem")
	if !strings.HasPrefix(logo, "/pictures/") {
		t.Fatalf("the logo is at %q", logo)
	}
	asked := s.browser(person)
	p = asked.signIn(t, asked.visit(t, app.request()))
	p.reads(t, http.StatusOK, "You approved this application before.", "Privacy policy", "Terms of service", "https://client.example")
	var shown []string
	for img := range descendants(p.root, "img") {
		shown = append(shown, attr(img, "src"))
	}
	if !strings.Contains(strings.Join(shown, " "), logo) {
		t.Errorf("the logo is not shown where people are asked, only %v", shown)
	}
	s.session.submit(t, app.path()+"/logo/remove", nil).reads(t, http.StatusOK, "Saved.")
	if status := s.status(t, logo); status != http.StatusNotFound {
		t.Errorf("the picture of a removed logo is answered %d", status)
	}
	s.session.send(t, app.path()+"/logo", "logo", []byte("no picture")).reads(t, http.StatusUnprocessableEntity)
	s.browser(person).send(t, app.path()+"/logo", "logo", dotted(t, color.Black, 0)).reads(t, http.StatusOK, "Sign in")
}

func testOptionalScopes(t *testing.T, s *server) {
	app := s.register(t, registration{})
	s.session.submit(t, app.path()+"/settings", app.settings("optional_scope", "events")).reads(t, http.StatusOK, "Saved.")
	show := func() string { return s.command(t, "", "application", "show", app.ClientID, "--json") }
	if got := show(); !strings.Contains(got, `"optional_scope": "events"`) {
		t.Errorf("the application is %s", got)
	}
	s.session.submit(t, app.path()+"/settings", app.settings("scope", "profile", "optional_scope", "events")).reads(t, http.StatusOK, "Saved.")
	if got := show(); strings.Contains(got, "optional_scope") {
		t.Errorf("what is not asked for can be left out: %s", got)
	}
	often := app.settings()
	often["scope"], often["optional_scope"] = slices.Repeat(often["scope"], 150), []string{"events", "events"}
	often.Set("redirect_uris", app.redirect+"\n"+app.redirect)
	s.session.submit(t, app.path()+"/settings", often).reads(t, http.StatusOK, "Saved.")
	if got := show(); !strings.Contains(got, `"scope": "profile events"`) || !strings.Contains(got, `"optional_scope": "events"`) || strings.Count(got, app.redirect) != 1 {
		t.Errorf("what came often is there often: %s", got)
	}
	s.session.submit(t, app.path()+"/settings", app.settings()).reads(t, http.StatusOK, "Saved.")
	older, _ := s.session.open(t, app.path()+"/settings").button("Save")
	save := func(optional string) *page {
		t.Helper()
		values := asLoaded(older)
		values.Set("optional_scope", optional)
		return s.session.submit(t, app.path()+"/settings", values)
	}
	save("events").reads(t, http.StatusOK, "Saved.")
	save("profile").reads(t, http.StatusUnprocessableEntity, "and is now: events.")
	s.command(t, "", "application", "update", app.ClientID, "--scope", "profile")
	save("events").reads(t, http.StatusOK, "Saved.")
	if got := show(); strings.Contains(got, "optional_scope") {
		t.Errorf("what went while the page was open can be left out: %s", got)
	}
}

func testEndSecret(t *testing.T, s *server) {
	app := s.register(t, registration{})
	renewed := s.rotate(t, app)
	s.clientCredentials(t, app, "").tokens(t)
	p := s.session.open(t, app.path())
	p.reads(t, http.StatusOK, "Present", "Before it", "Works until")
	s.session.press(t, p, "End the old secret now").reads(t, http.StatusOK, "The old secret works no more.")
	s.clientCredentials(t, app, "").checkRefused(t, "invalid_client")
	s.clientCredentials(t, renewed, "").tokens(t)
	if p := s.session.open(t, app.path()); p.offers("End the old secret now") {
		t.Error("what has ended can be ended")
	}
	s.session.submit(t, app.path()+"/secret/end", nil).reads(t, http.StatusOK)
}

func testReplacedBefore(t *testing.T, s *server) {
	app := s.register(t, registration{})
	p := s.session.open(t, app.path())
	s.session.press(t, p, "Replace secret").reads(t, http.StatusOK, "Copy the secret now.")
	again := s.session.press(t, p, "Replace secret")
	again.reads(t, http.StatusOK, "Nothing was changed: the secret was replaced already")
	if strings.Contains(again.text(), "Copy the secret now.") {
		t.Error("there is another secret")
	}
	s.clientCredentials(t, app, "").tokens(t)
}

func testOverlap(t *testing.T, s *server) {
	app := s.register(t, registration{})
	const usual = 24 * time.Hour
	for chosen, want := range map[string]time.Duration{"720h": 720 * time.Hour, "721h": usual, "-1h": usual, "": usual, "0s": 0} {
		s.session.submit(t, app.path()+"/secret", url.Values{"overlap": {chosen}}).reads(t, http.StatusOK, "Copy the secret now.")
		var shown struct {
			Ends time.Time `json:"previous_secret_ends_at"`
		}
		if err := json.Unmarshal([]byte(s.command(t, "", "application", "show", app.ClientID, "--json")), &shown); err != nil {
			t.Fatal(err)
		}
		if left := time.Until(shown.Ends); left > want || left < want-patience && want > 0 {
			t.Errorf("with %q it ends in %v, want %v", chosen, left, want)
		}
	}
	// What is shown as the new secret is one, whatever cookie there is, and a public application has none.
	b := s.signIn(t, s.ada)
	b.client.Jar.SetCookies(b.origin, []*http.Cookie{{Name: "latchkey_secret", Value: strings.Repeat("0", 64), Path: "/"}})
	if p := b.open(t, app.path()); strings.Contains(p.text(), "Copy the secret now.") {
		t.Errorf("a cookie is shown as the secret:\n%s", p.text())
	}
	public := s.register(t, registration{public: true})
	s.session.submit(t, public.path()+"/secret", nil).reads(t, http.StatusOK, "Credentials")
}

// testEndedBefore has somebody else replace the secret once more while a page is open.
func testEndedBefore(t *testing.T, s *server) {
	app := s.register(t, registration{})
	first := s.rotate(t, app)
	older := s.session.open(t, app.path())
	second := s.rotate(t, first)
	const refused = "Nothing was changed: the secret was replaced already since you opened the page."
	s.session.press(t, older, "End the old secret now").reads(t, http.StatusOK, refused)
	for _, path := range []string{"/secret", "/secret/end"} {
		for _, made := range []string{"", "x", "1e3", "99999999999999999999"} {
			s.session.submit(t, app.path()+path, url.Values{"made": {made}}).reads(t, http.StatusOK, refused)
		}
	}
	s.clientCredentials(t, first, "").tokens(t)
	s.session.press(t, s.session.open(t, app.path()), "End the old secret now").reads(t, http.StatusOK, "The old secret works no more.")
	s.clientCredentials(t, first, "").checkRefused(t, "invalid_client")
	s.clientCredentials(t, second, "").tokens(t)
}

func testNoReview(t *testing.T, s *server) {
	app := s.register(t, registration{})
	s.session.submit(t, app.path()+"/submit", nil).reads(t, http.StatusOK, "Nothing was changed: applications are not reviewed here.")
}

// testMeanwhile has two pages of the settings open, of which one is older than what the other saves.
func testMeanwhile(t *testing.T, s *server) {
	app := s.register(t, registration{})
	older := s.session.open(t, app.path()+"/settings")
	s.session.press(t, s.session.open(t, app.path()+"/settings"), "Save", "redirect_uris", app.redirect+"\nhttps://client.example/new", "name", "Renamed").reads(t, http.StatusOK, "Saved.")
	s.command(t, "", "application", "update", app.ClientID, "--scope", "profile", "--scope", "events", "--scope", "community")
	s.session.press(t, older, "Save", "site", "https://client.example").reads(t, http.StatusOK, "Saved.")
	got := s.command(t, "", "application", "show", app.ClientID, "--json")
	for _, want := range []string{"https://client.example/new", `"site": "https://client.example"`, "Renamed", "community"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is lost:\n%s", want, got)
		}
	}
	refused := s.session.press(t, older, "Save", "name", "Named otherwise", "terms", "https://client.example/terms", "redirect_uris", app.redirect+"\nhttps://client.example/other")
	refused.reads(t, http.StatusUnprocessableEntity, "This was changed since you opened the page, and is now: Renamed.",
		"This was changed since you opened the page, and is now: "+app.redirect+" https://client.example/new.")
	s.session.press(t, refused, "Save").reads(t, http.StatusOK, "Saved.", "Named otherwise")
	got = s.command(t, "", "application", "show", app.ClientID, "--json")
	for _, want := range []string{"https://client.example/other", `"site": "https://client.example"`, "https://client.example/terms", "Named otherwise", "community"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is lost:\n%s", want, got)
		}
	}
}

// testRemovedMeanwhile has a co-owner begin to send a logo, and send the rest as somebody who is none any more.
func testRemovedMeanwhile(t *testing.T, s *server) {
	app := s.register(t, registration{})
	cora, b := s.signedIn(t, "Cora Coowner")
	people := s.session.press(t, s.session.open(t, app.path()+"/people"), "Add co-owner", "co-owner", cora.email)
	remove := s.session.submission(t, people, "Remove")
	b.sendMeanwhile(t, app.path()+"/logo", "logo", dotted(t, color.Black, 0), s.session, remove).reads(t, http.StatusNotFound)
	if logo := s.session.open(t, app.path()+"/settings").image("emblem"); logo != "" {
		t.Errorf("the logo is %s", logo)
	}
}

func testWrongSettings(t *testing.T, s *server) {
	app := s.register(t, registration{})
	for _, wrong := range []struct{ field, value, want string }{
		{"name", "", "Enter a name."},
		{"site", "nowhere", "begins with https://"},
		{"privacy", "http://client.example", "begins with https://"},
		{"terms", "javascript:alert(1)", "begins with https://"},
		{"redirect_uris", "", "Enter at least one redirect URL."},
		{"redirect_uris", "nowhere", "nowhere: It is not an absolute URL"},
		{"scope", "everything", "Unknown scope"},
		{"scope", "", "Choose at least one scope."},
		{"scope", "profile\tevents", "Choose at least one scope."},
	} {
		if wrong.field != "site" && wrong.field != "privacy" && wrong.field != "terms" {
			s.session.submit(t, "/settings/applications/new", app.settings(wrong.field, wrong.value)).reads(t, http.StatusUnprocessableEntity, wrong.want)
		}
		p := s.session.submit(t, app.path()+"/settings", app.settings(wrong.field, wrong.value))
		p.reads(t, http.StatusUnprocessableEntity, wrong.want)
	}
	// All at once.
	for redirectURIs, want := range map[string]string{"nowhere": "It is not an absolute URL", "": "Enter at least one redirect URL."} {
		all := url.Values{"name": {""}, "redirect_uris": {redirectURIs}, "scope": {""}}
		s.session.submit(t, "/settings/applications/new", all).reads(t, http.StatusUnprocessableEntity, "Enter a name.", want, "Choose at least one scope.")
		all.Set("site", "nowhere")
		s.session.submit(t, app.path()+"/settings", all).reads(t, http.StatusUnprocessableEntity,
			"Enter a name.", "begins with https://", want, "Choose at least one scope.")
	}
}

func testManyApplications(t *testing.T, s *server) {
	person, b := s.signedIn(t, "Mary Many")
	if p := b.open(t, "/settings/applications"); strings.Contains(p.text(), "Search") {
		t.Error("nothing can be searched")
	}
	// One more than a page has.
	for i := range 51 {
		b.submit(t, "/settings/applications/new", url.Values{"name": {fmt.Sprintf("Number %d", i)}, "redirect_uris": {callback}, "scope": {"profile"}}).
			reads(t, http.StatusOK, "Copy the secret now.")
	}
	p := b.open(t, "/settings/applications")
	p.reads(t, http.StatusOK, "Search", "Number 50", "Number 1 ", "since ")
	b.open(t, "/settings/applications"+p.link(t, "Older →")).reads(t, http.StatusOK, "Number 0")
	b.open(t, "/settings/applications?q=number+42").reads(t, http.StatusOK, "Number 42")
	if p := b.open(t, "/settings/applications?q=number+42"); strings.Contains(p.text(), "Number 41") {
		t.Error("the search finds too much")
	}
	for _, nothing := range []string{"nothing", strings.Repeat("number", 9_000)} {
		b.open(t, "/settings/applications?q="+nothing).reads(t, http.StatusOK, "Nothing was found.")
	}

	found := s.session.open(t, "/admin/applications?q="+url.QueryEscape(person.email))
	found.reads(t, http.StatusOK, "Number 50")
	if strings.Contains(found.text(), "Type more letters") {
		t.Error("more letters find nobody else")
	}
	all := s.session.open(t, found.link(t, "All applications of Mary Many"))
	s.session.open(t, all.link(t, "Older →")).reads(t, http.StatusOK, "Number 0")
}

func testFullAccount(t *testing.T, s *server) {
	person, b := s.signedIn(t, "Fred Full")
	register := func() *page {
		t.Helper()
		return b.submit(t, "/settings/applications/new", url.Values{"name": {"One of many"}, "redirect_uris": {callback}, "scope": {"profile"}})
	}
	for range 100 {
		register().reads(t, http.StatusOK, "Copy the secret now.")
	}
	const full = "This account owns 100 applications, and may own no more."
	register().reads(t, http.StatusUnprocessableEntity, full)
	offered := s.register(t, registration{})
	s.session.press(t, s.session.open(t, offered.path()+"/people"), "Offer application", "heir", person.email)
	b.press(t, b.open(t, "/settings/applications"), "Accept").reads(t, http.StatusConflict, full)
	s.register(t, registration{owner: person.email}) // operators are not bound, nor are administrators
	s.command(t, "", "account", "promote", person.email)
	register().reads(t, http.StatusOK, "Copy the secret now.")
	b.press(t, b.open(t, "/settings/applications"), "Accept").reads(t, http.StatusOK, "The application is yours now.")
}
