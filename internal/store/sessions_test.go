package store

import (
	"crypto/rand"
	"testing"
	"time"

	realpostgres "github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
)

// TestNoSessionOutlivesThePasswordItBeganWith changes a password while a sign-in with the old one
// has added its session and not yet ended the one before, which somebody keeps locked.
func TestNoSessionOutlivesThePasswordItBeganWith(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{Database: realpostgres.Database(t)})
	p, now := s.engine.(*postgres), s.Now()
	begin := func(a oauth.Account, before oauth.ID) (oauth.ID, error) {
		token, err := oauth.NewToken(rand.Reader, newID(t, now))
		must(t, err)
		return token.ID, s.StartSession(t.Context(), oauth.Session{
			ID: token.ID, AccountID: a.ID, Hash: token.Hash(oauth.KindSession), CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(time.Hour),
		}, "hash", before)
	}
	ada, bob := adaOf(t, s), newAccount(t, s, "bob@example.com", "bob", "Bob", false)
	before, err := begin(bob, oauth.ID{})
	must(t, err)
	inTheWay, err := p.pool.Begin(t.Context())
	must(t, err)
	_, err = inTheWay.Exec(t.Context(), `select from sessions where id = $1 for update`, before[:])
	must(t, err)
	waiting := func() string {
		return lines(t, p.pool, `select count(*)::text from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
	}
	began, changed := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := begin(ada, before)
		began <- err
	}()
	await(t, "the sign-in waits for the session before", func() bool { return waiting() == "1" })
	go func() { changed <- s.ChangePassword(t.Context(), ada.ID, "hash", "other", oauth.ID{}, oauth.Hash{}) }()
	await(t, "the password is changed, or waits for the sign-in", func() bool { return len(changed) == 1 || waiting() == "2" })
	must(t, inTheWay.Rollback(t.Context()))
	must(t, <-began)
	must(t, <-changed)
	left, err := s.Sessions(t.Context(), ada.ID)
	must(t, err)
	if len(left) != 0 {
		t.Errorf("%d sessions that began with the old password are left", len(left))
	}
}
