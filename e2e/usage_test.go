package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/latchkey/latchkey/e2e/postgres"
)

// TestUsage looks whether what an application does is counted.
func TestUsage(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	app, api := s.register(t, registration{}), s.register(t, registration{resourceServer: true})
	checkFigures(t, s.usage(t, app, "30"), "0", "0", "0", "0", "0")
	first := s.grant(t, app)
	bob := s.newAccount(t, "Bob Babbage")
	s.redeem(t, app, s.browser(bob).authorize(t, app.request()).Query().Get("code")).tokens(t)
	s.clientCredentials(t, app, "profile").checkStatus(t, http.StatusOK)
	next := s.refresh(t, app, first.Refresh).tokens(t)
	for range 3 {
		s.me(t, next.Access).checkStatus(t, http.StatusOK)
	}
	s.do(t, get(checkPath+"?scope=profile", next.Access)).checkStatus(t, http.StatusOK)
	s.do(t, get(checkPath+"?scope=events", next.Access)).checkStatus(t, http.StatusForbidden)
	s.introspect(t, api, next.Access)
	s.introspect(t, api, strings.Repeat("A", 43))
	for _, days := range []string{"7", "30", "90", "nonsense"} {
		checkFigures(t, s.usage(t, app, days), "6", "2", "3", "1", "1")
	}
	checkFigures(t, s.usage(t, api, "30"), "0", "0", "0", "0", "0")
}

// usage reads the figures of the page by their names.
func (s *server) usage(t *testing.T, app application, days string) map[string]string {
	t.Helper()
	p := s.session.open(t, app.path()+"/usage?days="+days)
	if p.status != http.StatusOK {
		t.Fatalf("the page about the usage is answered %d:\n%s", p.status, p.text())
	}
	figures := map[string]string{}
	for list := range descendants(p.root, "dl") {
		name := ""
		for n := range list.Descendants() {
			switch n.Data {
			case "dt":
				name = words(n)
			case "dd":
				figures[name] = words(n)
			}
		}
	}
	return figures
}

func checkFigures(t *testing.T, got map[string]string, calls, accounts, issued, refreshed, errors string) {
	t.Helper()
	for name, want := range map[string]string{"API calls": calls, "Accounts, about": accounts, "Tokens issued": issued, "Refreshes": refreshed, "Errors": errors} {
		if got[name] != want {
			t.Errorf("%s: %q, want %s", name, got[name], want)
		}
	}
}

// TestAPersonSeesWhereAnApplicationCalledFrom demands that the address of an API is not taken for
// that of the application.
func TestAPersonSeesWhereAnApplicationCalledFrom(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	introspected, called, api := s.register(t, registration{}), s.register(t, registration{}), s.register(t, registration{resourceServer: true})
	alone := s.register(t, registration{})
	s.introspect(t, api, s.grant(t, introspected).Access)
	s.me(t, s.grant(t, called).Access).checkStatus(t, http.StatusOK)
	s.grant(t, alone)
	s.me(t, s.clientCredentials(t, alone, "").tokens(t).Access).checkStatus(t, http.StatusOK)
	s.terminate(t) // what was counted is written
	s.again(t, config)
	seen := map[string]string{}
	for article := range descendants(s.session.open(t, "/settings/connections").root, "article") {
		for title := range descendants(article, "h2") {
			seen[strings.TrimPrefix(attr(title, "id"), "c-")] = words(article)
		}
	}
	const network = "from the network 127.0.0.0/24"
	if text := seen[called.ClientID]; !strings.Contains(text, network) {
		t.Errorf("of the application that called me stands there: %s", text)
	}
	if text := seen[introspected.ClientID]; strings.Contains(text, "network") || strings.Contains(text, "not so far") || !strings.Contains(text, "Last used") {
		t.Errorf("of the application whose token an API introspected stands there: %s", text)
	}
	if text := seen[alone.ClientID]; !strings.Contains(text, "Last used not so far") {
		t.Errorf("of the application that called me with a token that no person approved stands there: %s", text)
	}
}

func TestUsageSurvivesARestart(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	app := s.register(t, registration{})
	token := s.grant(t, app).Access
	for range 20 {
		s.me(t, token).checkStatus(t, http.StatusOK)
	}
	s.terminate(t)
	s.again(t, config)
	checkFigures(t, s.usage(t, app, "7"), "20", "1", "1", "0", "0")
}

func TestUsageOfReplicasAddsUp(t *testing.T) {
	t.Parallel()
	database := postgres.Database(t)
	all := replicas(t, database, database)
	app := all[0].register(t, registration{})
	token := all[0].grant(t, app).Access
	bob := all[1].newAccount(t, "Bob Babbage")
	all[1].redeem(t, app, all[1].browser(bob).authorize(t, app.request()).Query().Get("code")).tokens(t)
	for _, s := range all {
		for range 5 {
			s.me(t, token).checkStatus(t, http.StatusOK)
		}
	}
	// Looking at the page of one makes it write what it has counted.
	all[1].session.signIn(t, all[1].session.open(t, "/sign-in"))
	all[1].usage(t, app, "7")
	checkFigures(t, all[0].usage(t, app, "7"), "10", "2", "2", "0", "0")
}
