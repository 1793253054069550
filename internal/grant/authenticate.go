package grant

import (
	"context"
	"errors"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// Credentials are what an application sent to prove who it is.
type Credentials struct {
	ClientID string
	// Secret is empty when none was sent.
	Secret string
}

// Client is an application that has proved who it is. Only Authenticate makes
// one, so whatever asks for a Client cannot be reached without; a Trial holds one that
// nobody else gets.
type Client struct {
	application *oauth.Application
	// inherited: the secret that proved it is from before the application had its owner.
	inherited bool
}

// Application is the one that has proved itself.
func (c Client) Application() oauth.Application { return *c.application }

// Claimed is the application that a request says it is from, which is not proved.
func (g *Grants) Claimed(ctx context.Context, clientID string) (oauth.Application, bool) {
	id, ok := oauth.ParseClientID(clientID, g.now())
	if !ok {
		return oauth.Application{}, false
	}
	a, err := g.store.RememberedApplication(ctx, id)
	if err != nil || a.ClientID != clientID {
		return oauth.Application{}, false
	}
	return *a, true
}

// Authenticate checks the credentials of an application (RFC 6749 §2.3). A
// public application sends its client_id alone.
func (g *Grants) Authenticate(ctx context.Context, c Credentials) (Client, error) {
	if c.ClientID == "" {
		return Client{}, oauth.NewError(oauth.InvalidClient, "client_id is missing: send the credentials by HTTP Basic, or client_id and client_secret in the body")
	}
	id, ok := oauth.ParseClientID(c.ClientID, g.now())
	if !ok {
		return Client{}, errUnknownClient()
	}
	a, err := g.store.RememberedApplication(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Client{}, errUnknownClient()
	case err != nil:
		return Client{}, failure(err)
	case a.ClientID != c.ClientID:
		return Client{}, errUnknownClient()
	}
	if refusal := g.prove(a, c.Secret); refusal != nil {
		return Client{}, &Refused{Application: *a, err: refusal}
	}
	inherited := !a.InheritedAt.IsZero() && !a.Public && !a.KnownToOwnerAlone(c.Secret)
	return Client{application: a, inherited: inherited}, nil
}

// prove decides whether an application is who it says it is, and may act.
func (g *Grants) prove(a *oauth.Application, secret string) *oauth.Error {
	switch {
	case a.Public && secret != "":
		return oauth.NewError(oauth.InvalidClient, "this is a public application: it has no client_secret, send client_id alone")
	case a.Public:
	case secret == "":
		return oauth.NewError(oauth.InvalidClient, "client_secret is missing")
	default:
		current, previous := a.MatchSecret(secret, g.now())
		if !current && !previous {
			return errUnknownClient()
		}
		g.meter.SecretUsed(a.ID, !current)
	}
	if a.Suspended() {
		return errSuspended()
	}
	return nil
}

func errSuspended() *oauth.Error {
	return oauth.NewError(oauth.InvalidClient, "this application is suspended; ask those who run this platform")
}

func errUnknownClient() *oauth.Error {
	return oauth.NewError(oauth.InvalidClient, "client_id is unknown, or client_secret is wrong")
}
