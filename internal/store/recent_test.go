package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// TestARowThatIsRememberedMayBeAnotherByNow refreshes at a server that wrote the row, after
// another server did something to it.
func TestARowThatIsRememberedMayBeAnotherByNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, store.Options{Database: postgres.Database(t)})
	here, there := w.open(true), w.open(true)
	w.populate(here, 1)
	w.trusting(here)
	w.trusting(there)
	conn := w.connect()
	for _, c := range []struct {
		name      string
		elsewhere func(l life, next oauth.Token) error
		refused   bool
		// generation, replayed and previous are what the row has after the refresh: whether
		// it was one more repetition, and until when the access token before lives.
		generation uint32
		replayed   bool
		previous   time.Duration
	}{
		{"nothing", func(life, oauth.Token) error { return nil }, false, 3, false, 30 * time.Second},
		{"it was refreshed", func(_ life, next oauth.Token) error {
			e, _, _ := w.rotation(next)
			_, err := there.RotateRefresh(w.ctx, e)
			return err
		}, false, 3, true, 30 * time.Second},
		{"a repetition gave its access token new life", func(l life, _ oauth.Token) error {
			w.clock.Add(3 * time.Hour)
			e, _, _ := w.rotation(l.refresh)
			_, err := there.RotateRefresh(w.ctx, e)
			return err
		}, false, 3, false, 30 * time.Second},
		{"it was revoked", func(l life, _ oauth.Token) error {
			return there.Revoke(w.ctx, oauth.Revocation{ID: l.row.ID, Reason: oauth.ReasonRequested})
		}, true, 2, false, 0},
		{"a standby that lacked it took over, and it was redeemed and refreshed otherwise", func(l life, _ oauth.Token) error {
			_, err := conn.Exec(w.ctx, `update authorizations set access_hash = sha256('a'), refresh_hash = sha256('b'), previous_refresh_hash = sha256('c') where id = $1`, l.row.ID[:])
			return err
		}, true, 2, false, 0},
		{"its account was disabled", func(life, oauth.Token) error {
			return there.DisableAccount(w.ctx, w.accounts[0].ID)
		}, true, 2, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := w.approved(here)
			w.must(w.redeems(here, l))
			w.must(w.refreshes(here, l))
			_, _, next := w.rotation(l.refresh)
			w.must(c.elsewhere(l, next))
			e, access, _ := w.rotation(next)
			row, err := here.RotateRefresh(w.ctx, e)
			if c.refused {
				if !errors.Is(err, oauth.ErrUnrecognised) {
					w.must(refusedAs(err, oauth.InvalidGrant))
				}
			} else {
				w.must(w.answered(row, err, access))
			}
			row, err = there.Authorization(w.ctx, l.row.ID)
			w.must(err)
			if uint32(row.Generation) != c.generation || row.ReplayedAt.IsZero() == c.replayed {
				t.Errorf("the row has generation %d and was repeated at %v", row.Generation, row.ReplayedAt)
			}
			if until := w.clock.Now().Add(c.previous); !c.refused && !row.PreviousAccess.ExpiresAt.Equal(until) {
				t.Errorf("the access token before lives until %v; want %v", row.PreviousAccess.ExpiresAt, until)
			}
		})
	}
}
