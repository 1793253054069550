package admin

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"

	"github.com/latchkey/latchkey/internal/account"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
)

// FirstRun is what an empty platform is set up with in the browser.
type FirstRun struct {
	// Name and Permissions are those of the configuration file, which wins; empty where
	// it has none.
	Name        string
	Permissions []oauth.Permission
	// Begin makes this server go by what was said.
	Begin func(context.Context, oauth.Platform) error
	// Secure cookies are for an issuer that is https.
	Secure bool
}

// The key of the link goes from the URL, which is shown and remembered, into a cookie of
// the one page that needs it.
const (
	firstRunCookie = "latchkey_first_run"
	firstRunPath   = "/first-run"
	firstRunLife   = 3600 // seconds
)

func (a *Admin) keepFirstRunKey(w http.ResponseWriter, key string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: firstRunCookie, Value: key, Path: firstRunPath, MaxAge: maxAge,
		HttpOnly: true, Secure: a.FirstRun.Secure, SameSite: http.SameSiteLaxMode,
	})
}

// firstRunKey finds the key that a browser has, and reports whether it counts. Where it
// does not, the answer is given.
func (a *Admin) firstRunKey(w http.ResponseWriter, r *http.Request) (oauth.Hash, bool) {
	key := r.URL.Query().Get("key")
	if cookie, err := r.Cookie(firstRunCookie); key == "" && err == nil {
		key = cookie.Value
	}
	hash := oauth.HashFirstRunKey(key)
	open, err := a.Store.FirstRun(r.Context(), hash)
	switch {
	case err != nil:
		a.Door.Fail(w, r, err)
	case !open:
		a.refuseFirstRun(w, r)
	}
	return hash, err == nil && open
}

// refuseFirstRun hides the page as soon as the platform has an administrator.
func (a *Admin) refuseFirstRun(w http.ResponseWriter, r *http.Request) {
	administered, err := a.Store.Administered(r.Context())
	switch {
	case err != nil:
		a.Door.Fail(w, r, err)
	case administered:
		a.Pages.Write(w, r, http.StatusNotFound, page.NoSuchPage())
	default:
		a.Pages.Write(w, r, http.StatusForbidden, page.Problem{
			Frame:  page.Frame{Title: oauth.Say("This link does not count")},
			Person: oauth.Say("Open the link that the server printed when it was started last, in its line “first run”."),
		})
	}
}

func (a *Admin) showFirstRun(w http.ResponseWriter, r *http.Request) {
	if _, open := a.firstRunKey(w, r); !open {
		return
	}
	if key := r.URL.Query().Get("key"); key != "" {
		a.keepFirstRunKey(w, key, firstRunLife)
		w.Header().Set("Cache-Control", "no-store")
		page.Redirect(w, firstRunPath)
		return
	}
	content := a.firstRunPage()
	content.Sentence = a.Pages.LanguageOf(r).Plain(oauth.Say("See your name, picture and email address"))
	a.Pages.Write(w, r, http.StatusOK, content)
}

// firstRunScopes is how many scopes there is room for beside profile.
const firstRunScopes = 3

func (a *Admin) firstRunPage() page.FirstRun {
	content := page.FirstRun{
		Frame:     page.Frame{Title: oauth.Say("Set up your platform")},
		FixedName: a.FirstRun.Name, Fixed: a.FirstRun.Permissions, Problems: map[string]oauth.Sentence{},
	}
	for i := range firstRunScopes {
		content.Rows = append(content.Rows, page.ScopeRow{Number: i + 2})
	}
	return content
}

func (a *Admin) setUp(w http.ResponseWriter, r *http.Request) {
	key, open := a.firstRunKey(w, r)
	if !open {
		return
	}
	content := a.firstRunPage()
	platform := a.postedPlatform(r, &content)
	content.Name, content.Email = r.PostFormValue("name"), r.PostFormValue("email")
	first := account.Registration{Name: content.Name, Email: content.Email, Password: r.PostFormValue("password")}
	if wrong := first.Wrong(); wrong != nil {
		_, beside := signin.Problems(wrong)
		maps.Copy(content.Problems, beside)
	}
	if len(content.Problems) > 0 {
		a.Pages.Write(w, r, http.StatusUnprocessableEntity, content)
		return
	}
	person, problem, err := a.Door.SetUp(w, r, key, platform, first)
	switch {
	case errors.Is(err, account.ErrNotFound):
		a.refuseFirstRun(w, r)
		return
	case problem != nil:
		content.Problems[problem.Field] = problem.Message
		a.Pages.Write(w, r, http.StatusUnprocessableEntity, content)
		return
	case err == nil:
		err = a.FirstRun.Begin(person.Acting(r).Context(), platform)
	}
	if err != nil {
		a.Door.Fail(w, r, err)
		return
	}
	a.keepFirstRunKey(w, "", -1)
	a.Door.LeadTo(w, "/admin", "set-up")
}

// postedPlatform reads what was said of the platform; what is wrong is in the problems
// of the page.
func (a *Admin) postedPlatform(r *http.Request, content *page.FirstRun) (p oauth.Platform) {
	if a.FirstRun.Name == "" {
		var wrong oauth.Sentence
		content.Platform = r.PostFormValue("platform")
		if p.Name, wrong = oauth.CleanName(content.Platform); !wrong.IsZero() {
			content.Problems["platform"] = wrong
		}
	}
	if len(a.FirstRun.Permissions) > 0 {
		return p
	}
	content.Sentence = r.PostFormValue("sentence")
	p.Permissions = append(p.Permissions, postedScope(string(oauth.ProfileScope), content.Sentence, "", "sentence", content.Problems, ""))
	known := oauth.ProfileScope
	for i := range content.Rows {
		row := &content.Rows[i]
		row.Name, row.Sentence = strings.TrimSpace(r.PostFormValue(row.NameField())), r.PostFormValue(row.SentenceField())
		if row.Name == "" && strings.TrimSpace(row.Sentence) == "" {
			continue
		}
		p.Permissions = append(p.Permissions, postedScope(row.Name, row.Sentence, row.NameField(), row.SentenceField(), content.Problems, known))
		known = known.With(oauth.ScopeOf(row.Name))
	}
	return p
}

// postedScope checks the name and the sentence of a scope.
func postedScope(name, sentence, nameField, sentenceField string, problems map[string]oauth.Sentence, known oauth.Scope) oauth.Permission {
	parsed, refusal := oauth.ParseScope(name)
	switch {
	case refusal != nil || len(parsed.Tokens()) != 1:
		problems[nameField] = oauth.Say("Use one word without spaces, such as events or events:read.")
	case known.Has(name):
		problems[nameField] = oauth.Say("This scope is there already.")
	}
	clean, wrong := oauth.CleanName(sentence)
	if !wrong.IsZero() {
		problems[sentenceField] = oauth.Say("Write what an application may do then, in at most %d characters.", oauth.MaxName)
	}
	return oauth.Permission{Name: name, Description: clean}
}
