package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAnAnswerToAnUploadBeginsWhenAllOfItHasCome: net/http ends the connection of a form of
// which much is left unread, and a browser that still sends it shows no answer.
func TestAnAnswerToAnUploadBeginsWhenAllOfItHasCome(t *testing.T) {
	const issuer = "http://latchkey.example"
	guarded, err := guardBrowsers(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusSeeOther) }), nil, issuer)
	if err != nil {
		t.Fatal(err)
	}
	listening := httptest.NewServer(guarded)
	defer listening.Close()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, path := range []string{"/settings/profile/picture", "/settings/applications/some/logo"} {
		sent := strings.NewReader(strings.Repeat("x", 8<<20))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, listening.URL+path, sent)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		res, err := client.Do(req)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if res.StatusCode != http.StatusSeeOther || res.Close {
			t.Errorf("%s is answered %d, and the connection ends: %v", path, res.StatusCode, res.Close)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}
