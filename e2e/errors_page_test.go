package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/latchkey/latchkey/e2e/postgres"
)

// errorLog reads what the page tells of refused requests, the newest first.
func (s *server) errorLog(t *testing.T, app application, query string) []string {
	t.Helper()
	p := s.session.open(t, app.path()+"/errors"+query)
	if p.status != http.StatusOK {
		t.Fatalf("the page about the errors is answered %d:\n%s", p.status, p.text())
	}
	s.vault.inspect(t, "the page about the errors", []byte(p.text()))
	var told []string
	for list := range descendants(p.root, "ol") {
		for item := range descendants(list, "li") {
			told = append(told, words(item))
		}
	}
	return told
}

func TestErrorLog(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	t.Run("each refused request is explained", func(t *testing.T) { t.Parallel(); testExplained(t, s) })
	t.Run("tokens in the wrong place, and what has ended, are explained", func(t *testing.T) { t.Parallel(); testTokensExplained(t, s) })
	t.Run("what is wrong beside HTTP Basic is explained", func(t *testing.T) { t.Parallel(); testBasicExplained(t, s) })
	t.Run("refused authorization requests are explained", func(t *testing.T) { t.Parallel(); testRequestsExplained(t, s) })
	t.Run("what is no mistake is not there", func(t *testing.T) { t.Parallel(); testNotThere(t, s) })
	t.Run("the log has pages and a filter", func(t *testing.T) { t.Parallel(); testPages(t, s) })
}

