package admin

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/latchkey/latchkey/internal/application"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
	"github.com/latchkey/latchkey/internal/store"
)

func (a *Admin) listApplications(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	q := r.URL.Query()
	content := page.AdminApplications{Frame: frame(r, person, "applications", oauth.Say("Applications"))}
	content.Search, content.State = strings.TrimSpace(q.Get("q")), q.Get("state")
	content.States = []page.ListState{
		{Name: "", Label: oauth.Say("All")}, {Name: store.Submitted, Label: oauth.Say("Waiting for review")},
		{Name: store.Asking, Label: oauth.Say("Asking for a scope")},
		{Name: store.Verified, Label: oauth.Say("Verified")}, {Name: store.Suspended, Label: oauth.Say("Suspended")},
	}
	var all []oauth.Application
	var err error
	owner, owned := oauth.ParseID(q.Get("owner"))
	switch {
	case owned:
		found, err := a.Accounts.ByID(r.Context(), owner)
		if err != nil {
			return err
		}
		content.Owner = &found
		if all, err = a.Applications.PageOf(r.Context(), owner, asked(r)); err != nil {
			return err
		}
	case content.Search != "":
		all, content.Rest, err = a.searchApplications(r, content.Search)
	default:
		all, err = a.Applications.Page(r.Context(), content.State, asked(r))
	}
	if err != nil {
		return err
	}
	content.Applications, content.Cut = cut(all)
	if content.Cut && content.Search == "" {
		content.Cut, content.Next = false, next(r, content.Applications[rows-1].ID)
	}
	a.Pages.Write(w, r, http.StatusOK, content)
	return nil
}

