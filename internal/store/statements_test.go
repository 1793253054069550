package store

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	realpostgres "github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
)

// TestAnOperationNeedsFewStatements holds how many statements each operation runs when
// nobody shares its batch. More than these is a loss that every request pays for.
func TestAnOperationNeedsFewStatements(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		countStatements(t, Options{Folder: t.TempDir()}, map[string]int{
			// Each write is between begin and commit; the account is remembered.
			"client_credentials": 3, "code exchange": 4, "refresh": 4, "refresh soon after": 4, "code exchange soon after": 4, "revoke": 4,
			// A check reads whether its account is disabled where that is not remembered.
			"check, not remembered": 2, "check of an account that is": 1, "check, remembered": 0, "me, not remembered": 1, "me, remembered": 0,
		})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		countStatements(t, Options{Database: realpostgres.Database(t)}, map[string]int{
			// begin, load, update, commit; a revocation by the only replica is not announced.
			// What was written last is not loaded. An account that is not remembered is read with
			// the check.
			"client_credentials": 1, "code exchange": 4, "refresh": 4, "refresh soon after": 1, "code exchange soon after": 1, "revoke": 1,
			"check, not remembered": 2, "check of an account that is": 1, "check, remembered": 0, "me, not remembered": 0, "me, remembered": 0,
		})
	})
}

// TestADeletionNeedsAsManyStatementsWhateverItEnds: nor does it touch an authorization or a
// delivery, so that it takes no longer for a large application.
func TestADeletionNeedsAsManyStatementsWhateverItEnds(t *testing.T) {
	t.Parallel()
	whileCounting(t, func(t *testing.T, s *Store, seen *statements) {
		ada := newAccount(t, s, "ada@x.example", "ada", "Ada", false)
		most := 0
		for _, n := range []int{0, 1, 200} {
			a := newApplication(t, s, ada, "App")
			must(t, s.SetWebhook(t.Context(), a.ID, "https://app.example/", nil, ""))
			for range n {
				living(t, s, a, ada)
				_, err := s.TestWebhook(t.Context(), a.ID)
				must(t, err)
			}
			ran := seen.of(func() { must(t, s.DeleteApplication(t.Context(), a.ID)) })
			most = max(most, len(ran))
			all := strings.Join(ran, "\n")
			if len(ran) != most || most == 0 || strings.Contains(all, " authorizations ") || strings.Contains(all, " deliveries ") {
				t.Errorf("with %d authorizations and deliveries it runs\n%s", n, all)
			}
		}
	})
}

func TestAClaimThatFindsNothingIsNoWrite(t *testing.T) {
	t.Parallel()
	whileCounting(t, func(t *testing.T, s *Store, seen *statements) {
		a := newApplication(t, s, newAccount(t, s, "ada@x.example", "ada", "Ada", false), "App")
		must(t, s.SetWebhook(t.Context(), a.ID, "https://app.example/", nil, ""))
		if _, err := s.TestWebhook(t.Context(), a.ID); err != nil {
			t.Fatal(err)
		}
		ran := seen.of(func() {
			if d, _, err := s.ClaimDelivery(t.Context(), []oauth.ID{a.ID}, time.Minute); !errors.Is(err, ErrNotFound) {
				t.Errorf("claimed %v (%v)", d, err)
			}
		})
		if len(ran) != 1 || !strings.HasPrefix(ran[0], "select ") {
			t.Errorf("it runs\n%s", strings.Join(ran, "\n"))
		}
		// However many are busy, there are few statements.
		texts := map[string]bool{}
		for n := range 300 {
			for _, sql := range seen.of(func() {
				if _, _, err := s.ClaimDelivery(t.Context(), append(make([]oauth.ID, n), a.ID), time.Minute); !errors.Is(err, ErrNotFound) {
					t.Error(err)
				}
			}) {
				texts[sql] = true
			}
		}
		if len(texts) > 4 {
			t.Errorf("%d statements to prepare", len(texts))
		}
	})
}

// whileCounting runs a test on both engines, and lets it see what the store runs.
func whileCounting(t *testing.T, test func(*testing.T, *Store, *statements)) {
	t.Helper()
	for name, at := range map[string]Options{
		"SQLite": {Folder: t.TempDir()}, "PostgreSQL": {Database: realpostgres.Database(t)},
	} {
		t.Run(name, func(t *testing.T) {
			var seen statements
			at.statement = seen.add
			test(t, openAt(t, at), &seen)
		})
	}
}

// statements counts what operations run. What the store does by itself is left out: its
// heartbeat, its look at other processes, its sweeping.
type statements struct {
	mu  sync.Mutex
	ran []string
}

