package e2e_test

import (
	"encoding/json"
	"image/color"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestAdministrators demands of the pages below /admin that they do what they say, for
// administrators alone.
func TestAdministrators(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	t.Run("for everybody else the pages do not exist", func(t *testing.T) { t.Parallel(); testNoAdministrator(t, s) })
	t.Run("an application is suspended for a reason after a preview", func(t *testing.T) { t.Parallel(); testSuspension(t, s) })
	t.Run("an account is disabled after a preview", func(t *testing.T) { t.Parallel(); testDisablement(t, s) })
	t.Run("administrators make each other, and not themselves", func(t *testing.T) { t.Parallel(); testMaking(t, s) })
	t.Run("accounts and applications are found", func(t *testing.T) { t.Parallel(); testFinding(t, s) })
	t.Run("all that is verified of an application is shown", func(t *testing.T) { t.Parallel(); testLook(t, s) })
	t.Run("what commands do is in the log", func(t *testing.T) { t.Parallel(); testCommandsAudited(t, s) })
	t.Run("the log is exported as it is narrowed, and that is in the log", func(t *testing.T) { t.Parallel(); testExport(t, s) })
	t.Run("a filter that cannot be read says so beside the field", func(t *testing.T) { t.Parallel(); testWrongFilter(t, s) })
	t.Run("a scope that needs an approval is allowed and withdrawn", func(t *testing.T) { t.Parallel(); testScopeApproval(t, s) })
}

// submit posts a form of this site by its address.
func (b *browser) submit(t *testing.T, path string, values url.Values) *page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.origin.String()+path, strings.NewReader(values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.Header.Set("Origin", b.origin.String())
	return b.do(t, req)
}

// reads demands a page of this status on which all these stand.
func (p *page) reads(t *testing.T, status int, wants ...string) {
	t.Helper()
	if p.status != status {
		t.Errorf("%s is answered %d, want %d", p.url, p.status, status)
	}
	for _, want := range wants {
		if !strings.Contains(p.text(), want) {
			t.Errorf("%q does not stand on %s:\n%s", want, p.url, p.text())
		}
	}
}

// link is the address of the first link with this text.
func (p *page) link(t *testing.T, text string) string {
	t.Helper()
	for a := range descendants(p.root, "a") {
		if words(a) == text {
			return attr(a, "href")
		}
	}
	t.Fatalf("no link %q on %s:\n%s", text, p.url, p.text())
	return ""
}

// found is the page of the administration about an account or application, and its path.
func (s *server) found(t *testing.T, list, search, name string) (*page, string) {
	t.Helper()
	path := s.session.open(t, "/admin/"+list+"?q="+url.QueryEscape(search)).link(t, name)
	return s.session.open(t, path), path
}

func testNoAdministrator(t *testing.T, s *server) {
	mallory, b := s.signedIn(t, "Mallory Mansfield")
	app := s.register(t, registration{})
	_, id := s.found(t, "applications", app.ClientID, s.nameOf(t, app))
	_, account := s.found(t, "accounts", s.ada.email, s.ada.name)
	stranger := s.browser(mallory)
	for _, path := range []string{
		"/admin", "/admin/accounts", account, account + "/disable", account + "/make-administrator", "/admin/applications", id, id + "/suspend", "/admin/audit", "/admin/audit.jsonl", "/admin/nothing",
	} {
		b.open(t, path).reads(t, http.StatusNotFound, "There is no such page")
		if path != "/admin/nothing" && !stranger.open(t, path).offers("Sign in") {
			t.Errorf("a stranger sees %s", path)
		}
	}
	for _, path := range []string{
		account + "/disable", account + "/enable", account + "/make-administrator", account + "/unmake-administrator",
		id + "/suspend", id + "/resume", id + "/verify", id + "/unverify", id + "/return", id + "/scopes/allow", id + "/scopes/decline",
	} {
		values := url.Values{"reason": {"Because."}, "scope": {"community"}}
		b.submit(t, path, values).reads(t, http.StatusNotFound, "There is no such page")
		if !stranger.submit(t, path, values).offers("Sign in") {
			t.Errorf("a stranger does %s", path)
		}
	}
	s.session.open(t, id).reads(t, http.StatusOK, "Not verified.", "It may not ask people for this.")
	s.session.open(t, account).reads(t, http.StatusOK, "administrator")
	s.clientCredentials(t, app, "").tokens(t)
}

// nameOf is the name under which an application was registered.
func (s *server) nameOf(t *testing.T, app application) string {
	t.Helper()
	var v struct{ Name string }
	if err := json.Unmarshal([]byte(s.command(t, "", "application", "show", app.ClientID, "--json")), &v); err != nil {
		t.Fatal(err)
	}
	return v.Name
}

func testSuspension(t *testing.T, s *server) {
	app := s.register(t, registration{})
	s.grant(t, app)
	got, code := s.grant(t, app), s.code(t, app)
	_, path := s.found(t, "applications", app.ClientID, s.nameOf(t, app))
	preview := s.session.open(t, path+"/suspend")
	preview.reads(t, http.StatusOK, "Authorizations that live 2", "Accounts that gave them 1")
	s.checkAlive(t, got.Access)
	s.session.submit(t, path+"/suspend", url.Values{"reason": {" "}}).reads(t, http.StatusUnprocessableEntity, "Write a sentence: the owner reads it.")
	s.checkAlive(t, got.Access)
	s.session.submit(t, path+"/suspend", url.Values{"reason": {"It sent\r\nspam."}}).
		reads(t, http.StatusOK, "The application is suspended.", "Suspended: It sent spam.", "application.suspended")
	checkStopped(t, s, app, got, code)
	s.session.open(t, app.path()).reads(t, http.StatusOK, "This application is suspended", "It sent spam.")
	s.session.press(t, s.session.open(t, path), "Resume application").reads(t, http.StatusOK, "The application is resumed.")
	s.checkAlive(t, got.Access)
	s.session.press(t, s.session.open(t, path), "Verify application").reads(t, http.StatusOK, "The application is verified.", "Verified on")
	s.session.submit(t, path+"/unverify", url.Values{"reason": {"It was sold."}}).reads(t, http.StatusOK, "The mark is taken away.", "Told last: It was sold.")
}

func testDisablement(t *testing.T, s *server) {
	olive, b := s.signedIn(t, "Olive Oyl")
	app := s.register(t, registration{owner: olive.email})
	got := s.grant(t, app)
	others := s.register(t, registration{})
	given := s.redeem(t, others, b.authorize(t, others.request()).Query().Get("code")).tokens(t)
	shown, path := s.found(t, "accounts", olive.email, olive.name)
	shown.reads(t, http.StatusOK, olive.email, s.nameOf(t, app), s.nameOf(t, others), "Browsers signed in 1", "account.created")
	s.session.open(t, path+"/disable").reads(t, http.StatusOK, "Browsers signed in 1", "Authorizations it gave 1", "Applications it owns 1",
		"Authorizations given to them 1", "Accounts that gave those 1")
	s.checkAlive(t, given.Access)
	s.session.press(t, s.session.open(t, path+"/disable"), "Disable account").reads(t, http.StatusOK, "The account is disabled.", "account.disabled")
	for _, token := range []string{given.Access, got.Access} {
		s.me(t, token).checkStatus(t, http.StatusUnauthorized)
	}
	if !b.open(t, "/settings/profile").offers("Sign in") {
		t.Error("a disabled account is still signed in")
	}
	s.session.press(t, s.session.open(t, path), "Enable account").reads(t, http.StatusOK, "The account is enabled.")
	s.checkAlive(t, given.Access)
	s.checkAlive(t, got.Access)
}

func testMaking(t *testing.T, s *server) {
	nina, b := s.signedIn(t, "Nina Newman")
	_, path := s.found(t, "accounts", nina.email, nina.name)
	asked := s.session.open(t, s.session.open(t, path).link(t, "Make administrator …"))
	asked.reads(t, http.StatusOK, "Make the account Nina Newman an administrator?", nina.email)
	b.open(t, path).reads(t, http.StatusNotFound)
	s.session.press(t, asked, "Make administrator").reads(t, http.StatusOK, "The account is an administrator now.")
	b.open(t, path).reads(t, http.StatusOK, "This is your own account.")
	for _, act := range []string{"/disable", "/unmake-administrator"} {
		b.submit(t, path+act, nil).reads(t, http.StatusConflict, "Nothing was changed: this is your own account.")
	}
	s.session.press(t, s.session.open(t, path), "Take administration away").reads(t, http.StatusOK, "The account is no administrator any more.")
	b.open(t, path).reads(t, http.StatusNotFound)
	s.command(t, "", "account", "promote", nina.email)
	b.open(t, path).reads(t, http.StatusOK)
	s.command(t, "", "account", "demote", nina.email)
	b.open(t, path).reads(t, http.StatusNotFound)
}

func testFinding(t *testing.T, s *server) {
	zoe := s.newAccount(t, "Zoe Zimmer")
	app := s.registerAs(t, zoe.email, "Zebra Crossing", "", callback, "profile")
	for _, search := range []string{"zoe", "ZOE Z", strings.ToUpper(zoe.email[:10]), "zoezimmer"} {
		s.found(t, "accounts", search, zoe.name)
	}
	for _, search := range []string{"zebra cr", app.ClientID, zoe.email, "zoezimmer"} {
		s.found(t, "applications", search, "Zebra Crossing")
	}
	s.registerAs(t, zoe.email, "zoezimmer's own", "", callback, "profile")
	for list, name := range map[string]string{"accounts": zoe.name, "applications": "Zebra Crossing"} {
		_, path := s.found(t, list, name, name)
		s.found(t, list, strings.ToUpper(path[strings.LastIndex(path, "/")+1:]), name)
	}
	if n := strings.Count(s.session.open(t, "/admin/applications?q=zoezimmer").text(), "zoezimmer's own"); n != 1 {
		t.Errorf("what is found by its owner and by its name is listed %d times", n)
	}
	for _, path := range []string{"/admin/accounts?q=00000000-0000-7000-8000-000000000000", "/admin/accounts?q=immer", "/admin/applications?q=crossing"} {
		s.session.open(t, path).reads(t, http.StatusOK, "Nothing was found.")
	}
	_, path := s.found(t, "applications", app.ClientID, "Zebra Crossing")
	for _, state := range []struct{ name, args string }{{"verified", "verify"}, {"suspended", "suspend"}} {
		if strings.Contains(s.session.open(t, "/admin/applications?state="+state.name).text(), "Zebra") {
			t.Errorf("it is listed as %s too early", state.name)
		}
		s.command(t, "", "application", state.args, app.ClientID)
		if got := s.session.open(t, "/admin/applications?state="+state.name).link(t, "Zebra Crossing"); got != path {
			t.Errorf("it is listed as %s at %s, want %s", state.name, got, path)
		}
	}
}

func testCommandsAudited(t *testing.T, s *server) {
	app := s.register(t, registration{})
	s.grant(t, app)
	_, path := s.found(t, "applications", app.ClientID, s.nameOf(t, app))
	s.command(t, "", "authorization", "revoke", s.authorizations(t, "--application", app.ClientID)[0])
	s.command(t, "", "application", "suspend", app.ClientID, "--reason", "Odd.")
	s.command(t, "", "application", "resume", app.ClientID)
	s.command(t, "", "application", "delete", app.ClientID)
	id := strings.TrimPrefix(path, "/admin/applications/")
	log := s.session.open(t, "/admin/audit?actor=command+line&application="+id)
	log.reads(t, http.StatusOK, "application.registered", "authorization.revoked", "application.suspended", "Odd.", "application.resumed", "application.deleted", "command line")
	// The log leads to what is gone, and that leads back.
	s.session.open(t, path).reads(t, http.StatusOK, "Audit log", "application.registered", "application.deleted")
	s.session.open(t, "/admin/applications/01890000-0000-7000-8000-000000000000").reads(t, http.StatusNotFound)
}

func testExport(t *testing.T, s *server) {
	app := s.register(t, registration{})
	s.command(t, "", "application", "verify", app.ClientID)
	_, path := s.found(t, "applications", app.ClientID, s.nameOf(t, app))
	id := strings.TrimPrefix(path, "/admin/applications/")
	s.session.submit(t, path+"/suspend", url.Values{"reason": {`A "reason" <b>.`}})
	export := s.session.open(t, "/admin/audit?application="+id).link(t, "Export as JSON lines")
	var kinds []string
	for _, line := range s.lines(t, export) {
		kinds = append(kinds, line.Kind)
		if line.ApplicationID != id || !regexp.MustCompile(`^20\d\d-\d\d-\d\dT.*Z$`).MatchString(line.At) {
			t.Errorf("a line is %+v", line)
		}
		if line.Kind == "application.suspended" && (line.Actor.Name != s.ada.name || line.Actor.Address != "127.0.0.1" || line.Detail != `A "reason" <b>.`) {
			t.Errorf("a line is %+v", line)
		}
	}
	if got, want := strings.Join(kinds, " "), "application.registered application.verified application.suspended"; got != want {
		t.Errorf("the export has %s, want %s", got, want)
	}
	s.session.open(t, "/admin/audit?kind=audit&actor="+url.QueryEscape(s.ada.email)).reads(t, http.StatusOK, "audit.exported", "application="+id)
	// The last day counts to its end.
	s.session.open(t, "/admin/audit?application="+id+"&until="+time.Now().UTC().Format(time.DateOnly)).reads(t, http.StatusOK, "application.suspended")
}

func testWrongFilter(t *testing.T, s *server) {
	wrong := s.session.open(t, "/admin/audit?from=yesterday&address=here&actor=nobody-is-called-that&account=x&application=y")
	wrong.reads(t, http.StatusUnprocessableEntity, "Enter a date", "Enter an IP address", "There is no such account.", "There is no such application.")
	if strings.Contains(wrong.text(), "Nothing was found.") {
		t.Error("nothing was looked for, and the page says that nothing was found")
	}
	if p := s.session.open(t, "/admin/audit.jsonl?from=yesterday"); p.status != http.StatusUnprocessableEntity {
		t.Errorf("an export by a wrong filter is answered %d", p.status)
	}
	for _, beyond := range []string{"after=ffffffff-ffff-ffff-ffff-ffffffffffff", "before=00000000-0000-0000-0000-000000000001"} {
		s.session.open(t, "/admin/audit?"+beyond).reads(t, http.StatusOK, "Audit log")
	}
}

func testLook(t *testing.T, s *server) {
	app := s.register(t, registration{resourceServer: true})
	s.session.send(t, app.path()+"/logo", "logo", dotted(t, color.NRGBA{G: 200, A: 255}, 0))
	shown, _ := s.found(t, "applications", app.ClientID, s.nameOf(t, app))
	shown.reads(t, http.StatusOK, "Confidential, resource server")
	for img := range descendants(shown.root, "img") {
		if strings.HasPrefix(attr(img, "src"), "/pictures/") {
			return
		}
	}
	t.Error("the logo for which the mark is given is not shown")
}

func testScopeApproval(t *testing.T, s *server) {
	app := s.register(t, registration{})
	_, path := s.found(t, "applications", app.ClientID, s.nameOf(t, app))
	q := app.request("scope", "community")
	if to := s.session.authorize(t, q); to.Query().Get("error") != "invalid_scope" {
		t.Errorf("a scope that nobody allowed leads to %s", to)
	}
	seen := s.session.open(t, path)
	s.session.press(t, seen, "Allow").reads(t, http.StatusOK, "The scope is allowed.")
	if to := s.session.authorize(t, q); to.Query().Get("code") == "" {
		t.Errorf("a scope that was allowed leads to %s", to)
	}
	s.session.press(t, s.session.open(t, path), "Withdraw").reads(t, http.StatusOK, "The scope is not allowed.")
	if to := s.session.authorize(t, q); to.Query().Get("error") != "invalid_scope" {
		t.Errorf("a scope that was withdrawn leads to %s", to)
	}
	s.session.submit(t, path+"/scopes/allow", url.Values{"scope": {"profile"}}).reads(t, http.StatusNotFound)
	s.session.submit(t, path+"/scopes/nothing", url.Values{"scope": {"community"}, "seen": {"neither"}}).reads(t, http.StatusNotFound)
}
