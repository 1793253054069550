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
	t.Run("PostgreSQL", func(t *testing.T) { forgetsUses(t, Options{Database: realpostgres.Start(t).Database(t)}) })
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
