package e2e_test

import (
	"crypto/rand"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestAPasswordCanBeSetByACommandBesideServe(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *server) {
		bob, open := s.signedIn(t, "Bob Example", "--username", "bob")
		if open.open(t, "/settings").offers("Sign in") {
			t.Fatal("Bob is not signed in")
		}
		var view struct{ ID, Email string }
		set := func(reference string, flags ...string) string {
			bob.password = "pass phrase " + rand.Text()
			s.vault.add("password", bob.password)
			return s.command(t, bob.password+"\n", append([]string{"account", "set-password", reference, "--password-stdin"}, flags...)...)
		}
		before := bob
		if err := json.Unmarshal([]byte(set("bob", "--json")), &view); err != nil || view.Email != bob.email {
			t.Errorf("set-password --json tells of %+v: %v", view, err)
		}
		if !open.open(t, "/settings").offers("Sign in") {
			t.Error("an open session outlives the password")
		}
		checkEnters(t, s.browser(before), false)
		checkEnters(t, s.browser(bob), true)
		if said := set(view.ID); !strings.Contains(said, "ended all sessions of the account "+bob.email) {
			t.Errorf("set-password says %q", said)
		}
		checkEnters(t, s.browser(bob), true)

		s.try(t, "password1\n", "account", "set-password", bob.email, "--password-stdin").checkFailed(t, 1)
		s.try(t, bob.email+"\n", "account", "set-password", bob.email, "--password-stdin").checkFailed(t, 1)
		s.try(t, bob.password, "account", "set-password", "nobody", "--password-stdin").checkFailed(t, 1)
		s.try(t, bob.password, "account", "set-password", bob.email).checkFailed(t, 2)
		s.try(t, bob.password, "account", "set-password", "--password-stdin").checkFailed(t, 2)
		checkEnters(t, s.browser(bob), true)

		s.command(t, "", "account", "promote", s.ada.email)
		checkEnters(t, s.session, true)
		_, lines := s.audited(t, bob.name)
		lines = slices.DeleteFunc(lines, func(l auditLine) bool { return l.Kind != "account.password_changed" })
		if len(lines) != 2 || lines[0].Actor.Name != "command line" || lines[0].Actor.ID != "" {
			t.Errorf("the audit log says %+v", lines)
		}
	})
}

func TestAnotherPasswordEndsACookieThatSomebodyCopied(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *server) {
		bob, open := s.signedIn(t, "Bob Example")
		thief := s.browser(bob)
		thief.client.Jar.SetCookies(thief.origin, open.client.Jar.Cookies(open.origin))
		if thief.open(t, "/settings").offers("Sign in") {
			t.Fatal("the copied cookie does not work")
		}
		fresh := "pass phrase " + rand.Text()
		s.vault.add("password", fresh)
		p := open.press(t, open.open(t, "/settings/security"), "Change password", "old_password", bob.password, "password", fresh)
		if !strings.Contains(p.text(), "The password is changed.") || open.open(t, "/settings").offers("Sign in") {
			t.Errorf("who changed the password is signed out:\n%s", p.text())
		}
		if !thief.open(t, "/settings").offers("Sign in") {
			t.Error("the copied cookie outlives the password")
		}
	})
}

// checkEnters signs in and demands that this goes well, or that it does not.
func checkEnters(t *testing.T, b *browser, want bool) {
	t.Helper()
	b.signIn(t, b.open(t, "/sign-in"))
	if in := !b.open(t, "/settings").offers("Sign in"); in != want {
		t.Errorf("signed in: %v, want %v", in, want)
	}
}