// searchApplications finds by client_id or id, by owner, or by the beginning of the name.
// rest is the owner where it has more than a page.
func (a *Admin) searchApplications(r *http.Request, text string) (all []oauth.Application, rest *oauth.Account, err error) {
	found, err := a.findApplication(r.Context(), text)
	if err == nil {
		return []oauth.Application{found}, nil, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, nil, err
	}
	named, err := a.Applications.Beginning(r.Context(), text, rows+1)
	if err != nil {
		return nil, nil, err
	}
	owner, err := a.Accounts.Find(r.Context(), text)
	if errors.Is(err, store.ErrNotFound) {
		return named, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	owned, err := a.Applications.PageOf(r.Context(), owner.ID, store.Page{Limit: rows + 1})
	if len(owned) > rows {
		rest = &owner
	}
	named = slices.DeleteFunc(named, func(n oauth.Application) bool { return n.OwnerID == owner.ID })
	return append(owned, named...), rest, err
}

// findApplication reads an application by its id or its client_id.
func (a *Admin) findApplication(ctx context.Context, reference string) (oauth.Application, error) {
	if id, ok := oauth.ParseID(strings.ToLower(reference)); ok {
		return a.Store.Application(ctx, id)
	}
	return a.Applications.Find(ctx, reference)
}

func (a *Admin) showApplication(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	err := a.writeApplication(w, r, person, http.StatusOK, page.ReasonForm{})
	if id, ok := oauth.ParseID(r.PathValue("id")); ok && errors.Is(err, store.ErrNotFound) {
		// The audit log outlives what it is about, and leads here.
		about, err := a.recent(r, store.AuditFilter{ApplicationID: id}, 1)
		if err != nil {
			return err
		}
		if len(about) > 0 {
			page.Redirect(w, "/admin/audit?application="+id.String())
			return nil
		}
	}
	return err
}

func (a *Admin) writeApplication(w http.ResponseWriter, r *http.Request, person *signin.Person, status int, form page.ReasonForm) error {
	found, err := a.findApplication(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	form.Label = oauth.Say("What is missing")
	if found.Verified() {
		form.Label = oauth.Say("Why the mark goes")
	}
	content := page.AdminApplication{Frame: frame(r, person, "applications", oauth.Say("%s", found.Name)), Subject: found, Review: a.Grants.ReviewRequired(), Form: form}
	for _, p := range a.Grants.Catalogue().Permissions {
		content.Scopes = append(content.Scopes, page.ScopeStanding{Permission: p, State: found.StateOf(p.Name)})
	}
	if content.Events, err = a.recent(r, store.AuditFilter{ApplicationID: found.ID}, 10); err != nil {
		return err
	}
	a.Pages.Write(w, r, status, content)
	return nil
}

func applicationPath(found oauth.Application) string {
	return "/admin/applications/" + found.ID.String()
}

// onApplication does something to the application of the address.
func (a *Admin) onApplication(w http.ResponseWriter, r *http.Request, done string, act func(context.Context, oauth.ID) error) error {
	found, err := a.findApplication(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := act(r.Context(), found.ID); err != nil {
		return err
	}
	a.Door.LeadTo(w, applicationPath(found), done)
	return nil
}

func (a *Admin) resume(w http.ResponseWriter, r *http.Request, _ *signin.Person) error {
	return a.onApplication(w, r, "resumed", a.Applications.Resume)
}

// verify marks the application that the page showed: its owner may have made another of
// it meanwhile.
func (a *Admin) verify(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	seen := cmp.Or(r.PostFormValue("seen"), "nothing")
	err := a.onApplication(w, r, "verified", func(ctx context.Context, id oauth.ID) error { return a.Applications.VerifySeen(ctx, id, seen) })
	return a.unlessChanged(w, r, person, err)
}

// unlessChanged shows the application as it is where it is no longer what the page showed.
func (a *Admin) unlessChanged(w http.ResponseWriter, r *http.Request, person *signin.Person, err error) error {
	if errors.Is(err, application.ErrChanged) {
		return a.writeApplication(w, r, person, http.StatusConflict, page.ReasonForm{Above: oauth.Say("Nothing was changed: the application is another than the one you looked at.")})
	}
	return err
}

func (a *Admin) unverify(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	return a.unlessChanged(w, r, person, a.answer(w, r, person, "unverified", oauth.Application.Verified, a.Applications.Unverify))
}

func (a *Admin) sendBack(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	return a.unlessChanged(w, r, person, a.answer(w, r, person, "returned", oauth.Application.Submitted, a.Applications.Return))
}

// answer does something to an application whose owner is told why, as long as it is due.
func (a *Admin) answer(w http.ResponseWriter, r *http.Request, person *signin.Person, done string,
	due func(oauth.Application) bool, act func(context.Context, oauth.ID, string) error) error {
	reason, form := reasonOf(r)
	if form.Problems != nil {
		found, err := a.findApplication(r.Context(), r.PathValue("id"))
		if err == nil && !due(found) {
			// The page has no such form any more that could show the problem.
			err = application.ErrChanged
		}
		if err != nil {
			return err
		}
		return a.writeApplication(w, r, person, http.StatusUnprocessableEntity, form)
	}
	return a.onApplication(w, r, done, func(ctx context.Context, id oauth.ID) error { return act(ctx, id, reason) })
}

func reasonOf(r *http.Request) (string, page.ReasonForm) {
	form := page.ReasonForm{Reason: r.PostFormValue("reason")}
	reason, err := application.Reason(form.Reason, true)
	var problem *application.Problem
	if errors.As(err, &problem) {
		form.Problems = map[string]oauth.Sentence{problem.Field: problem.Message}
	}
	return reason, form
}

func (a *Admin) previewSuspend(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	return a.writeSuspend(w, r, person, http.StatusOK, page.ReasonForm{})
}

func (a *Admin) writeSuspend(w http.ResponseWriter, r *http.Request, person *signin.Person, status int, form page.ReasonForm) error {
	found, err := a.findApplication(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	living, err := a.Applications.Living(r.Context(), found.ID)
	if err != nil {
		return err
	}
	form.Label = oauth.Say("Why it is suspended")
	a.Pages.Write(w, r, status, page.AdminSuspend{
		Frame: frame(r, person, "applications", oauth.Say("Suspend %s", found.Name)), Subject: found, Form: form,
		Given: amount(living.Authorizations), People: page.Amount{N: living.Accounts, Cut: amount(living.Authorizations).Cut},
	})
	return nil
}

func (a *Admin) suspend(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	reason, form := reasonOf(r)
	if form.Problems != nil {
		return a.writeSuspend(w, r, person, http.StatusUnprocessableEntity, form)
	}
	return a.onApplication(w, r, "suspended", func(ctx context.Context, id oauth.ID) error { return a.Applications.Suspend(ctx, id, reason) })
}

// decideScope allows or declines one scope that needs an administrator, as long as it is to
// the application what the page showed.
func (a *Admin) decideScope(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	permission, known := a.Grants.Catalogue().Find(r.PostFormValue("scope"))
	if !known || !permission.NeedsApproval {
		return store.ErrNotFound
	}
	done, decide := "allowed", a.Applications.AllowScope
	switch r.PathValue("decision") {
	case "allow":
	case "decline":
		done, decide = "declined", a.Applications.DeclineScope
	default:
		return store.ErrNotFound
	}
	seen := oauth.ScopeState(r.PostFormValue("seen"))
	err := a.onApplication(w, r, done, func(ctx context.Context, id oauth.ID) error { return decide(ctx, id, permission.Name, seen) })
	return a.unlessChanged(w, r, person, err)
}
