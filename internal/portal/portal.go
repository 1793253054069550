// Package portal is the settings pages: the applications that a developer has
// registered, with their people, webhooks, errors and trials, the applications that
// an account has connected, the profile, the password and the sessions. It reads
// forms and shows pages; what may be changed is decided in internal/application,
// internal/account, internal/grant and internal/webhook.
package portal

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/latchkey/latchkey/internal/account"
	"github.com/latchkey/latchkey/internal/application"
	"github.com/latchkey/latchkey/internal/grant"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/picture"
	"github.com/latchkey/latchkey/internal/signin"
	"github.com/latchkey/latchkey/internal/throttle"
	"github.com/latchkey/latchkey/internal/usage"
	"github.com/latchkey/latchkey/internal/webhook"
)

// Portal serves the settings pages.
type Portal struct {
	Accounts     *account.Accounts
	Applications *application.Applications
	Grants       *grant.Grants
	Meter        *usage.Meter
	Webhooks     *webhook.Webhooks
	Door         *signin.Door
	Pages        *page.Pages
	Log          *slog.Logger
	Now          func() time.Time
	// Endpoints are the URLs that developers need.
	page.Endpoints
	// Protocol is what a trial of an application calls, and Key seals it.
	Protocol Protocol
	Key      oauth.Key
	// Secure cookies are for an issuer that is https.
	Secure bool
	// Picture reads a picture; Studio makes one of an upload, as often as UploadLimit
	// lets an account.
	Picture     func(context.Context, oauth.ID) (oauth.Picture, error)
	Studio      *picture.Studio
	UploadLimit *throttle.Throttle
	// LookUpLimit is how often an account may look for others: it learns who has one, and
	// their names.
	LookUpLimit *throttle.Throttle
}

// Routes adds the settings pages.
func (p *Portal) Routes(mux *http.ServeMux) {
	for _, routes := range []map[string]handler{p.personRoutes(), p.developerRoutes(), p.peopleRoutes(), p.reviewRoutes(), p.webhookRoutes()} {
		for pattern, h := range routes {
			mux.Handle(pattern, p.signedIn(h))
		}
	}
	// Somebody who has another session of the account cannot use up that it may be ended.
	for pattern, h := range map[string]handler{
		"POST /settings/security/sessions/{id}/end":   p.endSession,
		"POST /settings/security/sessions/end-others": p.endOtherSessions,
	} {
		mux.Handle(pattern, p.counted(h, func(person *signin.Person) oauth.ID { return person.Session.ID }))
	}
}

// personRoutes are the pages that everybody has.
func (p *Portal) personRoutes() map[string]handler {
	return map[string]handler{
		"GET /{$}":                  p.home,
		"GET /settings":             p.home,
		"GET /settings/connections": p.listConnections,
		"POST /settings/connections/{id}/disconnect": p.disconnect,
		"POST /settings/connections/disconnect-all":  p.disconnectAll,
		"GET /settings/profile":                      p.showProfile,
		"POST /settings/profile":                     p.changeProfile,
		"POST /settings/profile/picture":             p.changePicture,
		"POST /settings/profile/picture/remove":      p.removePicture,
		"GET /settings/security":                     p.showSecurity,
		"POST /settings/security/password":           p.changePassword,
	}
}

// handler answers a person who is signed in. Its error is a fault of the server,
// or application.ErrNotFound for what is not there or somebody else's.
type handler func(http.ResponseWriter, *http.Request, *signin.Person) error

// signedIn lets nobody in who is not, counts what the account does, and shows what went wrong.
func (p *Portal) signedIn(h handler) http.Handler {
	return p.counted(h, func(person *signin.Person) oauth.ID { return person.Account.ID })
}

// counted is signedIn, and counts by another id.
func (p *Portal) counted(h handler, by func(*signin.Person) oauth.ID) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		person, err := p.Door.Person(r)
		switch {
		case err != nil:
			p.Door.Fail(w, r, err)
			return
		case person == nil:
			p.Door.AskFirst(w, r)
			return
		case !p.Door.MayAct(w, r, person, by(person)):
			return
		}
		err = h(w, person.Acting(r), person)
		switch {
		case errors.Is(err, account.ErrSignedOut):
			p.Door.AskFirst(w, r)
		case errors.Is(err, application.ErrNotFound):
			p.Pages.Write(w, r, http.StatusNotFound, page.Problem{
				Frame:  page.Frame{Title: oauth.Say("There is nothing here"), Account: &person.Account},
				Person: oauth.Say("It may have been deleted, or belong to another account."), BackTo: "/settings/applications", BackText: oauth.Say("Your applications"),
			})
		case err != nil:
			p.Door.Fail(w, r, err)
		}
	})
}

// managed finds the application of the address for somebody who manages it.
func (p *Portal) managed(h func(http.ResponseWriter, *http.Request, *signin.Person, oauth.Application) error) handler {
	return func(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
		a, err := p.Applications.ManagedBy(r.Context(), person.Account.ID, r.PathValue("id"))
		if err != nil {
			return err
		}
		return h(w, r, person, a)
	}
}

// notice is what a page says after a form, by what was done.
func notice(r *http.Request) oauth.Sentence {
	switch signin.Done(r) {
	case "saved":
		return oauth.Say("Saved.")
	case "submitted":
		return oauth.Say("Submitted. An administrator will look at the application.")
	case "no-review":
		return oauth.Say("Nothing was changed: applications are not reviewed here.")
	case "asked":
		return oauth.Say("Asked. An administrator will decide about it.")
	case "asked-before":
		return oauth.Say("Nothing was changed: this was asked for before, or is allowed.")
	case "secret-ended":
		return oauth.Say("The old secret works no more.")
	case "secret-replaced-before":
		return oauth.Say("Nothing was changed: the secret was replaced already since you opened the page.")
	case "left":
		return oauth.Say("You have no part in the application any more.")
	case "inherited":
		return oauth.Say("The application is yours now. Replace its secrets: its owner before knows them.")
	case "co-owner-removed":
		return oauth.Say("Removed. Who was a co-owner may still know the secrets: replace them, the webhook's too.")
	case "declined":
		return oauth.Say("The offer is declined.")
	case "deleted":
		return oauth.Say("The application is deleted.")
	case "disconnected":
		return oauth.Say("Disconnected. The application can do nothing more with your account.")
	case "picture":
		return oauth.Say("Your picture is changed.")
	case "no-picture":
		return oauth.Say("Your picture is removed.")
	case "all-disconnected":
		return oauth.Say("All applications are disconnected. None can do anything more with your account.")
	case "password":
		return oauth.Say("The password is changed. You are signed out everywhere else.")
	case "signed-out":
		return oauth.Say("Signed out there.")
	case "signed-out-elsewhere":
		return oauth.Say("Signed out everywhere else.")
	}
	return oauth.Sentence{}
}

func frame(r *http.Request, person *signin.Person, section string, title oauth.Sentence) page.Frame {
	return page.Frame{Title: title, Account: &person.Account, Section: section, Notice: notice(r)}
}

func (p *Portal) home(w http.ResponseWriter, _ *http.Request, _ *signin.Person) error {
	page.Redirect(w, "/settings/applications")
	return nil
}
