package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// choosing ticks these optional scopes and no others.
func choosing(scopes ...string) func(url.Values) {
	return func(values url.Values) { values["scope"] = scopes }
}

// boxes are the scopes that the person may leave out, and those of them that are ticked.
func boxes(p *page) (offered, ticked []string) {
	for in := range descendants(p.root, "input") {
		if attr(in, "type") == "checkbox" {
			offered = append(offered, attr(in, "value"))
			if has(in, "checked") {
				ticked = append(ticked, attr(in, "value"))
			}
		}
	}
	return offered, ticked
}

func checkBoxes(t *testing.T, p *page, offered, ticked []string) {
	t.Helper()
	gotOffered, gotTicked := boxes(p)
	if !slices.Equal(gotOffered, offered) || !slices.Equal(gotTicked, ticked) {
		t.Errorf("ticked are %v of %v, want %v of %v; the page:\n%s", gotTicked, gotOffered, ticked, offered, p.text())
	}
}

// choices is an application with two scopes that people may leave out.
var choices = registration{scopes: askedScopes, optional: []string{"events", "messages"}}

const choicesScope = "profile photos events messages"

func testLeavingOut(t *testing.T, s *server) {
	t.Run("what is optional has a box, which is ticked", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, choices)
		p := s.session.visit(t, app.request("scope", choicesScope))
		checkBoxes(t, p, []string{"events", "messages"}, []string{"events", "messages"})
		checkPart(t, p, "You may leave these out", "See the events you attend Read your messages sensitive")
		checkPart(t, p, "It will be able to", "See your name See your photos")
		answer := s.session.press(t, p, "Allow")
		checkScope(t, s.redeem(t, app, answer.away.Query().Get("code")).tokens(t), strings.Fields(choicesScope)...)
	})
	t.Run("tokens have what was chosen, for ever", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, choices)
		answer := s.session.answer(t, s.session.visit(t, app.request("scope", choicesScope)), choosing("messages"))
		got := s.redeem(t, app, answer.away.Query().Get("code")).tokens(t)
		checkScope(t, got, "profile", "photos", "messages")
		if scope := s.introspect(t, app, got.Access)["scope"]; scope != "profile photos messages" {
			t.Errorf("introspection says %q", scope)
		}
		s.refresh(t, app, got.Refresh, "scope", choicesScope).checkRefused(t, "invalid_scope")
		checkScope(t, s.refresh(t, app, got.Refresh).tokens(t), "profile", "photos", "messages")
	})
	t.Run("what was declined is not asked about each time", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, choices)
		s.session.answer(t, s.session.visit(t, app.request("scope", choicesScope)), choosing("messages"))
		for _, pair := range [][]string{{}, {"prompt", "none"}} {
			answer := s.session.visit(t, app.request(append(pair, "scope", choicesScope)...))
			checkAsked(t, answer, false)
			checkScope(t, s.redeem(t, app, answer.away.Query().Get("code")).tokens(t), "profile", "photos", "messages")
		}
		p := s.session.visit(t, app.request("scope", choicesScope, "prompt", "consent"))
		checkBoxes(t, p, []string{"events", "messages"}, []string{"messages"})
		s.session.answer(t, p, choosing("events", "messages"))
		answer := s.session.visit(t, app.request("scope", choicesScope))
		checkScope(t, s.redeem(t, app, answer.away.Query().Get("code")).tokens(t), strings.Fields(choicesScope)...)
	})
	t.Run("another optional scope is asked about, and what was declined stays so", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, choices)
		s.session.answer(t, s.session.visit(t, app.request("scope", "profile events")), choosing())
		p := s.session.visit(t, app.request("scope", "profile events messages"))
		checkBoxes(t, p, []string{"events", "messages"}, []string{"messages"})
		if got := folded(p); got != "1 permission that you approved before See your name" {
			t.Errorf("folded is %q", got)
		}
	})
	t.Run("what was approved before can be left out of what is folded", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, choices)
		s.session.authorize(t, app.request("scope", "profile events"))
		p := s.session.visit(t, app.request("scope", "profile events photos"))
		checkBoxes(t, p, []string{"events"}, []string{"events"})
		answer := s.session.answer(t, p, choosing())
		checkScope(t, s.redeem(t, app, answer.away.Query().Get("code")).tokens(t), "profile", "photos")
		answer = s.session.visit(t, app.request("scope", "profile events"))
		checkScope(t, s.redeem(t, app, answer.away.Query().Get("code")).tokens(t), "profile")
	})
	t.Run("what was declined and is required now is asked about", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, choices)
		s.session.answer(t, s.session.visit(t, app.request("scope", choicesScope)), choosing())
		s.command(t, "", "application", "update", app.ClientID, "--optional-scope", "messages")
		p := s.session.visit(t, app.request("scope", choicesScope))
		checkAsked(t, p, true)
		checkBoxes(t, p, []string{"messages"}, nil)
	})
	t.Run("something has to be chosen", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, choices)
		request := app.request("scope", "events messages")
		p := s.session.answer(t, s.session.visit(t, request), func(values url.Values) {
			values.Set("lasting", "day")
			values.Del("scope")
		})
		if p.status != http.StatusUnprocessableEntity || !strings.Contains(p.text(), "Choose at least one, or cancel.") {
			t.Fatalf("nothing is answered %d:\n%s", p.status, p.text())
		}
		checkBoxes(t, p, []string{"events", "messages"}, nil)
		answer := s.session.answer(t, p, choosing("events"))
		checkScope(t, s.redeem(t, app, answer.away.Query().Get("code")).tokens(t), "events")
		s.checkEnds(t, app, "day", 1)
		checkAsked(t, s.session.visit(t, app.request("scope", "messages")), true)
	})
	t.Run("only scopes of the application are optional", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, choices)
		r := s.try(t, "", "application", "update", app.ClientID, "--optional-scope", "nonsense")
		if r.status != 1 || !strings.Contains(r.stderr, "Only a scope of the application can be optional. This is none: nonsense") {
			t.Errorf("status %d: %s", r.status, r.stderr)
		}
		var view map[string]any
		if err := json.Unmarshal([]byte(s.command(t, "", "application", "update", app.ClientID, "--scope", "profile events", "--json")), &view); err != nil {
			t.Fatal(err)
		}
		if view["optional_scope"] != "events" {
			t.Errorf("with fewer scopes the optional ones are %q", view["optional_scope"])
		}
	})
}

