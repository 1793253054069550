package portal

import (
	"errors"
	"net/http"
	"strings"

	"github.com/latchkey/latchkey/internal/account"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
)

func (p *Portal) showProfile(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	return p.writeProfile(w, r, person, http.StatusOK, page.Profile{Name: person.Account.Name, Username: person.Account.Username})
}

func (p *Portal) writeProfile(w http.ResponseWriter, r *http.Request, person *signin.Person, status int, content page.Profile) error {
	a := person.Account
	var err error
	if content.Verified, err = p.Applications.OwnsVerified(r.Context(), a.ID); err != nil {
		return err
	}
	content.Frame = frame(r, person, "profile", oauth.Say("Profile"))
	if a.Picture() == "" {
		content.Elsewhere = a.AvatarURL
	}
	p.Pages.Write(w, r, status, content)
	return nil
}

func (p *Portal) changeProfile(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	posted := account.Profile{Name: r.PostFormValue("name"), Username: strings.TrimSpace(r.PostFormValue("username"))}
	err := p.Accounts.ChangeProfile(r.Context(), person.Account, posted)
	var problem *account.Problem
	if errors.As(err, &problem) {
		return p.writeProfile(w, r, person, signin.Status(w, problem), page.Profile{Name: posted.Name, Username: posted.Username, Problems: problems(problem)})
	}
	if err != nil {
		return err
	}
	p.Door.LeadTo(w, "/settings/profile", "saved")
	return nil
}

func (p *Portal) changePicture(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	made, problem := p.upload(r, person, "picture")
	if problem != nil {
		return p.writeProfile(w, r, person, signin.Status(w, problem), page.Profile{
			Name: person.Account.Name, Username: person.Account.Username, Problems: problems(problem),
		})
	}
	if err := p.Accounts.PutPicture(r.Context(), person.Account.ID, made); err != nil {
		return err
	}
	p.Door.LeadTo(w, "/settings/profile", "picture")
	return nil
}

func (p *Portal) removePicture(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	if err := p.Accounts.PutPicture(r.Context(), person.Account.ID, nil); err != nil {
		return err
	}
	p.Door.LeadTo(w, "/settings/profile", "no-picture")
	return nil
}
