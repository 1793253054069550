package e2e_test

import (
	"bufio"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// auditLine is a line of the exported audit log.
type auditLine struct {
	At, Kind string
	Actor    struct{ ID, Name, Address string }
	// Subject is the name of whom or what it was done to.
	Subject, Detail string
	ApplicationID   string `json:"application_id"`
}

// audited reads all about an account, in the order in which it happened.
func (s *server) audited(t *testing.T, subject string) (kinds []string, lines []auditLine) {
	t.Helper()
	for _, l := range s.lines(t, "/admin/audit.jsonl") {
		if l.Subject == subject || l.Actor.Name == subject {
			lines, kinds = append(lines, l), append(kinds, l.Kind)
		}
	}
	return kinds, lines
}

// lines reads an export of the log, in the order in which it happened.
func (s *server) lines(t *testing.T, export string) (lines []auditLine) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+export, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.session.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := res.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/jsonl") {
		t.Errorf("the export is %s", got)
	}
	for scan := bufio.NewScanner(res.Body); scan.Scan(); {
		var l auditLine
		if err := json.Unmarshal(scan.Bytes(), &l); err != nil {
			t.Fatalf("%v: %s", err, scan.Bytes())
		}
		lines = append(lines, l)
	}
	slices.Reverse(lines)
	return lines
}

func TestWhatAPersonDoesIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	eve := s.newcomer("Eve Example")
	b := s.browser(eve)
	b.press(t, b.open(t, "/sign-up"), "Create account", "name", eve.name, "email", eve.email, "password", eve.password)
	want := []string{"account.signed_up", "session.signed_in"}
	b.press(t, b.open(t, "/settings/profile"), "Save", "username", "eve-1")
	want = append(want, "account.profile_changed")
	app := s.register(t, registration{})
	if b.authorize(t, app.request()).Query().Get("code") == "" {
		t.Fatal("the approval gives no code")
	}
	// What is not asked about again leaves no line.
	b.authorize(t, app.request())
	b.press(t, b.visit(t, app.request("scope", "events")), "Cancel")
	b.press(t, b.open(t, "/settings/connections"), "Disconnect "+s.nameOf(t, app))
	want = append(want, "authorization.approved", "authorization.refused", "authorization.disconnected")
	other := s.signIn(t, eve)
	b.press(t, b.open(t, "/settings/security"), "Sign out everywhere else")
	b.press(t, b.open(t, "/settings"), "Sign out")
	want = append(want, "session.signed_in", "session.others_ended", "session.ended")
	got, lines := s.audited(t, eve.name)
	if !slices.Equal(got, want) {
		t.Errorf("the log says\n%v, want\n%v", got, want)
	}
	for _, l := range lines {
		if l.Actor.Name != eve.name || l.Actor.Address != "127.0.0.1" || l.Actor.ID == "" {
			t.Errorf("%s was done by %+v", l.Kind, l.Actor)
		}
	}
	for range 4 {
		other.press(t, other.open(t, "/sign-in"), "Sign in", "email", eve.email, "password", "guess "+rand.Text())
		other.press(t, other.open(t, "/sign-in"), "Sign in", "email", "nobody@people.example", "password", "guess "+rand.Text())
	}
	want = append(want, "session.sign_in_failed")
	eventually(t, "the log tells of the guesses", func() bool {
		got, lines = s.audited(t, eve.name)
		return len(got) >= len(want)
	})
	if last := lines[len(lines)-1]; !slices.Equal(got, want) || last.Actor.Name != "somebody" || last.Actor.ID != "" {
		t.Errorf("the log says %v, the last of them of %+v", got, last.Actor)
	}
}

func TestWhatSomebodyMisusesIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	s := settle(t, config+"refresh_replay_window: 1ms\n")
	s.command(t, "", "account", "promote", s.ada.email)
	app := s.register(t, registration{})
	var want []string
	code := s.code(t, app)
	s.redeem(t, app, code, "redirect_uri", callback+"x").checkRefused(t, "invalid_grant") // which ends nothing
	s.redeem(t, app, code).tokens(t)
	for range 3 {
		s.redeem(t, app, code).checkRefused(t, "invalid_grant")
	}
	want = append(want, "its code was used twice")
	// The one before the last is found by its hash, an older one by the way to the present one.
	for _, public := range []bool{true, false} {
		app := s.register(t, registration{public: public})
		first := s.grant(t, app)
		second := s.refresh(t, app, first.Refresh).tokens(t)
		s.refresh(t, app, s.refresh(t, app, second.Refresh).tokens(t).Refresh).tokens(t)
		for range 3 {
			s.refresh(t, app, first.Refresh).checkRefused(t, "invalid_grant")
		}
		want = append(want, "an old refresh token was used")
	}
	late := s.register(t, registration{public: true})
	first := s.grant(t, late)
	s.refresh(t, late, first.Refresh).tokens(t)
	eventually(t, "the replay window has closed", func() bool { return s.refresh(t, late, first.Refresh).status != http.StatusOK })
	want = append(want, "an old refresh token was used")
	dora := s.newAccount(t, "Dora Disabled")
	s.command(t, "", "account", "disable", dora.email)
	s.signIn(t, dora)
	want = append(want, "session.sign_in_failed")
	var got []string
	eventually(t, "the log tells of five misuses", func() bool {
		got = nil
		for _, l := range s.lines(t, "/admin/audit.jsonl") {
			if l.Actor.Name == "somebody" && l.Actor.Address == "127.0.0.1" && l.Actor.ID == "" {
				reason, _, _ := strings.Cut(l.Detail, ": authorization ")
				got = append(got, cmp.Or(reason, l.Kind))
			}
		}
		return len(got) >= len(want)
	})
	if !slices.Equal(got, want) {
		t.Errorf("the log says %q, want %q", got, want)
	}
}

// TestWhatAPersonSendsIsCounted because the audit log, which most of it gets a line in, is kept.
func TestWhatAPersonSendsIsCounted(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	person, b := s.signedIn(t, "Flora Flood")
	app := s.register(t, registration{owner: person.email, scopes: []string{"profile"}})
	asked := b.visit(t, app.request())
	form := b.open(t, "/settings/profile")
	sent := 0
	var p *page
	for sent < 200 {
		if p = b.press(t, form, "Save", "name", "Flora "+strconv.Itoa(sent)); p.status == http.StatusTooManyRequests {
			break
		}
		sent++
	}
	// One more comes every five seconds.
	if sent < 120 || sent > 160 {
		t.Errorf("%d forms are taken at once", sent)
	}
	p.reads(t, http.StatusTooManyRequests, "Nothing was changed.")
	if p.header.Get("Retry-After") == "" {
		t.Error("nobody is told when to come back")
	}
	// The consent page counts with them, and what is only looked at does not.
	b.open(t, "/settings/profile").reads(t, http.StatusOK, "Flora "+strconv.Itoa(sent-1))
	b.press(t, asked, "Cancel").reads(t, http.StatusTooManyRequests, "Nothing was changed.")
	// Whoever did that with a copied cookie does not keep the person from ending it.
	another := s.signIn(t, person)
	another.press(t, another.open(t, "/settings/security"), "Sign out everywhere else").reads(t, http.StatusOK, "Signed out everywhere else.")
	if !b.open(t, "/settings/profile").offers("Sign in") {
		t.Error("the other session goes on")
	}
}
