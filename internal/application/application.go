// Package application is the registry of OAuth clients: registering, editing,
// secrets, suspension and deletion. How an application proves who it is at the
// protocol's endpoints lives in internal/grant.
package application

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// SecretOverlap is how long a replaced secret still works by default.
const SecretOverlap = 24 * time.Hour

// Applications knows the applications of one store.
type Applications struct {
	store     *store.Store
	random    io.Reader
	now       func() time.Time
	catalogue *oauth.Scopes
}

// New makes the applications of a store, on a platform with these scopes.
func New(s *store.Store, random io.Reader, now func() time.Time, catalogue *oauth.Scopes) *Applications {
	return &Applications{store: s, random: random, now: now, catalogue: catalogue}
}

// ErrNotFound: there is no such application.
var ErrNotFound = store.ErrNotFound

// Problem is what a developer can mend in a form or a command.
type Problem = oauth.Problem

// Registration is what a new application is made of.
type Registration struct {
	Details
	Owner oauth.Account
	// Public is decided now and stays.
	Public bool
	// ResourceServer lets the application introspect every token.
	ResourceServer bool
}

// Register adds an application and returns its secret, which is kept nowhere;
// public applications get none. With administrator, scopes that need an approval
// and ResourceServer are allowed, and the owner may have more than maxOwned. The error
// is a *Problem where the input is wrong.
func (a *Applications) Register(ctx context.Context, r Registration, administrator bool) (oauth.Application, string, error) {
	if r.Scope == "" {
		r.Scope = a.catalogue.Default()
	}
	details, wrong := a.check(r.Details, r.Public, a.choosable("", administrator))
	if wrong != nil {
		return oauth.Application{}, "", wrong
	}
	if r.ResourceServer && (!administrator || r.Public) {
		return oauth.Application{}, "", &Problem{Field: "resource_server", Message: oauth.Say("Only an administrator makes a resource server, and it must be confidential.")}
	}
	if !administrator {
		if err := a.hasRoom(ctx, r.Owner.ID); err != nil {
			return oauth.Application{}, "", err
		}
	}
	now := a.now().UTC()
	id, clientID, err := oauth.NewClientID(a.random, now)
	if err != nil {
		return oauth.Application{}, "", err
	}
	n := details.applied(oauth.Application{
		ID: id, ClientID: clientID, OwnerID: r.Owner.ID, OwnerName: r.Owner.Name, OwnerDisabled: r.Owner.Disabled,
		Public: r.Public, ResourceServer: r.ResourceServer, CreatedAt: now,
	})
	var secret string
	if !r.Public {
		if secret, err = oauth.NewClientSecret(a.random); err != nil {
			return oauth.Application{}, "", err
		}
		n.SecretHash, n.SecretCreatedAt = oauth.HashClientSecret(id, secret), now
	}
	if err := a.store.RegisterApplication(ctx, n); err != nil {
		return oauth.Application{}, "", err
	}
	return n, secret, nil
}

// maxOwned is how many applications an account may own that is no administrator's, so that
// a script cannot fill the store. Of those that come at the same time some may be beyond.
const maxOwned = 100

// hasRoom is a *Problem where an account owns as many applications as it may.
func (a *Applications) hasRoom(ctx context.Context, owner oauth.ID) error {
	n, err := a.store.CountApplications(ctx, owner)
	if err == nil && n >= maxOwned {
		err = &Problem{Field: "name", Message: oauth.Say("This account owns %d applications, and may own no more. Delete one that is not needed, or ask those who run this platform.", n)}
	}
	return err
}

// Edit lets change set the details of an application as it is now, or refuse to. Scopes that
// need an approval stay if the application has them; only an administrator adds one.
func (a *Applications) Edit(ctx context.Context, id oauth.ID, administrator bool, change func(Details) (Details, error)) (oauth.Application, error) {
	var edited oauth.Application
	err := a.store.EditApplication(ctx, id, func(n oauth.Application) (oauth.Application, error) {
		changed, err := change(a.DetailsOf(n))
		if err != nil {
			return n, err
		}
		d, wrong := a.check(changed, n.Public, a.choosable(n.Scope, administrator))
		if wrong != nil {
			return n, wrong
		}
		edited = d.applied(n).Remarked(n)
		return edited, nil
	})
	return edited, err
}

// choosable is what may be chosen for an application that has a scope already.
func (a *Applications) choosable(has oauth.Scope, administrator bool) oauth.Scope {
	if administrator {
		return a.catalogue.All()
	}
	return a.catalogue.All().Within(a.catalogue.WithoutApproval().With(has))
}

// Wrong is all that is wrong with the details of an application that has a scope, nil for nothing; a
// new one has none, and gets the default where d says none.
func (a *Applications) Wrong(d Details, public bool, has oauth.Scope, administrator bool) *Problem {
	if has == "" && d.Scope == "" {
		d.Scope = a.catalogue.Default()
	}
	_, wrong := a.check(d, public, a.choosable(has, administrator))
	return wrong
}

