package oauth_test

import (
	"errors"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

func TestAPublicApplicationRevokesWithATokenThatItHasHeldAlone(t *testing.T) {
	l := active(t)
	before := l.access
	previous := l.rotate()
	older := l.row
	older.PreviousAccess.Hash, older.PreviousRefreshHash = oauth.Hash{}, oauth.Hash{}
	for name, c := range map[string]struct {
		row         oauth.Authorization
		token       oauth.Token
		application oauth.ID
		want        bool
	}{
		"the code":                          {l.row, l.code, oauth.ID{1}, true},
		"the access token":                  {l.row, l.access, oauth.ID{1}, true},
		"the refresh token":                 {l.row, l.refresh, oauth.ID{1}, true},
		"the access token before":           {l.row, before, oauth.ID{1}, true},
		"the refresh token before":          {l.row, previous, oauth.ID{1}, true},
		"an access token that is forgotten": {older, before, oauth.ID{1}, false},
		"a refresh token that is forgotten": {older, previous, oauth.ID{1}, false},
		"an id with another secret":         {l.row, oauth.Token{ID: l.row.ID}, oauth.ID{1}, false},
		"another application's":             {l.row, l.access, oauth.ID{9}, false},
	} {
		event := oauth.Revocation{ID: l.row.ID, Reason: oauth.ReasonRequested, By: oauth.Revoker{ApplicationID: c.application, Public: true, Token: c.token}}
		row, err := event.Decide(c.row, false, l.now)
		if got := row.Status == oauth.StatusRevoked; got != c.want || errors.Is(err, oauth.ErrUnrecognised) == c.want {
			t.Errorf("with %s: revoked %v, %v; want %v", name, got, err, c.want)
		}
	}
	byID := oauth.Revocation{ID: l.row.ID, By: oauth.Revoker{ApplicationID: oauth.ID{1}, Token: oauth.Token{ID: l.row.ID}}}
	if row, err := byID.Decide(l.row, false, l.now); row.Status != oauth.StatusRevoked || err != nil {
		t.Errorf("a confidential application does not revoke by the id alone: %v", err)
	}
}

func TestARowOutlivesWhatItIsAskedFor(t *testing.T) {
	asked := oauth.Authorization{CreatedAt: start}.Asked()
	if least := start.Add(oauth.QuestionLife); asked.SweepAfter.Before(least) {
		t.Errorf("while its question may be answered, until %v, it is swept after %v", least, asked.SweepAfter)
	}
	issued := oauth.Authorization{Access: oauth.AccessToken{ExpiresAt: start.Add(2 * time.Hour)}}.Issued()
	if issued.SweepAfter.Before(issued.Access.ExpiresAt) {
		t.Errorf("while its access token lives, until %v, it is swept after %v", issued.Access.ExpiresAt, issued.SweepAfter)
	}
	if revoked := issued.Revoked(oauth.ReasonRequested, start); revoked.SweepAfter.Before(start.Add(day)) {
		t.Errorf("revoked at %v it is swept after %v, before a day is over", start, revoked.SweepAfter)
	}
}
