package portal

import (
	"net/http"
	"strings"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
)

// reviewRoutes are what a developer asks the administrators for.
func (p *Portal) reviewRoutes() map[string]handler {
	return map[string]handler{
		"POST /settings/applications/{id}/submit": p.managed(p.submit),
		"POST /settings/applications/{id}/scopes": p.managed(p.requestScope),
	}
}

// submit asks for a review, where the platform has any.
func (p *Portal) submit(w http.ResponseWriter, r *http.Request, _ *signin.Person, a oauth.Application) error {
	switch {
	case !p.Grants.ReviewRequired():
		p.Door.LeadTo(w, applicationPath(a.ClientID), "no-review")
		return nil
	case a.Verified():
		// The page says so.
		page.Redirect(w, applicationPath(a.ClientID))
		return nil
	}
	if err := p.Applications.Submit(r.Context(), a.ID); err != nil {
		return err
	}
	p.Door.LeadTo(w, applicationPath(a.ClientID), "submitted")
	return nil
}

// requestScope asks for scopes that an administrator has to allow.
func (p *Portal) requestScope(w http.ResponseWriter, r *http.Request, person *signin.Person, a oauth.Application) error {
	// What cannot be read is none of the configured scopes.
	scope, _ := oauth.ParseScope(strings.Join(r.PostForm["scope"], " "))
	err := p.Applications.RequestScope(r.Context(), a.ID, scope)
	if wrong := problems(err); wrong != nil {
		form := p.settingsForm(a, person)
		form.Problems = wrong
		p.writeSettings(w, r, person, http.StatusUnprocessableEntity, a, form)
		return nil
	}
	if err != nil {
		return err
	}
	done := "asked"
	if scope.Without(a.RequestedScope).Without(a.Scope) == "" {
		done = "asked-before"
	}
	p.Door.LeadTo(w, applicationPath(a.ClientID)+"/settings", done)
	return nil
}
