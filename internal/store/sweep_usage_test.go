package store

import (
	"testing"
	"time"

	realpostgres "github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
)

func TestUsesOfEndedConnectionsAreForgotten(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) { forgetsUses(t, Options{Folder: t.TempDir()}) })
	t.Run("PostgreSQL", func(t *testing.T) { forgetsUses(t, Options{Database: realpostgres.Database(t)}) })
}

func forgetsUses(t *testing.T, o Options) {
	o.Now, o.OwnClock = func() time.Time { return surplusNow }, true
	s := opened(t, o)
	application := oauth.Application{ID: surplusID(t), ClientID: "client"}
	// More than one page, and what is kept among what is not.
	uses := map[oauth.Connection]oauth.Use{}
	var accounts []oauth.ID
	for i := range usesPage + 200 {
		id := surplusID(t)
		if i%50 == 0 {
			if err := s.CreateAccount(t.Context(), oauth.Account{ID: id, Email: id.String(), Username: id.String()}, ""); err != nil {
				t.Fatal(err)
			}
			accounts = append(accounts, id)
			uses[oauth.Connection{AccountID: id, ApplicationID: surplusID(t)}] = oauth.Use{}
		}
		uses[oauth.Connection{AccountID: id, ApplicationID: application.ID}] = oauth.Use{Scope: "profile", At: surplusNow}
	}
	application.OwnerID = accounts[0]
	if err := s.RegisterApplication(t.Context(), application); err != nil {
		t.Fatal(err)
	}
	err := s.write(t.Context(), func(tx *transaction) error {
		for _, id := range accounts {
			if err := putConsent(tx, oauth.Consent{AccountID: id, ApplicationID: application.ID, Scope: "profile"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = s.AddUses(t.Context(), uses)
	}
	for range 2 { // two pages
		if err == nil {
			err = s.sweepRound(t.Context())
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	var left int
	if err := s.engine.db().QueryRowContext(t.Context(), `select count(*) from uses`).Scan(&left); err != nil || left != len(accounts) {
		t.Errorf("%d uses are left, of %d connections: %v", left, len(accounts), err)
	}
	for _, id := range accounts {
		if known, err := s.Uses(t.Context(), id); err != nil || len(known) != 1 {
			t.Errorf("the uses of a connection that stands are %v: %v", known, err)
		}
	}
}

// TestAUseThatSomebodyKeepsIsForgottenLater: the sweeper waits for nobody.
func TestAUseThatSomebodyKeepsIsForgottenLater(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{Database: realpostgres.Database(t)})
	kept, free := oauth.Connection{AccountID: newID(t, s.Now())}, oauth.Connection{AccountID: newID(t, s.Now())}
	must(t, s.AddUses(t.Context(), map[oauth.Connection]oauth.Use{kept: {At: s.Now()}, free: {At: s.Now()}}))
	inTheWay, err := s.engine.(*postgres).pool.Begin(t.Context())
	must(t, err)
	_, err = inTheWay.Exec(t.Context(), `select from uses where account_id = $1 for update`, kept.AccountID[:])
	must(t, err)
	for _, left := range []int{1, 0} {
		if err := s.sweepUses(t.Context()); err != nil {
			t.Errorf("with %d in the way: %v", left, err)
		}
		for c, want := range map[oauth.Connection]int{kept: left, free: 0} {
			if uses, err := s.Uses(t.Context(), c.AccountID); err != nil || len(uses) != want {
				t.Errorf("with %d in the way there are %d uses (%v); want %d", left, len(uses), err, want)
			}
		}
		_ = inTheWay.Rollback(t.Context())
	}
}

func TestARoundSweepsAllThatIsDue(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{Folder: t.TempDir()})
	for range 2 { // one leaves nothing behind that would stop the next
		must(t, s.write(t.Context(), func(tx *transaction) error {
			for range 2*sweepBatch + 1 {
				id := newID(t, s.Now())
				if _, err := insertAuthorization(tx, oauth.Authorization{ID: id, GrantType: oauth.GrantAuthorizationCode, Status: oauth.StatusActive}); err != nil {
					return err
				}
				if _, err := tx.exec(`insert into usage_days (day, application_id, accounts) values (0, $1, $2)`, id[:], []byte{}); err != nil {
					return err
				}
			}
			return nil
		}))
		must(t, s.sweepRound(t.Context()))
		for _, table := range []string{"authorizations", "usage_days"} {
			var n int
			if err := s.engine.db().QueryRowContext(t.Context(), `select count(*) from `+table).Scan(&n); err != nil || n != 0 {
				t.Errorf("%d rows of %s are left: %v", n, table, err)
			}
		}
	}
}
