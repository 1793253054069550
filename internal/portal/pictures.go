package portal

import (
	"bytes"
	"context"
	"errors"
	"net/http"

	"github.com/latchkey/latchkey/internal/application"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/signin"
	"github.com/latchkey/latchkey/internal/throttle"
)

// Uploads are the routes whose forms have a file: internal/server lets only these be
// larger than any other form.
func Uploads() []string {
	return []string{
		"POST /settings/profile/picture",
		"POST /settings/applications/{id}/logo",
	}
}

// upload reads a form with a picture in its field name. The other fields are in r.PostForm
// afterwards.
func (p *Portal) upload(r *http.Request, person *signin.Person, name string) (*oauth.Picture, *oauth.Problem) {
	if wait, ok := p.UploadLimit.Take(person.Account.ID.String(), throttle.Client(r.RemoteAddr)); !ok {
		return nil, oauth.TooManyAttempts(name, wait)
	}
	made, wrong := p.Studio.FromForm(r, person.Account.ID, name)
	if made == nil && wrong.IsZero() {
		wrong = oauth.Say("Choose a picture first.")
	}
	if !wrong.IsZero() {
		return nil, &oauth.Problem{Field: name, Message: wrong}
	}
	return made, nil
}

// ServePicture shows a picture to everybody, on other sites too: avatar_url of the API
// leads here. It never changes under its address.
func (p *Portal) ServePicture(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	id, ok := oauth.ParseID(r.PathValue("id"))
	found, err := oauth.Picture{}, error(application.ErrNotFound)
	if ok {
		found, err = p.Picture(r.Context(), id)
	}
	switch {
	case errors.Is(err, application.ErrNotFound):
		h.Set("Cache-Control", "no-store")
		http.Error(w, "There is no such picture.", http.StatusNotFound)
		return
	case err != nil:
		known := oauth.ErrorOf(err)
		// A browser that has left is nothing to mend.
		if !errors.Is(known, context.Canceled) {
			p.Log.Error("request failed", "path", r.URL.Path, "cause", known)
		}
		if known.RetryAfter > 0 {
			h.Set("Retry-After", oauth.RetryAfter(known.RetryAfter))
		}
		h.Set("Cache-Control", "no-store")
		http.Error(w, "The picture could not be shown. Try again later.", known.Code.Status)
		return
	}
	h.Set("Content-Type", found.Type)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, "", found.CreatedAt, bytes.NewReader(found.Body))
}
