package portal

import (
	"net/http"
	"slices"

	"github.com/latchkey/latchkey/internal/application"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
)

func (p *Portal) showSecurity(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	return p.writeSecurity(w, r, person, http.StatusOK, nil)
}

func (p *Portal) writeSecurity(w http.ResponseWriter, r *http.Request, person *signin.Person, status int, problems map[string]oauth.Sentence) error {
	sessions, err := p.Accounts.Sessions(r.Context(), person.Account.ID)
	if err != nil {
		return err
	}
	content := page.Security{Frame: frame(r, person, "security", oauth.Say("Password and sessions")), Problems: problems}
	for _, s := range sessions {
		shown := page.Session{
			ID: s.ID.String(), Device: device(s.UserAgent), Address: s.Address,
			CreatedAt: s.CreatedAt, LastSeen: s.LastSeenAt, Current: s.ID == person.Session.ID,
		}
		if shown.Current {
			content.Sessions = slices.Insert(content.Sessions, 0, shown)
		} else {
			content.Sessions = append(content.Sessions, shown)
		}
	}
	p.Pages.Write(w, r, status, content)
	return nil
}

func (p *Portal) changePassword(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	problem, err := p.Door.ChangePassword(w, r, person)
	if problem != nil {
		above, beside := signin.Problems(problem)
		if !above.IsZero() {
			beside = map[string]oauth.Sentence{"old_password": above}
		}
		return p.writeSecurity(w, r, person, signin.Status(w, problem), beside)
	}
	if err != nil {
		return err
	}
	p.Door.LeadTo(w, "/settings/security", "password")
	return nil
}

func (p *Portal) endSession(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	id, ok := oauth.ParseID(r.PathValue("id"))
	if !ok {
		return application.ErrNotFound
	}
	if err := p.Accounts.EndSession(r.Context(), person.Account.ID, id); err != nil {
		return err
	}
	p.Door.LeadTo(w, "/settings/security", "signed-out")
	return nil
}

func (p *Portal) endOtherSessions(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	if err := p.Accounts.EndOtherSessions(r.Context(), person.Account.ID, person.Session.ID); err != nil {
		return err
	}
	p.Door.LeadTo(w, "/settings/security", "signed-out-elsewhere")
	return nil
}
