package e2e_test

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testAdministration demands that serve has seen a change by the time that the command has ended.
func testAdministration(t *testing.T, s *server) {
	t.Run("a suspended application can do nothing until it is resumed", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		got, code := s.grant(t, app), s.code(t, app)
		s.command(t, "", "application", "suspend", app.ClientID)
		checkStopped(t, s, app, got, code)
		s.clientCredentials(t, app, "").checkRefused(t, "invalid_client")
		s.session.visit(t, app.request()).checkErrorPage(t)
		s.command(t, "", "application", "resume", app.ClientID)
		s.checkAlive(t, got.Access)
		s.redeem(t, app, code).tokens(t)
		s.refresh(t, app, got.Refresh).tokens(t)
	})
	t.Run("the applications of a disabled owner can do nothing until the owner is enabled", func(t *testing.T) {
		t.Parallel()
		owner := s.newAccount(t, "Olive Owner")
		app := s.register(t, registration{owner: owner.email})
		got, code := s.grant(t, app), s.code(t, app)
		s.command(t, "", "account", "disable", owner.email)
		checkStopped(t, s, app, got, code)
		s.session.visit(t, app.request()).checkErrorPage(t)
		s.command(t, "", "account", "enable", owner.email)
		s.checkAlive(t, got.Access)
		s.redeem(t, app, code).tokens(t)
	})
	t.Run("a disabled account's tokens, codes, session and password stop until it is enabled", func(t *testing.T) {
		t.Parallel()
		bob := s.newAccount(t, "Bob Babbage")
		app := s.register(t, registration{})
		b := s.browser(bob)
		got := s.redeem(t, app, b.authorize(t, app.request()).Query().Get("code")).tokens(t)
		code := b.authorize(t, app.request()).Query().Get("code")
		others := s.grant(t, app)
		s.command(t, "", "account", "disable", bob.email)
		s.me(t, got.Access).checkStatus(t, http.StatusUnauthorized)
		s.refresh(t, app, got.Refresh).checkRefused(t, "invalid_grant")
		s.redeem(t, app, code).checkRefused(t, "invalid_grant")
		if fields := s.introspect(t, app, got.Access); fields["active"] != false {
			t.Errorf("introspection answers %v", fields)
		}
		b.visit(t, app.request()).checkNoCode(t)
		again := s.browser(bob)
		if p := again.signIn(t, again.visit(t, app.request())); !p.offers("Sign in") {
			t.Errorf("a disabled account gets past sign-in: %d, %v\n%s", p.status, p.away, p.text())
		}
		s.checkAlive(t, others.Access)
		s.command(t, "", "account", "enable", bob.email)
		s.checkAlive(t, got.Access)
		s.redeem(t, app, code).tokens(t)
		s.browser(bob).authorize(t, app.request())
	})
	t.Run("a deleted application is gone with its tokens", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		got := s.grant(t, app)
		s.command(t, "", "application", "delete", app.ClientID)
		s.me(t, got.Access).checkStatus(t, http.StatusUnauthorized)
		s.refresh(t, app, got.Refresh).checkRefused(t, "invalid_client")
		s.session.visit(t, app.request()).checkErrorPage(t)
		s.try(t, "", "application", "show", app.ClientID).checkFailed(t, 1)
	})
	t.Run("a replaced secret works beside the new one", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		renewed := s.rotate(t, app)
		s.clientCredentials(t, app, "").tokens(t)
		s.clientCredentials(t, renewed, "").tokens(t)
	})
	t.Run("a secret replaced at once leaves only the new one", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		got := s.grant(t, app)
		between := s.rotate(t, app)
		renewed := s.rotate(t, app, "--now")
		for _, old := range []application{app, between} {
			s.clientCredentials(t, old, "").checkRefused(t, "invalid_client")
		}
		s.clientCredentials(t, renewed, "").tokens(t)
		s.refresh(t, renewed, got.Refresh).tokens(t)
	})
	t.Run("no command shows a secret again", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		for _, args := range [][]string{{"application", "show", app.ClientID}, {"application", "list"}} {
			for _, args := range [][]string{args, append(args, "--json")} {
				out := s.command(t, "", args...)
				if !strings.Contains(out, app.ClientID) || strings.Contains(out, app.ClientSecret) {
					t.Errorf("%v: client_id shown: %v, secret shown: %v", args,
						strings.Contains(out, app.ClientID), strings.Contains(out, app.ClientSecret))
				}
			}
		}
	})
	t.Run("accounts are listed without their passwords", func(t *testing.T) {
		t.Parallel()
		for _, args := range [][]string{{"account", "list"}, {"account", "list", "--json"}} {
			out := s.command(t, "", args...)
			if !strings.Contains(out, s.ada.email) || strings.Contains(out, "argon2") || strings.Contains(out, s.ada.password) {
				t.Errorf("%v prints %s", args, out)
			}
		}
	})
	t.Run("an authorization is listed and revoked alone", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		first := s.grant(t, app)
		all := s.authorizations(t, "--application", app.ClientID)
		if len(all) != 1 {
			t.Fatalf("%d authorizations are listed, want 1", len(all))
		}
		second := s.grant(t, app)
		s.command(t, "", "authorization", "revoke", all[0])
		s.checkDead(t, app, first)
		s.checkAlive(t, second.Access)
		s.refresh(t, app, second.Refresh).tokens(t)
		checkAsked(t, s.session.visit(t, app.request()), false)
	})
	t.Run("authorizations are listed by account", func(t *testing.T) {
		t.Parallel()
		bob := s.newAccount(t, "Bob Babbage")
		app := s.register(t, registration{})
		s.grant(t, app)
		if n := len(s.authorizations(t, "--account", bob.email)); n != 0 {
			t.Errorf("a new account has %d authorizations", n)
		}
		code := s.browser(bob).authorize(t, app.request()).Query().Get("code")
		s.redeem(t, app, code).tokens(t)
		if n := len(s.authorizations(t, "--account", bob.email)); n != 1 {
			t.Errorf("%d authorizations of the account are listed, want 1", n)
		}
		if n := len(s.authorizations(t, "--account", bob.email, "--application", app.ClientID)); n != 1 {
			t.Errorf("%d authorizations of the account and the application are listed, want 1", n)
		}
	})
}

