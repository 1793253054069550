package e2e_test

import (
	"errors"
	"flag"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/latchkey/latchkey/e2e/postgres"
)

var revocations = flag.Int("revocations", 1000, "how many tokens one replica revokes that the other remembers")

// soon bounds how late another replica may learn of a change; docs/architecture.md says 100 ms.
const soon = 10 * time.Second

func TestReplicas(t *testing.T) {
	t.Parallel()
	pg := postgres.Start(t)
	// Before the others, which would be measured too.
	t.Run("a revocation at one is seen by the other", func(t *testing.T) { testRevocationTravels(t, pg) })
	rows := []struct {
		name string
		test func(t *testing.T, pg *postgres.Server)
	}{
		{"a switch thrown by a command is seen by both", testSwitchTravels},
		{"a refresh repeated at the other gives the same tokens", testReplayTravels},
		{"a code redeemed at both at once wins once and ends revoked", testRedeemedAtBoth},
		{"a revocation is seen by one that lost its listener", testDeaf},
		{"a refresh at both at once gives the same tokens", testRefreshedAtBoth},
		{"a revocation at one during a refresh at the other ends both", testRevokedMeanwhile},
		{"five start at once on an empty database", testStartTogether},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) { t.Parallel(); row.test(t, pg) })
	}
}

func testRevocationTravels(t *testing.T, pg *postgres.Server) {
	database := pg.Database(t)
	all := replicas(t, database, database)
	here, there := all[0], all[1]
	app := here.register(t, registration{})
	var delays []time.Duration
	for _, token := range here.issue(t, app, *revocations) {
		there.checkAlive(t, token) // and remembers it
		here.revoke(t, app, token).checkStatus(t, http.StatusOK)
		revoked := time.Now()
		for there.me(t, token).status == http.StatusOK {
			if time.Since(revoked) > soon {
				t.Fatalf("a token is accepted %v after it was revoked at the other replica", time.Since(revoked))
			}
		}
		delays = append(delays, time.Since(revoked))
		here.checkAnswered(t, token, http.StatusUnauthorized)
		there.checkAnswered(t, token, http.StatusUnauthorized)
	}
	slices.Sort(delays)
	t.Logf("%d revocations were seen by the other replica after a median of %v, 99%% within %v, the last after %v",
		len(delays), delays[len(delays)/2], delays[len(delays)*99/100], delays[len(delays)-1])
}

func testSwitchTravels(t *testing.T, pg *postgres.Server) {
	database := pg.Database(t)
	all := replicas(t, database, database)
	app := all[0].register(t, registration{})
	grace := all[0].newAccount(t, "Grace Hopper")
	code := all[0].browser(grace).authorize(t, app.request()).Query().Get("code")
	token := all[0].redeem(t, app, code).tokens(t).Access
	rows := []struct {
		name    string
		command []string
		want    int
	}{
		{"an application is suspended", []string{"application", "suspend", app.ClientID}, http.StatusUnauthorized},
		{"an application is resumed", []string{"application", "resume", app.ClientID}, http.StatusOK},
		{"an account is disabled", []string{"account", "disable", grace.email}, http.StatusUnauthorized},
		{"an account is enabled", []string{"account", "enable", grace.email}, http.StatusOK},
		{"an application's owner is disabled", []string{"account", "disable", all[0].ada.email}, http.StatusUnauthorized},
		{"an application's owner is enabled", []string{"account", "enable", all[0].ada.email}, http.StatusOK},
		{"an application is deleted", []string{"application", "delete", app.ClientID}, http.StatusUnauthorized},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			for _, s := range all {
				s.me(t, token) // it remembers how it was
			}
			all[0].command(t, "", row.command...)
			ended := time.Now()
			for i, s := range all {
				eventually(t, "the replica answers otherwise", func() bool { return s.me(t, token).status == row.want })
				t.Logf("replica %d after %v", i+1, time.Since(ended))
			}
			if took := time.Since(ended); took > soon {
				t.Errorf("seen only after %v", took)
			}
		})
	}
}

func testReplayTravels(t *testing.T, pg *postgres.Server) {
	database := pg.Database(t)
	all := replicas(t, database, database)
	app := all[0].register(t, registration{})
	held := all[0].grant(t, app)
	for i := range 20 {
		here, there := all[i%2], all[(i+1)%2]
		next := here.refresh(t, app, held.Refresh).tokens(t)
		checkSame(t, there.refresh(t, app, held.Refresh).tokens(t), next)
		checkSame(t, here.refresh(t, app, held.Refresh).tokens(t), next)
		there.checkAlive(t, next.Access)
		held = next
	}
}

func testRedeemedAtBoth(t *testing.T, pg *postgres.Server) {
	database := pg.Database(t)
	all := replicas(t, database, database)
	app := all[0].register(t, registration{})
	for range 30 {
		message := post(tokenPath, formType, app.identify(app.redemption(all[0].code(t, app))).Encode())
		answers := atBoth(t, all, message, message)
		winner := slices.IndexFunc(answers[:], func(a answer) bool { return a.status == http.StatusOK })
		if winner < 0 {
			t.Fatalf("answers %d and %d, want one to win", answers[0].status, answers[1].status)
		}
		answers[1-winner].checkRefused(t, "invalid_grant")
		for _, s := range all {
			s.checkDead(t, app, answers[winner].tokens(t))
		}
	}
}

// atBoth sends a message to each of two replicas at the same time.
func atBoth(t *testing.T, all []*server, messages ...message) (answers [2]answer) {
	t.Helper()
	var errs [2]error
	var both sync.WaitGroup
	for i, m := range messages {
		both.Go(func() { answers[i], errs[i] = all[i].send(m) })
	}
	both.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return answers
}

func testRefreshedAtBoth(t *testing.T, pg *postgres.Server) {
	database := pg.Database(t)
	all := replicas(t, database, database)
	app := all[0].register(t, registration{})
	first := all[0].grant(t, app)
	held := first
	for range 50 {
		answers := atBoth(t, all, refreshing(app, held.Refresh), refreshing(app, held.Refresh))
		next := answers[0].tokens(t)
		checkSame(t, answers[1].tokens(t), next)
		held = next
	}
	all[1].checkAlive(t, held.Access)
	all[1].refresh(t, app, first.Refresh).checkRefused(t, "invalid_grant")
	all[1].checkDead(t, app, held)
}

func testRevokedMeanwhile(t *testing.T, pg *postgres.Server) {
	database := pg.Database(t)
	all := replicas(t, database, database)
	app := all[0].register(t, registration{})
	for range 30 {
		held := all[0].grant(t, app)
		all[1].checkAlive(t, held.Access) // and remembers it
		answers := atBoth(t, all, revoking(app, held.Access), refreshing(app, held.Refresh))
		answers[0].checkStatus(t, http.StatusOK)
		for _, s := range all {
			eventually(t, "the replica refuses", func() bool { return s.me(t, held.Access).status == http.StatusUnauthorized })
			s.checkDead(t, app, held)
			if answers[1].status == http.StatusOK {
				s.checkDead(t, app, answers[1].tokens(t))
			}
		}
	}
}

func testStartTogether(t *testing.T, pg *postgres.Server) {
	database, key := pg.Database(t), writeKey(t)
	var all []*process
	for range 5 {
		data := t.TempDir()
		all = append(all, launch(t, nil, "serve", "--listen", "127.0.0.1:0", "--data", data, "--database", database, "--server-key-file", key))
	}
	for _, p := range all {
		checkReady(t, p.listening(t))
	}
	for _, p := range all {
		p.terminate(t)
		checkLog(t, p.stderr.Bytes())
	}
}