// testExplained makes requests one after the other, each of which is refused.
func testExplained(t *testing.T, s *server) {
	app, other := s.register(t, registration{}), s.register(t, registration{})
	was := app.ClientSecret
	app = s.rotate(t, app, "--now")
	wrong := func(secret string) application { a := app; a.ClientSecret = secret; return a }
	credentials := url.Values{"grant_type": {"client_credentials"}}
	live := s.grant(t, app)
	used := s.code(t, app)
	s.redeem(t, app, used).tokens(t)
	rotated := s.grant(t, app).Refresh
	for token, i := rotated, 0; i < 3; i++ {
		token = s.refresh(t, app, token).tokens(t).Refresh
	}
	narrowed := s.grant(t, app, "scope", "profile events").Refresh
	s.refresh(t, app, narrowed, "scope", "profile").tokens(t)
	rows := []struct {
		name    string
		request message
		want    []string
	}{
		{"the replaced secret", post(tokenPath, formType, wrong(was).identify(credentials).Encode()), []string{"invalid_client", "token", "is the one that was replaced; it ended on", "client_secret is wrong"}},
		{"spaces around it", post(tokenPath, formType, wrong(app.ClientSecret+"\n").identify(credentials).Encode()), []string{"a space or a line break around it"}},
		{"the client_id", post(tokenPath, formType, credentials.Encode()).basic(app.ClientID, app.ClientID), []string{"client_secret that came is the client_id"}},
		{"no Content-Type", post(tokenPath, "", app.identify(credentials).Encode()), []string{"invalid_request", "The request has no Content-Type."}},
		{"JSON as a form", post(tokenPath, formType, toJSON(app.identify(credentials))), []string{"invalid_client", "The body is JSON, but its Content-Type says that it is a form."}},
		{"JSON as a form with parameters that are none", post(tokenPath, formType+";;utf-8", toJSON(app.identify(credentials))), []string{"invalid_client", "The body is JSON, but its Content-Type says that it is a form."}},
		{"numbers in JSON", post(tokenPath, jsonType, `{"grant_type": 1}`).basic(app.ClientID, app.ClientSecret), []string{"whose values are all strings"}},
		{"a parameter twice", post(tokenPath, formType, app.identify(credentials).Encode()+"&grant_type=x"), []string{"the parameter grant_type was sent twice", "Send each parameter once"}},
		{"a grant that is not offered", post(tokenPath, formType, app.identify(url.Values{"grant_type": {"password"}}).Encode()), []string{"unsupported_grant_type", "should never see a password", "from 127.0.0.1"}},
		{"a code of another application", post(tokenPath, formType, other.identify(app.redemption(s.code(t, app))).Encode()), nil},
		{"a redirect_uri with a slash", post(tokenPath, formType, app.identify(app.redemption(s.code(t, app), "redirect_uri", callback+"/")).Encode()), []string{"invalid_grant", "differs by a trailing slash from " + callback, "is not the one of the authorization request"}},
		{"a code that was used", post(tokenPath, formType, app.identify(app.redemption(used)).Encode()), []string{"The code was used twice", "The second time was "}},
		{"a refresh token that was replaced", post(tokenPath, formType, app.identify(refreshment(rotated)).Encode()), []string{"was replaced by a rotation", "Store the refresh token of each answer"}},
		{"an access token as refresh token", post(tokenPath, formType, app.identify(refreshment(live.Access)).Encode()), []string{"What came as refresh_token is an access token."}},
		{"a scope that is not allowed", post(tokenPath, formType, app.identify(with(url.Values{"grant_type": {"client_credentials"}}, "scope", "community")).Encode()), []string{"invalid_scope", "The scope community is not allowed to the application."}},
		{"a refresh that repeats one with another scope", post(tokenPath, formType, app.identify(refreshment(narrowed)).Encode()), []string{"invalid_scope", "repeats one whose answer had another scope: profile."}},
		{"no token to revoke", post(revokePath, formType, app.identify(nil).Encode()), []string{"revoke", "Send the token in the body"}},
		{"no token to introspect", post(introspectPath, formType, app.identify(nil).Encode()), []string{"introspect", "Send the token in the body"}},
		{"a scope that the token lacks", get(checkPath+"?scope=events", live.Access), []string{"check", "insufficient_scope", "The API asks for: events.", "from 127.0.0.0/24"}},
	}
	for _, row := range rows {
		if a := s.do(t, row.request); a.status < 400 {
			t.Errorf("%s: answered %d", row.name, a.status)
		}
		if row.want != nil {
			checkTold(t, row.name, s.errorLog(t, app, ""), row.want...)
		}
	}
	checkTold(t, "a code of another application", s.errorLog(t, other, ""), "The code was given to another application.")
	s.revoke(t, app, live.Refresh).checkStatus(t, http.StatusOK)
	s.me(t, live.Access).checkStatus(t, http.StatusUnauthorized)
	checkTold(t, "a dead access token", s.errorLog(t, app, ""), "invalid_token", "me", "The authorization of this access token has ended.")
	if errors := s.usage(t, app, "7")["Errors"]; errors != fmt.Sprint(len(rows)) {
		t.Errorf("%s errors are counted, want %d", errors, len(rows))
	}
}

func testTokensExplained(t *testing.T, s *server) {
	app := s.register(t, registration{})
	used := s.code(t, app)
	living, ended := s.redeem(t, app, used).tokens(t), s.grant(t, app)
	s.revoke(t, app, ended.Refresh).checkStatus(t, http.StatusOK)
	for _, row := range []struct{ name, token, code, want string }{
		{"a refresh token of what has ended", ended.Refresh, "", "The authorization has ended: the application revoked it, on 20"},
		{"a code as refresh token", used, "", "What came as refresh_token is a code."},
		{"a refresh token as code", "", living.Refresh, "What came as code is a token."},
	} {
		body := refreshment(row.token)
		if row.code != "" {
			body = app.redemption(row.code)
		}
		s.do(t, post(tokenPath, formType, app.identify(body).Encode())).checkRefused(t, "invalid_grant")
		checkTold(t, row.name, s.errorLog(t, app, ""), row.want)
	}
}

