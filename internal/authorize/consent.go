package authorize

import (
	"encoding/base64"
	"net/http"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
)

// askConsent shows who asks for what.
func (h *Handler) askConsent(w http.ResponseWriter, r *http.Request, q *request, remembered oauth.Consent, changed bool) {
	id, err := h.grants.NewID()
	if err != nil {
		h.door.Fail(w, r, err)
		return
	}
	content := page.Consent{
		Frame:  h.frame(q, oauth.Say("Allow %s", q.Application.Name)),
		Action: q.self, Ticket: h.ticket(id, q), Changed: changed,
		Application: q.Application, Host: oauth.RedirectHost(q.RedirectURI), Approved: remembered.Scope.Covers(q.Scope),
	}
	for _, name := range q.Scope.Tokens() {
		permission, _ := h.grants.Catalogue().Find(name)
		switch {
		case remembered.Scope.Has(name) && !content.Approved:
			content.Known = append(content.Known, permission)
		case permission.Sensitive:
			content.Sensitive = append(content.Sensitive, permission)
		default:
			content.Plain = append(content.Plain, permission)
		}
	}
	h.pages.Write(w, r, http.StatusOK, content)
}

// allow approves what the person chose on the consent page.
func (h *Handler) allow(w http.ResponseWriter, r *http.Request, q *request, id oauth.ID) {
	switch lasting := r.PostFormValue("lasting"); lasting {
	case "":
	case "month":
		q.EndsAt = h.now().Add(30 * 24 * time.Hour)
	case "day":
		q.EndsAt = h.now().Add(24 * time.Hour)
	default:
		h.outOfDate(w, r, q)
		return
	}
	h.approve(w, r, q, id, true)
}

// ticket binds what is posted to what was shown: the id of the authorization
// that an approval makes, sealed with the session, the account, the state of the
// application and the whole request.
func (h *Handler) ticket(id oauth.ID, q *request) string {
	seal := h.seal(id, q)
	return base64.RawURLEncoding.EncodeToString(append(id[:], seal[:]...))
}

func (h *Handler) seal(id oauth.ID, q *request) [32]byte {
	identity := q.Application.Identity()
	return h.key.Seal("consent", string(id[:]), string(q.person.Session.ID[:]), string(q.person.Account.ID[:]),
		string(q.Application.ID[:]), string(identity[:]), string(q.Application.Scope), q.parameters.Encode())
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
