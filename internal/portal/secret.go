package portal

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/latchkey/latchkey/internal/application"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
)

// previousSecret is the secret before the present one, nil where it works no more.
func previousSecret(a oauth.Application, now time.Time) *page.PreviousSecret {
	if !now.Before(a.PreviousSecretEndsAt) {
		return nil
	}
	return &page.PreviousSecret{CreatedAt: a.PreviousSecretCreatedAt, UsedAt: a.PreviousSecretUsedAt, EndsAt: a.PreviousSecretEndsAt}
}

func (p *Portal) rotateSecret(w http.ResponseWriter, r *http.Request, _ *signin.Person, a oauth.Application) error {
	overlap := application.SecretOverlap
	if chosen, err := time.ParseDuration(r.PostFormValue("overlap")); err == nil && chosen >= 0 && chosen <= 30*24*time.Hour {
		overlap = chosen
	}
	secret, err := p.Applications.RotateSecret(r.Context(), a, madeAt(r), overlap)
	if problems(err) != nil {
		page.Redirect(w, applicationPath(a.ClientID))
		return nil
	}
	if errors.Is(err, application.ErrChanged) {
		p.Door.LeadTo(w, applicationPath(a.ClientID), "secret-replaced-before")
		return nil
	}
	if err != nil {
		return err
	}
	p.keepSecretForOnce(w, a.ClientID, secret)
	page.Redirect(w, applicationPath(a.ClientID))
	return nil
}

// madeAt is when the secret was made that was the present one when the form was shown,
// zero where the form does not say.
func madeAt(r *http.Request) time.Time {
	value := r.PostFormValue("made")
	if !r.PostForm.Has("made") {
		return time.Time{}
	}
	// At what cannot be read no secret was made.
	made, _ := strconv.ParseInt(value, 10, 64)
	return time.UnixMilli(made)
}

// endSecret ends the secret before the present one, which somebody may know.
func (p *Portal) endSecret(w http.ResponseWriter, r *http.Request, _ *signin.Person, a oauth.Application) error {
	err := p.Applications.EndPreviousSecret(r.Context(), a.ID, madeAt(r))
	if errors.Is(err, application.ErrChanged) {
		p.Door.LeadTo(w, applicationPath(a.ClientID), "secret-replaced-before")
		return nil
	}
	if err != nil && !errors.Is(err, application.ErrNotFound) {
		return err
	}
	p.Door.LeadTo(w, applicationPath(a.ClientID), "secret-ended")
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
