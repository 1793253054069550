// Package signin is how a browser carries a session: the cookie, and the pages
// for signing in, signing up and signing out. Who may sign in is decided in
// internal/account; what happens in the middle of an authorization request in
// internal/authorize, which uses the same forms.
package signin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/latchkey/latchkey/internal/account"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/throttle"
)

// Door knows who stands before it, and lets people in and out.
type Door struct {
	accounts *account.Accounts
	pages    *page.Pages
	log      *slog.Logger
	// secure cookies are for an issuer that is https.
	secure bool
}

// New makes the door of an issuer.
func New(accounts *account.Accounts, pages *page.Pages, log *slog.Logger, secure bool) *Door {
	return &Door{accounts: accounts, pages: pages, log: log, secure: secure}
}

// Person is an account in a browser.
type Person struct {
	Session oauth.Session
	Account oauth.Account
}

// Person tells who is signed in; nil for nobody.
func (d *Door) Person(r *http.Request) (*Person, error) {
	cookie, err := r.Cookie(d.cookieName())
	if err != nil {
		return nil, nil
	}
	s, a, err := d.accounts.Session(r.Context(), cookie.Value)
	if errors.Is(err, account.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &Person{Session: s, Account: a}, nil
}

// Acting is the request with the person as the actor of what it does.
func (p *Person) Acting(r *http.Request) *http.Request {
	return r.WithContext(oauth.WithActor(r.Context(), oauth.Actor{
		AccountID: p.Account.ID, SessionID: p.Session.ID, Name: p.Account.Name, Address: throttle.Client(r.RemoteAddr).String(),
	}))
}

func (d *Door) cookieName() string {
	if d.secure {
		return "__Host-latchkey"
	}
	return "latchkey"
}

// The longest time for which browsers keep a cookie. When the session ends is
// decided by its row.
const cookieLife = 400 * 24 * time.Hour

func (d *Door) setCookie(w http.ResponseWriter, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: d.cookieName(), Value: value, Path: "/", MaxAge: int(life.Seconds()),
		HttpOnly: true, Secure: d.secure, SameSite: http.SameSiteLaxMode,
	})
}

// A cookie with the name of what was done proves to the page that tells so that this browser did
// it: anybody can lead somebody to an address. It lives as long as that page may take to come.
const (
	doneCookie = "latchkey_done_"
	doneLife   = 60 // seconds
)

func (d *Door) prove(w http.ResponseWriter, path, done string) {
	http.SetCookie(w, &http.Cookie{
		Name: doneCookie + done, Value: "yes", Path: path, MaxAge: doneLife,
		HttpOnly: true, Secure: d.secure, SameSite: http.SameSiteStrictMode,
	})
}

// LeadTo answers a form with the page that tells what was done.
func (d *Door) LeadTo(w http.ResponseWriter, path, done string) {
	d.prove(w, path, done)
	page.Redirect(w, path+"?done="+done)
}

// Done is what the address says was done, empty where this browser has not done it just now.
func Done(r *http.Request) string {
	done := r.URL.Query().Get("done")
	if _, err := r.Cookie(doneCookie + done); err != nil {
		return ""
	}
	return done
}

// SignIn does what the posted sign-in form says. The problem is what the person
// can mend; a nil problem and a nil error mean that the person is signed in.
func (d *Door) SignIn(w http.ResponseWriter, r *http.Request) (*Person, *account.Problem, error) {
	entry, err := d.accounts.SignIn(r.Context(), r.PostFormValue("email"), r.PostFormValue("password"), d.browser(r))
	return d.enter(w, entry, err)
}

// SignUp does what the posted sign-up form says, as SignIn does.
func (d *Door) SignUp(w http.ResponseWriter, r *http.Request) (*Person, *account.Problem, error) {
	entry, err := d.accounts.SignUp(r.Context(), account.Registration{
		Email: r.PostFormValue("email"), Name: r.PostFormValue("name"), Password: r.PostFormValue("password"),
	}, d.browser(r))
	return d.enter(w, entry, err)
}

// SetUp lets the first administrator of an empty platform in, as SignUp does.
// account.ErrNotFound: the key does not count, or no more.
func (d *Door) SetUp(w http.ResponseWriter, r *http.Request, key oauth.Hash, p oauth.Platform, first account.Registration) (*Person, *account.Problem, error) {
	entry, err := d.accounts.SetUp(r.Context(), key, p, first, d.browser(r))
	return d.enter(w, entry, err)
}

