// Package authorize is the authorization request in the browser (RFC 6749 §4.1.1):
// validate, sign in, ask for consent, answer. One dispatcher decides what comes
// next; steps return to it, none calls another.
package authorize

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/application"
	"github.com/latchkey/latchkey/internal/grant"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
	"github.com/latchkey/latchkey/internal/usage"
)

// Handler answers authorization requests.
type Handler struct {
	grants       *grant.Grants
	meter        *usage.Meter
	applications *application.Applications
	door         *signin.Door
	pages        *page.Pages
	key          oauth.Key
	issuer       string
	now          func() time.Time
}

// New makes the handler of an issuer. The key seals the tickets of consent pages.
func New(grants *grant.Grants, meter *usage.Meter, applications *application.Applications, door *signin.Door, pages *page.Pages,
	key oauth.Key, issuer string, now func() time.Time) *Handler {
	return &Handler{grants: grants, meter: meter, applications: applications, door: door, pages: pages, key: key, issuer: issuer, now: now}
}

// request is an authorization request on its way.
type request struct {
	grant.Request
	parameters oauth.Parameters
	// refusal is why the application gets an error once the account is signed
	// in, nil when the request is valid.
	refusal error
	prompt  []string
	// self is this request's own address, for forms and redirects, of at most maxSelf bytes.
	self string
	// person is who is signed in, nil for nobody.
	person *signin.Person
	// trial: the answer goes to the callback of trials, because of who was signed in when
	// this request came. Somebody else who signs in during it has to ask anew.
	trial bool
	// fresh: the person signed in for this very request.
	fresh bool
}

// maxSelf is how long a request's own address may be, in bytes: the server reads 64 KiB of
// a request before its body, and the browser sends its cookies with it.
const maxSelf = 56 << 10

func (q *request) prompts(value string) bool { return slices.Contains(q.prompt, value) }

// ServeHTTP reads the request, takes the step that a form asks for, and lets the
// dispatcher decide what is next.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, err := h.read(r)
	if err != nil {
		h.note(r, q, err)
		h.refuse(w, r, err)
		return
	}
	if q.person, err = h.door.Person(r); err != nil {
		h.door.Fail(w, r, err)
		return
	}
	if q.person != nil {
		r = q.person.Acting(r)
	}
	if r.Method == http.MethodPost {
		h.step(w, r, q)
		return
	}
	h.dispatch(w, r, q)
}

// read finds the application and where its answer goes. Its error is shown on a
// page: it must never redirect (RFC 6749 §4.1.2.1); the request comes with it where
// the application is known. What else is wrong is kept in the request.
func (h *Handler) read(r *http.Request) (*request, error) {
	p, err := oauth.ParseParameters(r.URL.RawQuery)
	if err != nil {
		return nil, oauth.NewError(oauth.InvalidRequest, "the query cannot be read: %v", err)
	}
	if p.Repeated("client_id") || p.Repeated("redirect_uri") {
		return nil, p.RefuseRepeated()
	}
	q := &request{parameters: p, self: r.URL.Path + "?" + p.Encode(), prompt: strings.Fields(p.Get("prompt"))}
	q.Application, err = h.applications.Find(r.Context(), p.Get("client_id"))
	switch {
	case errors.Is(err, application.ErrNotFound):
		return nil, oauth.NewError(oauth.InvalidRequest, "client_id is missing, or no application has it")
	case err != nil:
		return nil, err
	case q.Application.Suspended():
		return q, oauth.NewError(oauth.UnauthorizedClient, "this application is suspended")
	case len(q.self) > maxSelf:
		return q, oauth.NewError(oauth.InvalidRequest, "the query is too long: with its values encoded it has %d bytes, and %d are possible; keep what state stands for in the session, and send its key", len(q.self), maxSelf)
	}
	if err := h.aim(r, q); err != nil {
		return q, err
	}
	q.refusal = h.check(q)
	return q, nil
}

// check validates the rest, in the order of RFC 6749 §4.1.1.
func (h *Handler) check(q *request) error {
	p := q.parameters
	if refusal := p.RefuseRepeated(); refusal != nil {
		return refusal
	}
	switch {
	case p.Get("response_type") == "":
		return oauth.NewError(oauth.InvalidRequest, "response_type is missing: it must be code")
	case p.Get("response_type") != "code":
		return oauth.NewError(oauth.UnsupportedResponseType, "response_type must be code")
	case q.prompts("none") && len(q.prompt) > 1:
		return oauth.NewError(oauth.InvalidRequest, "prompt=none goes with no other value")
	}
	checked, err := h.grants.CheckRequest(q.Request, p.Get("scope"), p.Get("code_challenge"), p.Get("code_challenge_method"))
	q.Request = checked
	return err
}

// dispatch decides what comes next for a request that names its application.
func (h *Handler) dispatch(w http.ResponseWriter, r *http.Request, q *request) {
	silent := q.prompts("none")
	signedIn := q.person != nil
	switch {
	// RFC 9700 §4.11.2: nobody is redirected before they signed in, so that a
	// made-up error does not turn this server into a redirector.
	case q.refusal != nil && silent:
		h.redirectRefusal(w, r, q)
	case !signedIn && silent:
		h.redirectError(w, r, q, oauth.NewError(oauth.LoginRequired, "nobody is signed in"))
	case !signedIn, q.refusal == nil && q.prompts("login") && !q.fresh:
		h.askSignIn(w, r, q, nil, http.StatusOK)
	case !h.mayAuthorize(w, r, q):
	case q.refusal != nil:
		h.redirectRefusal(w, r, q)
	default:
		h.decide(w, r, q)
	}
}

