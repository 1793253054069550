package store_test

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
	"github.com/latchkey/latchkey/internal/store/storetest"
)

// The sizes of the long tests. Without the race detector the defaults are those
// that the project promises.
var (
	races          = flag.Int("races", unlessRace(20_000, 2_000), "how many fills race with a revocation")
	hot            = flag.Duration("hot", unlessRace(30*time.Second, 10*time.Second), "how long three replicas write to the same rows")
	authorizations = flag.Int("authorizations", unlessRace(10_000, 1_000), "how many authorizations are weighed")
)

// unlessRace is a size, or the smaller one that fits with the race detector.
func unlessRace[T any](whole, smaller T) T {
	if raceEnabled {
		return smaller
	}
	return whole
}

// TestEngines runs what goes beyond the contract: several stores on one database,
// what is measured, and what goes wrong.
func TestEngines(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		test func(*world)
	}{
		{"a refresh is noticed by who remembers the row", func(w *world) { storetest.RefreshRemembered(w.T, w.openServing) }},
		{"what is remembered is what was read", func(w *world) { storetest.Remembered(w.T, w.openServing) }},
		{"random lives agree with the model", func(w *world) { storetest.Lives(w.T, w.openServing) }},
		{"the schema changes only while nobody uses it", changeTheSchemaAlone},
		{"no fill outlives a revocation", fillsRaceRevocations},
		{"a change is refused at once where it was made", changesAreSeen},
		{"a revocation whose caller has left is not forgotten", abandonedRevocations},
		{"replicas share hot rows without a deadlock", shareHotRows},
		{"a row does not grow with refreshes", rowsDoNotGrow},
		{"everything that has ended is swept", sweepEverything},
		{"what can still matter is not swept", sweepNothingAlive},
		{"what was revoked together is swept", sweepRevokedTogether},
		{"the authorizations of a deleted application are swept", sweepDeleted},
		{"a disconnection that never began leaves the memory alone", neverDisconnected},
		{"two sweepers do no harm", sweepTwice},
		{"usage adds up whoever adds it", usageAddsUp},
		{"the accounts of parts of a day are counted once", accountsOfAnHourMerge},
		{"uses merge, and end with the connection", usesMerge},
		{"secrets are seen to be used", secretsAreSeen},
		{"refused requests are read page by page", refusalsArePaged},
		{"refused requests say what was told", refusalsSayWhatWasTold},
		{"refused requests are bounded", refusalsAreBounded},
		{"usage is swept when its time is over", usageIsSwept},
	}
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		for _, c := range tests {
			t.Run(c.name, func(t *testing.T) { c.test(newWorld(t, store.Options{Folder: t.TempDir()})) })
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		server := postgres.Start(t)
		for _, c := range tests {
			t.Run(c.name, func(t *testing.T) { c.test(newWorld(t, store.Options{Database: server.Database(t)})) })
		}
	})
}

// world is one database that a test opens as often as it likes.
type world struct {
	*testing.T
	ctx         context.Context
	at          store.Options
	clock       *storetest.Clock
	key         oauth.Key
	application oauth.Application
	accounts    []oauth.Account
}

func newWorld(t *testing.T, at store.Options) *world {
	t.Helper()
	w := &world{T: t, ctx: t.Context(), clock: &storetest.Clock{}}
	at.Now, at.OwnClock, at.Log = w.clock.Now, true, slog.New(slog.DiscardHandler)
	// The sweeper leaves what the tests make of one account alone.
	at.PerApplication = 1_000_000
	w.at = at
	var err error
	w.key, err = oauth.NewKey(rand.Reader)
	w.must(err)
	return w
}

func (w *world) onSQLite() bool { return w.at.Database == "" }

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// open opens the database once more, until the test ends.
func (w *world) open(serve bool) *store.Store {
	w.Helper()
	o := w.at
	o.Serve = serve
	s, err := store.Open(w.ctx, o)
	w.must(err)
	w.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.Error(err)
		}
	})
	return s
}

// openServing is a storetest.Opener of a store that answers from memory.
func (w *world) openServing(_ *testing.T, clock *storetest.Clock) *store.Store {
	w.Helper()
	w.at.Now = clock.Now
	s := w.open(true)
	w.trusting(s)
	return s
}

const redirectURI = "https://app.example/oauth/callback"

