package page

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/latchkey/latchkey/internal/oauth"
)

func TestPhonesLeaveWhatIsNoProseAsItIsTyped(t *testing.T) {
	account := &oauth.Account{Name: "Bob"}
	for name, c := range map[string]Content{
		"username":      Profile{Frame: Frame{Account: account}},
		"co-owner":      People{Frame: Frame{Account: account}, Owner: true},
		"tester":        People{Frame: Frame{Account: account}},
		"heir":          People{Frame: Frame{Account: account}, Owner: true},
		"redirect_uris": NewApplication{Frame: Frame{Account: account}},
		"scope-2":       FirstRun{Rows: []ScopeRow{{Number: 2}}},
		"email":         SignUp{},
	} {
		input := regexp.MustCompile(`<(input|textarea) id="` + name + `"[^>]*>`).FindString(rendered(t, c))
		if !strings.Contains(input, `autocapitalize="none"`) {
			t.Errorf("a phone capitalises what is typed into %s: %q", name, input)
		}
	}
}

func TestATitleSaysFirstThatAFormHasToBeMended(t *testing.T) {
	for status, want := range map[int]string{
		http.StatusOK:                  "<title>Create your account · Tide &amp; Water</title>",
		http.StatusUnprocessableEntity: "<title>Error: Create your account · Tide &amp; Water</title>",
	} {
		body := answered(t, status, SignUp{Frame: Frame{Title: oauth.Say("Create your account")}})
		if !strings.Contains(body, want) {
			t.Errorf("with %d, %q is not on the page:\n%.600s", status, want, body)
		}
	}
}
