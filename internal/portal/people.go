package portal

import (
	"errors"
	"net/http"

	"github.com/latchkey/latchkey/internal/application"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
	"github.com/latchkey/latchkey/internal/throttle"
)

func (p *Portal) peopleRoutes() map[string]handler {
	return map[string]handler{
		"GET /settings/applications/{id}/people":            p.managed(p.showPeople),
		"POST /settings/applications/{id}/people/add":       p.addMember,
		"POST /settings/applications/{id}/people/remove":    p.removeMember,
		"POST /settings/applications/{id}/people/leave":     p.managed(p.leave),
		"POST /settings/applications/{id}/transfer/accept":  p.acceptTransfer,
		"POST /settings/applications/{id}/transfer/decline": p.declineTransfer,
	}
}

func (p *Portal) showPeople(w http.ResponseWriter, r *http.Request, person *signin.Person, a oauth.Application) error {
	return p.writePeople(w, r, person, http.StatusOK, a, page.People{})
}

func (p *Portal) writePeople(w http.ResponseWriter, r *http.Request, person *signin.Person, status int, a oauth.Application, content page.People) error {
	members, err := p.Applications.Members(r.Context(), a.ID)
	if err != nil {
		return err
	}
	for _, m := range members {
		switch m.Role {
		case oauth.RoleCoOwner:
			content.CoOwners = append(content.CoOwners, m)
		case oauth.RoleTester:
			content.Testers = append(content.Testers, m)
		case oauth.RoleHeir:
			content.Heir = &m
		}
	}
	content.Frame = frame(r, person, "applications", oauth.Say("People of %s", a.Name))
	content.Tabs, content.Application, content.Owner = page.TabsOf(a, "people"), a, a.OwnerID == person.Account.ID
	p.Pages.Write(w, r, status, content)
	return nil
}

// namedRole reads which role a form is about, and finds the application for those who
// may give and take it: co-owners decide about testers alone.
func (p *Portal) namedRole(r *http.Request, person *signin.Person) (oauth.Application, oauth.Role, error) {
	find := p.Applications.OwnedBy
	role := oauth.Role(r.PostFormValue("role"))
	switch role {
	case oauth.RoleTester:
		find = p.Applications.ManagedBy
	case oauth.RoleCoOwner, oauth.RoleHeir:
	default:
		return oauth.Application{}, "", application.ErrNotFound
	}
	a, err := find(r.Context(), person.Account.ID, r.PathValue("id"))
	return a, role, err
}

func (p *Portal) addMember(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	a, role, err := p.namedRole(r, person)
	if err != nil {
		return err
	}
	if wait, ok := p.LookUpLimit.Take(person.Account.ID.String(), throttle.Client(r.RemoteAddr)); ok {
		err = p.Applications.AddMember(r.Context(), a, role, r.PostFormValue(string(role)))
	} else {
		err = oauth.TooManyAttempts(string(role), wait)
	}
	var problem *application.Problem
	if errors.As(err, &problem) {
		return p.writePeople(w, r, person, signin.Status(w, problem), a, page.People{
			Typed: map[string]string{string(role): r.PostFormValue(string(role))}, Problems: problems(err),
		})
	}
	if err != nil {
		return err
	}
	p.Door.LeadTo(w, applicationPath(a.ClientID)+"/people", "saved")
	return nil
}

func (p *Portal) removeMember(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	a, role, err := p.namedRole(r, person)
	if err != nil {
		return err
	}
	account, ok := oauth.ParseID(r.PostFormValue("account"))
	if !ok {
		return application.ErrNotFound
	}
	// Somebody who is no member any more is what was asked for.
	if err := p.Applications.RemoveMember(r.Context(), a.ID, account, role, p.Grants.ReviewRequired()); err != nil && !errors.Is(err, application.ErrNotFound) {
		return err
	}
	done := "saved"
	if role == oauth.RoleCoOwner {
		done = "co-owner-removed"
	}
	p.Door.LeadTo(w, applicationPath(a.ClientID)+"/people", done)
	return nil
}

// leave lets a co-owner go.
func (p *Portal) leave(w http.ResponseWriter, r *http.Request, person *signin.Person, a oauth.Application) error {
	if err := p.Applications.RemoveMember(r.Context(), a.ID, person.Account.ID, oauth.RoleCoOwner, p.Grants.ReviewRequired()); err != nil {
		return err
	}
	p.Door.LeadTo(w, "/settings/applications", "left")
	return nil
}

func (p *Portal) acceptTransfer(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	a, err := p.Applications.Find(r.Context(), r.PathValue("id"))
	if err == nil {
		err = p.Applications.Accept(r.Context(), a.ID, person.Account)
	}
	var problem *application.Problem
	if errors.As(err, &problem) {
		p.Pages.Write(w, r, http.StatusConflict, page.Problem{
			Frame:  frame(r, person, "applications", oauth.Say("%s", a.Name)),
			Person: problem.Message, BackTo: "/settings/applications", BackText: oauth.Say("Your applications"),
		})
		return nil
	}
	if err != nil {
		return err
	}
	p.Door.LeadTo(w, applicationPath(a.ClientID), "inherited")
	return nil
}

func (p *Portal) declineTransfer(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	a, err := p.Applications.Find(r.Context(), r.PathValue("id"))
	if err == nil {
		err = p.Applications.RemoveMember(r.Context(), a.ID, person.Account.ID, oauth.RoleHeir, p.Grants.ReviewRequired())
	}
	if err != nil {
		return err
	}
	p.Door.LeadTo(w, "/settings/applications", "declined")
	return nil
}
