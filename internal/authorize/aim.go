package authorize

import (
	"errors"
	"net/http"

	"github.com/latchkey/latchkey/internal/application"
	"github.com/latchkey/latchkey/internal/oauth"
)

// aim decides where the answer goes: to what is registered, or to the callback of trials
// for somebody who is signed in and manages the application.
func (h *Handler) aim(r *http.Request, q *request) error {
	presented := q.parameters.Get("redirect_uri")
	if presented == oauth.TrialCallback(h.issuer, q.Application.ClientID) {
		person, err := h.door.Person(r)
		if err != nil {
			return err
		}
		if person != nil {
			_, err = h.applications.ManagedBy(r.Context(), person.Account.ID, q.Application.ClientID)
			q.trial = err == nil
		}
		if err != nil && !errors.Is(err, application.ErrNotFound) {
			return err
		}
	}
	if q.trial {
		q.RedirectURI, q.RedirectURISent = presented, true
		return nil
	}
	target, refusal := q.Application.RedirectURI(presented)
	if refusal != nil {
		return refusal
	}
	q.RedirectURI, q.RedirectURISent = target, presented != ""
	return nil
}
