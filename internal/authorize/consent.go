package authorize

import (
	"encoding/base64"
	"net/http"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
)

// question is what a consent page starts from.
type question struct {
	// remembered is what the account approved and declined before; changed tells that it
	// did so when the application was different.
	remembered oauth.Consent
	changed    bool
	// lasting and problem are of an answer that has to be mended.
	lasting string
	problem oauth.Sentence
}

// askConsent shows who asks for what.
func (h *Handler) askConsent(w http.ResponseWriter, r *http.Request, q *request, status int, asking question) {
	id, err := h.grants.NewID()
	if err != nil {
		h.door.Fail(w, r, err)
		return
	}
	content := page.Consent{
		Frame:  h.frame(q, oauth.Say("Allow %s", q.Application.Name)),
		Action: q.self, Ticket: h.ticket(id, q), Changed: asking.changed, Lasting: asking.lasting, Problem: asking.problem,
		Application: q.Application, Host: oauth.RedirectHost(q.RedirectURI),
	}
	before := asking.remembered
	content.Approved = before.Scope.With(before.Declined).Covers(q.Scope)
	for _, permission := range h.permissions(q) {
		asked := page.Asked{
			Permission: permission, Optional: q.Application.OptionalScope.Has(permission.Name), Chosen: !before.Declined.Has(permission.Name),
		}
		switch {
		case before.Scope.Has(permission.Name) && !content.Approved:
			content.Known = append(content.Known, asked)
		case asked.Optional:
			content.Optional = append(content.Optional, asked)
		case permission.Sensitive:
			content.Sensitive = append(content.Sensitive, asked)
		default:
			content.Plain = append(content.Plain, asked)
		}
	}
	h.pages.Write(w, r, status, content)
}

// permissions are what a request asks for.
func (h *Handler) permissions(q *request) []oauth.Permission {
	var all []oauth.Permission
	for _, name := range q.Scope.Tokens() {
		// A valid request asks for what is configured.
		permission, _ := h.grants.Catalogue().Find(name)
		all = append(all, permission)
	}
	return all
}

// allow approves what the person chose on the consent page.
func (h *Handler) allow(w http.ResponseWriter, r *http.Request, q *request, id oauth.ID) {
	lasting := r.PostFormValue("lasting")
	switch lasting {
	case "":
	case "month":
		q.EndsAt = h.now().Add(30 * 24 * time.Hour)
	case "day":
		q.EndsAt = h.now().Add(24 * time.Hour)
	default:
		h.outOfDate(w, r, q)
		return
	}
	declined := q.Scope.Within(q.Application.OptionalScope)
	for _, chosen := range r.PostForm["scope"] {
		if !q.Application.OptionalScope.Has(chosen) || !q.Scope.Has(chosen) {
			h.outOfDate(w, r, q)
			return
		}
		declined = declined.Without(oauth.ScopeOf(chosen))
	}
	approved := q.Scope.Without(declined)
	if approved == "" {
		h.askForMore(w, r, q, lasting, declined)
		return
	}
	q.Scope, q.Declined = approved, declined
	h.approve(w, r, q, id, true)
}

// askForMore asks again a person who has left out everything.
func (h *Handler) askForMore(w http.ResponseWriter, r *http.Request, q *request, lasting string, declined oauth.Scope) {
	remembered, changed, err := h.grants.Remembered(r.Context(), q.person.Account.ID, q.Application)
	if err != nil {
		h.door.Fail(w, r, err)
		return
	}
	remembered.Scope, remembered.Declined = remembered.Scope.Without(declined), declined
	h.askConsent(w, r, q, http.StatusUnprocessableEntity, question{
		remembered: remembered, changed: changed, lasting: lasting, problem: oauth.Say("Choose at least one, or cancel."),
	})
}

// ticket binds what is posted to what was shown: the id of the authorization
// that an approval makes, sealed with the session, the account, what is shown of the
// application, the whole request, and what it offers.
func (h *Handler) ticket(id oauth.ID, q *request) string {
	seal := h.seal(id, q)
	return base64.RawURLEncoding.EncodeToString(append(id[:], seal[:]...))
}

func (h *Handler) seal(id oauth.ID, q *request) [32]byte {
	a, identity := q.Application, q.Application.Identity()
	shown := []string{
		string(id[:]), string(q.person.Session.ID[:]), string(q.person.Account.ID[:]), string(a.ID[:]), string(identity[:]),
		a.Privacy, a.Terms, string(a.OptionalScope), q.parameters.Encode(),
	}
	for _, p := range h.permissions(q) {
		shown = append(shown, p.Name, p.Description)
	}
	return h.key.Seal("consent", shown...)
}

// ticketHolds checks the posted ticket, and otherwise shows that nothing was approved.
func (h *Handler) ticketHolds(w http.ResponseWriter, r *http.Request, q *request) (oauth.ID, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(r.PostFormValue("ticket"))
	if err != nil || len(raw) != 48 || q.person == nil || q.refusal != nil {
		h.outOfDate(w, r, q)
		return oauth.ID{}, false
	}
	id := oauth.ID(raw[:16])
	seal := h.seal(id, q)
	if age := h.now().Sub(id.Time()); !oauth.SameSeal(raw[16:], seal) || age > oauth.QuestionLife {
		h.outOfDate(w, r, q)
		return oauth.ID{}, false
	}
	return id, true
}
