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

func profilePage(r *http.Request, person *signin.Person) page.Profile {
	a := person.Account
	content := page.Profile{Frame: frame(r, person, "profile", oauth.Say("Profile")), Name: a.Name, Username: a.Username}
	if a.Picture() == "" {
		content.Elsewhere = a.AvatarURL
	}
	return content
}

func (p *Portal) showProfile(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	p.Pages.Write(w, r, http.StatusOK, profilePage(r, person))
	return nil
}

func (p *Portal) changeProfile(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	posted := account.Profile{Name: r.PostFormValue("name"), Username: strings.TrimSpace(r.PostFormValue("username"))}
	err := p.Accounts.ChangeProfile(r.Context(), person.Account, posted)
	var problem *account.Problem
	if errors.As(err, &problem) {
		content := profilePage(r, person)
		content.Name, content.Username = posted.Name, posted.Username
		_, content.Problems = signin.Problems(problem)
		p.Pages.Write(w, r, signin.Status(w, problem), content)
		return nil
	}
	if err != nil {
		return err
	}
	redirect(w, "/settings/profile?done=saved")
	return nil
}

func (p *Portal) changePicture(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	made, wrong := p.upload(r, person, "picture")
	if made == nil && wrong.IsZero() {
		wrong = oauth.Say("Choose a picture first.")
	}
	if !wrong.IsZero() {
		content := profilePage(r, person)
		content.Problems = map[string]oauth.Sentence{"picture": wrong}
		p.Pages.Write(w, r, http.StatusUnprocessableEntity, content)
		return nil
	}
	if err := p.Accounts.PutPicture(r.Context(), person.Account.ID, made); err != nil {
		return err
	}
	redirect(w, "/settings/profile?done=picture")
	return nil
}

func (p *Portal) removePicture(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	if err := p.Accounts.PutPicture(r.Context(), person.Account.ID, nil); err != nil {
		return err
	}
	redirect(w, "/settings/profile?done=no-picture")
	return nil
}
