package store

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	realpostgres "github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
)

// TestACommitOfUnknownOutcomeIsFoundByWhatItWrote: rows that others have written since
// may still show it, and must not be taken for it.
func TestACommitOfUnknownOutcomeIsFoundByWhatItWrote(t *testing.T) {
	start := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	row := func(generation byte, change func(*oauth.Authorization)) oauth.Authorization {
		a := oauth.Authorization{Status: oauth.StatusActive}
		for range generation {
			a.Generation++
			a.PreviousAccess, a.Access = a.Access, oauth.AccessToken{Hash: oauth.Hash{byte(a.Generation)}, IssuedAt: start}
		}
		if change != nil {
			change(&a)
		}
		return a
	}
	revoked := func(a *oauth.Authorization) { a.Status = oauth.StatusRevoked }
	replayed := func(a *oauth.Authorization) { a.ReplayedAt = start.Add(time.Hour) }
	again := func(a *oauth.Authorization) { a.ReplayedAt = start.Add(2 * time.Hour) }
	for name, c := range map[string]struct {
		tried, row oauth.Authorization
		want       bool
	}{
		"a rotation":                                       {row(2, nil), row(2, nil), true},
		"a rotation that did not happen":                   {row(2, nil), row(1, nil), false},
		"a rotation, and another one":                      {row(2, nil), row(3, nil), true},
		"a rotation, and two more":                         {row(2, nil), row(4, nil), false},
		"a rotation, and a revocation":                     {row(2, nil), row(2, revoked), true},
		"a rotation, and a repetition":                     {row(2, nil), row(2, replayed), true},
		"a revocation":                                     {row(2, revoked), row(2, revoked), true},
		"a revocation that did not happen":                 {row(2, revoked), row(2, nil), false},
		"a revocation that did not happen, and a rotation": {row(2, revoked), row(3, nil), false},
		"a repetition that did not happen":                 {row(2, replayed), row(2, nil), false},
		"a repetition, and another one":                    {row(2, replayed), row(2, again), true},
		"a repetition, and a rotation":                     {row(2, replayed), row(3, nil), true},
	} {
		if got := holds(&c.row, &c.tried); got != c.want {
			t.Errorf("%s: the row shows it: %v", name, got)
		}
	}
}

// TestARedemptionThatMayHaveHappenedIsNotToBeSentAgain: everything else may be.
func TestARedemptionThatMayHaveHappenedIsNotToBeSentAgain(t *testing.T) {
	nowhere, err := pgxpool.New(t.Context(), "postgres://latchkey@127.0.0.1:1/none")
	must(t, err)
	t.Cleanup(nowhere.Close)
	ending := &postgres{closing: make(chan struct{}), writes: nowhere}
	close(ending.closing)
	for name, c := range map[string]struct {
		event oauth.Event
		tried bool
		again bool
	}{
		"a redemption that was not tried": {oauth.Redemption{}, false, true},
		"a redemption that was tried":     {oauth.Redemption{}, true, false},
		"a rotation that was tried":       {oauth.Rotation{}, true, true},
		"a revocation that was tried":     {oauth.Revocation{}, true, true},
	} {
		for why, end := range map[string]func(*work){
			"who waited long enough": func(w *work) { w.expire(time.Now(), errClosed) },
			"when the server ends": func(w *work) {
				w.waiters[0].until = time.Now().Add(time.Hour)
				ending.persist([]*work{w})
			},
		} {
			op := &operation{done: make(chan outcome, 1)}
			w := &work{event: c.event, waiters: []*operation{op}}
			if c.tried {
				w.tried = &oauth.Authorization{}
			}
			end(w)
			known := oauth.ErrorOf((<-op.done).err)
			if again := known.RetryAfter > 0 && strings.Contains(known.Description, "try again"); known.Code != oauth.Unavailable || again != c.again {
				t.Errorf("%s, %s: %v", name, why, known)
			}
		}
	}
}

// TestWhoWasAnsweredIsNotTriedAgain: a batch of which a part was committed is tried again for
// the other part, and a second redemption would be a replay.
func TestWhoWasAnsweredIsNotTriedAgain(t *testing.T) {
	op := &operation{until: time.Now().Add(time.Hour), done: make(chan outcome, 1)}
	w := &work{waiters: []*operation{op}}
	if !w.expire(time.Now(), nil) {
		t.Error("somebody who waits has left")
	}
	w.answer(nil, nil)
	if w.expire(time.Now(), nil) {
		t.Error("somebody who was answered waits")
	}

	s := openAt(t, Options{Database: realpostgres.Start(t).Database(t)})
	code := oauth.Token{ID: newID(t, s.Now()), Secret: oauth.Secret{1}}
	must(t, s.Issue(t.Context(), oauth.Authorization{
		ID: code.ID, GrantType: oauth.GrantAuthorizationCode, Status: oauth.StatusActive, Generation: 1, CodeHash: code.Hash(oauth.KindCode),
	}.UntilIdle(time.Hour)))
	left := &operation{row: &oauth.Authorization{ID: newID(t, s.Now()), GrantType: oauth.GrantClientCredentials}, until: op.until, done: make(chan outcome, 1)}
	s.engine.(*postgres).persist([]*work{{event: oauth.Redemption{Code: code}}, {row: left.row, waiters: []*operation{left}}})
	must(t, (<-left.done).err)
	if a, err := s.Authorization(t.Context(), code.ID); err != nil || a.Status != oauth.StatusActive {
		t.Errorf("what was answered is done again: status %d, %v", a.Status, err)
	}
}
