package e2e_test

import (
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
	Kind  string
	Actor struct{ ID, Name, Address string }
	// Subject is the name of whom or what it was done to.
	Subject string
}

// audited reads all about an account, in the order in which it happened.
func (s *server) audited(t *testing.T, subject string) (kinds []string, lines []auditLine) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/admin/audit.jsonl", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.session.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for from := json.NewDecoder(res.Body); from.More(); {
		var l auditLine
		if err := from.Decode(&l); err != nil {
			t.Fatal(err)
		}
		if l.Subject == subject || l.Actor.Name == subject {
			lines = append(lines, l)
		}
	}
	slices.Reverse(lines)
	for _, l := range lines {
		kinds = append(kinds, l.Kind)
	}
	return kinds, lines
}

func TestWhatAPersonDoesIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	eve := account{strings.ToLower(rand.Text()) + "@people.example", "pass phrase " + rand.Text(), "Eve Example"}
	s.vault.add("password", eve.password)
	b := s.browser(eve)
	b.press(t, b.open(t, "/sign-up"), "Create account", "name", eve.name, "email", eve.email, "password", eve.password)
	want := []string{"account.signed_up", "session.signed_in"}
	b.press(t, b.open(t, "/settings/profile"), "Save", "username", "eve-1")
	want = append(want, "account.profile_changed")
	app := s.register(t, registration{})
	if b.authorize(t, app.request()).Query().Get("code") == "" {
		t.Fatal("the approval gives no code")
	}
	b.press(t, b.visit(t, app.request("scope", "events")), "Cancel")
	b.press(t, b.open(t, "/settings/connections"), "Disconnect "+s.nameOf(t, app))
	want = append(want, "authorization.approved", "authorization.refused", "authorization.disconnected")
	other := s.browser(eve)
	other.signIn(t, other.open(t, "/sign-in"))
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
	// The sign-in counts with them. One more comes every five seconds.
	if sent < 119 || sent > 160 {
		t.Errorf("%d forms are taken at once", sent)
	}
	p.reads(t, http.StatusTooManyRequests, "Nothing was changed.")
	if p.header.Get("Retry-After") == "" {
		t.Error("nobody is told when to come back")
	}
	// The consent page counts with them, and what is only looked at does not.
	b.open(t, "/settings/profile").reads(t, http.StatusOK, "Flora "+strconv.Itoa(sent-1))
	b.press(t, asked, "Cancel").reads(t, http.StatusTooManyRequests, "Nothing was changed.")
	another := s.browser(person)
	// A form of sign-in may come when there is one again, but not all of them.
	for range 10 {
		p = another.press(t, another.open(t, "/sign-in"), "Sign in", "email", person.email, "password", person.password)
		if p.status == http.StatusTooManyRequests {
			break
		}
	}
	p.reads(t, http.StatusTooManyRequests, "too many attempts")
	if p.header.Get("Retry-After") == "" {
		t.Error("nobody is told when to sign in again")
	}
}
