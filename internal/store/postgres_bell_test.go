package store

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"

	realpostgres "github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
)

// replica opens a store on a database that others may share; one that does not serve is a
// command. end closes it before the test does.
func replica(t *testing.T, database string, serves bool) (s *Store, b *bell, end func() error) {
	t.Helper()
	s, err := Open(t.Context(), Options{Database: database, Serve: serves, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	end = sync.OnceValue(s.Close)
	t.Cleanup(func() { must(t, end()) })
	return s, s.engine.(*postgres).bell, end
}

func await(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); !reached(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("not after a minute: %s", what)
		}
	}
}

func TestAReplicaKnowsWhetherItIsAlone(t *testing.T) {
	database := realpostgres.Database(t)
	first, one, _ := replica(t, database, true)
	alone := func(b *bell) func() bool { return func() bool { return b.isAlone(b.elapsed()) } }
	await(t, "the only replica trusts its memory", one.trusted)
	if !alone(one)() || one.life() != cachedLifeAlone {
		t.Error("a replica trusts its memory at once, and does not know that it is the only one")
	}
	second, other, end := replica(t, database, true)
	await(t, "the second replica trusts its memory", other.trusted)
	if alone(one)() || alone(other)() || one.life() != cachedLife {
		t.Error("a replica trusts its memory while the other one thinks to be alone")
	}
	token := oauth.Token{ID: surplusID(t), Secret: oauth.Secret{1}}
	a := oauth.Authorization{
		ID: token.ID, GrantType: oauth.GrantAuthorizationCode, Status: oauth.StatusActive, Generation: 1, CreatedAt: first.Now(), RotatedAt: first.Now(),
		Access: oauth.AccessToken{Hash: token.Hash(oauth.KindAccessToken), Scope: "profile", ExpiresAt: first.Now().Add(time.Hour)},
	}
	must(t, first.Issue(t.Context(), a.UntilIdle(time.Hour)))
	check := func() error {
		_, _, err := second.AccessToken(t.Context(), token.ID, token.Hash(oauth.KindAccessToken))
		return err
	}
	must(t, check())
	must(t, first.Revoke(t.Context(), oauth.Revocation{ID: token.ID, Reason: oauth.ReasonOperator}))
	await(t, "the second replica hears of a revocation", func() bool { return errors.Is(check(), ErrNotFound) })
	must(t, end())
	await(t, "the first replica is alone again", alone(one))
}

func TestACommandBesideAReplica(t *testing.T) {
	database := realpostgres.Database(t)
	server, one, _ := replica(t, database, true)
	await(t, "the only replica trusts its memory", one.trusted)
	client, command, _ := replica(t, database, false)
	await(t, "the replica sees the command", func() bool { return !one.isAlone(one.elapsed()) })
	if command.isAlone(command.elapsed()) {
		t.Error("a command thinks that there is no server")
	}
	for s, want := range map[*Store]string{server: "6s", client: unlimited} {
		var limit string
		must(t, s.engine.db().QueryRowContext(t.Context(), `show statement_timeout`).Scan(&limit))
		if limit != want {
			t.Errorf("a statement may take %s; want %s", limit, want)
		}
	}
}

// A process may be killed between a commit and its announcement, before anybody has counted it.
func TestAVisitBetweenTwoBeatsEndsWhatIsRemembered(t *testing.T) {
	t.Parallel()
	database := realpostgres.Database(t)
	s, one, _ := replica(t, database, true)
	await(t, "the only replica trusts its memory", one.trusted)
	account := oauth.ID{1}
	_, err := s.memory.account(account, func() (oauth.Account, error) { return oauth.Account{ID: account}, nil })
	must(t, err)
	visitor, err := newBell(one.p)
	must(t, err)
	conn, err := pgx.Connect(t.Context(), database)
	must(t, err)
	must(t, visitor.bePresent(t.Context(), conn))
	must(t, conn.Close(t.Context()))
	await(t, "the replica forgets what it remembered", func() bool {
		_, remembered := s.memory.accounts.get(account)
		return !remembered
	})
	await(t, "the replica is alone again", func() bool { return one.isAlone(one.elapsed()) })
}

