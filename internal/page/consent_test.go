package page

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

func newPages(t *testing.T) *Pages {
	t.Helper()
	pages, err := New(Brand{Name: "Tide & Water"}, false, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// rendered is the body of a page as it is answered.
func rendered(t *testing.T, c Content) string {
	t.Helper()
	return answered(t, http.StatusOK, c)
}

func answered(t *testing.T, status int, c Content) string {
	t.Helper()
	w := httptest.NewRecorder()
	newPages(t).Write(w, httptest.NewRequest(http.MethodGet, "/auth/authorize", nil), status, c)
	return w.Body.String()
}

func TestConsentShowsWhoAsks(t *testing.T) {
	plain := oauth.Application{Name: "Tidepool", OwnerName: "Ada"}
	full := oauth.Application{
		Name: "Tidepool", OwnerName: "Ada", Logo: "0198", VerifiedAt: time.Unix(1, 0),
		Site: "https://a.example", Privacy: "https://a.example/privacy", Terms: "https://a.example/terms",
	}
	for name, c := range map[string]struct {
		application  oauth.Application
		wants, never []string
	}{
		"without anything of its own": {
			plain, []string{`<span class="tile" aria-hidden="true">T</span>`, "not verified by Tide &amp; Water"}, []string{"/pictures/", "Privacy policy", "Terms of service"},
		},
		"with everything": {
			full, []string{
				`<img class="tile" src="/pictures/0198" alt=""`, ">verified by Tide &amp; Water<", `href="https://a.example"`,
				`href="https://a.example/privacy"`, `href="https://a.example/terms"`,
			}, []string{"not verified"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			body := rendered(t, Consent{Frame: Frame{Account: &oauth.Account{Name: "Bob"}}, Application: c.application})
			for _, want := range c.wants {
				if !strings.Contains(body, want) {
					t.Errorf("%q is not on the page:\n%s", want, body)
				}
			}
			for _, never := range c.never {
				if strings.Contains(body, never) {
					t.Errorf("%q is on the page:\n%s", never, body)
				}
			}
		})
	}
}

func TestSigningInForAnApplicationShowsIt(t *testing.T) {
	asker := &Asker{Name: "Tidepool", Logo: "0198", Host: "a.example"}
	for name, c := range map[string]Content{"sign-in": SignIn{Application: asker}, "sign-up": SignUp{Application: asker}} {
		for _, want := range []string{`src="/pictures/0198"`, "to continue to <strong>Tidepool</strong>", ">a.example<"} {
			if body := rendered(t, c); !strings.Contains(body, want) {
				t.Errorf("%q is not on the page for %s:\n%s", want, name, body)
			}
		}
	}
}
