package grant_test

import (
	"testing"

	"github.com/latchkey/latchkey/internal/grant"
	"github.com/latchkey/latchkey/internal/oauth"
)

func TestATokenThatNoPersonApprovedLosesWhatNeedsAPersonByNow(t *testing.T) {
	c := newConnected(t)
	client, err := c.Authenticate(t.Context(), grant.Credentials{ClientID: c.application.ClientID, Secret: secret})
	c.must(err)
	tokens, err := c.ClientCredentials(t.Context(), client, "profile events")
	c.must(err)
	for _, want := range []oauth.Scope{"profile events", "profile"} {
		access, err := c.Access(t.Context(), tokens.AccessToken)
		c.must(err)
		if access.Scope != want {
			t.Errorf("the scope is %q, want %q", access.Scope, want)
		}
		c.scopes.Replace(oauth.Catalogue{Permissions: []oauth.Permission{{Name: "profile"}, {Name: "events", NeedsConsent: true}}})
	}
}