// ChangePassword does what the posted form says. A nil problem and a nil error mean that the
// password is another one, and the browser's cookie, too.
func (d *Door) ChangePassword(w http.ResponseWriter, r *http.Request, person *Person) (*account.Problem, error) {
	cookie, err := d.accounts.ChangePassword(r.Context(), person.Account, r.PostFormValue("old_password"), r.PostFormValue("password"),
		person.Session.ID, throttle.Client(r.RemoteAddr))
	var problem *account.Problem
	if errors.As(err, &problem) {
		return problem, nil
	}
	if err == nil {
		d.setCookie(w, cookie, cookieLife)
	}
	return nil, err
}

func (d *Door) browser(r *http.Request) account.Browser {
	b := account.Browser{Address: throttle.Client(r.RemoteAddr), UserAgent: r.UserAgent()}
	// A session that cannot be read cannot be ended either; it ends by itself.
	if was, err := d.Person(r); err == nil && was != nil {
		b.Before = was.Session.ID
	}
	return b
}

// enter gives the browser the cookie of its new session.
func (d *Door) enter(w http.ResponseWriter, entry account.Entry, err error) (*Person, *account.Problem, error) {
	var problem *account.Problem
	switch {
	case errors.As(err, &problem):
		return nil, problem, nil
	case errors.Is(err, account.ErrSignUpClosed):
		return nil, &account.Problem{Message: oauth.Say("Accounts are created by those who run this platform.")}, nil
	case err != nil:
		return nil, nil, err
	}
	d.setCookie(w, entry.Cookie, cookieLife)
	return &Person{Session: entry.Session, Account: entry.Account}, nil, nil
}

// SignUpOpen reports whether people may create accounts themselves.
func (d *Door) SignUpOpen() bool { return d.accounts.SignUpOpen() }

// Status is the HTTP status of a form that comes back with a problem. It sets
// Retry-After where there were too many attempts.
func Status(w http.ResponseWriter, p *account.Problem) int {
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", oauth.RetryAfter(p.RetryAfter))
		return http.StatusTooManyRequests
	}
	return http.StatusUnprocessableEntity
}

// Problems splits a problem into what belongs beside inputs and what above the form.
func Problems(p *account.Problem) (above oauth.Sentence, beside map[string]oauth.Sentence) {
	if p.Field == "" {
		return p.Message, nil
	}
	beside = map[string]oauth.Sentence{}
	for _, one := range p.All() {
		beside[one.Field] = one.Message
	}
	return oauth.Sentence{}, beside
}

// Routes adds the pages outside authorization requests.
func (d *Door) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /sign-in", d.showSignIn)
	mux.HandleFunc("POST /sign-in", d.signIn)
	mux.HandleFunc("GET /sign-up", d.showSignUp)
	mux.HandleFunc("POST /sign-up", d.signUp)
	mux.HandleFunc("POST /sign-out", d.signOut)
}

func (d *Door) signInPage(r *http.Request) page.SignIn {
	return page.SignIn{
		Frame: page.Frame{Title: oauth.Say("Sign in")}, Action: "/sign-in",
		SignUp: d.SignUpOpen(), Continue: page.LocalPath(r.FormValue("continue"), ""), Email: r.PostFormValue("email"),
	}
}

func (d *Door) showSignIn(w http.ResponseWriter, r *http.Request) {
	content := d.signInPage(r)
	switch Done(r) {
	case "nothing":
		content.Notice = oauth.Say("You were signed out meanwhile. Nothing was changed.")
	case "signed-out":
		content.Notice = oauth.Say("You are signed out.")
	}
	d.pages.Write(w, r, http.StatusOK, content)
}

// AskFirst sends somebody to sign in who is not, and afterwards back: to what was asked
// for, or, where that was a form, to the page that had it.
func (d *Door) AskFirst(w http.ResponseWriter, r *http.Request) {
	back, ask := *r.URL, url.Values{}
	if r.Method == http.MethodPost {
		d.prove(w, "/sign-in", "nothing")
		ask.Set("done", "nothing")
		if from, err := url.Parse(r.Referer()); err == nil && from.Host == r.Host {
			back = *from
		}
	}
	query := back.Query()
	// What was done before is no news by then.
	query.Del("done")
	back = url.URL{Path: back.Path, RawPath: back.RawPath, RawQuery: query.Encode()}
	ask.Set("continue", back.String())
	page.Redirect(w, "/sign-in?"+ask.Encode())
}

