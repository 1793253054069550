package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/latchkey/latchkey/internal/endpoint"
	"github.com/latchkey/latchkey/internal/usage"
)

func TestWhatATrustedProxyWasAskedWithoutTLSIsRefusedUnread(t *testing.T) {
	proxies := netip.MustParsePrefix("10.0.0.0/8")
	const secure = "https://id.example"
	f, open := furnishedAs(t, secure, proxies), furnishedAs(t, "http://127.0.0.1:8080", proxies)
	const form = "email=eve%40example.com&password=secret&grant_type=client_credentials"
	for _, c := range []struct {
		method, path string
		plain, other int
	}{
		{http.MethodPost, "/irk/oauth/token", 400, 401},
		{http.MethodPost, "/irk/oauth%2Ftoken", 400, 404},
		{http.MethodPost, "/irk/oauth/revoke", 400, 401},
		{http.MethodPost, "/irk/oauth/introspect", 400, 401},
		{http.MethodGet, "/irk/oauth/check?scope=profile", 400, 401},
		{http.MethodGet, "/irk/api/v1/me", 400, 401},
		{http.MethodGet, "/.well-known/oauth-authorization-server", 400, 200},
		{http.MethodPost, "/sign-in", 400, 422},
		{http.MethodPost, "//sign-in", 400, 404},
		{http.MethodGet, "/sign-in?x=y", 308, 200},
		{http.MethodHead, "/sign-in?x=y", 308, 200},
		{http.MethodGet, "/pictures/x", 308, 404},
		{http.MethodHead, "/pictures/x", 308, 404},
		{http.MethodPost, "/pictures/x", 400, 404},
		{http.MethodGet, "/healthz", 200, 200},
		{http.MethodGet, "/readyz", 200, 200},
	} {
		ask := func(f *field, peer, proto string) (*http.Response, bool) {
			body := strings.NewReader(form)
			r := httptest.NewRequest(c.method, c.path, body)
			r.RemoteAddr = peer
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("X-Forwarded-Proto", proto)
			w := httptest.NewRecorder()
			f.server.ServeHTTP(w, r)
			return w.Result(), body.Len() < len(form)
		}
		got, read := ask(f, "10.0.0.1:1", "http")
		if got.StatusCode != c.plain || read || got.Header.Get("Strict-Transport-Security") != "" || len(got.Cookies()) > 0 {
			t.Errorf("%s %s: %d, read: %v, %v", c.method, c.path, got.StatusCode, read, got.Header)
		}
		if to := got.Header.Get("Location"); (c.plain == 308) != (to == secure+c.path) {
			t.Errorf("%s %s leads to %q", c.method, c.path, to)
		}
		if strings.HasPrefix(got.Header.Get("Content-Type"), "application/json") {
			var told struct {
				Error       string `json:"error"`
				Description string `json:"error_description"`
			}
			if err := json.NewDecoder(got.Body).Decode(&told); err != nil || told.Error != "invalid_request" || !strings.Contains(told.Description, "TLS") {
				t.Errorf("%s %s: %+v, %v", c.method, c.path, told, err)
			}
		}
		for name, ask := range map[string]func() (*http.Response, bool){
			"with TLS":                 func() (*http.Response, bool) { return ask(f, "10.0.0.1:1", "https") },
			"from somebody else":       func() (*http.Response, bool) { return ask(f, "192.0.2.1:1", "http") },
			"where the issuer is http": func() (*http.Response, bool) { return ask(open, "10.0.0.1:1", "http") },
		} {
			if got, _ := ask(); got.StatusCode != c.other {
				t.Errorf("%s, %s %s: %d; want %d", name, c.method, c.path, got.StatusCode, c.other)
			}
		}
	}
}

// TestAnOldBrowserIsKnownByItsOrigin where a proxy does not hand on the Host.
func TestAnOldBrowserIsKnownByItsOrigin(t *testing.T) {
	for _, c := range []struct {
		issuer, origin string
		status         int
	}{
		{"https://id.example", "https://id.example", 422},
		{"https://id.example:443", "https://id.example", 422},
		{"https://id.example:8443", "https://id.example:8443", 422},
		{"https://id.example:8443", "https://id.example", 403},
		{"https://id.example:80", "https://id.example", 403},
		{"https://id.example", "https://evil.example", 403},
		{"http://127.0.0.1:80", "http://127.0.0.1", 422},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.2:8080/sign-in", strings.NewReader("email="))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", c.origin)
		w := httptest.NewRecorder()
		furnishedAs(t, c.issuer).server.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("a form from %s at %s is answered %d, want %d", c.origin, c.issuer, w.Code, c.status)
		}
	}
}