func TestSchemasOfOneDatabaseKnowNothingOfEachOther(t *testing.T) {
	t.Parallel()
	database := realpostgres.Database(t)
	conn, err := pgx.Connect(t.Context(), database)
	must(t, err)
	_, err = conn.Exec(t.Context(), `create schema other`)
	must(t, errors.Join(err, conn.Close(t.Context())))
	first, one, _ := replica(t, database, true)
	await(t, "the replica of the first schema trusts its memory", one.trusted)
	account := oauth.ID{1}
	_, err = first.memory.account(account, func() (oauth.Account, error) { return oauth.Account{ID: account}, nil })
	must(t, err)
	// Each server sweeps now and then by itself.
	sweeps := func(s *Store) func() bool {
		return func() bool {
			release, ok, err := s.engine.sweeper(t.Context())
			must(t, err)
			if ok {
				t.Cleanup(release)
			}
			return ok
		}
	}
	await(t, "somebody sweeps the first schema", sweeps(first))

	second, other, _ := replica(t, database+"&search_path=other", true)
	await(t, "the replica of the other schema is alone in it", func() bool { return other.trusted() && other.isAlone(other.elapsed()) })
	await(t, "somebody sweeps the other schema meanwhile", sweeps(second))
	if _, remembered := first.memory.accounts.get(account); !remembered || !one.isAlone(one.elapsed()) {
		t.Error("the replica of the first schema was disturbed")
	}
}

func TestAReplicaThatLooksAround(t *testing.T) {
	t.Parallel()
	meanwhile := func() {}
	s, err := Open(t.Context(), Options{Database: realpostgres.Database(t), Now: time.Now, Log: slog.New(slog.DiscardHandler), statement: func(sql string) {
		if strings.Contains(sql, countOthers) {
			meanwhile()
		}
	}})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	b, accounts, account := s.engine.(*postgres).bell, s.memory.accounts, oauth.ID{1}
	gone, leave := context.WithCancel(t.Context())
	leave()
	for _, c := range []struct {
		name              string
		ctx               context.Context
		meanwhile         func()
		alone, remembered bool
	}{
		{"for the first time", t.Context(), func() {}, true, false},
		{"again", t.Context(), func() {}, true, true},
		{"while somebody comes", t.Context(), b.notAlone, false, false},
		{"after that", t.Context(), func() {}, true, false},
		{"in vain", gone, func() {}, false, true},
		{"while somebody comes who is not the first", t.Context(), b.notAlone, false, false},
	} {
		accounts.keep(account, accounts.begin(account), accountRecord{})
		meanwhile = c.meanwhile
		if err := b.lookAround(c.ctx); (err != nil) != (c.ctx == gone) {
			t.Errorf("%s: %v", c.name, err)
		}
		if b.trusted() {
			t.Errorf("%s: it trusts its memory, and never listened", c.name)
		}
		_, remembered := accounts.get(account)
		if alone := b.isAlone(b.elapsed()); alone != c.alone || remembered != c.remembered {
			t.Errorf("%s: it is alone: %v, and remembers what it did: %v", c.name, alone, remembered)
		}
	}
}

func TestWhenAReplicaTrustsItsMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const never = time.Hour
		for _, c := range []struct {
			name string
			// How long ago it heard itself, began to listen, and counted nobody else.
			heard, listening, alone time.Duration
			trusted                 bool
		}{
			{"it hears others for long", time.Second, time.Minute, never, true},
			{"it hears nothing any more", silence, time.Minute, never, false},
			{"it hears nothing any more, and is alone", silence, time.Minute, time.Second, false},
			{"it began just now", 0, time.Second, never, false},
			{"it began as long ago as others may think to be alone", 0, silence, never, false},
			{"it began a moment before that", 0, silence + 1, never, true},
			{"it began just now, and is alone", 0, time.Second, time.Second / 2, true},
			{"it was alone before it began", 0, time.Second, 2 * time.Second, false},
		} {
			b := &bell{started: time.Now().Add(-2 * never)}
			for moment, ago := range map[*atomic.Int64]time.Duration{&b.heard: c.heard, &b.listening: c.listening, &b.alone: c.alone} {
				moment.Store(int64(b.elapsed() - ago))
			}
			if got := b.trusted(); got != c.trusted {
				t.Errorf("%s: %v", c.name, got)
			}
		}
	})
}

// TestARevocationIsAcknowledgedWhenOthersWereTold: a replica may die right after that. When they
// cannot be told, it is waited for a while.
func TestARevocationIsAcknowledgedWhenOthersWereTold(t *testing.T) {
	for _, c := range []struct {
		name        string
		told        time.Duration
		wait, alone bool
		took        time.Duration
	}{
		{"a second later", time.Second, true, false, time.Second},
		{"too late", time.Minute, true, false, ringPatience},
		{"of what may not have happened", time.Second, false, false, 0},
		{"and there is nobody", time.Second, true, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &bell{queue: make(chan announcement, 1), started: time.Now()}
				if b.notAlone(); c.alone {
					b.alone.Store(int64(b.elapsed()))
				}
				var telling sync.WaitGroup
				telling.Go(func() {
					if a, ok := <-b.queue; ok {
						time.Sleep(c.told)
						close(a.told)
					}
				})
				began := time.Now()
				b.ring([]change{{kind: authorizationChanged}}, c.wait)
				if took := time.Since(began); took != c.took {
					t.Errorf("it took %v; want %v", took, c.took)
				}
				close(b.queue)
				telling.Wait()
			})
		})
	}
}
