package portal

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/application"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
)

func (p *Portal) listApplications(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	all, err := p.Applications.Of(r.Context(), person.Account.ID)
	if err != nil {
		return err
	}
	p.Pages.Write(w, r, http.StatusOK, page.Applications{Frame: frame(r, person, "applications", oauth.Say("OAuth applications")), Applications: all})
	return nil
}

func (p *Portal) showNewApplication(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	catalogue := p.Grants.Catalogue()
	p.writeNewApplication(w, r, person, http.StatusOK, page.ApplicationForm{Choices: p.choices(catalogue.Default, "", person)})
	return nil
}

func (p *Portal) writeNewApplication(w http.ResponseWriter, r *http.Request, person *signin.Person, status int, form page.ApplicationForm) {
	p.Pages.Write(w, r, status, page.NewApplication{Frame: frame(r, person, "applications", oauth.Say("New application")), Form: form})
}

// choices lists the scopes: those that are chosen, and those that an
// administrator has to allow first.
func (p *Portal) choices(chosen, has oauth.Scope, person *signin.Person) []page.Choice {
	var all []page.Choice
	for _, permission := range p.Grants.Catalogue().Permissions {
		locked := permission.NeedsApproval && !has.Has(permission.Name) && !person.Account.Administrator
		all = append(all, page.Choice{Permission: permission, Chosen: chosen.Has(permission.Name), Locked: locked})
	}
	return all
}

// posted reads the form of an application.
func (p *Portal) posted(r *http.Request, has oauth.Scope, person *signin.Person) (application.Details, page.ApplicationForm) {
	d := application.Details{
		Name:         r.PostFormValue("name"),
		Site:         r.PostFormValue("site"),
		RedirectURIs: strings.Fields(r.PostFormValue("redirect_uris")),
	}
	// A scope that cannot be read is none of the configured ones, and refused as that.
	d.Scope = oauth.Scope(strings.Join(r.PostForm["scope"], " "))
	if parsed, refusal := oauth.ParseScope(string(d.Scope)); refusal == nil {
		d.Scope = parsed
	}
	form := page.ApplicationForm{
		Name: d.Name, Site: d.Site, RedirectURIs: r.PostFormValue("redirect_uris"),
		Public: r.PostFormValue("kind") == "public", Choices: p.choices(d.Scope, has, person),
	}
	return d, form
}

func (p *Portal) register(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	details, form := p.posted(r, "", person)
	if len(details.RedirectURIs) == 0 {
		form.Problems = problems(errNoRedirectURI())
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
	redirect(w, applicationPath(a.ClientID))
	return nil
}

// errNoRedirectURI: in the portal an application is for people's approval.
func errNoRedirectURI() error {
	return &application.Problem{Field: "redirect_uris", Message: oauth.Say("Enter at least one redirect URL.")}
}

func problems(err error) map[string]oauth.Sentence {
	var problem *application.Problem
	if !errors.As(err, &problem) {
		return nil
	}
	return map[string]oauth.Sentence{problem.Field: problem.Message}
}

func applicationPath(clientID string) string { return "/settings/applications/" + clientID }

func (p *Portal) showApplication(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	a, err := p.Applications.OwnedBy(r.Context(), person.Account.ID, r.PathValue("id"))
	if err != nil {
		return err
	}
	p.writeApplication(w, r, person, http.StatusOK, a, page.ApplicationForm{
		Name: a.Name, Site: a.Site, RedirectURIs: strings.Join(a.RedirectURIs, "\n"), Public: a.Public, Choices: p.choices(a.Scope, a.Scope, person),
	})
	return nil
}

func (p *Portal) writeApplication(w http.ResponseWriter, r *http.Request, person *signin.Person, status int, a oauth.Application, form page.ApplicationForm) {
	p.Pages.Write(w, r, status, page.Application{
		Frame: frame(r, person, "applications", oauth.Say("%s", a.Name)), Tabs: page.TabsOf(a, "overview"), Form: form, Application: a,
		Secret: p.takeSecret(w, r, a), PreviousSecret: p.Now().Before(a.PreviousSecretEndsAt),
		Issuer: p.Issuer, Authorize: p.Authorize, Token: p.Token,
	})
}

func (p *Portal) edit(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	a, err := p.Applications.OwnedBy(r.Context(), person.Account.ID, r.PathValue("id"))
	if err != nil {
		return err
	}
	details, form := p.posted(r, a.Scope, person)
	if len(details.RedirectURIs) == 0 {
		err = errNoRedirectURI()
	} else {
		_, err = p.Applications.Edit(r.Context(), a.ID, person.Account.Administrator, func(present application.Details) application.Details {
			details.OptionalScope = present.OptionalScope.Within(details.Scope)
			return details
		})
	}
	if form.Problems = problems(err); form.Problems != nil {
		p.writeApplication(w, r, person, http.StatusUnprocessableEntity, a, form)
		return nil
	}
	if err != nil {
		return err
	}
	redirect(w, applicationPath(a.ClientID)+"?done=saved")
	return nil
}

func (p *Portal) rotateSecret(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	a, err := p.Applications.OwnedBy(r.Context(), person.Account.ID, r.PathValue("id"))
	if err != nil {
		return err
	}
	overlap := application.SecretOverlap
	if chosen, err := time.ParseDuration(r.PostFormValue("overlap")); err == nil && chosen >= 0 && chosen <= 30*24*time.Hour {
		overlap = chosen
	}
	secret, err := p.Applications.RotateSecret(r.Context(), a, overlap)
	if problems(err) != nil {
		redirect(w, applicationPath(a.ClientID))
		return nil
	}
	if err != nil {
		return err
	}
	p.keepSecretForOnce(w, a.ClientID, secret)
	redirect(w, applicationPath(a.ClientID))
	return nil
}

func (p *Portal) delete(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	a, err := p.Applications.OwnedBy(r.Context(), person.Account.ID, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := p.Applications.Delete(r.Context(), a.ID); err != nil {
		return err
	}
	redirect(w, "/settings/applications?done=deleted")
	return nil
}

// A new secret travels to the page that shows it in a cookie of the developer's
// own browser, which that page deletes: the server keeps it nowhere, and a
// reload of the page shows it no more.
const secretCookie = "latchkey_secret"

func (p *Portal) keepSecretForOnce(w http.ResponseWriter, clientID, secret string) {
	if secret != "" {
		p.setSecretCookie(w, clientID, secret, 60)
	}
}

func (p *Portal) setSecretCookie(w http.ResponseWriter, clientID, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: secretCookie, Value: value, Path: applicationPath(clientID), MaxAge: maxAge,
		HttpOnly: true, Secure: p.Secure, SameSite: http.SameSiteStrictMode,
	})
}

// takeSecret returns a secret that was just made, once.
func (p *Portal) takeSecret(w http.ResponseWriter, r *http.Request, a oauth.Application) string {
	cookie, err := r.Cookie(secretCookie)
	if err != nil || r.Method != http.MethodGet {
		return ""
	}
	p.setSecretCookie(w, a.ClientID, "", -1)
	if !a.AcceptsSecret(cookie.Value, p.Now()) {
		return ""
	}
	return cookie.Value
}