func testBasicExplained(t *testing.T, s *server) {
	app := s.register(t, registration{})
	credentials := url.Values{"grant_type": {"client_credentials"}}
	bearer := post(tokenPath, formType, credentials.Encode()+"&client_id="+app.ClientID)
	bearer.header.Set("Authorization", "Bearer "+app.ClientSecret)
	for _, row := range []struct {
		name    string
		request message
		want    string
	}{
		{"JSON as a form", post(tokenPath, formType, toJSON(credentials)).basic(app.ClientID, app.ClientSecret), "The body is JSON, but its Content-Type says that it is a form."},
		{"a key of JSON twice", post(tokenPath, jsonType, `{"scope": "profile", "scope": "events"}`).basic(app.ClientID, app.ClientSecret), "Send each parameter once"},
		{"another secret in the body", post(tokenPath, formType, "client_secret=x").basic(app.ClientID, app.ClientSecret), "Send the credentials in one place"},
		{"the secret as a token", bearer, "The Authorization header is not HTTP Basic with client_id and client_secret. Send"},
	} {
		if a := s.do(t, row.request); a.status < 400 {
			t.Errorf("%s: answered %d", row.name, a.status)
		}
		checkTold(t, row.name, s.errorLog(t, app, ""), row.want)
	}
}

// checkTold demands parts of what is told of the newest refused request.
func checkTold(t *testing.T, name string, log []string, want ...string) {
	t.Helper()
	if len(log) == 0 {
		t.Errorf("%s: nothing is told", name)
		return
	}
	if ages := regexp.MustCompile(`[0-9]{4,} seconds`).FindString(log[0]); ages != "" {
		t.Errorf("%s: told was %s, which is longer than this test: %q", name, ages, log[0])
	}
	for _, part := range want {
		if !strings.Contains(log[0], part) {
			t.Errorf("%s: told was %q, want %q", name, log[0], part)
		}
	}
}

func testRequestsExplained(t *testing.T, s *server) {
	app := s.register(t, registration{})
	public := s.register(t, registration{public: true})
	for _, row := range []struct {
		app   application
		pairs []string
		want  []string
	}{
		{app, []string{"redirect_uri", callback + "/?user=ada@people.example"}, []string{"invalid_request", "authorize", "differs in several places", "user=...", "from 127.0.0.0/24"}},
		{app, []string{"redirect_uri", strings.Replace(callback, "https:", "http:", 1)}, []string{"http instead of https", "Send " + callback}},
		{app, []string{"scope", "profil"}, []string{"invalid_scope", "but one that is called profile"}},
		{app, []string{"response_type", "token"}, []string{"unsupported_response_type", "implicit"}},
		{public, nil, []string{"No code_challenge came, but PKCE is required"}},
		{public, []string{"code_challenge", challenge("v"), "code_challenge_method", "plain"}, []string{"The code_challenge_method is plain"}},
	} {
		s.session.visit(t, row.app.request(row.pairs...)).checkNoCode(t)
		log := s.errorLog(t, row.app, "")
		checkTold(t, fmt.Sprint(row.pairs), log, row.want...)
		if strings.Contains(strings.Join(log, " "), "ada@") {
			t.Error("the log tells what is about a person")
		}
	}
	if n := len(s.errorLog(t, app, "")); n != 4 {
		t.Errorf("%d refused requests are told, want 4", n)
	}
	s.command(t, "", "application", "suspend", app.ClientID)
	s.session.visit(t, app.request()).checkErrorPage(t)
	checkTold(t, "suspended", s.errorLog(t, app, ""), "The application is suspended. Ask those who run this platform.")
	german := s.session.openIn(t, "de", app.path()+"/errors").text()
	if !strings.Contains(german, "beginnt mit http statt https") || !strings.Contains(german, "Fragen Sie die Betreiber") {
		t.Errorf("in German it is told:\n%s", german)
	}
}

