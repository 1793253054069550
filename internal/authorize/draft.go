package authorize

import (
	"net/http"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
)

// mayAuthorize reports whether the account may approve the application at all, and
// answers where it may not.
func (h *Handler) mayAuthorize(w http.ResponseWriter, r *http.Request, q *request) bool {
	may, err := h.grants.MayAuthorize(r.Context(), q.person.Account.ID, q.Application)
	switch {
	case err != nil:
		h.door.Fail(w, r, err)
	case !may && q.prompts("none"):
		h.note(r, q, errNotReviewed())
		h.redirectError(w, r, q, errNotReviewed())
	case !may:
		h.showDraft(w, r, q)
	}
	return err == nil && may
}

// errNotReviewed: the application gets the error that it knows from people who refuse.
func errNotReviewed() error {
	return oauth.NewError(oauth.AccessDenied, "this application is a draft: until an administrator has verified it, only its owner, co-owners and test accounts can authorize it")
}

// leaveDraft sends a person back to an application that they may not approve.
func (h *Handler) leaveDraft(w http.ResponseWriter, r *http.Request, q *request) {
	if q.person == nil {
		h.outOfDate(w, r, q)
		return
	}
	may, err := h.grants.MayAuthorize(r.Context(), q.person.Account.ID, q.Application)
	switch {
	case err != nil:
		h.door.Fail(w, r, err)
	case may:
		h.outOfDate(w, r, q)
	default:
		h.redirectError(w, r, q, errNotReviewed())
	}
}

// showDraft tells the person why nothing can be approved. The application gets its error
// when the person goes back to it, and not before: nobody has looked at the address yet
// to which the browser would be sent on its own (RFC 9700 §4.11.2).
func (h *Handler) showDraft(w http.ResponseWriter, r *http.Request, q *request) {
	h.note(r, q, errNotReviewed())
	h.pages.Write(w, r, http.StatusForbidden, page.Draft{
		Frame:  h.frame(q, oauth.Say("%s is not reviewed yet", q.Application.Name)),
		Action: q.self, Name: q.Application.Name, Owner: q.Application.OwnerName, Host: oauth.RedirectHost(q.RedirectURI),
	})
}
