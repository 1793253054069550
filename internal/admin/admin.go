// Package admin is the pages of those who run the platform: accounts, applications and
// their review, the audit log. It reads forms and shows pages; what may be changed is
// decided in internal/account, internal/application and internal/grant. For everybody
// who is no administrator these pages do not exist.
package admin

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/latchkey/latchkey/internal/account"
	"github.com/latchkey/latchkey/internal/application"
	"github.com/latchkey/latchkey/internal/grant"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
	"github.com/latchkey/latchkey/internal/store"
	"github.com/latchkey/latchkey/internal/usage"
)

// Admin serves the pages of administrators.
type Admin struct {
	Store        *store.Store
	Accounts     *account.Accounts
	Applications *application.Applications
	Grants       *grant.Grants
	Door         *signin.Door
	Pages        *page.Pages
	Log          *slog.Logger
	Meter        *usage.Meter
	FirstRun     FirstRun
}

// Routes adds the pages below /admin.
func (a *Admin) Routes(mux *http.ServeMux) {
	for pattern, h := range map[string]handler{
		"GET /admin":                                      a.overview,
		"GET /admin/accounts":                             a.listAccounts,
		"GET /admin/accounts/{id}":                        a.showAccount,
		"GET /admin/accounts/{id}/disable":                a.previewDisable,
		"POST /admin/accounts/{id}/disable":               a.disable,
		"POST /admin/accounts/{id}/enable":                a.enable,
		"GET /admin/accounts/{id}/make-administrator":     a.previewAdministrator,
		"POST /admin/accounts/{id}/make-administrator":    a.makeAdministrator,
		"POST /admin/accounts/{id}/unmake-administrator":  a.unmakeAdministrator,
		"GET /admin/applications":                         a.listApplications,
		"GET /admin/applications/{id}":                    a.showApplication,
		"GET /admin/applications/{id}/suspend":            a.previewSuspend,
		"POST /admin/applications/{id}/suspend":           a.suspend,
		"POST /admin/applications/{id}/resume":            a.resume,
		"POST /admin/applications/{id}/verify":            a.verify,
		"POST /admin/applications/{id}/unverify":          a.unverify,
		"POST /admin/applications/{id}/return":            a.sendBack,
		"POST /admin/applications/{id}/scopes/{decision}": a.decideScope,
		"GET /admin/audit":                                a.showAudit,
		"GET /admin/audit.jsonl":                          a.exportAudit,
	} {
		mux.Handle(pattern, a.forAdministrators(h))
	}
	mux.HandleFunc("GET /first-run", a.showFirstRun)
	mux.HandleFunc("POST /first-run", a.setUp)
}

// handler answers an administrator. Its error is a fault of the server, or
// store.ErrNotFound for what is not there.
type handler func(http.ResponseWriter, *http.Request, *signin.Person) error

// forAdministrators shows everybody else that there is no such page. Only somebody who
// is not signed in is asked to: they may be an administrator.
func (a *Admin) forAdministrators(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		person, err := a.Door.Person(r)
		switch {
		case err != nil:
			a.Door.Fail(w, r, err)
			return
		case person == nil:
			a.Door.AskFirst(w, r)
			return
		case !person.Account.Administrator:
			a.noSuchPage(w, r, person)
			return
		}
		err = h(w, person.Acting(r), person)
		switch {
		case errors.Is(err, store.ErrNotFound):
			a.noSuchPage(w, r, person)
		case err != nil:
			a.Door.Fail(w, r, err)
		}
	})
}

func (a *Admin) noSuchPage(w http.ResponseWriter, r *http.Request, person *signin.Person) {
	content := page.NoSuchPage()
	content.Account = &person.Account
	a.Pages.Write(w, r, http.StatusNotFound, content)
}

func frame(r *http.Request, person *signin.Person, section string, title oauth.Sentence) page.Frame {
	return page.Frame{Title: title, Account: &person.Account, Section: "admin-" + section, Notice: notice(r)}
}

// notice says what was just done.
func notice(r *http.Request) oauth.Sentence {
	switch signin.Done(r) {
	case "set-up":
		return oauth.Say("The platform is set up. Welcome.")
	case "disabled":
		return oauth.Say("The account is disabled.")
	case "enabled":
		return oauth.Say("The account is enabled.")
	case "made":
		return oauth.Say("The account is an administrator now.")
	case "unmade":
		return oauth.Say("The account is no administrator any more.")
	case "suspended":
		return oauth.Say("The application is suspended.")
	case "resumed":
		return oauth.Say("The application is resumed.")
	case "verified":
		return oauth.Say("The application is verified.")
	case "unverified":
		return oauth.Say("The mark is taken away.")
	case "returned":
		return oauth.Say("The application is sent back.")
	case "allowed":
		return oauth.Say("The scope is allowed.")
	case "declined":
		return oauth.Say("The scope is not allowed.")
	}
	return oauth.Sentence{}
}

// rows is how many a page of a list has.
const rows = 50

// cut takes the one more than a page that tells whether there are more.
func cut[T any](all []T) ([]T, bool) {
	if len(all) > rows {
		return all[:rows], true
	}
	return all, false
}

// asked is the page of a list that a request asks for, with the one more.
func asked(r *http.Request) store.Page {
	before, _ := oauth.ParseID(r.URL.Query().Get("before"))
	return store.Page{Before: before, Limit: rows + 1}
}

// next is the address of the page after this one.
func next(r *http.Request, last oauth.ID) string {
	q := r.URL.Query()
	q.Del("done")
	q.Set("before", last.String())
	return r.URL.Path + "?" + q.Encode()
}

func amount(n int) page.Amount { return page.Amount{N: n, Cut: n >= store.CountedTo} }

// recent reads the last lines of the audit log that meet a filter.
func (a *Admin) recent(r *http.Request, f store.AuditFilter, n int) ([]oauth.AuditEvent, error) {
	p, err := a.Store.Audit(r.Context(), f, store.AuditCursor{}, n)
	return p.Events, err
}
