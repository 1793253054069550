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
	t.Run("PostgreSQL", func(t *testing.T) { revokesSurplus(t, Options{Database: realpostgres.Database(t)}) })
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

// TestSurplusIsFoundBehindAPage: one pair begins at the end of a page, one fills pages alone, and
// one comes behind it.
func TestSurplusIsFoundBehindAPage(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{Folder: t.TempDir()})
	ended, split, large, last := oauth.ID{1}, oauth.ID{2}, oauth.ID{3}, oauth.ID{4}
	must(t, s.write(t.Context(), func(tx *transaction) error {
		for _, of := range []struct {
			application oauth.ID
			status      oauth.Status
			rows        int
		}{{ended, oauth.StatusRevoked, surplusPage - 2}, {split, oauth.StatusActive, 4}, {large, oauth.StatusActive, surplusPage + 1}, {last, oauth.StatusActive, 4}} {
			for range of.rows {
				a := oauth.Authorization{ID: newID(t, s.Now()), ApplicationID: of.application, GrantType: oauth.GrantAuthorizationCode, Status: of.status}
				if _, err := insertAuthorization(tx, a); err != nil {
					return err
				}
			}
		}
		return nil
	}))
	for _, c := range []struct{ limit, few, many int }{{surplusPage, 4, surplusPage}, {3, 3, 0}} {
		s.perApplication = c.limit
		for range 4 { // pages
			must(t, s.revokeSurplus(t.Context()))
		}
		if s.surplusFrom != (pair{}) {
			t.Errorf("with a limit of %d it does not begin anew", c.limit)
		}
		for application, active := range map[oauth.ID]int{split: c.few, large: c.many, last: c.few} {
			var n int
			must(t, s.engine.db().QueryRowContext(t.Context(), `select count(*) from authorizations where status = 2 and application_id = $1`, application[:]).Scan(&n))
			if n != active {
				t.Errorf("with a limit of %d an application has %d; want %d", c.limit, n, active)
			}
		}
		// To end each of them would take long.
		must(t, s.write(t.Context(), func(tx *transaction) error {
			_, err := tx.exec(`update authorizations set status = 3 where application_id = $1`, large[:])
			return err
		}))
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