func testUpdate(t *testing.T, s *server) {
	changes := map[string][]string{
		"name":          {"--name", "Another name"},
		"site":          {"--site", "https://another.example"},
		"redirect URLs": {"--redirect-uri", callback, "--redirect-uri", callback + "2"},
	}
	for name, flags := range changes {
		t.Run("a change of an application's "+name+" asks again, once", func(t *testing.T) {
			t.Parallel()
			app := s.register(t, registration{})
			s.session.authorize(t, app.request())
			open := s.session.visit(t, app.request("prompt", "consent"))
			s.command(t, "", append([]string{"application", "update", app.ClientID}, flags...)...)
			s.session.press(t, open, "Allow").checkNoCode(t)
			checkAsked(t, s.session.visit(t, app.request()), true)
			s.session.authorize(t, app.request())
			checkAsked(t, s.session.visit(t, app.request()), false)
		})
	}
	t.Run("a scope taken from an application is taken from its tokens", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		got := s.grant(t, app, "scope", "profile events")
		s.do(t, get(checkPath+"?scope=events", got.Access)).checkStatus(t, http.StatusOK)
		s.command(t, "", "application", "update", app.ClientID, "--scope", "profile")
		s.do(t, get(checkPath+"?scope=events", got.Access)).checkStatus(t, http.StatusForbidden)
		if scope := s.introspect(t, app, got.Access)["scope"]; scope != "profile" {
			t.Errorf("scope is %v", scope)
		}
		s.checkAlive(t, got.Access)
		s.refresh(t, app, got.Refresh, "scope", "events").checkRefused(t, "invalid_scope")
		checkScope(t, s.refresh(t, app, got.Refresh).tokens(t), "profile")
	})
	t.Run("a redirect URL taken from an application leads nowhere", func(t *testing.T) {
		t.Parallel()
		app := s.register(t, registration{})
		s.session.authorize(t, app.request())
		s.command(t, "", "application", "update", app.ClientID, "--redirect-uri", callback+"2")
		s.session.visit(t, app.request()).checkErrorPage(t)
	})
}