// populate adds people and an application, which the first of them owns.
func (w *world) populate(s *store.Store, people int) {
	w.Helper()
	for range people {
		id := w.id()
		a := oauth.Account{ID: id, Email: id.String() + "@example.com", Username: id.String(), Name: "Somebody", CreatedAt: w.clock.Now()}
		w.must(s.CreateAccount(w.ctx, a, "hash"))
		w.accounts = append(w.accounts, a)
	}
	id, clientID, err := oauth.NewClientID(rand.Reader, w.clock.Now())
	w.must(err)
	w.application = oauth.Application{
		ID: id, ClientID: clientID, OwnerID: w.accounts[0].ID, OwnerName: "Somebody", Name: "App",
		RedirectURIs: []string{redirectURI}, Scope: "profile", CreatedAt: w.clock.Now(),
	}
	w.must(s.RegisterApplication(w.ctx, w.application))
}

func (w *world) id() oauth.ID {
	w.Helper()
	id, err := oauth.NewID(rand.Reader, w.clock.Now())
	if err != nil {
		w.Error(err)
	}
	return id
}

func (w *world) token(id oauth.ID) oauth.Token {
	w.Helper()
	token, err := oauth.NewToken(rand.Reader, id)
	if err != nil {
		w.Error(err)
	}
	return token
}

// life is an authorization with its first tokens.
type life struct {
	row                   oauth.Authorization
	code, access, refresh oauth.Token
}

const idle = 180 * 24 * time.Hour

// pending makes the row of an approval. The tests add it by Issue, which commits
// in groups; Approve is tested by storetest.
func (w *world) pending(account oauth.ID) life {
	w.Helper()
	id, now := w.id(), w.clock.Now()
	l := life{code: w.token(id), access: w.token(id), refresh: w.token(id)}
	l.row = oauth.Authorization{
		ID: id, ApplicationID: w.application.ID, AccountID: account, GrantType: oauth.GrantAuthorizationCode, Status: oauth.StatusPending,
		Scope: "profile", CreatedAt: now, CodeHash: l.code.Hash(oauth.KindCode), CodeExpiresAt: now.Add(time.Minute), RedirectURI: redirectURI,
	}.Asked()
	return l
}

// active makes the row of an authorization whose code was redeemed just now.
func (w *world) active(account oauth.ID) life {
	w.Helper()
	l := w.pending(account)
	row, err := l.redemption().Decide(l.row, false, w.clock.Now())
	if err != nil {
		w.Error(err)
	}
	l.row = row
	return l
}

func (l life) redemption() oauth.Redemption {
	return oauth.Redemption{
		Code: l.code, ApplicationID: l.row.ApplicationID, Allowed: "profile", AccessLifetime: 2 * time.Hour, RefreshIdle: idle,
		AccessHash: l.access.Hash(oauth.KindAccessToken), RefreshHash: l.refresh.Hash(oauth.KindRefreshToken),
	}
}

func (w *world) rotation(presented oauth.Token) (e oauth.Rotation, access, next oauth.Token) {
	access, next = w.key.Successors(presented)
	return oauth.Rotation{
		Refresh: presented, ApplicationID: w.application.ID, Allowed: "profile", KeyID: w.key.ID(),
		AccessHash: access.Hash(oauth.KindAccessToken), RefreshHash: next.Hash(oauth.KindRefreshToken),
		Limits: oauth.RefreshLimits{AccessLifetime: 2 * time.Hour, Idle: idle, ReplayWindow: 10 * time.Second},
	}, access, next
}

// accepts reports whether the store takes an access token for alive.
func (w *world) accepts(s *store.Store, access oauth.Token) bool {
	w.Helper()
	_, _, err := s.AccessToken(w.ctx, access.ID, access.Hash(oauth.KindAccessToken))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		w.Error(err)
	}
	return err == nil
}

// each calls for 0 to n-1 on so many goroutines.
func each(goroutines, n int, call func(i int)) {
	var next atomic.Int64
	var done sync.WaitGroup
	for range goroutines {
		done.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				call(int(i))
			}
		})
	}
	done.Wait()
}

// eventually waits for what gives no signal.
func (w *world) eventually(what string, patience time.Duration, done func() bool) {
	w.Helper()
	for deadline := time.Now().Add(patience); !done(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// trusting waits until the store answers from memory: it does not see what was
// changed behind its back.
func (w *world) trusting(s *store.Store) {
	w.Helper()
	if w.onSQLite() {
		return
	}
	conn := w.connect()
	decoy := w.active(w.id())
	w.must(s.Issue(w.ctx, decoy.row))
	set := func(status oauth.Status) {
		_, err := conn.Exec(w.ctx, `update authorizations set status = $1 where id = $2`, int16(status), decoy.row.ID[:])
		w.must(err)
	}
	w.eventually("the store answers from memory", time.Minute, func() bool {
		set(oauth.StatusActive)
		w.accepts(s, decoy.access)
		set(oauth.StatusRevoked)
		return w.accepts(s, decoy.access)
	})
}
