package portal

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/latchkey/latchkey/internal/application"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
)

// developerRoutes are the pages about the applications of a developer.
func (p *Portal) developerRoutes() map[string]handler {
	return map[string]handler{
		"GET /settings/applications":                    p.listApplications,
		"GET /settings/applications/new":                p.showNewApplication,
		"POST /settings/applications/new":               p.register,
		"GET /settings/applications/check-redirect-uri": p.checkRedirectURI,
		"GET /settings/applications/{id}":               p.managed(p.showApplication),
		"POST /settings/applications/{id}/secret":       p.managed(p.rotateSecret),
		"POST /settings/applications/{id}/secret/end":   p.managed(p.endSecret),
		"GET /settings/applications/{id}/settings":      p.managed(p.showSettings),
		"POST /settings/applications/{id}/settings":     p.managed(p.edit),
		"POST /settings/applications/{id}/logo":         p.managed(p.changeLogo),
		"POST /settings/applications/{id}/logo/remove":  p.managed(p.removeLogo),
		"POST /settings/applications/{id}/delete":       p.delete,
		"GET /settings/applications/{id}/usage":         p.managed(p.showUsage),
		"GET /settings/applications/{id}/errors":        p.managed(p.showErrors),
		"GET /settings/applications/{id}/try":           p.managed(p.showTry),
		"GET /settings/applications/{id}/try/callback":  p.managed(p.showTryCallback),
		"POST /settings/applications/{id}/try/{step}":   p.managed(p.tryStep),
	}
}

// applicationsShown is how many applications one page lists; from searchFrom on they can
// be searched.
const applicationsShown, searchFrom = 50, 8

func (p *Portal) listApplications(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	text := strings.TrimSpace(r.URL.Query().Get("q"))
	// What is no id is the same as none.
	before, _ := oauth.ParseID(r.URL.Query().Get("before"))
	found, err := p.Applications.Managed(r.Context(), person.Account.ID, text, before, applicationsShown+1)
	if err != nil {
		return err
	}
	content := page.Applications{
		Frame: frame(r, person, "applications", oauth.Say("OAuth applications")), Applications: found,
		Search: text, Searchable: text != "" || !before.IsZero() || len(found) >= searchFrom,
	}
	if len(found) > applicationsShown {
		content.Applications = found[:applicationsShown]
		content.Next = "?" + url.Values{"q": {text}, "before": {found[applicationsShown-1].ID.String()}}.Encode()
	}
	if content.Offers, err = p.Applications.InRole(r.Context(), person.Account.ID, oauth.RoleHeir); err != nil {
		return err
	}
	p.Pages.Write(w, r, http.StatusOK, content)
	return nil
}

func (p *Portal) showNewApplication(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	catalogue := p.Grants.Catalogue()
	p.writeNewApplication(w, r, person, http.StatusOK, page.ApplicationForm{Choices: p.choices(catalogue.Default, "", "", person)})
	return nil
}

func (p *Portal) writeNewApplication(w http.ResponseWriter, r *http.Request, person *signin.Person, status int, form page.ApplicationForm) {
	p.Pages.Write(w, r, status, page.NewApplication{Frame: frame(r, person, "applications", oauth.Say("New application")), Form: form})
}

// choices lists the scopes: those that are chosen, those of them that people may leave
// out, and those that an administrator has to allow first.
func (p *Portal) choices(chosen, optional, has oauth.Scope, person *signin.Person) []page.Choice {
	var all []page.Choice
	for _, permission := range p.Grants.Catalogue().Permissions {
		locked := permission.NeedsApproval && !has.Has(permission.Name) && !person.Account.Administrator
		all = append(all, page.Choice{Permission: permission, Chosen: chosen.Has(permission.Name), Optional: optional.Has(permission.Name), Locked: locked})
	}
	return all
}

// posted reads the form of an application.
func (p *Portal) posted(r *http.Request, has oauth.Scope, person *signin.Person) (application.Details, page.ApplicationForm) {
	d := application.Details{
		Name: r.PostFormValue("name"), Site: r.PostFormValue("site"),
		Privacy: r.PostFormValue("privacy"), Terms: r.PostFormValue("terms"),
		RedirectURIs: strings.Fields(r.PostFormValue("redirect_uris")),
	}
	// A configured scope is there once, however often it came. Any other is refused as unknown.
	configured := p.Grants.Configured()
	ticked := func(boxes string) oauth.Scope { return oauth.Scope(strings.Join(r.PostForm[boxes], " ")) }
	d.Scope = configured.Within(ticked("scope")).With(ticked("scope").Without(configured))
	// What is not asked for cannot be left out.
	d.OptionalScope = configured.Within(ticked("optional_scope")).Within(d.Scope)
	form := p.formOf(d, r.PostFormValue("seen"), has, person)
	form.RedirectURIs, form.Public = r.PostFormValue("redirect_uris"), r.PostFormValue("kind") == "public"
	return d, form
}