func (s *statements) add(sql string) {
	for _, own := range []string{"pg_notify($3, '')", "clock_timestamp", "data_version", "early_sweeps where", "sweep_after <=", "advisory", "analyze", "analysis", "sqlite_stat", "pg_stat", "count(*)", "expires_at <=", "plan_cache_mode"} {
		if strings.Contains(sql, own) {
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ran = append(s.ran, sql)
}

// of is what f ran.
func (s *statements) of(f func()) []string {
	s.mu.Lock()
	s.ran = nil
	s.mu.Unlock()
	f()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ran
}

func countStatements(t *testing.T, o Options, want map[string]int) {
	var seen statements
	o.Now, o.statement, o.Serve = time.Now, seen.add, true
	s := opened(t, o)
	// No sweeping and no watch while statements are counted: they would share them.
	s.stopSweeping()
	s.sweeping.Wait()
	await(t, "the store trusts its memory", s.engine.trusted)
	run := func(name string, f func() error) {
		t.Helper()
		ran := seen.of(func() {
			if err := f(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		})
		// On SQLite the look at other processes is a transaction of its own.
		if len(ran) != want[name] {
			t.Errorf("%s runs %d statements; want %d:\n%s", name, len(ran), want[name], strings.Join(ran, "\n"))
		}
	}
	countOperations(t, s, run)
}

func countOperations(t *testing.T, s *Store, run func(string, func() error)) {
	ctx, now := context.Background(), s.Now()
	account, application := surplusID(t), surplusID(t)
	if err := s.CreateAccount(ctx, oauth.Account{ID: account, Email: "ada@example.com", Username: "ada", CreatedAt: now}, ""); err != nil {
		t.Fatal(err)
	}
	issue := func(status oauth.Status, grantType oauth.GrantType) oauth.Token {
		t.Helper()
		token := oauth.Token{ID: surplusID(t), Secret: oauth.Secret{1}}
		a := oauth.Authorization{
			ID: token.ID, ApplicationID: application, AccountID: account, GrantType: grantType, Status: status, Scope: "profile",
			CreatedAt: now, RotatedAt: now, CodeHash: token.Hash(oauth.KindCode), CodeExpiresAt: now.Add(time.Hour),
		}
		if status == oauth.StatusActive {
			a.Generation, a.RefreshHash = 1, token.Hash(oauth.KindRefreshToken)
			a.Access = oauth.AccessToken{Hash: token.Hash(oauth.KindAccessToken), Scope: "profile", IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
		}
		if err := s.Issue(ctx, a.UntilIdle(24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		return token
	}
	living := issue(oauth.StatusActive, oauth.GrantAuthorizationCode)
	check := func(token oauth.Token) func() error {
		return func() error {
			_, _, err := s.AccessToken(ctx, token.ID, token.Hash(oauth.KindAccessToken))
			return err
		}
	}
	run("check, not remembered", check(living))
	run("check, remembered", check(living))
	run("check of an account that is", check(issue(oauth.StatusActive, oauth.GrantAuthorizationCode)))
	me := func() error {
		_, err := s.RememberedAccount(ctx, account)
		return err
	}
	run("me, not remembered", me)
	run("me, remembered", me)
	run("client_credentials", func() error {
		a := oauth.Authorization{
			ID: surplusID(t), ApplicationID: application, AccountID: account, GrantType: oauth.GrantClientCredentials, Status: oauth.StatusActive,
			Scope: "profile", CreatedAt: now, RotatedAt: now, Generation: 1, Access: oauth.AccessToken{Hash: oauth.Hash{1}, IssuedAt: now, ExpiresAt: now.Add(time.Hour)},
		}
		return s.Issue(ctx, a.Issued())
	})
	redeem := func(code oauth.Token) func() error {
		return func() error {
			_, err := s.RedeemCode(ctx, oauth.Redemption{
				Code: code, ApplicationID: application, Allowed: "profile", AccessHash: oauth.Hash{1}, RefreshHash: code.Hash(oauth.KindRefreshToken),
				AccessLifetime: time.Hour, RefreshIdle: 24 * time.Hour,
			})
			return err
		}
	}
	refresh := func(token oauth.Token) func() error {
		return func() error {
			_, err := s.RotateRefresh(ctx, oauth.Rotation{
				Refresh: token, ApplicationID: application, Allowed: "profile", AccessHash: oauth.Hash{3}, RefreshHash: oauth.Hash{4},
				Limits: oauth.RefreshLimits{AccessLifetime: time.Hour, Idle: 24 * time.Hour, ReplayWindow: time.Second},
			})
			return err
		}
	}
	code := issue(oauth.StatusPending, oauth.GrantAuthorizationCode)
	run("code exchange", redeem(code))
	run("refresh", refresh(living))
	run("refresh soon after", refresh(code))
	approved, err := s.Authorization(ctx, issue(oauth.StatusPending, oauth.GrantAuthorizationCode).ID)
	if err != nil {
		t.Fatal(err)
	}
	fresh := oauth.Token{ID: surplusID(t)}
	approved.ID, approved.CodeHash = fresh.ID, fresh.Hash(oauth.KindCode)
	if err := s.write(ctx, func(tx *transaction) error { _, err := insertAuthorization(tx, approved); return err }); err != nil {
		t.Fatal(err)
	}
	run("code exchange soon after", redeem(fresh))
	long := issue(oauth.StatusActive, oauth.GrantAuthorizationCode)
	run("revoke", func() error {
		return s.Revoke(ctx, oauth.Revocation{ID: long.ID, Reason: oauth.ReasonRequested, By: oauth.Revoker{ApplicationID: application, Token: long}})
	})
}
