package oauth_test

import (
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

func TestAnApplicationKeepsTheMarkWhileItIsWhatWasLookedAt(t *testing.T) {
	looked := oauth.Application{
		Name: "App", Logo: "1", Site: "https://app.example", RedirectURIs: []string{"https://app.example/callback"}, VerifiedAt: time.Unix(1, 0),
	}
	for name, test := range map[string]struct {
		change func(*oauth.Application)
		keeps  bool
	}{
		"nothing":                        {func(*oauth.Application) {}, true},
		"another path of the same host":  {func(a *oauth.Application) { a.RedirectURIs = []string{"https://app.example/other"} }, true},
		"another site":                   {func(a *oauth.Application) { a.Site = "" }, true},
		"another name":                   {func(a *oauth.Application) { a.Name = "Bank" }, false},
		"another logo":                   {func(a *oauth.Application) { a.Logo = "2" }, false},
		"no logo":                        {func(a *oauth.Application) { a.Logo = "" }, false},
		"a further host":                 {func(a *oauth.Application) { a.RedirectURIs = append(a.RedirectURIs, "https://b.example/") }, false},
		"another host instead":           {func(a *oauth.Application) { a.RedirectURIs = []string{"https://b.example/callback"} }, false},
		"another port, which is another": {func(a *oauth.Application) { a.RedirectURIs = []string{"https://app.example:1/callback"} }, false},
	} {
		edited := looked
		edited.RedirectURIs = append([]string{}, looked.RedirectURIs...)
		test.change(&edited)
		if keeps := edited.Remarked(looked).Verified(); keeps != test.keeps {
			t.Errorf("%s: the mark is kept is %v, want %v", name, keeps, test.keeps)
		}
	}
}

func TestALogoIsPartOfWhatPeopleApproved(t *testing.T) {
	a := oauth.Application{Name: "App"}
	b := a
	b.Logo = "1"
	if a.Identity() == b.Identity() {
		t.Error("an application with a logo is the same as one without")
	}
}
