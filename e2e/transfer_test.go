package e2e_test

import (
	"net/http"
	"strings"
	"testing"
)

// offered makes an application of Ada that is offered to an account.
func (s *server) offered(t *testing.T, heir account) (app application, owner, to *browser) {
	t.Helper()
	app = s.register(t, registration{})
	owner, to = s.signIn(t, s.ada), s.signIn(t, heir)
	path := app.path()
	owner.press(t, owner.open(t, path+"/people"), "Offer application", "heir", heir.email).reads(t, http.StatusOK, heir.name)
	return app, owner, to
}

func TestATransferGivesNobodyTheNewOwnersAccount(t *testing.T) {
	t.Parallel()
	s := settle(t, config)
	grace, mallory := s.newAccount(t, "Grace Hopper"), s.newAccount(t, "Mallory Co-owner")
	app, owner, heir := s.offered(t, grace)
	path := app.path()
	owner.press(t, owner.open(t, path+"/people"), "Add co-owner", "co-owner", mallory.email).reads(t, http.StatusOK, mallory.name)
	co := s.signIn(t, mallory)
	co.open(t, path).reads(t, http.StatusOK)
	refresh := s.grant(t, app).Refresh

	heir.press(t, heir.open(t, "/settings/applications"), "Accept").reads(t, http.StatusOK, "The application is yours now.")
	s.clientCredentials(t, app, "").checkRefused(t, "unauthorized_client")
	if p := co.open(t, path); p.status != http.StatusNotFound {
		t.Errorf("a co-owner of the owner before is answered %d", p.status)
	}
	// What people approved goes on.
	refresh = s.refresh(t, app, refresh).tokens(t).Refresh

	renewed := s.rotate(t, app)
	s.me(t, s.clientCredentials(t, renewed, "").tokens(t).Access).checkStatus(t, http.StatusOK)
	s.clientCredentials(t, app, "").checkRefused(t, "unauthorized_client")
	s.refresh(t, app, refresh).tokens(t)
}

func TestADisabledOwnerGivesNothingAway(t *testing.T) {
	t.Parallel()
	s := settle(t, config)
	grace := s.newAccount(t, "Grace Hopper")
	app, _, heir := s.offered(t, grace)
	s.command(t, "", "account", "disable", s.ada.email)
	if p := heir.submit(t, app.path()+"/transfer/accept", nil); p.status != http.StatusNotFound {
		t.Errorf("the offer of a disabled account is answered %d", p.status)
	}
	s.clientCredentials(t, app, "").checkRefusedWith(t, http.StatusUnauthorized, "invalid_client")
}

func TestWhoHasAnAccountCannotBeFoundOutByTrying(t *testing.T) {
	t.Parallel()
	s := settle(t, strings.Replace(config, "exempt: [127.0.0.0/8]", "exempt: []", 1))
	app := s.register(t, registration{})
	b := s.signIn(t, s.ada)
	for range 40 {
		p := b.submit(t, app.path()+"/people/add", map[string][]string{"role": {"tester"}, "tester": {"nobody@people.example"}})
		if p.status == http.StatusTooManyRequests {
			return
		}
		p.reads(t, http.StatusUnprocessableEntity, "There is no account")
	}
	t.Error("accounts can be looked for without an end")
}

func TestAnApplicationIsVerifiedAsItWasSeen(t *testing.T) {
	t.Parallel()
	s := settle(t, config)
	app := s.register(t, registration{})
	s.command(t, "", "account", "promote", s.ada.email)
	b := s.signIn(t, s.ada)
	seen := b.open(t, "/admin/applications/"+app.ClientID)
	s.command(t, "", "application", "update", app.ClientID, "--name", "Another Bank")
	b.press(t, seen, "Verify application").reads(t, http.StatusConflict, "another than the one you looked at", "Another Bank")
	b.press(t, b.open(t, "/admin/applications/"+app.ClientID), "Verify application").reads(t, http.StatusOK, "The application is verified.")
}

func TestWhoSignsUpFirstDoesNotEndTheFirstRun(t *testing.T) {
	t.Parallel()
	s := start(t, exempt)
	link := s.firstRun(t)
	b, person := s.stranger()
	b.submit(t, "/sign-up", map[string][]string{"name": {person.name}, "email": {person.email}, "password": {person.password}}).
		reads(t, http.StatusOK, "OAuth applications")
	b.open(t, link).reads(t, http.StatusOK, "Set up your platform")
}
