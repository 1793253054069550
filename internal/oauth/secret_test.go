package oauth_test

import (
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

func TestSecretsOverlapAfterARotation(t *testing.T) {
	a := oauth.Application{ID: oauth.ID{1}}
	a.SecretHash = oauth.HashClientSecret(a.ID, "new")
	a.PreviousSecretHash, a.PreviousSecretEndsAt = oauth.HashClientSecret(a.ID, "old"), start.Add(time.Hour)
	for _, c := range []struct {
		secret string
		at     time.Time
		want   bool
	}{
		{"new", start, true}, {"old", start, true}, {"old", start.Add(time.Hour), false}, {"new", start.Add(time.Hour), true}, {"", start, false},
	} {
		if got := a.AcceptsSecret(c.secret, c.at); got != c.want {
			t.Errorf("%q at %v: %v", c.secret, c.at, got)
		}
	}
	if (oauth.Application{ID: a.ID}).AcceptsSecret("", start) {
		t.Error("an application without a secret accepts an empty one")
	}
}

func TestASecretFromBeforeTheTransferIsNotKnownToTheOwnerAlone(t *testing.T) {
	a := oauth.Application{ID: oauth.ID{1}, InheritedAt: start}
	a.SecretHash, a.PreviousSecretHash = oauth.HashClientSecret(a.ID, "new"), oauth.HashClientSecret(a.ID, "old")
	for _, c := range []struct {
		newAt, oldAt time.Duration
		secret       string
		want         bool
	}{
		{1, -1, "new", true}, {1, -1, "old", false}, {0, -1, "new", false}, {2, 1, "old", true}, {1, 0, "old", false},
	} {
		a.SecretCreatedAt, a.PreviousSecretCreatedAt = start.Add(c.newAt), start.Add(c.oldAt)
		if got := a.KnownToOwnerAlone(c.secret); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