func testStaleChoices(t *testing.T, s *server) {
	for name, chosen := range map[string][]string{
		"a required scope":                {"profile"},
		"a scope that is not asked for":   {"invoices"},
		"an optional one not asked for":   {"events", "messages"},
		"a scope that there is not":       {"nonsense"},
		"an empty scope":                  {""},
		"two scopes in one":               {"events profile"},
		"one more than what was offered":  {"events", "invoices"},
		"one with a space at its end":     {"events "},
		"what was offered, in upper case": {"EVENTS"},
	} {
		t.Run(name+" approves nothing", func(t *testing.T) {
			t.Parallel()
			app := s.register(t, choices)
			p := s.session.visit(t, app.request("scope", "profile events"))
			checkOutOfDate(t, s.session.answer(t, p, choosing(chosen...)))
			checkAsked(t, s.session.visit(t, app.request("scope", "profile events")), true)
		})
	}
	t.Run("what became required meanwhile approves nothing", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, choices)
		p := s.session.visit(t, app.request("scope", choicesScope))
		s.command(t, "", "application", "update", app.ClientID, "--optional-scope", "messages")
		checkOutOfDate(t, s.session.answer(t, p, choosing()))
		checkOutOfDate(t, s.session.press(t, p, "Allow"))
	})
}

func checkOutOfDate(t *testing.T, p *page) {
	t.Helper()
	p.checkErrorPage(t)
	if p.status != http.StatusConflict || !strings.Contains(p.text(), "This page was out of date") {
		t.Errorf("status %d:\n%s", p.status, p.text())
	}
}
