package admin

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/latchkey/latchkey/internal/account"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
	"github.com/latchkey/latchkey/internal/store"
)

func (a *Admin) listAccounts(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	q := r.URL.Query()
	content := page.AdminAccounts{Frame: frame(r, person, "accounts", oauth.Say("Accounts"))}
	content.Search, content.State = strings.TrimSpace(q.Get("q")), q.Get("state")
	content.States = []page.ListState{
		{Name: "", Label: oauth.Say("All")}, {Name: store.Administrators, Label: oauth.Say("Administrators")},
		{Name: store.Disabled, Label: oauth.Say("Disabled")},
	}
	var all []oauth.Account
	var err error
	id, byID := oauth.ParseID(strings.ToLower(content.Search))
	switch {
	case byID:
		var found oauth.Account
		if found, err = a.Accounts.ByID(r.Context(), id); err == nil {
			all = append(all, found)
		} else if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
	case content.Search != "":
		all, err = a.Accounts.Beginning(r.Context(), content.Search, rows+1)
	default:
		all, err = a.Accounts.Page(r.Context(), content.State, asked(r))
	}
	if err != nil {
		return err
	}
	content.Accounts, content.Cut = cut(all)
	if content.Cut && content.Search == "" {
		content.Cut, content.Next = false, next(r, content.Accounts[rows-1].ID)
	}
	a.Pages.Write(w, r, http.StatusOK, content)
	return nil
}

// named is the account of the address.
func (a *Admin) named(r *http.Request) (oauth.Account, error) {
	id, ok := oauth.ParseID(r.PathValue("id"))
	if !ok {
		return oauth.Account{}, store.ErrNotFound
	}
	return a.Accounts.ByID(r.Context(), id)
}

func (a *Admin) showAccount(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	return a.writeAccount(w, r, person, http.StatusOK, oauth.Sentence{})
}

func (a *Admin) writeAccount(w http.ResponseWriter, r *http.Request, person *signin.Person, status int, problem oauth.Sentence) error {
	found, err := a.named(r)
	if err != nil {
		return err
	}
	living, err := a.Accounts.Living(r.Context(), found.ID)
	if err != nil {
		return err
	}
	content := page.AdminAccount{
		Frame: frame(r, person, "accounts", oauth.Say("%s", found.Name)), Subject: found, Oneself: found.ID == person.Account.ID, Problem: problem,
		Sessions: amount(living.Sessions), Given: amount(living.Authorizations),
	}
	content.Self = accountPath(found)
	const shown = 20
	if content.Applications, err = a.Applications.PageOf(r.Context(), found.ID, store.Page{Limit: shown + 1}); err != nil {
		return err
	}
	if content.MoreApplications = len(content.Applications) > shown; content.MoreApplications {
		content.Applications = content.Applications[:shown]
	}
	connections, err := a.Grants.Connections(r.Context(), found.ID)
	if err != nil {
		return err
	}
	for _, c := range connections {
		content.Connections = append(content.Connections, c.Application)
	}
	if content.Events, err = a.recent(r, store.AuditFilter{AccountID: found.ID}, 10); err != nil {
		return err
	}
	a.Pages.Write(w, r, status, content)
	return nil
}

func accountPath(found oauth.Account) string { return "/admin/accounts/" + found.ID.String() }

func (a *Admin) previewDisable(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	found, err := a.named(r)
	if err != nil {
		return err
	}
	living, err := a.Accounts.Living(r.Context(), found.ID)
	if err != nil {
		return err
	}
	a.Pages.Write(w, r, http.StatusOK, page.AdminDisable{
		Frame: frame(r, person, "accounts", oauth.Say("Disable %s", found.Name)), Subject: found,
		Given: amount(living.Authorizations), Sessions: amount(living.Sessions), Owned: amount(living.Applications),
		OwnedGiven:  amount(living.AsOwner.Authorizations),
		OwnedPeople: page.Amount{N: living.AsOwner.Accounts, Cut: amount(living.AsOwner.Authorizations).Cut},
	})
	return nil
}

func (a *Admin) previewAdministrator(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	found, err := a.named(r)
	if err != nil {
		return err
	}
	a.Pages.Write(w, r, http.StatusOK, page.AdminPromote{Frame: frame(r, person, "accounts", oauth.Say("Make %s administrator", found.Name)), Subject: found})
	return nil
}

// onAccount does something to the account of the address, which is not the
// administrator's own: nobody locks themselves out.
func (a *Admin) onAccount(w http.ResponseWriter, r *http.Request, person *signin.Person, done string, act func(context.Context, oauth.ID) error) error {
	found, err := a.named(r)
	if err != nil {
		return err
	}
	if found.ID == person.Account.ID {
		return a.writeAccount(w, r, person, http.StatusConflict, oauth.Say("Nothing was changed: this is your own account."))
	}
	err = act(r.Context(), found.ID)
	if errors.Is(err, account.ErrLastAdministrator) {
		return a.writeAccount(w, r, person, http.StatusConflict, oauth.Say("Nothing was changed: this is the last administrator."))
	}
	if err != nil {
		return err
	}
	a.Door.LeadTo(w, accountPath(found), done)
	return nil
}

func (a *Admin) disable(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	return a.onAccount(w, r, person, "disabled", a.Accounts.Disable)
}

func (a *Admin) enable(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	return a.onAccount(w, r, person, "enabled", a.Accounts.Enable)
}

func (a *Admin) makeAdministrator(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	return a.onAccount(w, r, person, "made", a.Accounts.MakeAdministrator)
}

func (a *Admin) unmakeAdministrator(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	return a.onAccount(w, r, person, "unmade", a.Accounts.UnmakeAdministrator)
}