func testNotThere(t *testing.T, s *server) {
	app := s.register(t, registration{})
	s.session.visit(t, app.request("prompt", "none")).checkNoCode(t)
	s.session.press(t, s.session.visit(t, app.request()), "Cancel").checkNoCode(t)
	// Who tries an application by hand is shown the answer.
	tried := s.session.press(t, s.session.visit(t, s.session.begin(t, app)), "Allow")
	for _, answer := range []string{"200 OK", "400 Bad Request"} {
		s.session.press(t, tried, "Exchange the code").reads(t, http.StatusOK, "HTTP/1.1 "+answer)
	}
	s.browser(s.ada).visit(t, app.request("prompt", "none")).checkNoCode(t)
	s.do(t, get(mePath, strings.Repeat("A", 43))).checkStatus(t, http.StatusUnauthorized)
	if log := s.errorLog(t, app, ""); len(log) != 0 {
		t.Errorf("told was %q", log)
	}
}

func testPages(t *testing.T, s *server) {
	app := s.register(t, registration{})
	for i := range 60 {
		app := app
		if i%2 == 0 {
			app.ClientSecret = strings.Repeat("0", 64)
		}
		s.clientCredentials(t, app, fmt.Sprintf("scope%d", i))
	}
	// The test may cross the end of a minute.
	all, more := 0, 0
	for path := ""; ; {
		p := s.session.open(t, app.path()+"/errors"+path)
		for item := range descendants(p.root, "li") {
			all++
			if before, _, ok := strings.Cut(words(item), " more within the same minute"); ok {
				n := 0
				if _, err := fmt.Sscan(before[strings.LastIndexByte(before, ' ')+1:], &n); err != nil {
					t.Fatal(err)
				}
				more += n
			}
		}
		next := linkTo(p.root, "Older")
		if next == "" {
			break
		}
		path = next
	}
	if all < 20 || all > 40 || all+more != 60 {
		t.Errorf("%d are told and %d more; want 60 in all, 20 of a minute told", all, more)
	}
	for _, told := range s.errorLog(t, app, "?code=invalid_client") {
		if !strings.Contains(told, "invalid_client") {
			t.Errorf("of one code this is told: %s", told)
		}
	}
	if n := len(s.errorLog(t, app, "?code=invalid_client")); n < 5 || n > 10 {
		t.Errorf("of %d, %d have the code", all, n)
	}
	if log := s.errorLog(t, app, "?code=nonsense&before=nonsense"); len(log) != 0 {
		t.Errorf("of no code this is told: %q", log)
	}
}

func linkTo(root *html.Node, text string) string {
	for a := range descendants(root, "a") {
		if words(a) == text {
			return attr(a, "href")
		}
	}
	return ""
}

// TestErrorLogOfReplicas is about what PostgreSQL answers: the rows that explain a refusal.
func TestErrorLogOfReplicas(t *testing.T) {
	t.Parallel()
	database := postgres.Database(t)
	all := replicas(t, database, database)
	here, there := all[0], all[1]
	app := here.register(t, registration{})
	used := here.code(t, app)
	tokens := here.redeem(t, app, used).tokens(t)
	there.redeem(t, app, used).checkRefused(t, "invalid_grant")
	there.session.signIn(t, there.session.open(t, "/sign-in"))
	checkTold(t, "a code that was used", there.errorLog(t, app, ""), "The code was used twice")
	there.refresh(t, app, tokens.Refresh).checkRefused(t, "invalid_grant")
	here.redeem(t, app, here.code(t, app), "redirect_uri", callback+"/").checkRefused(t, "invalid_grant")
	// Which of the two was refused first is told by two measurements of the database's clock.
	checkTold(t, "a redirect_uri", []string{strings.Join(here.errorLog(t, app, ""), " ")}, "trailing slash")
	checkTold(t, "a revoked refresh token", []string{strings.Join(there.errorLog(t, app, ""), " ")}, "The authorization has ended: its code was used twice")
}
