package e2e_test

import (
	"net/http"
	"testing"
)

// TestCommandsBesideServe shows that a server that answers from memory has seen what a command did
// by the time the command ends.
func TestCommandsBesideServe(t *testing.T) {
	t.Parallel()
	s := settleOn(t)
	rows := []struct {
		name        string
		end         []string // {app}, {person} and {id} are filled in
		undo        []string
		application bool // the application itself is refused too
	}{
		{"an application is suspended and resumed", []string{"application", "suspend", "{app}"}, []string{"application", "resume", "{app}"}, true},
		{"an account is disabled and enabled", []string{"account", "disable", "{person}"}, []string{"account", "enable", "{person}"}, false},
		{"an application's owner is disabled and enabled", []string{"account", "disable", "{owner}"}, []string{"account", "enable", "{owner}"}, true},
		{"an authorization is revoked", []string{"authorization", "revoke", "{id}"}, nil, false},
		{"an application is deleted", []string{"application", "delete", "{app}"}, nil, true},
		{"a secret is replaced now", []string{"application", "rotate-secret", "{app}", "--now"}, nil, true},
	}
	grace := s.newAccount(t, "Grace Hopper")
	session := s.browser(grace)
	for _, row := range rows {
		// One after the other: each command empties the memory, which would help the others.
		t.Run(row.name, func(t *testing.T) {
			app := s.register(t, registration{})
			code := session.authorize(t, app.request()).Query().Get("code")
			token := s.redeem(t, app, code).tokens(t).Access
			fill := map[string]string{"{app}": app.ClientID, "{person}": grace.email, "{owner}": s.ada.email}
			if row.end[0] == "authorization" {
				fill["{id}"] = s.authorizations(t, "--application", app.ClientID)[0]
			}
			s.whileHot(t, app, token, func() { s.command(t, "", filled(row.end, fill)...) })
			access, itself := http.StatusUnauthorized, http.StatusOK
			if row.application {
				itself = http.StatusUnauthorized
			}
			if row.end[1] == "rotate-secret" {
				access = http.StatusOK // a secret is not a token
			}
			s.do(t, issuing(app)).checkStatus(t, itself)
			s.me(t, token).checkStatus(t, access)
			if row.undo != nil {
				s.whileHot(t, app, token, func() { s.command(t, "", filled(row.undo, fill)...) })
				s.me(t, token).checkStatus(t, http.StatusOK)
				s.do(t, issuing(app)).checkStatus(t, http.StatusOK)
			}
		})
	}
}

func filled(command []string, fill map[string]string) []string {
	var all []string
	for _, word := range command {
		if value, ok := fill[word]; ok {
			word = value
		}
		all = append(all, word)
	}
	return all
}

// whileHot does something while the token and the application are used all the time, so that the
// server remembers both at the very end.
func (s *server) whileHot(t *testing.T, app application, token string, do func()) {
	t.Helper()
	for _, m := range []message{get(mePath, token), issuing(app)} {
		if _, err := s.send(m); err != nil {
			t.Fatal(err)
		}
		stop := repeat(func() {
			if _, err := s.send(m); err != nil {
				t.Error(err)
			}
		})
		defer stop()
	}
	do()
}