func TestTargetsThatAreNoPathAreAnsweredWithPages(t *testing.T) {
	proxies := netip.MustParsePrefix("10.0.0.0/8")
	f := furnishedAs(t, "https://id.example", proxies)
	for _, c := range []struct {
		line          string
		status, plain int
	}{
		{"GET http://id.example", 303, 308},
		{"POST http://id.example", 405, 400},
		{"GET x:.evil.example/", 404, 400},
		{"POST x:.evil.example/", 404, 400},
		{"GET *", 404, 400},
		{"CONNECT evil.example:443", 405, 400},
	} {
		for proto, status := range map[string]int{"https": c.status, "http": c.plain} {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(c.line + " HTTP/1.1\r\nHost: id.example\r\n\r\n")))
			if err != nil {
				t.Fatal(err)
			}
			r.RemoteAddr = "10.0.0.1:1"
			r.Header.Set("X-Forwarded-Proto", proto)
			w := httptest.NewRecorder()
			f.server.ServeHTTP(w, r)
			got := w.Result()
			to := got.Header.Get("Location")
			if got.StatusCode != status || got.Header.Get("Content-Security-Policy") == "" || strings.Contains(to, "evil") || to != "" && got.StatusCode >= 400 {
				t.Errorf("%s over %s: %d, %v", c.line, proto, got.StatusCode, got.Header)
			}
		}
	}
}

func TestAnEmptyAuthorizationHeaderIsNone(t *testing.T) {
	f := furnished(t)
	for secret, status := range map[string]int{f.secret: http.StatusOK, "wrong": http.StatusUnauthorized} {
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {f.application.ClientID}, "client_secret": {secret}}
		r := httptest.NewRequest(http.MethodPost, "/irk/oauth/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header["Authorization"] = []string{""}
		w := httptest.NewRecorder()
		f.server.ServeHTTP(w, r)
		if w.Code != status || strings.Contains(w.Body.String(), "Authorization header") {
			t.Errorf("%d, %v: %s; want %d", w.Code, w.Header(), w.Body, status)
		}
	}
}

func TestABodyThatIsRefusedForWhatIsAnnouncedIsNotRead(t *testing.T) {
	f := furnished(t)
	for name, c := range map[string]struct {
		size             int
		mediaType, ahead string
		status           int
	}{
		"too large":                            {64<<10 + 1, "application/x-www-form-urlencoded", "", http.StatusRequestEntityTooLarge},
		"of another type, and not sent before": {100, "text/plain", "100-continue", http.StatusBadRequest},
	} {
		body := strings.NewReader(strings.Repeat("x", c.size))
		r := httptest.NewRequest(http.MethodPost, "/irk/oauth/token", body)
		r.Header.Set("Content-Type", c.mediaType)
		r.Header.Set("Expect", c.ahead)
		w := httptest.NewRecorder()
		f.server.ServeHTTP(w, r)
		if w.Code != c.status || body.Len() != c.size {
			t.Errorf("%s: %d, %d of %d bytes are left: %s", name, w.Code, body.Len(), c.size, w.Body)
		}
	}
}

// TestAClientThatSaysNoMoreIsAnsweredAllTheSame: its context has ended, as that of one that left.
func TestAClientThatSaysNoMoreIsAnsweredAllTheSame(t *testing.T) {
	f := furnished(t)
	tokens := endpoint.New(f.house.grants, f.house.meter, "https://id.example", endpoint.DefaultPaths(), slog.New(slog.DiscardHandler)).Token()
	gone, leave := context.WithCancel(t.Context())
	leave()
	for _, c := range []struct {
		grant, code string
		status      int
		retry       string
	}{
		{"password", "unsupported_grant_type", http.StatusBadRequest, ""},
		{"client_credentials", "temporarily_unavailable", http.StatusServiceUnavailable, "2"},
	} {
		r := f.post(t, "/irk/oauth/token", map[string]string{"grant_type": c.grant}).WithContext(gone)
		w := httptest.NewRecorder()
		tokens.ServeHTTP(w, r)
		if w.Code != c.status || w.Header().Get("Retry-After") != c.retry || !strings.Contains(w.Body.String(), c.code) {
			t.Errorf("%s: %d, %v: %s", c.grant, w.Code, w.Header(), w.Body)
		}
	}
	noted, _, err := f.house.meter.Refusals(t.Context(), f.application.ID, usage.Page{Limit: 10})
	if err != nil || len(noted) != 1 || noted[0].Code != "unsupported_grant_type" {
		t.Errorf("noted is %v, %v", noted, err)
	}
}