// formOf shows details, beside those that were seen, of an application that has a scope.
func (p *Portal) formOf(d application.Details, seen string, has oauth.Scope, person *signin.Person) page.ApplicationForm {
	return page.ApplicationForm{
		Name: d.Name, Site: d.Site, Privacy: d.Privacy, Terms: d.Terms, RedirectURIs: strings.Join(d.RedirectURIs, "\n"),
		Choices: p.choices(d.Scope, d.OptionalScope, has, person), Seen: seen,
	}
}

func (p *Portal) register(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	details, form := p.posted(r, "", person)
	var noRedirectURI, noScope *application.Problem
	if len(details.RedirectURIs) == 0 {
		noRedirectURI = errNoRedirectURI()
	}
	// Who sends no scope at all gets the default; the form sends an empty one beside its boxes.
	if r.PostForm.Has("scope") && details.Scope == "" {
		noScope = application.ErrNoScope()
	}
	if missing := oauth.Together(noRedirectURI, noScope); missing != nil {
		wrong := p.Applications.Wrong(details, form.Public, "", person.Account.Administrator)
		form.Problems = problems(oauth.Together(wrong, missing))
		p.writeNewApplication(w, r, person, http.StatusUnprocessableEntity, form)
		return nil
	}
	a, secret, err := p.Applications.Register(r.Context(), application.Registration{
		Details: details, Owner: person.Account, Public: form.Public,
	}, person.Account.Administrator)
	if form.Problems = problems(err); form.Problems != nil {
		p.writeNewApplication(w, r, person, http.StatusUnprocessableEntity, form)
		return nil
	}
	if err != nil {
		return err
	}
	p.keepSecretForOnce(w, a.ClientID, secret)
	page.Redirect(w, applicationPath(a.ClientID))
	return nil
}

// errNoRedirectURI: in the portal an application is for people's approval.
func errNoRedirectURI() *application.Problem {
	return &application.Problem{Field: "redirect_uris", Message: oauth.Say("Enter at least one redirect URL.")}
}

// problems are what a developer can mend, by the field; nil where an error is none of that.
func problems(err error) map[string]oauth.Sentence {
	var problem *application.Problem
	if !errors.As(err, &problem) {
		return nil
	}
	_, beside := signin.Problems(problem)
	return beside
}

func applicationPath(clientID string) string { return "/settings/applications/" + clientID }

// showApplication shows what a developer begins with.
func (p *Portal) showApplication(w http.ResponseWriter, r *http.Request, person *signin.Person, a oauth.Application) error {
	flow := page.Flow{Endpoints: p.Endpoints, ClientID: a.ClientID, Public: a.Public}
	allowed := p.Grants.Allowed(a)
	if len(a.RedirectURIs) > 0 {
		flow.RedirectURI = a.RedirectURIs[0]
	} else {
		allowed = allowed.Within(p.Grants.Catalogue().ForApplicationsAlone())
	}
	flow.Scope = p.Grants.Catalogue().Usual(allowed)
	var snippets []page.Snippet
	if flow.RedirectURI != "" || flow.Scope != "" {
		var err error
		if snippets, err = p.Pages.Snippets(flow); err != nil {
			return err
		}
	}
	content := page.Application{
		Frame: frame(r, person, "applications", oauth.Say("%s", a.Name)), Tabs: page.TabsOf(a, "overview"), Application: a,
		Secret: p.takeSecret(w, r, a), Previous: previousSecret(a, p.Now()),
		Endpoints: p.Endpoints, Challenged: p.Grants.NeedsChallenge(a), Snippets: snippets,
		Review: page.ReviewOf(a, p.Grants.ReviewRequired(), p.Grants.Catalogue()),
	}
	if flow.RedirectURI != "" {
		content.Request = exampleRequest(flow, content.Challenged)
	}
	p.Pages.Write(w, r, http.StatusOK, content)
	return nil
}

// exampleRequest completes an authorization request with what code draws anew each
// time; the challenge is the example of RFC 7636, appendix B.
func exampleRequest(flow page.Flow, challenged bool) string {
	rest := []oauth.Parameter{{Name: "state", Value: "example-state"}}
	if challenged {
		rest = append(rest, oauth.Parameter{Name: "code_challenge", Value: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
			oauth.Parameter{Name: "code_challenge_method", Value: "S256"})
	}
	return oauth.AddToRedirectURI(flow.Request(), rest...)
}
