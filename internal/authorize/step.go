package authorize

import (
	"net/http"

	"github.com/latchkey/latchkey/internal/account"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
)

// step does what a form on one of the pages of a request asks for.
func (h *Handler) step(w http.ResponseWriter, r *http.Request, q *request) {
	if q.person != nil && !h.door.MayAct(w, r, q.person, q.person.Account.ID) {
		return
	}
	switch r.PostFormValue("step") {
	case "sign-in":
		person, problem, err := h.door.SignIn(w, r)
		if problem != nil {
			h.askSignIn(w, r, q, problem, signin.Status(w, problem))
			return
		}
		h.entered(w, r, q, person, err)
	case "sign-up":
		person, problem, err := h.door.SignUp(w, r)
		if problem != nil {
			h.askSignUp(w, r, q, problem, signin.Status(w, problem))
			return
		}
		h.entered(w, r, q, person, err)
	case "offer-sign-up":
		if !h.door.SignUpOpen() {
			h.askSignIn(w, r, q, nil, http.StatusOK)
			return
		}
		h.askSignUp(w, r, q, &account.Problem{}, http.StatusOK)
	case "switch":
		h.askSignIn(w, r, q, nil, http.StatusOK)
	case "allow":
		if id, ok := h.ticketHolds(w, r, q); ok && h.mayAuthorize(w, r, q) {
			h.allow(w, r, q, id)
		}
	case "deny":
		if id, ok := h.ticketHolds(w, r, q); ok {
			h.deny(w, r, q, id)
		}
	case "leave":
		h.leaveDraft(w, r, q)
	default:
		h.outOfDate(w, r, q)
	}
}

// entered goes on with a request after its person signed in. A reload of what
// comes next should not post the password again, so the browser asks anew; only
// prompt=login has to know that the person signed in just now. Somebody else than before
// may have no part in the trial that this was.
func (h *Handler) entered(w http.ResponseWriter, r *http.Request, q *request, person *signin.Person, err error) {
	switch {
	case err != nil:
		h.door.Fail(w, r, err)
	case q.prompts("login") && (!q.trial || q.person != nil && q.person.Account.ID == person.Account.ID):
		q.person, q.fresh = person, true
		h.dispatch(w, r, q)
	default:
		page.Redirect(w, q.self)
	}
}

func (h *Handler) frame(q *request, title oauth.Sentence) page.Frame {
	f := page.Frame{Title: title, Callback: q.RedirectURI}
	if q.person != nil {
		f.Account = &q.person.Account
	}
	return f
}

func asker(q *request) *page.Asker {
	return &page.Asker{Name: q.Application.Name, Logo: q.Application.Logo, Host: oauth.RedirectHost(q.RedirectURI)}
}

func (h *Handler) askSignIn(w http.ResponseWriter, r *http.Request, q *request, problem *account.Problem, status int) {
	content := page.SignIn{
		Frame:  page.Frame{Title: oauth.Say("Sign in"), Callback: q.RedirectURI},
		Action: q.self, Application: asker(q), SignUp: h.door.SignUpOpen(), Email: r.PostFormValue("email"),
	}
	if problem != nil {
		content.Problem = problem.Message
	}
	h.pages.Write(w, r, status, content)
}

func (h *Handler) askSignUp(w http.ResponseWriter, r *http.Request, q *request, problem *account.Problem, status int) {
	content := page.SignUp{
		Frame:  page.Frame{Title: oauth.Say("Create your account"), Callback: q.RedirectURI},
		Action: q.self, Application: asker(q),
		Name: r.PostFormValue("name"), Email: r.PostFormValue("email"),
	}
	content.Problem, content.Problems = signin.Problems(problem)
	h.pages.Write(w, r, status, content)
}

// outOfDate is the answer to a form that does not belong to what is true now.
func (h *Handler) outOfDate(w http.ResponseWriter, r *http.Request, q *request) {
	why := oauth.Say("Nothing was approved. You may have signed in as somebody else meanwhile, waited too long, or the application was changed.")
	if q.person == nil {
		why = oauth.Say("You were signed out meanwhile. Nothing was approved.")
	}
	h.pages.Write(w, r, http.StatusConflict, page.Problem{
		Frame:  h.frame(q, oauth.Say("This page was out of date")),
		Person: why,
		BackTo: q.self, BackText: oauth.Say("Look at the request again"),
	})
}