// redirectRefusal answers with what is wrong with the request.
func (h *Handler) redirectRefusal(w http.ResponseWriter, r *http.Request, q *request) {
	h.note(r, q, q.refusal)
	h.redirectError(w, r, q, q.refusal)
}

// decide approves where the account need not be asked, and asks otherwise.
func (h *Handler) decide(w http.ResponseWriter, r *http.Request, q *request) {
	remembered, changed, err := h.grants.Remembered(r.Context(), q.person.Account.ID, q.Application)
	if err != nil {
		h.door.Fail(w, r, err)
		return
	}
	approved, settled := remembered.Settles(q.Scope, q.Application.OptionalScope)
	// Whoever claims a public application, or listens on the person's machine,
	// proves nothing (RFC 8252 §8.6): such requests are always asked about.
	ask := q.Application.Public || oauth.RedirectKindOf(q.RedirectURI) != oauth.RedirectHTTPS ||
		q.prompts("consent") || !settled
	switch {
	case ask && q.prompts("none"):
		h.redirectError(w, r, q, oauth.NewError(oauth.ConsentRequired, "the account has to be asked"))
	case ask || r.Method == http.MethodHead:
		h.askConsent(w, r, q, http.StatusOK, question{remembered: remembered, changed: changed})
	default:
		id, err := h.grants.NewID()
		if err != nil {
			h.door.Fail(w, r, err)
			return
		}
		q.Scope, q.EndsAt = approved, remembered.EndsAt
		h.approve(w, r, q, id, false)
	}
}

// approve answers with a code.
func (h *Handler) approve(w http.ResponseWriter, r *http.Request, q *request, id oauth.ID, asked bool) {
	code, err := h.grants.Approve(r.Context(), id, q.person.Account.ID, q.Request, asked)
	if err != nil {
		h.notDecided(w, r, q, err)
		return
	}
	h.redirect(w, r, q, oauth.Parameter{Name: "code", Value: code})
}

// deny answers that the account did not allow it.
func (h *Handler) deny(w http.ResponseWriter, r *http.Request, q *request, id oauth.ID) {
	if err := h.grants.Refuse(r.Context(), id, q.person.Account.ID, q.Request); err != nil {
		h.notDecided(w, r, q, err)
		return
	}
	h.redirectError(w, r, q, oauth.NewError(oauth.AccessDenied, "the account did not allow it"))
}

// notDecided tells the person that an answer did not count.
func (h *Handler) notDecided(w http.ResponseWriter, r *http.Request, q *request, err error) {
	switch {
	case errors.Is(err, grant.ErrAnswered):
		h.pages.Write(w, r, http.StatusConflict, page.Problem{
			Frame:  page.Frame{Title: oauth.Say("You have answered this already"), Account: &q.person.Account},
			Person: oauth.Say("Nothing more was approved. Go back to the application; if it still waits, start there again."),
			BackTo: q.self, BackText: oauth.Say("Look at the request again"),
		})
	case errors.Is(err, grant.ErrChanged):
		h.outOfDate(w, r, q)
	default:
		h.door.Fail(w, r, err)
	}
}

// redirectError answers with an error (RFC 6749 §4.1.2.1).
func (h *Handler) redirectError(w http.ResponseWriter, r *http.Request, q *request, err error) {
	var refusal *oauth.Error
	if !errors.As(err, &refusal) || refusal.Cause != nil {
		h.door.Fail(w, r, err)
		return
	}
	h.redirect(w, r, q,
		oauth.Parameter{Name: "error", Value: refusal.Code.Wire},
		oauth.Parameter{Name: "error_description", Value: refusal.Description},
		oauth.Parameter{Name: "error_uri", Value: refusal.Code.Documentation(h.issuer)})
}

// redirect sends the browser back with the answer, the state and the issuer (RFC 9207).
func (h *Handler) redirect(w http.ResponseWriter, r *http.Request, q *request, answer ...oauth.Parameter) {
	answer = append(answer,
		oauth.Parameter{Name: "state", Value: q.parameters.Get("state")},
		oauth.Parameter{Name: "iss", Value: h.issuer})
	status := http.StatusFound
	if r.Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	w.Header().Set("Cache-Control", "no-store")
	// Not http.Redirect: it would clean the path of what was registered.
	w.Header().Set("Location", oauth.AddToRedirectURI(q.RedirectURI, answer...))
	w.WriteHeader(status)
}

// refuse shows an error that must not be sent to the application: who that is,
// or where it is, is not known.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var refusal *oauth.Error
	if !errors.As(err, &refusal) || refusal.Cause != nil {
		h.door.Fail(w, r, err)
		return
	}
	h.pages.Write(w, r, http.StatusBadRequest, page.Problem{
		Frame:     page.Frame{Title: oauth.Say("This request cannot be answered")},
		Person:    oauth.Say("The application that sent you here made a mistake, or is switched off. Nothing was approved. Go back to it, and show its developers the message below."),
		Developer: refusal.Description, Code: refusal.Code.Wire,
	})
}

// note writes a refused request down for the developers of its application. That nobody
// was signed in, or did not allow it, is no mistake of theirs.
func (h *Handler) note(r *http.Request, q *request, err error) {
	var refusal *oauth.Error
	if q == nil || !errors.As(err, &refusal) || refusal.Cause != nil {
		return
	}
	h.meter.Refused(usage.Attempt{
		Place: "authorize", Application: q.Application, RemoteAddr: r.RemoteAddr, Parameters: q.parameters, Catalogue: h.grants.Catalogue(),
	}, refusal)
}
