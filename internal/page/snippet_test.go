package page

import (
	"go/format"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/latchkey/latchkey/internal/oauth"
)

func TestCodeAsksForNoMoreThanItMay(t *testing.T) {
	pages := newPages(t)
	const callback, me = "https://own.example/callback", "https://id.example/me"
	for _, row := range []struct {
		redirect string
		scope    oauth.Scope
		want     string
		asksMe   bool
	}{
		{callback, "profile events", "events", true},
		{callback, "events", "events", false},
		{"", "profile events", "-d grant_type=client_credentials \\\n  --data-urlencode 'scope=profile events'\n", true},
		{"", "events", "-d grant_type=client_credentials \\\n  --data-urlencode 'scope=events'\n", false},
	} {
		for _, public := range []bool{false, true} {
			all, err := pages.Snippets(Flow{Endpoints: Endpoints{Me: me}, RedirectURI: row.redirect, Scope: row.scope, Public: public})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range all {
				if !strings.Contains(s.Code, row.want) || strings.Contains(s.Code, me) != row.asksMe {
					t.Errorf("%s for the scope %q has no %q, or whether it asks who the person is is not %v:\n%s", s.Language, row.scope, row.want, row.asksMe, s.Code)
				}
				if formatted, err := format.Source([]byte(s.Code)); s.ID == "go" && (err != nil || string(formatted) != s.Code) {
					t.Errorf("gofmt would change the Go (%v):\n%s", err, s.Code)
				}
			}
		}
	}
}

func TestThePHPSaysWhyThereIsNoAnswer(t *testing.T) {
	if exec.CommandContext(t.Context(), "php", "-r", "curl_init();").Run() != nil {
		t.Skip("there is no php with curl")
	}
	pages := newPages(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	all, err := pages.Snippets(Flow{Endpoints: Endpoints{Me: gone.URL}, RedirectURI: "https://own.example/callback", Scope: "profile"})
	if err != nil {
		t.Fatal(err)
	}
	code := all[slices.IndexFunc(all, func(s Snippet) bool { return s.ID == "php" })].Code
	file := filepath.Join(t.TempDir(), "login.php")
	if err := os.WriteFile(file, []byte(code+"try { me('token'); } catch (Exception $e) { echo $e->getMessage(); }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := exec.CommandContext(t.Context(), "php", file).CombinedOutput()
	if err != nil || !strings.Contains(string(said), "connect") {
		t.Errorf("it says %s (%v)", said, err)
	}
}
