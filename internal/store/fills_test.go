package store_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// fillsRaceRevocations fills the caches while rows are revoked. A revocation that
// was acknowledged holds at once in the replica that made it, and in the other
// before a cached record would have become too old to be trusted.
func fillsRaceRevocations(w *world) {
	here := w.open(true)
	there := here
	if !w.onSQLite() {
		there = w.open(true)
	}
	w.populate(here, 1)
	w.trusting(here)
	w.trusting(there)
	var late, stale atomic.Int64
	var slowest atomic.Int64
	n := *races
	if raceEnabled && w.onSQLite() {
		n /= 4 // SQLite in Go is slowest under the race detector
	}
	each(96, n, func(int) {
		l := w.active(w.accounts[0].ID)
		if err := here.Issue(w.ctx, l.row); err != nil {
			w.Error(err)
			return
		}
		r := &fillRace{world: w, life: l}
		late.Add(r.run(here, there))
		heard, took := r.heard(there)
		if !heard {
			stale.Add(1)
		}
		for old := slowest.Load(); int64(took) > old && !slowest.CompareAndSwap(old, int64(took)); old = slowest.Load() {
		}
	})
	w.Logf("%d races; the other replica refused after at most %v", n, time.Duration(slowest.Load()).Round(time.Millisecond))
	if late.Load() > 0 || stale.Load() > 0 {
		w.Errorf("of %d races, %d accepted a revoked token where it was revoked, %d kept one elsewhere", n, late.Load(), stale.Load())
	}
}

// fillRace is one row that is read and revoked at once.
type fillRace struct {
	*world
	life    life
	revoked atomic.Bool
}

// run returns how many reads that began after the revocation accepted the token.
func (r *fillRace) run(here, there *store.Store) (late int64) {
	var done sync.WaitGroup
	var accepted atomic.Int64
	wrong := r.token(r.life.row.ID)
	for _, s := range []*store.Store{here, there} {
		done.Go(func() {
			for last := false; !last; {
				last = r.revoked.Load()
				// A token that does not match what is cached makes the store read the row again.
				r.accepts(s, wrong)
				if r.accepts(s, r.life.access) && last && s == here {
					accepted.Add(1)
				}
			}
		})
	}
	if err := here.Revoke(r.ctx, oauth.Revocation{ID: r.life.row.ID, Reason: oauth.ReasonRequested}); err != nil {
		r.Error(err)
	}
	r.revoked.Store(true)
	done.Wait()
	if r.accepts(here, r.life.access) {
		accepted.Add(1)
	}
	return accepted.Load()
}

// heardWithin is how long another replica may take for a revocation: less than
// it would trust what it cached.
const heardWithin = 5 * time.Second

func (r *fillRace) heard(there *store.Store) (bool, time.Duration) {
	began := time.Now()
	for r.accepts(there, r.life.access) {
		if time.Since(began) > heardWithin {
			return false, time.Since(began)
		}
		<-time.After(100 * time.Microsecond)
	}
	return true, time.Since(began)
}

// changesAreSeen makes each kind of change in a store that answers from memory. On PostgreSQL
// another one remembers what was before, too, and hears of it.
func changesAreSeen(w *world) {
	s := w.open(true)
	there := s
	if !w.onSQLite() {
		there = w.open(true)
	}
	w.populate(s, 2)
	w.trusting(s)
	w.trusting(there)
	account := w.accounts[1].ID
	usable := func(l life) bool { return w.usable(s, l, account) }
	elsewhere := func(what string, l life, want bool) {
		w.Helper()
		w.eventually(what+", and the other store knows", heardWithin, func() bool { return w.usable(there, l, account) == want })
	}
	for _, c := range []struct {
		name         string
		change, undo func(l life) error
	}{
		{"an authorization is revoked", func(l life) error {
			return s.Revoke(w.ctx, oauth.Revocation{ID: l.row.ID, Reason: oauth.ReasonOperator})
		}, nil},
		{"a code is used twice", func(l life) error {
			_, err := s.RedeemCode(w.ctx, l.redemption())
			return refusedAs(err, oauth.InvalidGrant)
		}, nil},
		{"an account disconnects", func(life) error { return s.Disconnect(w.ctx, account, w.application.ID) }, nil},
		{
			"an application is suspended", func(life) error { return s.SuspendApplication(w.ctx, w.application.ID, "") },
			func(life) error { return s.ResumeApplication(w.ctx, w.application.ID) },
		},
		{
			"an account is disabled", func(life) error { return s.DisableAccount(w.ctx, account) },
			func(life) error { return s.EnableAccount(w.ctx, account) },
		},
		{
			"the owner is disabled", func(life) error { return s.DisableAccount(w.ctx, w.accounts[0].ID) },
			func(life) error { return s.EnableAccount(w.ctx, w.accounts[0].ID) },
		},
		{"an application is deleted", func(life) error { return s.DeleteApplication(w.ctx, w.application.ID) }, nil},
	} {
		l := w.active(account)
		w.must(s.Issue(w.ctx, l.row))
		for range 2 { // read, then remembered
			if !usable(l) || !w.usable(there, l, account) {
				w.Errorf("%s: the token did not work before", c.name)
			}
		}
		w.must(c.change(l))
		if usable(l) {
			w.Errorf("%s: the token still works", c.name)
		}
		elsewhere(c.name, l, false)
		if c.undo != nil {
			w.must(c.undo(l))
			if !usable(l) {
				w.Errorf("%s, and that was undone: the token does not work", c.name)
			}
			elsewhere(c.name+", and that was undone", l, true)
		}
	}
}

