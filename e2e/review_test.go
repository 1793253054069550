package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestReview(t *testing.T) {
	t.Parallel()
	s := start(t, config+"review: required\n")
	s.ada = s.newAccount(t, "Ada Lovelace", "--admin")
	s.session = s.signIn(t, s.ada)
	t.Run("an application is its owner's until it is verified", func(t *testing.T) { t.Parallel(); testDraft(t, s) })
	t.Run("a co-owner submits it and asks for scopes", func(t *testing.T) { t.Parallel(); testCoOwnerAsks(t, s) })
	t.Run("a developer asks for a scope", func(t *testing.T) { t.Parallel(); testScopeRequest(t, s) })
	t.Run("review is none or required", func(t *testing.T) {
		t.Parallel()
		run(t, "", "serve", "--data", t.TempDir(), "--review", "sometimes").checkFailed(t, 2)
	})
}

// developer is somebody with an application, signed in.
func (s *server) developer(t *testing.T) (*browser, application) {
	t.Helper()
	dora, b := s.signedIn(t, "Dora Developer")
	return b, s.register(t, registration{owner: dora.email})
}

func testDraft(t *testing.T, s *server) {
	b, app := s.developer(t)
	name := s.nameOf(t, app)
	settings := app.path()
	b.open(t, settings).reads(t, http.StatusOK, "Only you, co-owners and test accounts can authorize this application.")
	checkDraft(t, s, app, name)
	// Whether the person is shown it or not.
	if n := strings.Count(b.open(t, app.path()+"/errors").text(), "Name the account among the test accounts"); n != 3 {
		t.Errorf("%d refused requests are told, want 3", n)
	}

	// What the owner may do.
	s.clientCredentials(t, app, "").tokens(t)
	own := s.redeem(t, app, b.authorize(t, app.request()).Query().Get("code")).tokens(t)
	s.checkAlive(t, own.Access)

	tess := s.newAccount(t, "Tess Tester")
	b.press(t, b.open(t, settings+"/people"), "Add test account", "tester", tess.email).reads(t, http.StatusOK, tess.name)
	theirs := s.redeem(t, app, s.browser(tess).authorize(t, app.request()).Query().Get("code")).tokens(t)
	s.checkAlive(t, theirs.Access)
	b.press(t, b.open(t, settings+"/people"), "Remove")
	s.checkDead(t, app, theirs)
	s.checkAlive(t, own.Access)

	b.press(t, b.open(t, settings), "Submit for review").reads(t, http.StatusOK, "Submitted. An administrator will look at the application.")
	checkDraft(t, s, app, name)
	path := s.session.open(t, "/admin/applications?state=submitted").link(t, name)
	s.session.submit(t, path+"/return", url.Values{"reason": {" "}}).reads(t, http.StatusUnprocessableEntity, "Write a sentence: the owner reads it.")
	s.session.submit(t, path+"/return", url.Values{"reason": {"It has no privacy policy."}}).reads(t, http.StatusOK, "The application is sent back.")
	for _, reason := range []string{"It has no logo.", "", strings.Repeat("x", 501)} {
		s.session.submit(t, path+"/return", url.Values{"reason": {reason}}).reads(t, http.StatusConflict, "Nothing was changed")
	}
	again := s.try(t, "", "application", "return", app.ClientID, "--note", "It has no logo.")
	if again.checkFailed(t, 1); !strings.Contains(again.stderr, "not submitted for review") {
		t.Errorf("the command says %q", again.stderr)
	}
	b.open(t, settings).reads(t, http.StatusOK, "An administrator wrote: It has no privacy policy.")
	b.press(t, b.open(t, settings), "Submit for review")
	s.session.press(t, s.session.open(t, path), "Verify application").reads(t, http.StatusOK, "The application is verified.")
	b.open(t, settings).reads(t, http.StatusOK, "Everybody can authorize this application.", "a host of its redirect URLs")
	if p := b.submit(t, settings+"/submit", nil); p.status != http.StatusOK || strings.Contains(p.text(), "Submitted. ") {
		t.Errorf("what is verified is submitted:\n%s", p.text())
	}

	got := s.redeem(t, app, s.session.authorize(t, app.request()).Query().Get("code")).tokens(t)
	s.session.submit(t, path+"/unverify", url.Values{"reason": {"It was sold."}}).reads(t, http.StatusOK, "The mark is taken away.")
	s.session.submit(t, path+"/unverify", url.Values{"reason": {"It was sold."}}).reads(t, http.StatusConflict, "Nothing was changed")
	checkDraft(t, s, app, name)
	s.checkAlive(t, got.Access)
	s.refresh(t, app, got.Refresh).tokens(t)
}

