package store

import (
	"context"
	"slices"
	"testing"
	"time"

	realpostgres "github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
)

var surplusNow = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func TestSurplusIsRevoked(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) { revokesSurplus(t, Options{Folder: t.TempDir()}) })
	t.Run("PostgreSQL", func(t *testing.T) { revokesSurplus(t, Options{Database: realpostgres.Start(t).Database(t)}) })
}

func surplusID(t *testing.T) oauth.ID {
	t.Helper()
	return newID(t, surplusNow)
}

func revokesSurplus(t *testing.T, o Options) {
	o.Now, o.OwnClock, o.PerApplication = func() time.Time { return surplusNow }, true, 3
	s := opened(t, o)
	application, ada, bob := surplusID(t), surplusID(t), surplusID(t)
	for _, id := range []oauth.ID{ada, bob} {
		if err := s.CreateAccount(t.Context(), oauth.Account{ID: id, Email: id.String(), Username: id.String()}, ""); err != nil {
			t.Fatal(err)
		}
	}
	used := func(account oauth.ID, grantType oauth.GrantType, status oauth.Status, ago time.Duration) oauth.ID {
		a := oauth.Authorization{
			ID: surplusID(t), ApplicationID: application, AccountID: account, GrantType: grantType, Status: status,
			CreatedAt: surplusNow, RotatedAt: surplusNow.Add(-ago), SweepAfter: surplusNow.Add(time.Hour),
		}
		if err := s.Issue(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		return a.ID
	}
	var surplus, kept []oauth.ID
	// The order in which they were made is not the one in which they were used.
	for _, days := range []int{5, 1, 4, 2, 3} {
		id := used(ada, oauth.GrantAuthorizationCode, oauth.StatusActive, time.Duration(days)*24*time.Hour)
		if days > 3 {
			surplus = append(surplus, id)
		} else {
			kept = append(kept, id)
		}
	}
	for range 3 {
		kept = append(kept, used(bob, oauth.GrantAuthorizationCode, oauth.StatusActive, time.Hour))
	}
	for range 5 {
		kept = append(kept, used(ada, oauth.GrantAuthorizationCode, oauth.StatusPending, time.Hour),
			used(ada, oauth.GrantClientCredentials, oauth.StatusActive, time.Hour))
	}
	for range 2 { // a second round finds nothing more
		if err := s.sweepRound(t.Context()); err != nil {
			t.Fatal(err)
		}
		checkSurplus(t, s, surplus, kept)
	}
	if n := s.Sizes()["authorizations"]; o.Database == "" && n != int64(len(surplus)+len(kept)) {
		t.Errorf("the size of the table is told as %d", n)
	}
	if n, told := s.Sizes()["webhooks"]; !told || n != 0 {
		t.Errorf("the size of an empty table is told as %d (%v)", n, told)
	}
}

func checkSurplus(t *testing.T, s *Store, surplus, kept []oauth.ID) {
	t.Helper()
	for _, id := range slices.Concat(surplus, kept) {
		row, err := s.Authorization(context.Background(), id)
		if err != nil {
			t.Fatal(err)
		}
		if want := slices.Contains(surplus, id); (row.Status == oauth.StatusRevoked) != want {
			t.Errorf("one used %v ago is revoked: %v; want %v", surplusNow.Sub(row.RotatedAt), !want, want)
		}
		if row.Status == oauth.StatusRevoked && row.RevokedReason != oauth.ReasonSurplus {
			t.Errorf("it was revoked because %s", row.RevokedReason)
		}
	}
}