// usable judges, as internal/grant does, whether an access token works.
func (w *world) usable(s *store.Store, l life, account oauth.ID) bool {
	w.Helper()
	a, err := s.RememberedApplication(w.ctx, w.application.ID)
	if errors.Is(err, store.ErrNotFound) {
		return false
	}
	w.must(err)
	person, err := s.RememberedAccount(w.ctx, account)
	w.must(err)
	return w.accepts(s, l.access) && !a.Suspended() && !person.Disabled
}

// refusedAs is nil where err is the refusal that is wanted.
func refusedAs(err error, code oauth.Code) error {
	var refusal *oauth.Error
	if errors.As(err, &refusal) && refusal.Code == code {
		return nil
	}
	return errors.Join(errors.New("not refused as "+code.Wire), err)
}

func neverDisconnected(w *world) {
	s := w.open(true)
	w.populate(s, 1)
	w.trusting(s)
	gone, leave := context.WithCancel(w.ctx)
	leave()
	// A store that has just begun forgets everything now and then.
	for range 3 {
		before, err := s.RememberedApplication(w.ctx, w.application.ID)
		w.must(err)
		if err := s.Disconnect(gone, w.accounts[0].ID, w.application.ID); !errors.Is(err, context.Canceled) {
			w.Fatalf("the disconnection is answered %v", err)
		}
		after, err := s.RememberedApplication(w.ctx, w.application.ID)
		w.must(err)
		if before == after {
			return
		}
	}
	w.Error("everything was forgotten")
}

// abandonedRevocations leaves revocations before they are answered. Whoever then
// finds the row revoked, as the endpoint does on a repetition, may say so: the
// cache must not hold it as living.
func abandonedRevocations(w *world) {
	s := w.open(true)
	w.populate(s, 1)
	w.trusting(s)
	var revoked, alive atomic.Int64
	each(8, *races/10, func(i int) {
		// One of its own, so that a disconnection ends this one alone.
		account := w.accounts[0].ID
		if i%4 == 0 {
			account = w.id()
		}
		l := w.active(account)
		if err := s.Issue(w.ctx, l.row); err != nil {
			w.Error(err)
			return
		}
		r := &fillRace{world: w, life: l}
		var done sync.WaitGroup
		for range 2 {
			done.Go(func() {
				for !r.revoked.Load() {
					r.accepts(s, l.access)
				}
			})
		}
		leaving, leave := context.WithTimeout(w.ctx, time.Duration(rand.IntN(3000))*time.Microsecond)
		if i%4 == 0 {
			_ = s.Disconnect(leaving, account, w.application.ID)
		} else {
			_ = s.Revoke(leaving, oauth.Revocation{ID: l.row.ID, Reason: oauth.ReasonRequested})
		}
		leave()
		// It is revoked soon, or was given up before it began.
		var row oauth.Authorization
		for soon := time.Now().Add(20 * time.Millisecond); row.Status != oauth.StatusRevoked && time.Now().Before(soon); {
			var err error
			if row, err = s.Authorization(w.ctx, l.row.ID); err != nil {
				w.Error(err)
			}
		}
		r.revoked.Store(true)
		done.Wait()
		if row.Status == oauth.StatusRevoked {
			revoked.Add(1)
			if r.accepts(s, l.access) {
				alive.Add(1)
			}
		}
	})
	if alive.Load() > 0 {
		w.Errorf("of %d rows that were revoked though the caller had left, %d are still accepted", revoked.Load(), alive.Load())
	}
}
