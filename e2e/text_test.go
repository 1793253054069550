package e2e_test

import (
	"bytes"
	"net/http"
	"net/url"
	"testing"

	"github.com/latchkey/latchkey/e2e/postgres"
)

// unstorable are texts that PostgreSQL cannot store as text, and SQLite can.
func unstorable() map[string]string {
	return map[string]string{"a NUL": "\x00", "a byte that is no UTF-8": "\xff", "half a character": "\xc3"}
}

func TestTextsThatCannotBeStoredAreNoFault(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name  string
		place func(t *testing.T) []string
	}{
		{"on SQLite", func(*testing.T) []string { return nil }},
		{"on PostgreSQL", func(t *testing.T) []string { return []string{"--database", postgres.Database(t)} }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, row.place(t)...)
			s.serve(t, config)
			s.ada = s.newAccount(t, "Ada Lovelace", "--admin")
			s.session = s.browser(s.ada)
			app := s.register(t, registration{})
			s.session.authorize(t, app.request())
			for name, text := range unstorable() {
				t.Run(name, func(t *testing.T) { testUnstorable(t, s, app, text) })
			}
			s.terminate(t) // what was counted is written
			for line := range bytes.Lines(s.stderr.Bytes()) {
				if bytes.Contains(line, []byte(`"level":"ERROR"`)) {
					t.Errorf("the log has %s", line)
				}
			}
		})
	}
}

func testUnstorable(t *testing.T, s *server, app application, text string) {
	in := "x" + text + "y"
	s.session.submit(t, "/sign-in", url.Values{"email": {in + "@x.example"}, "password": {"x"}}).reads(t, http.StatusUnprocessableEntity, "is wrong")
	for _, f := range formsWith(s, app, in) {
		if p := s.session.submit(t, f.path, f.values); p.status >= 500 {
			t.Errorf("POST %s %q is answered %d", f.path, f.values, p.status)
		}
	}
	for _, path := range pathsWith(app, in) {
		if p := s.session.open(t, path); p.status >= 500 {
			t.Errorf("GET %s is answered %d", path, p.status)
		}
	}
	for _, values := range []url.Values{
		app.identify(url.Values{"grant_type": {in}}), app.identify(url.Values{"grant_type": {"client_credentials"}, "scope": {in}}),
		app.identify(url.Values{in: {in}, "code": {in}, "grant_type": {"authorization_code"}, "redirect_uri": {in}}),
		app.identify(url.Values{"token": {in}, in: {in}}), {"client_id": {in}, "client_secret": {in}},
	} {
		for _, path := range []string{tokenPath, revokePath} {
			if a := s.do(t, post(path, formType, values.Encode())); a.status >= 500 {
				t.Errorf("%s %q is answered %d: %s", path, values, a.status, a.body)
			}
		}
	}
	if text == "\x00" {
		return // which no header can have
	}
	b := s.browser(s.ada)
	req := b.submission(t, b.open(t, "/sign-in"), "Sign in", "email", s.ada.email, "password", s.ada.password)
	req.Header.Set("User-Agent", in)
	req.Header.Set("Accept-Language", in)
	if p := b.do(t, req); p.status != http.StatusOK {
		t.Errorf("a browser that calls itself %q is answered %d", in, p.status)
	}
}

type filledForm struct {
	path   string
	values url.Values
}

// formsWith are forms of all pages, each with the text in one of their fields.
func formsWith(s *server, app application, in string) []filledForm {
	own, administered := app.path(), "/admin/applications/"+app.ClientID
	edited := func(name, value string) filledForm {
		values := url.Values{"name": {"X"}, "redirect_uris": {app.redirect}, "scope": {"profile"}}
		values.Set(name, value)
		return filledForm{own + "/settings", values}
	}
	return []filledForm{
		{"/sign-in", url.Values{"email": {s.ada.email}, "password": {in}}},
		{"/sign-up", url.Values{"email": {in + "@x.example"}, "name": {"X"}, "password": {"pass phrase 28347"}}},
		{"/sign-up", url.Values{"email": {"x@x.example"}, "name": {in}, "password": {"pass phrase 28347"}}},
		{"/settings/profile", url.Values{"name": {in}, "username": {"ada"}}},
		{"/settings/profile", url.Values{"name": {"Ada"}, "username": {in}}},
		{"/settings/security/password", url.Values{"old_password": {in}, "password": {in + " pass phrase 28347"}}},
		edited("name", in), edited("redirect_uris", app.redirect+in), edited("scope", in),
		edited("site", "https://x.example/"+in), edited("terms", "https://"+in+".example"),
		{own + "/people/add", url.Values{"role": {"tester"}, "tester": {in}}},
		{own + "/people/add", url.Values{"role": {"co-owner"}, "co-owner": {in + "@x.example"}}},
		{own + "/scopes", url.Values{"scope": {in}}},
		{own + "/webhook", url.Values{"url": {"https://x.example/" + in}, "event": {"webhook.test"}}},
		{own + "/try/token", url.Values{"access_token": {in}, "refresh_token": {in}, "state": {in}, "code": {in}}},
		{administered + "/suspend", url.Values{"reason": {in}}},
		{administered + "/resume", nil},
		{administered + "/return", url.Values{"reason": {in}}},
		{administered + "/verify", url.Values{"seen": {in}}},
		{"/language", url.Values{"language": {in}, "continue": {in}}},
	}
}

// pathsWith are pages that the text is asked of.
func pathsWith(app application, in string) []string {
	own, hidden := app.path(), url.QueryEscape(in)
	return []string{
		"/settings/applications?q=" + hidden, own + "/errors?code=" + hidden, own + "/usage?days=" + hidden, "/docs?q=" + hidden, "/docs/start?application=" + hidden,
		"/settings/applications/" + url.PathEscape(in), "/pictures/" + url.PathEscape(in), "/settings/applications/check-redirect-uri?uri=" + hidden,
		"/admin/accounts?q=" + hidden, "/admin/accounts?state=" + hidden, "/admin/applications?q=" + hidden, "/admin/applications/" + url.PathEscape(in),
		"/admin/audit?kind=" + hidden, "/admin/audit?kind=account." + hidden, "/admin/audit?actor=" + hidden, "/admin/audit?actor=" + hidden + "%40x.example",
		"/admin/audit?account=" + hidden, "/admin/audit?application=" + hidden, "/admin/audit?address=" + hidden, "/admin/audit?from=" + hidden,
		"/admin/audit.jsonl?kind=account." + hidden, "/first-run?key=" + hidden, checkPath + "?scope=" + hidden,
		"/auth/authorize?" + app.request("scope", in).Encode(), "/auth/authorize?" + app.request("redirect_uri", app.redirect+in).Encode(),
		"/auth/authorize?" + app.request("client_id", in).Encode(), "/auth/authorize?" + app.request("code_challenge", in, "state", in).Encode(),
	}
}
