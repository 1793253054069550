package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestPeopleOfAnApplication(t *testing.T) {
	t.Parallel()
	s := settle(t, config)
	grace := s.newAccount(t, "Grace Hopper")
	add := func(t *testing.T, b *browser, app application, button, role, whom string) *page {
		t.Helper()
		return b.press(t, b.open(t, app.path()+"/people"), button, role, whom)
	}
	t.Run("a co-owner manages it, and neither deletes it nor gives it away", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		owner, co := s.signIn(t, s.ada), s.signIn(t, grace)
		if p := co.open(t, app.path()); p.status != http.StatusNotFound {
			t.Fatalf("a stranger is answered %d", p.status)
		}
		if p := add(t, owner, app, "Add co-owner", "co-owner", grace.email); p.status != http.StatusOK || !strings.Contains(p.text(), "Grace Hopper") {
			t.Fatalf("%d %s", p.status, p.text())
		}
		for _, path := range []string{"", "/settings", "/usage", "/errors", "/webhook", "/people", "/try"} {
			p := co.open(t, app.path()+path)
			if p.status != http.StatusOK {
				t.Errorf("%q is answered %d", path, p.status)
			}
			for _, button := range []string{"Delete application", "Offer application", "Add co-owner"} {
				if p.offers(button) {
					t.Errorf("%q offers %q", path, button)
				}
			}
		}
		for path, values := range map[string]url.Values{
			"/delete": nil, "/people/add": {"role": {"heir"}, "heir": {grace.email}}, "/people/remove": {"role": {"co-owner"}, "account": {"x"}},
			"/transfer/accept": nil,
		} {
			if p := co.submit(t, app.path()+path, values); p.status != http.StatusNotFound {
				t.Errorf("%s is answered %d", path, p.status)
			}
		}
		if p := co.press(t, co.open(t, app.path()+"/people"), "Leave"); !strings.Contains(p.text(), "You have no part") {
			t.Errorf("the page reads:\n%s", p.text())
		}
		if p := co.open(t, app.path()); p.status != http.StatusNotFound {
			t.Errorf("who left is answered %d", p.status)
		}
	})
	t.Run("to a stranger it is not there", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		tester, tested := s.signedIn(t, "Tess Tester")
		add(t, s.signIn(t, s.ada), app, "Add test account", "tester", tester.email).reads(t, http.StatusOK, tester.name)
		for _, b := range []*browser{s.signIn(t, grace), tested} {
			for _, path := range []string{"", "/settings", "/usage", "/errors", "/webhook", "/people", "/try", "/try/callback"} {
				b.open(t, app.path()+path).reads(t, http.StatusNotFound, "There is nothing here")
			}
			for path, values := range map[string]url.Values{
				"/secret": nil, "/secret/end": nil, "/settings": app.settings("name", "Taken"), "/logo": nil, "/logo/remove": nil, "/delete": nil,
				"/try/exchange": nil, "/try/call": nil, "/try/refresh": nil, "/try/revoke": nil, "/submit": nil, "/scopes": {"scope": {"community"}},
				"/people/add": {"role": {"tester"}, "tester": {grace.email}}, "/people/remove": {"role": {"tester"}, "account": {"x"}},
				"/people/leave": nil, "/transfer/accept": nil, "/transfer/decline": nil,
				"/webhook": {"url": {"https://client.example"}}, "/webhook/test": nil, "/webhook/secret": nil, "/webhook/delete": nil,
				"/webhook/deliveries/00000000-0000-0000-0000-000000000000": nil,
			} {
				b.submit(t, app.path()+path, values).reads(t, http.StatusNotFound, "There is nothing here")
			}
		}
		s.clientCredentials(t, app, "").tokens(t)
	})
	t.Run("whoever removes a co-owner is told what that one still knows", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		owner := s.signIn(t, s.ada)
		add(t, owner, app, "Add co-owner", "co-owner", grace.email)
		p := owner.press(t, add(t, owner, app, "Add test account", "tester", s.newAccount(t, "Tess Tester").email), "Remove")
		p.reads(t, http.StatusOK, "may still know the secrets: replace them, the webhook's too.")
		owner.press(t, p, "Remove").reads(t, http.StatusOK, "Saved.")
	})
	t.Run("an offer changes nothing until it is accepted", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		token := s.clientCredentials(t, app, "").tokens(t)
		owner, heir := s.signIn(t, s.ada), s.signIn(t, grace)
		add(t, owner, app, "Offer application", "heir", grace.email)
		if p := heir.open(t, app.path()); p.status != http.StatusNotFound {
			t.Errorf("whom it is only offered to is answered %d", p.status)
		}
		s.me(t, token.Access).checkStatus(t, http.StatusOK)
		if p := heir.press(t, heir.open(t, "/settings/applications"), "Accept"); p.status != http.StatusOK || !strings.Contains(p.text(), "The application is yours now.") {
			t.Fatalf("%d %s", p.status, p.text())
		}
		if p := owner.open(t, app.path()); p.status != http.StatusNotFound {
			t.Errorf("the owner before is answered %d", p.status)
		}
		s.me(t, token.Access).checkStatus(t, http.StatusUnauthorized)
		s.me(t, s.clientCredentials(t, s.rotate(t, app), "").tokens(t).Access).checkStatus(t, http.StatusOK)
	})
	t.Run("an offer that was declined or taken back is no more", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		owner, heir := s.signIn(t, s.ada), s.signIn(t, grace)
		add(t, owner, app, "Offer application", "heir", grace.email)
		owner.press(t, owner.open(t, app.path()+"/people"), "Take the offer back")
		if p := heir.submit(t, app.path()+"/transfer/accept", nil); p.status != http.StatusNotFound {
			t.Errorf("an offer that was taken back is answered %d", p.status)
		}
		add(t, owner, app, "Offer application", "heir", grace.email)
		heir.submit(t, app.path()+"/transfer/decline", nil)
		if p := heir.submit(t, app.path()+"/transfer/accept", nil); p.status != http.StatusNotFound {
			t.Errorf("an offer that was declined is answered %d", p.status)
		}
	})
	t.Run("who cannot have a role is told why", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		owner := s.signIn(t, s.ada)
		gone := s.newAccount(t, "Gunnar Gone")
		s.command(t, "", "account", "disable", gone.email)
		for whom, want := range map[string]string{
			"nobody": "There is no account", s.ada.email: "owns the application", "": "There is no account", gone.email: "This account is disabled.",
		} {
			if p := add(t, owner, app, "Add test account", "tester", whom); p.status != http.StatusUnprocessableEntity || !strings.Contains(p.text(), want) {
				t.Errorf("%q is answered %d:\n%s", whom, p.status, p.text())
			}
		}
		for _, role := range []string{"", "owner", "administrator"} {
			owner.submit(t, app.path()+"/people/add", url.Values{"role": {role}, role: {grace.email}}).reads(t, http.StatusNotFound)
		}
		// On a page from before the offer.
		add(t, owner, app, "Offer application", "heir", s.newAccount(t, "Hera Heir").email)
		owner.submit(t, app.path()+"/people/add", url.Values{"role": {"heir"}, "heir": {"nobody"}}).
			reads(t, http.StatusUnprocessableEntity, "There is no account", "Take the offer back")
	})
}
