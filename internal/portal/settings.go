package portal

import (
	"net/http"

	"github.com/latchkey/latchkey/internal/application"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
)

func (p *Portal) showSettings(w http.ResponseWriter, r *http.Request, person *signin.Person, a oauth.Application) error {
	p.writeSettings(w, r, person, http.StatusOK, a, p.settingsForm(a, person))
	return nil
}

func (p *Portal) writeSettings(w http.ResponseWriter, r *http.Request, person *signin.Person, status int, a oauth.Application, form page.ApplicationForm) {
	form.Public = a.Public
	framed := frame(r, person, "applications", oauth.Say("Settings of %s", a.Name))
	framed.Self = applicationPath(a.ClientID) + "/settings"
	p.Pages.Write(w, r, status, page.ApplicationSettings{
		Frame: framed, Tabs: page.TabsOf(a, "settings"), Form: form, Application: a, Owner: a.OwnerID == person.Account.ID,
		Review: page.ReviewOf(a, p.Grants.ReviewRequired(), p.Grants.Catalogue()),
	})
}

// settingsForm is what the form shows of an application as it is.
func (p *Portal) settingsForm(a oauth.Application, person *signin.Person) page.ApplicationForm {
	present := p.Applications.DetailsOf(a)
	return p.formOf(present, present.Seen(), a.Scope, person)
}

func (p *Portal) edit(w http.ResponseWriter, r *http.Request, person *signin.Person, a oauth.Application) error {
	details, form := p.posted(r, a.Scope, person)
	var err error
	if len(details.RedirectURIs) == 0 {
		wrong := p.Applications.Wrong(details, a.Public, a.Scope, person.Account.Administrator)
		err = oauth.Together(wrong, errNoRedirectURI())
	} else {
		_, err = p.Applications.Edit(r.Context(), a.ID, person.Account.Administrator, func(present application.Details) (application.Details, error) {
			merged, both := details.Onto(present, form.Seen)
			if both != nil {
				form = p.formOf(merged, present.Seen(), present.Scope, person)
			}
			return merged, both
		})
	}
	if form.Problems = problems(err); form.Problems != nil {
		p.writeSettings(w, r, person, http.StatusUnprocessableEntity, a, form)
		return nil
	}
	if err != nil {
		return err
	}
	p.Door.LeadTo(w, applicationPath(a.ClientID)+"/settings", "saved")
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
	p.Door.LeadTo(w, "/settings/applications", "deleted")
	return nil
}

func (p *Portal) changeLogo(w http.ResponseWriter, r *http.Request, person *signin.Person, a oauth.Application) error {
	made, problem := p.upload(r, person, "logo")
	if problem != nil {
		form := p.settingsForm(a, person)
		form.Problems = problems(problem)
		p.writeSettings(w, r, person, signin.Status(w, problem), a, form)
		return nil
	}
	if err := p.Applications.PutLogo(r.Context(), a.ID, made); err != nil {
		return err
	}
	p.Door.LeadTo(w, applicationPath(a.ClientID)+"/settings", "saved")
	return nil
}

func (p *Portal) removeLogo(w http.ResponseWriter, r *http.Request, _ *signin.Person, a oauth.Application) error {
	if err := p.Applications.PutLogo(r.Context(), a.ID, nil); err != nil {
		return err
	}
	p.Door.LeadTo(w, applicationPath(a.ClientID)+"/settings", "saved")
	return nil
}
