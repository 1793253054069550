package e2e_test

import (
	"net/http"
	"strings"
	"testing"
)

// testCORS demands that any origin may read what the protocol answers, and never with credentials.
func testCORS(t *testing.T, s *server, app application) {
	got := s.grant(t, app)
	narrow := s.clientCredentials(t, app, "events").tokens(t)
	good := app.identify(refreshment(got.Refresh)).Encode()
	rows := []struct {
		name   string
		m      message
		status int
	}{
		{"a token answer", post(tokenPath, formType, good), http.StatusOK},
		{"a refused token request", post(tokenPath, formType, app.identify(nil).Encode()), http.StatusBadRequest},
		{"an unknown client", post(tokenPath, formType, "grant_type=client_credentials&client_id=x"), http.StatusUnauthorized},
		{"a body that is too long", post(tokenPath, formType, pad(good, bodyLimit+1)), http.StatusRequestEntityTooLarge},
		{"a token request by GET", get(tokenPath, ""), http.StatusMethodNotAllowed},
		{"a revocation", post(revokePath, formType, app.identify(nil).Encode()+"&token=unknown"), http.StatusOK},
		{"a refused revocation", post(revokePath, formType, "token=unknown"), http.StatusUnauthorized},
		{"me", get(mePath, got.Access), http.StatusOK},
		{"me without a token", get(mePath, ""), http.StatusUnauthorized},
		{"me without the scope", get(mePath, narrow.Access), http.StatusForbidden},
		{"discovery", get(discoveryPath, ""), http.StatusOK},
	}
	for _, row := range rows {
		t.Run(row.name+" can be read from any origin", func(t *testing.T) {
			t.Parallel()
			row.m.header.Set("Origin", "https://client.example")
			a := s.do(t, row.m)
			a.checkStatus(t, row.status)
			checkOpen(t, a)
		})
	}

	preflights := []struct{ path, method string }{
		{tokenPath, http.MethodPost}, {revokePath, http.MethodPost}, {mePath, http.MethodGet}, {discoveryPath, http.MethodGet},
	}
	for _, row := range preflights {
		t.Run("a preflight of "+row.path+" is answered", func(t *testing.T) {
			t.Parallel()
			a := s.do(t, message{method: http.MethodOptions, path: row.path, header: http.Header{
				"Origin":                         {"https://client.example"},
				"Access-Control-Request-Method":  {row.method},
				"Access-Control-Request-Headers": {"authorization,content-type"},
			}})
			if a.status != http.StatusNoContent && a.status != http.StatusOK {
				t.Errorf("status %d", a.status)
			}
			checkOpen(t, a)
			if methods := a.header.Get("Access-Control-Allow-Methods"); !strings.Contains(methods, row.method) || methods != a.header.Get("Allow") {
				t.Errorf("Access-Control-Allow-Methods is %q and Allow %q, want %s in both", methods, a.header.Get("Allow"), row.method)
			}
			headers := strings.ToLower(a.header.Get("Access-Control-Allow-Headers"))
			if !strings.Contains(headers, "authorization") || !strings.Contains(headers, "content-type") {
				t.Errorf("Access-Control-Allow-Headers is %q", headers)
			}
		})
	}

	for name, path := range map[string]string{
		"a browser page": "/auth/authorize?" + app.request().Encode(), "introspection": introspectPath, "check": checkPath + "?scope=profile",
	} {
		for _, method := range []string{http.MethodGet, http.MethodOptions, http.MethodPost} {
			t.Run(method+" of "+name+" cannot be read from another origin", func(t *testing.T) {
				t.Parallel()
				a := s.do(t, message{method: method, path: path, header: http.Header{
					"Origin": {"https://client.example"}, "Access-Control-Request-Method": {http.MethodGet},
				}})
				for name := range a.header {
					if strings.HasPrefix(name, "Access-Control-") {
						t.Errorf("%s: %s", name, a.header.Get(name))
					}
				}
			})
		}
	}
}

func checkOpen(t *testing.T, a answer) {
	t.Helper()
	if got := a.header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("Access-Control-Allow-Origin is %q, want *", got)
	}
	if a.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Error("credentials are allowed to other origins")
	}
	if got := a.header.Get("Access-Control-Expose-Headers"); got != "WWW-Authenticate, Retry-After" {
		t.Errorf("Access-Control-Expose-Headers is %q", got)
	}
}
