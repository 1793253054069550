package account

import (
	"context"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// ErrLastAdministrator: without this account nobody could administer the platform.
var ErrLastAdministrator = store.ErrLastAdministrator

// Disable switches an account off: its sessions end, and no token of its or of
// its applications works until Enable.
func (a *Accounts) Disable(ctx context.Context, id oauth.ID) error {
	return a.store.DisableAccount(ctx, id)
}

// Enable undoes Disable.
func (a *Accounts) Enable(ctx context.Context, id oauth.ID) error {
	return a.store.EnableAccount(ctx, id)
}

// MakeAdministrator lets an account administer the platform.
func (a *Accounts) MakeAdministrator(ctx context.Context, id oauth.ID) error {
	return a.store.MakeAdministrator(ctx, id)
}

// UnmakeAdministrator undoes MakeAdministrator, unless the account is the last one:
// ErrLastAdministrator.
func (a *Accounts) UnmakeAdministrator(ctx context.Context, id oauth.ID) error {
	return a.store.UnmakeAdministrator(ctx, id)
}

// SetPassword replaces the password of an account without the old one, and signs it out
// everywhere. The error is a *Problem where the password is refused.
func (a *Accounts) SetPassword(ctx context.Context, id oauth.ID, password string) error {
	account, err := a.ByID(ctx, id)
	if err != nil {
		return err
	}
	if wrong := refusePassword(password, account.Email, account.Name, account.Username); wrong != nil {
		return wrong
	}
	hash, err := a.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return a.store.SetPassword(ctx, id, hash)
}

// ByID reads an account.
func (a *Accounts) ByID(ctx context.Context, id oauth.ID) (oauth.Account, error) {
	return a.store.Account(ctx, id)
}

// Page lists accounts in a state of package store, or all, the newest first.
func (a *Accounts) Page(ctx context.Context, state string, p store.Page) ([]oauth.Account, error) {
	return a.store.AccountPage(ctx, state, p)
}

// Beginning lists accounts whose email address, username or name begins with a text.
func (a *Accounts) Beginning(ctx context.Context, prefix string, limit int) ([]oauth.Account, error) {
	return a.store.FindAccounts(ctx, prefix, limit)
}

// Living counts what stops when an account is disabled.
func (a *Accounts) Living(ctx context.Context, id oauth.ID) (store.Living, error) {
	return a.store.LivingOfAccount(ctx, id)
}

// SetUp adds the first administrator of a platform and starts the account's
// session. The error is a *Problem where the person can mend it, and ErrNotFound where
// the key of the first run does not count, or there is an administrator already.
func (a *Accounts) SetUp(ctx context.Context, key oauth.Hash, p oauth.Platform, r Registration, b Browser) (Entry, error) {
	r.Administrator = true
	first, password, err := a.create(ctx, r, func(n oauth.Account, password string) error {
		return a.store.FinishFirstRun(acting(ctx, n, b), key, p, n, password)
	})
	if err != nil {
		return Entry{}, err
	}
	return a.enter(ctx, first, password, b)
}
