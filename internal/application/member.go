package application

import (
	"context"
	"errors"
	"strings"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// ManagedBy finds an application that an account owns, alone or with others; ErrNotFound
// where it does neither.
func (a *Applications) ManagedBy(ctx context.Context, account oauth.ID, clientID string) (oauth.Application, error) {
	found, err := a.Find(ctx, clientID)
	if err != nil || found.OwnerID == account {
		return found, err
	}
	co, err := a.store.HasRole(ctx, found.ID, account, oauth.RoleCoOwner)
	if err == nil && !co {
		err = ErrNotFound
	}
	if err != nil {
		return oauth.Application{}, err
	}
	return found, nil
}

// Managed lists the applications that an account owns, alone or with others, and whose
// name has a text in it: those before one, or the newest, and at most limit.
func (a *Applications) Managed(ctx context.Context, account oauth.ID, text string, before oauth.ID, limit int) ([]oauth.Application, error) {
	return a.store.ManagedApplications(ctx, account, text, store.Page{Before: before, Limit: limit})
}

// InRole lists the applications in which an account has a role, the oldest first.
func (a *Applications) InRole(ctx context.Context, account oauth.ID, role oauth.Role) ([]oauth.Application, error) {
	return a.store.ApplicationsByRole(ctx, account, role)
}

// Members lists the accounts that have a role in an application.
func (a *Applications) Members(ctx context.Context, application oauth.ID) ([]oauth.Member, error) {
	return a.store.Members(ctx, application)
}

// AddMember gives a role to the account of an email address or a username. The error is a
// *Problem of the field that is named as the role where the input is wrong.
func (a *Applications) AddMember(ctx context.Context, application oauth.Application, role oauth.Role, reference string) error {
	field := string(role)
	account, err := a.account(ctx, strings.TrimSpace(reference))
	switch {
	case errors.Is(err, ErrNotFound):
		return &Problem{Field: field, Message: oauth.Say("There is no account with this username or email address.")}
	case err != nil:
		return err
	case account.ID == application.OwnerID:
		return &Problem{Field: field, Message: oauth.Say("This is the account that owns the application.")}
	case account.Disabled:
		return &Problem{Field: field, Message: oauth.Say("This account is disabled.")}
	}
	err = a.store.AddMember(ctx, application.ID, account, role)
	if errors.Is(err, store.ErrFull) {
		return &Problem{Field: field, Message: oauth.Say("There are %d already, as many as there may be.", store.MaxMembers)}
	}
	return err
}

func (a *Applications) account(ctx context.Context, reference string) (oauth.Account, error) {
	if strings.Contains(reference, "@") {
		found, _, err := a.store.AccountByEmail(ctx, reference)
		return found, err
	}
	return a.store.AccountByUsername(ctx, strings.ToLower(reference))
}

// RemoveMember takes a role from an account: the owner, or the account itself, decides
// that. Where a review is required, what it approved of a draft ends with its last role.
// ErrNotFound: it does not have the role.
func (a *Applications) RemoveMember(ctx context.Context, application oauth.ID, account oauth.ID, role oauth.Role, review bool) error {
	found, err := a.store.Account(ctx, account)
	if err != nil {
		return err
	}
	return a.store.RemoveMember(ctx, application, found, role, review)
}

// Accept makes the account to which an application is offered its owner. Tokens of
// client_credentials that were for the owner before work no more, and there are none for the
// new one before the secret is replaced; co-owners have no part in it; people who approved
// the application are asked again. The error is a *Problem where the account owns as many as
// it may.
func (a *Applications) Accept(ctx context.Context, application oauth.ID, heir oauth.Account) error {
	if !heir.Administrator {
		if err := a.hasRoom(ctx, heir.ID); err != nil {
			return err
		}
	}
	return a.store.Inherit(ctx, application, heir)
}
