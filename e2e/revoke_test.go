package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func testRevocation(t *testing.T, s *server) {
	app, other, public := s.register(t, registration{}), s.register(t, registration{}), s.register(t, registration{public: true})
	access := func(got tokens) string { return got.Access }
	refresh := func(got tokens) string { return got.Refresh }
	rows := []struct {
		name string
		pick func(tokens) string
		hint string
	}{
		{"by the access token", access, ""},
		{"by the refresh token", refresh, ""},
		{"by the access token, hinted", access, "access_token"},
		{"by the refresh token, hinted", refresh, "refresh_token"},
		{"by the access token, hinted as a refresh token", access, "refresh_token"},
		{"by the refresh token, hinted as an access token", refresh, "access_token"},
		{"by the refresh token, hinted as nonsense", refresh, "nonsense"},
	}
	for _, row := range rows {
		for _, st := range styles() {
			t.Run(row.name+" "+st.name+" kills both", func(t *testing.T) {
				t.Parallel()
				got := s.grant(t, app)
				m := st.write(app, revokePath, with(url.Values{"token": {row.pick(got)}}, "token_type_hint", row.hint))
				s.do(t, m).checkStatus(t, http.StatusOK)
				s.checkDead(t, app, got)
				s.do(t, m).checkStatus(t, http.StatusOK)
			})
		}
		t.Run(row.name+" works for a public application", func(t *testing.T) {
			t.Parallel()
			got := s.grant(t, public)
			s.revoke(t, public, row.pick(got), "token_type_hint", row.hint).checkStatus(t, http.StatusOK)
			s.checkDead(t, public, got)
		})
	}
	t.Run("another application's tokens are left alone", func(t *testing.T) {
		t.Parallel()
		first := s.grant(t, app)
		got := s.refresh(t, app, s.refresh(t, app, first.Refresh).tokens(t).Refresh).tokens(t)
		for _, stranger := range []application{other, public} {
			for _, token := range []string{got.Access, got.Refresh, first.Refresh} {
				s.revoke(t, stranger, token).checkStatus(t, http.StatusOK)
			}
		}
		s.checkAlive(t, got.Access)
		s.refresh(t, app, got.Refresh).tokens(t)
	})
	t.Run("the account's other authorization and its consent stay", func(t *testing.T) {
		t.Parallel()
		elsewhere, got := s.grant(t, app), s.grant(t, app)
		s.revoke(t, app, got.Access).checkStatus(t, http.StatusOK)
		s.checkAlive(t, elsewhere.Access)
		s.refresh(t, app, elsewhere.Refresh).tokens(t)
		checkAsked(t, s.session.visit(t, app.request()), false)
	})
	for _, unknown := range []string{"x", strings.Repeat("A", 43), "☃\"\\", strings.Repeat("x", 5000)} {
		t.Run("an unknown token is answered 200", func(t *testing.T) {
			t.Parallel()
			s.revoke(t, app, unknown).checkStatus(t, http.StatusOK)
		})
	}
	for name, app := range map[string]application{"a confidential": app, "a public": public} {
		t.Run("a superseded refresh token of "+name+" application ends all", func(t *testing.T) {
			t.Parallel()
			first := s.grant(t, app)
			second := s.refresh(t, app, first.Refresh).tokens(t)
			third := s.refresh(t, app, second.Refresh).tokens(t)
			s.revoke(t, app, first.Refresh).checkStatus(t, http.StatusOK)
			s.checkDead(t, app, third)
		})
	}
	t.Run("the half that finds an authorization is enough for its confidential application", func(t *testing.T) {
		t.Parallel()
		got := s.grant(t, app)
		s.revoke(t, app, forge(t, got.Refresh)).checkStatus(t, http.StatusOK)
		s.checkDead(t, app, got)
	})
	t.Run("a public application must prove the token to be genuine", func(t *testing.T) {
		t.Parallel()
		got := s.grant(t, public)
		s.revoke(t, public, forge(t, got.Refresh)).checkStatus(t, http.StatusOK)
		s.checkAlive(t, got.Access)
		s.refresh(t, public, got.Refresh).tokens(t)
	})
	t.Run("a code can be revoked before its use", func(t *testing.T) {
		t.Parallel()
		code := s.code(t, app)
		s.revoke(t, app, code).checkStatus(t, http.StatusOK)
		s.redeem(t, app, code).checkRefused(t, "invalid_grant")
	})
	t.Run("a token of client credentials", func(t *testing.T) {
		t.Parallel()
		got, kept := s.clientCredentials(t, app, "").tokens(t), s.clientCredentials(t, app, "").tokens(t)
		s.revoke(t, other, got.Access).checkStatus(t, http.StatusOK)
		s.checkAlive(t, got.Access)
		s.revoke(t, app, got.Access, "token_type_hint", "refresh_token").checkStatus(t, http.StatusOK)
		s.checkDead(t, app, got)
		s.checkAlive(t, kept.Access)
	})
}