func testCoOwnerAsks(t *testing.T, s *server) {
	owner, app := s.developer(t)
	cora, b := s.signedIn(t, "Cora Coowner")
	owner.press(t, owner.open(t, app.path()+"/people"), "Add co-owner", "co-owner", cora.email).reads(t, http.StatusOK, cora.name)
	b.press(t, b.open(t, app.path()), "Submit for review").reads(t, http.StatusOK, "Submitted. An administrator will look at the application.")
	if p := b.open(t, app.path()+"/settings"); !p.offers("Ask for these scopes") {
		t.Errorf("nothing can be asked for:\n%s", p.text())
	}
	b.submit(t, app.path()+"/scopes", nil).reads(t, http.StatusUnprocessableEntity, "Choose at least one scope.")
	b.submit(t, app.path()+"/scopes", url.Values{"scope": {"community"}}).reads(t, http.StatusOK, "Asked. An administrator will decide about it.", "asked for")
	b.submit(t, app.path()+"/scopes", url.Values{"scope": {"community"}}).reads(t, http.StatusOK, "Nothing was changed: this was asked for before, or is allowed.")
	owner.open(t, app.path()).reads(t, http.StatusOK, "An administrator will look at this application.")
	_, path := s.found(t, "applications", app.ClientID, s.nameOf(t, app))
	s.session.open(t, path).reads(t, http.StatusOK, "application.submitted", "application.scope_requested", cora.name)
}

// checkDraft demands that somebody else can approve nothing, is told why, and goes back
// with a refusal.
func checkDraft(t *testing.T, s *server, app application, name string) {
	t.Helper()
	// A mistake in the request does not send the browser to where nobody has looked yet.
	for _, scope := range []string{"profile", "nonsense"} {
		p := s.session.visit(t, app.request("state", "abc", "scope", scope))
		if p.away != nil {
			t.Fatalf("with the scope %s somebody else is sent to %s", scope, p.away)
		}
		p.reads(t, http.StatusForbidden, name+" is not reviewed yet")
		if p.offers("Allow") {
			t.Errorf("somebody else gets as far as %s", p.text())
		}
		back := s.session.press(t, p, "Back to client.example")
		if back.away == nil || back.away.Query().Get("error") != "access_denied" || back.away.Query().Get("state") != "abc" || back.away.Query().Has("code") {
			t.Errorf("the way back is %s", back.away)
		}
	}
	silent := s.session.visit(t, app.request("prompt", "none"))
	if silent.away == nil || silent.away.Query().Get("error") != "access_denied" {
		t.Errorf("prompt=none is answered %d and leads to %s", silent.status, silent.away)
	}
}

func testScopeRequest(t *testing.T, s *server) {
	b, app := s.developer(t)
	settings := app.path()
	for _, values := range []url.Values{nil, {"scope": {"profile"}}, {"scope": {"\""}}} {
		b.submit(t, settings+"/scopes", values).reads(t, http.StatusUnprocessableEntity, "Choose at least one scope.", "Ask for these scopes")
	}
	b.submit(t, settings+"/scopes", url.Values{"scope": {"community"}}).reads(t, http.StatusOK, "Asked. An administrator will decide about it.", "asked for")
	if to := b.authorize(t, app.request("scope", "community")); to.Query().Get("error") != "invalid_scope" {
		t.Errorf("a scope that was asked for leads to %s", to)
	}
	path := s.session.open(t, "/admin/applications?state=asking").link(t, s.nameOf(t, app))
	seen := s.session.open(t, path)
	seen.reads(t, http.StatusOK, "asked for", "asks for a scope")
	s.session.press(t, seen, "Allow").reads(t, http.StatusOK, "The scope is allowed.")
	s.session.press(t, seen, "Decline").reads(t, http.StatusConflict, "Nothing was changed", "Withdraw")
	if to := b.authorize(t, app.request("scope", "community")); !to.Query().Has("code") {
		t.Errorf("a scope that was allowed leads to %s", to)
	}
	if strings.Contains(b.open(t, settings+"/settings").text(), "Ask for these scopes") {
		t.Error("what is allowed can be asked for")
	}
	b.press(t, b.open(t, settings+"/settings"), "Save", "site", "https://client.example").reads(t, http.StatusOK, "Saved.")
	if to := b.authorize(t, app.request("scope", "community", "prompt", "consent")); !to.Query().Has("code") {
		t.Errorf("a scope that was allowed leads to %s once its developer has saved something else", to)
	}
}