// self is the address of a form that leads on to somewhere, for when it comes back.
func self(form, to string) string {
	if to == "" {
		return form
	}
	return form + "?" + url.Values{"continue": {to}}.Encode()
}

func (d *Door) signIn(w http.ResponseWriter, r *http.Request) {
	_, problem, err := d.SignIn(w, r)
	switch {
	case err != nil:
		d.Fail(w, r, err)
	case problem != nil:
		content := d.signInPage(r)
		content.Problem, content.Self = problem.Message, self(content.Action, content.Continue)
		d.pages.Write(w, r, Status(w, problem), content)
	default:
		page.Redirect(w, destination(r))
	}
}

func (d *Door) signUpPage(r *http.Request) page.SignUp {
	return page.SignUp{
		Frame: page.Frame{Title: oauth.Say("Create your account")}, Action: "/sign-up", Continue: page.LocalPath(r.FormValue("continue"), ""),
		Name: r.PostFormValue("name"), Email: r.PostFormValue("email"),
	}
}

func (d *Door) showSignUp(w http.ResponseWriter, r *http.Request) {
	if !d.SignUpOpen() {
		d.pages.Write(w, r, http.StatusForbidden, page.Problem{
			Frame:  page.Frame{Title: oauth.Say("Sign-up is closed")},
			Person: oauth.Say("Accounts are created by those who run this platform."), BackTo: "/sign-in", BackText: oauth.Say("Sign in"),
		})
		return
	}
	d.pages.Write(w, r, http.StatusOK, d.signUpPage(r))
}

func (d *Door) signUp(w http.ResponseWriter, r *http.Request) {
	_, problem, err := d.SignUp(w, r)
	switch {
	case err != nil:
		d.Fail(w, r, err)
	case problem != nil:
		content := d.signUpPage(r)
		content.Problem, content.Problems = Problems(problem)
		content.Self = self(content.Action, content.Continue)
		d.pages.Write(w, r, Status(w, problem), content)
	default:
		page.Redirect(w, destination(r))
	}
}

func (d *Door) signOut(w http.ResponseWriter, r *http.Request) {
	p, err := d.Person(r)
	if err == nil && p != nil {
		err = d.accounts.EndSession(p.Acting(r).Context(), p.Account.ID, p.Session.ID)
	}
	if err != nil {
		d.Fail(w, r, err)
		return
	}
	d.setCookie(w, "", -time.Second)
	d.LeadTo(w, "/sign-in", "signed-out")
}

// MayAct counts what the person sends, by the id of their account, or of their session. Where that
// is too much it answers, and reports false.
func (d *Door) MayAct(w http.ResponseWriter, r *http.Request, person *Person, by oauth.ID) bool {
	if r.Method != http.MethodPost {
		return true
	}
	problem := d.accounts.TakeAct(by, throttle.Client(r.RemoteAddr))
	if problem == nil {
		return true
	}
	d.pages.Write(w, r, Status(w, problem), page.Problem{
		Frame:  page.Frame{Title: oauth.Say("Too much at once"), Account: &person.Account},
		Person: oauth.Say("Nothing was changed. Wait a little and try again."),
	})
	return false
}

// Fail answers a browser when the server could not do its work.
func (d *Door) Fail(w http.ResponseWriter, r *http.Request, err error) {
	known := oauth.ErrorOf(err)
	// A browser that has left is nothing to mend.
	if !errors.Is(known, context.Canceled) {
		d.log.Error("request failed", "path", r.URL.Path, "cause", known)
	}
	status := known.Code.Status
	if known.RetryAfter > 0 {
		w.Header().Set("Retry-After", oauth.RetryAfter(known.RetryAfter))
	}
	d.pages.Write(w, r, status, page.Problem{
		Frame: page.Frame{Title: oauth.Say("Something went wrong here")}, Person: oauth.Say("It is not your fault. Try again in a moment."),
	})
}

// destination is where the browser goes after signing in.
func destination(r *http.Request) string {
	return page.LocalPath(r.PostFormValue("continue"), "/settings/applications")
}