func (a *Applications) check(d Details, public bool, choosable oauth.Scope) (Details, *Problem) {
	var wrong []*Problem
	found := func(field string, s oauth.Sentence) {
		if !s.IsZero() {
			wrong = append(wrong, &Problem{Field: field, Message: s})
		}
	}
	var s oauth.Sentence
	d.Name, s = oauth.CleanName(d.Name)
	found("name", s)
	for _, link := range []struct {
		field string
		value *string
	}{{"site", &d.Site}, {"privacy", &d.Privacy}, {"terms", &d.Terms}} {
		*link.value, s = oauth.CleanLink(*link.value)
		found(link.field, s)
	}
	d.RedirectURIs, s = checkRedirectURIs(d.RedirectURIs, public)
	found("redirect_uris", s)
	if unknown := d.Scope.Without(a.catalogue.All()); unknown != "" {
		found("scope", oauth.Say("Unknown scope: %s. This server knows: %s.", unknown, a.catalogue.All()))
	} else if refused := d.Scope.Without(choosable); refused != "" {
		found("scope", oauth.Say("An administrator has to allow this scope: %s.", refused))
	} else if d.Scope == "" {
		wrong = append(wrong, ErrNoScope())
	}
	if outside := d.OptionalScope.Without(d.Scope); outside != "" {
		found("optional_scope", oauth.Say("Only a scope of the application can be optional. This is none: %s.", outside))
	}
	return d, oauth.Together(wrong...)
}

// ErrNoScope: somebody was asked for scopes and chose none.
func ErrNoScope() *Problem {
	return &Problem{Field: "scope", Message: oauth.Say("Choose at least one scope.")}
}

func checkRedirectURIs(uris []string, public bool) (checked []string, wrong oauth.Sentence) {
	for _, uri := range uris {
		uri = strings.TrimSpace(uri)
		if slices.Contains(checked, uri) {
			continue
		}
		if wrong := oauth.CheckRedirectURI(uri, public); !wrong.IsZero() {
			if uri != "" {
				wrong = oauth.Say("%s: %s", uri, wrong)
			}
			return uris, wrong
		}
		checked = append(checked, uri)
	}
	if len(checked) > oauth.MaxRedirectURIs {
		return uris, oauth.Say("Register at most %d redirect URLs.", oauth.MaxRedirectURIs)
	}
	if len(checked) == 0 && public {
		return uris, oauth.Say("A public application needs a redirect URL: people's approval is all that it can use.")
	}
	return checked, wrong
}

// PutLogo gives an application a logo, which may not have an id yet, or takes its logo
// away when p is nil.
func (a *Applications) PutLogo(ctx context.Context, application oauth.ID, p *oauth.Picture) error {
	if p == nil {
		return a.store.PutLogo(ctx, application, nil)
	}
	named, err := p.Named(a.random, a.now().UTC())
	if err != nil {
		return err
	}
	return a.store.PutLogo(ctx, application, &named)
}

// RotateSecret gives a confidential application a new secret and returns it. The
// old one works for overlap longer; it is the one that was made at a time, unless that is
// zero: ErrChanged where it was replaced since.
func (a *Applications) RotateSecret(ctx context.Context, application oauth.Application, made time.Time, overlap time.Duration) (string, error) {
	if application.Public {
		return "", &Problem{Field: "client_secret", Message: oauth.Say("A public application has no secret.")}
	}
	secret, err := oauth.NewClientSecret(a.random)
	if err != nil {
		return "", err
	}
	hash := oauth.HashClientSecret(application.ID, secret)
	return secret, a.store.RotateSecret(ctx, application.ID, made, hash, a.now().Add(overlap))
}

// EndPreviousSecret ends the secret before the present one now; ErrNotFound where
// there is none. The present one was made at a time, unless that is zero: ErrChanged
// where it was replaced since.
func (a *Applications) EndPreviousSecret(ctx context.Context, id oauth.ID, made time.Time) error {
	return a.store.EndPreviousSecret(ctx, id, made)
}

// Find looks an application up by its client_id.
func (a *Applications) Find(ctx context.Context, clientID string) (oauth.Application, error) {
	id, ok := oauth.ParseClientID(clientID, a.now())
	if !ok {
		return oauth.Application{}, ErrNotFound
	}
	found, err := a.store.Application(ctx, id)
	if err == nil && found.ClientID != clientID {
		err = ErrNotFound
	}
	return found, err
}

// OwnedBy finds an application of an account; ErrNotFound where it is
// somebody else's.
func (a *Applications) OwnedBy(ctx context.Context, owner oauth.ID, clientID string) (oauth.Application, error) {
	found, err := a.Find(ctx, clientID)
	if err == nil && found.OwnerID != owner {
		err = ErrNotFound
	}
	if err != nil {
		return oauth.Application{}, err
	}
	return found, nil
}

// All lists every application, the oldest first.
func (a *Applications) All(ctx context.Context) ([]oauth.Application, error) {
	return a.store.Applications(ctx)
}

// Delete revokes every authorization of an application and removes it.
func (a *Applications) Delete(ctx context.Context, id oauth.ID) error {
	return a.store.DeleteApplication(ctx, id)
}
