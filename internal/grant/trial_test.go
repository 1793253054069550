package grant_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/latchkey/latchkey/internal/grant"
	"github.com/latchkey/latchkey/internal/oauth"
)

const callback = "https://id.example/try"

// another is a second account.
func (c *connected) another() oauth.ID {
	c.Helper()
	id, err := c.NewID()
	c.must(err)
	c.must(c.store.CreateAccount(c.Context(), oauth.Account{ID: id, Email: "bob@example.com", Username: "bob", Name: "Bob", CreatedAt: c.now}, "hash"))
	return id
}

func TestOnlyWhoManagesAnApplicationTriesIt(t *testing.T) {
	c := newConnected(t)
	stranger := c.another()
	refused := func(who oauth.ID, want bool) {
		t.Helper()
		_, err := c.Try(t.Context(), c.application, who, callback)
		if got := err != nil && oauth.ErrorOf(err).Code == oauth.InvalidClient; got != want || err != nil && !got {
			t.Errorf("%v; want a refusal: %v", err, want)
		}
	}
	refused(c.account, false)
	refused(stranger, true)
	c.must(c.store.SuspendApplication(t.Context(), c.application.ID, "for a while"))
	refused(c.account, true)
}

func TestATrialReachesWhatItsPersonApprovedForItAlone(t *testing.T) {
	c := newConnected(t)
	trial, err := c.Try(t.Context(), c.application, c.account, callback)
	c.must(err)
	bob := c.another()
	for name, b := range map[string]struct {
		by       oauth.ID
		callback string
		reached  bool
	}{
		"of the person, for the trial":        {c.account, callback, true},
		"of somebody else, for a trial":       {bob, callback, false},
		"of the person, for the application":  {c.account, c.application.RedirectURIs[0], false},
		"of somebody else, for a real answer": {bob, c.application.RedirectURIs[0], false},
	} {
		id, err := c.NewID()
		c.must(err)
		code, err := c.Approve(t.Context(), id, b.by, grant.Request{Application: c.application, RedirectURI: b.callback, RedirectURISent: true, Scope: "profile"}, true)
		c.must(err)
		request := grant.CodeRequest{Code: code, RedirectURI: b.callback}
		tokens, err := trial.Redeem(t.Context(), request)
		if b.reached != (err == nil) || err != nil && !errors.Is(err, oauth.ErrUnknownCode) {
			t.Errorf("a code %s: %v", name, err)
		}
		if err != nil {
			client, err := c.Authenticate(t.Context(), grant.Credentials{ClientID: c.application.ClientID, Secret: secret})
			c.must(err)
			tokens, err = c.Grants.Redeem(t.Context(), client, request)
			c.must(err)
		}
		next, err := trial.Refresh(t.Context(), grant.RefreshRequest{RefreshToken: tokens.RefreshToken})
		if b.reached != (err == nil) || err != nil && !errors.Is(err, oauth.ErrUnknownRefreshToken) {
			t.Errorf("a refresh token %s: %v", name, err)
		}
		if err == nil {
			tokens = next
		}
		c.must(trial.RevokeToken(t.Context(), tokens.AccessToken, netip.Addr{}))
		if _, err := c.Access(t.Context(), tokens.AccessToken); b.reached != (err != nil) {
			t.Errorf("an access token %s after its revocation: %v", name, err)
		}
	}
}