// checkStopped demands that an application's tokens and codes are refused, whichever error says so.
func checkStopped(t *testing.T, s *server, app application, got tokens, code string) {
	t.Helper()
	s.me(t, got.Access).checkStatus(t, http.StatusUnauthorized)
	s.refresh(t, app, got.Refresh).checkRefused(t, "invalid_client")
	s.redeem(t, app, code).checkRefused(t, "invalid_client")
}

// rotate replaces the application's secret and returns it with the new one.
func (s *server) rotate(t *testing.T, app application, flags ...string) application {
	t.Helper()
	args := append([]string{"application", "rotate-secret", app.ClientID, "--json"}, flags...)
	renewed := app
	renewed.ClientSecret = ""
	if err := json.Unmarshal([]byte(s.command(t, "", args...)), &renewed); err != nil {
		t.Fatal(err)
	}
	if len(renewed.ClientSecret) != 64 || renewed.ClientSecret == app.ClientSecret {
		t.Fatalf("the new secret has %d characters", len(renewed.ClientSecret))
	}
	s.vault.add("client secret", renewed.ClientSecret)
	return renewed
}

// authorizations returns the ids that the command lists.
func (s *server) authorizations(t *testing.T, flags ...string) []string {
	t.Helper()
	out := s.command(t, "", append([]string{"authorization", "list", "--json"}, flags...)...)
	var rows []struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		t.Fatalf("authorization list --json: %v: %s", err, out)
	}
	var ids []string
	for _, row := range rows {
		ids = append(ids, row.ID)
	}
	return ids
}

// testSecrets goes through a life with all its mishaps and looks for what was left behind.
func testSecrets(t *testing.T) {
	s := inhabited(t)
	app, public := s.register(t, registration{}), s.register(t, registration{public: true})
	b := s.browser(s.ada)
	b.press(t, b.visit(t, app.request()), "Sign in", "email", s.ada.email, "password", "wrong "+s.ada.password)
	code := s.code(t, app)
	first := s.redeem(t, app, code).tokens(t)
	second := s.refresh(t, app, first.Refresh).tokens(t)
	s.refresh(t, app, first.Refresh).tokens(t)
	s.redeem(t, app, code).checkRefused(t, "invalid_grant")
	s.checkDead(t, app, second)

	stolen := s.grant(t, public)
	s.refresh(t, public, s.refresh(t, public, stolen.Refresh).tokens(t).Refresh).tokens(t)
	s.refresh(t, public, stolen.Refresh).checkRefused(t, "invalid_grant")
	s.revoke(t, app, s.clientCredentials(t, app, "").tokens(t).Access).checkStatus(t, http.StatusOK)
	s.do(t, post(tokenPath, jsonType, `{"code":"`+s.code(t, app)+`","client_secret":"`+app.ClientSecret)).checkRefused(t, "invalid_request")
	s.do(t, get(mePath+"?access_token="+second.Access, ""))
	s.session.open(t, "/auth/authorize?client_id="+app.ClientSecret+"&code="+code).checkErrorPage(t)
	s.rotate(t, app)

	for _, kind := range []string{"password", "client secret", "cookie", "code", "access token", "refresh token"} {
		if s.vault.kinds()[kind] == 0 {
			t.Errorf("the run produced no %s to look for", kind)
		}
	}
	s.scanFiles(t) // while serve runs, with what has not reached the main file yet
	s.terminate(t)
	s.scanFiles(t)
	if len(s.stderr.Bytes()) == 0 {
		t.Error("the log is empty, so that it proves nothing")
	}
}

// scanFiles looks for secrets in everything that the server keeps.
func (s *server) scanFiles(t *testing.T) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(s.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		s.vault.inspectRaw(t, "the file "+d.Name(), data)
		if info, err := d.Info(); err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("the file %s can be read by others: %v", d.Name(), info.Mode())
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Errorf("%d files in the data folder: %v", files, err)
	}
}
