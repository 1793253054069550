package e2e_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// crowd is how many clients race for one code or one refresh token.
const crowd = 50

func TestLife(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	t.Run("races", func(t *testing.T) { t.Parallel(); testRaces(t, s) })
	t.Run("refresh", func(t *testing.T) { t.Parallel(); testRefresh(t, s) })
	t.Run("theft", func(t *testing.T) { t.Parallel(); testTheft(t, s) })
	t.Run("revocation", func(t *testing.T) { t.Parallel(); testRevocation(t, s) })
}

// race sends one message from many clients at once.
func (s *server) race(t *testing.T, m message) []answer {
	t.Helper()
	answers, failures := make([]answer, crowd), make([]error, crowd)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range crowd {
		wg.Go(func() {
			<-start
			answers[i], failures[i] = s.send(m)
		})
	}
	close(start)
	wg.Wait()
	for _, err := range failures {
		if err != nil {
			t.Fatal(err)
		}
	}
	return answers
}

func testRaces(t *testing.T, s *server) {
	app, public := s.register(t, registration{}), s.register(t, registration{public: true})
	t.Run("of many redemptions of a code one wins and the authorization ends revoked", func(t *testing.T) {
		t.Parallel()
		code := s.code(t, app)
		var won []tokens
		for _, a := range s.race(t, post(tokenPath, formType, app.identify(app.redemption(code)).Encode())) {
			if a.status == http.StatusOK {
				won = append(won, a.tokens(t))
				continue
			}
			a.checkRefused(t, "invalid_grant")
		}
		if len(won) != 1 {
			t.Fatalf("%d redemptions succeed, want 1", len(won))
		}
		s.checkDead(t, app, won[0])
	})
	for name, app := range map[string]application{"a confidential": app, "a public": public} {
		t.Run("many refreshes with one token of "+name+" application get the same answer", func(t *testing.T) {
			t.Parallel()
			first := s.grant(t, app)
			answers := s.race(t, post(tokenPath, formType, app.identify(refreshment(first.Refresh)).Encode()))
			want := answers[0].tokens(t)
			for _, a := range answers {
				if got := a.tokens(t); got.Access != want.Access || got.Refresh != want.Refresh || got.CreatedAt != want.CreatedAt {
					t.Fatalf("answers differ: %s and %s", a.body, answers[0].body)
				}
			}
			s.checkAlive(t, want.Access)
			s.refresh(t, app, want.Refresh).tokens(t)
		})
	}
}

func testRefresh(t *testing.T, s *server) {
	app, public := s.register(t, registration{}), s.register(t, registration{public: true})
	for name, app := range map[string]application{"a confidential": app, "a public": public} {
		t.Run("repeating one gives "+name+" application the same tokens", func(t *testing.T) {
			t.Parallel()
			first := s.grant(t, app)
			second := s.refresh(t, app, first.Refresh).tokens(t)
			checkSame(t, s.refresh(t, app, first.Refresh).tokens(t), second)
			s.checkAlive(t, second.Access)
			s.refresh(t, app, second.Refresh).tokens(t)
		})
		t.Run("the old access token of "+name+" application serves requests in flight", func(t *testing.T) {
			t.Parallel()
			first := s.grant(t, app)
			s.refresh(t, app, first.Refresh).tokens(t)
			s.checkAlive(t, first.Access)
		})
	}
	t.Run("one that is no longer the previous cannot be repeated for its tokens", func(t *testing.T) {
		t.Parallel()
		first := s.grant(t, app)
		second := s.refresh(t, app, first.Refresh).tokens(t)
		third := s.refresh(t, app, second.Refresh).tokens(t)
		checkSame(t, s.refresh(t, app, second.Refresh).tokens(t), third)
		s.refresh(t, app, first.Refresh).checkRefused(t, "invalid_grant")
	})
	t.Run("scope can be narrowed and comes back whole", func(t *testing.T) {
		t.Parallel()
		first := s.grant(t, app, "scope", "profile events")
		narrow := s.refresh(t, app, first.Refresh, "scope", "events").tokens(t)
		checkScope(t, narrow, "events")
		s.me(t, narrow.Access).checkStatus(t, http.StatusForbidden)
		checkScope(t, s.refresh(t, app, narrow.Refresh).tokens(t), "profile", "events")
	})
	t.Run("scope cannot be widened, whatever the application may ask for", func(t *testing.T) {
		t.Parallel()
		first := s.grant(t, app, "scope", "profile")
		for _, scope := range []string{"profile events", "events", "profile community", "nonsense"} {
			s.refresh(t, app, first.Refresh, "scope", scope).checkRefused(t, "invalid_scope")
		}
		checkScope(t, s.refresh(t, app, first.Refresh).tokens(t), "profile")
	})
	t.Run("a repetition with another scope is invalid_scope and changes nothing", func(t *testing.T) {
		t.Parallel()
		first := s.grant(t, app, "scope", "profile events")
		second := s.refresh(t, app, first.Refresh, "scope", "profile").tokens(t)
		for _, scope := range []string{"events", "profile events"} {
			s.refresh(t, app, first.Refresh, "scope", scope).checkRefused(t, "invalid_scope")
		}
		checkSame(t, s.refresh(t, app, first.Refresh, "scope", "profile").tokens(t), second)
		s.checkAlive(t, second.Access)
	})
}

func checkSame(t *testing.T, got, want tokens) {
	t.Helper()
	if got.Access != want.Access || got.Refresh != want.Refresh {
		t.Error("other tokens than the refresh gave that is repeated")
	}
	if got.CreatedAt != want.CreatedAt || got.Scope != want.Scope || got.ExpiresIn > want.ExpiresIn || got.ExpiresIn < want.ExpiresIn-60 {
		t.Errorf("created_at, scope, expires_in are %d, %q, %d; want %d, %q and what remains of %d",
			got.CreatedAt, got.Scope, got.ExpiresIn, want.CreatedAt, want.Scope, want.ExpiresIn)
	}
}

func testTheft(t *testing.T, s *server) {
	app, other, public := s.register(t, registration{}), s.register(t, registration{}), s.register(t, registration{public: true})
	// generations refreshes n times and returns every answer.
	generations := func(t *testing.T, app application, n int) []tokens {
		t.Helper()
		all := []tokens{s.grant(t, app)}
		for range n {
			all = append(all, s.refresh(t, app, all[len(all)-1].Refresh).tokens(t))
		}
		return all
	}
	for name, app := range map[string]application{"a confidential": app, "a public": public} {
		for _, n := range []int{2, 6} {
			t.Run(fmt.Sprintf("a refresh token of %s application ends everything after %d refreshes", name, n), func(t *testing.T) {
				t.Parallel()
				all := generations(t, app, n)
				s.refresh(t, app, all[0].Refresh).checkRefused(t, "invalid_grant")
				s.checkDead(t, app, all[n-1])
				s.checkDead(t, app, all[n])
			})
		}
		t.Run("a made-up secret proves nothing against "+name+" application", func(t *testing.T) {
			t.Parallel()
			all := generations(t, app, 2)
			s.refresh(t, app, forge(t, all[2].Refresh)).checkRefused(t, "invalid_grant")
			s.refresh(t, app, all[2].Access).checkRefused(t, "invalid_grant")
			s.checkAlive(t, all[2].Access)
			s.refresh(t, app, all[2].Refresh).tokens(t)
		})
	}
	t.Run("another application's old refresh token changes nothing", func(t *testing.T) {
		t.Parallel()
		all := generations(t, app, 2)
		s.refresh(t, other, all[0].Refresh).checkRefused(t, "invalid_grant")
		s.refresh(t, other, all[2].Refresh).checkRefused(t, "invalid_grant")
		s.refresh(t, app, all[2].Refresh).tokens(t)
	})
	t.Run("theft from one authorization leaves the account's others alone", func(t *testing.T) {
		t.Parallel()
		elsewhere := s.grant(t, app)
		all := generations(t, app, 2)
		s.refresh(t, app, all[0].Refresh).checkRefused(t, "invalid_grant")
		s.checkAlive(t, elsewhere.Access)
		s.refresh(t, app, elsewhere.Refresh).tokens(t)
	})
	t.Run("made-up secrets are throttled where nothing is exempt", func(t *testing.T) {
		t.Parallel()
		testForgeryThrottle(t)
	})
	t.Run("a public application's repetition is theft once the replay window has closed", func(t *testing.T) {
		t.Parallel()
		testReplayWindow(t)
	})
}

// forge keeps the half of a token that finds the authorization and makes up the other.
func forge(t *testing.T, token string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 32 {
		t.Fatalf("token is not base64url of 32 bytes: %v", err)
	}
	if _, err := rand.Read(raw[16:]); err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func testForgeryThrottle(t *testing.T) {
	s := settle(t, strings.Replace(config, "exempt: [127.0.0.0/8]", "exempt: []", 1)+"trusted_proxies: [127.0.0.0/8]\n")
	app := s.register(t, registration{public: true})
	first := s.grant(t, app)
	current := first
	for range 5 { // without old generations there is nothing to look for, and no work to throttle
		current = s.refresh(t, app, current.Refresh).tokens(t)
	}
	for range 5 {
		s.refresh(t, app, forge(t, current.Refresh)).checkRefused(t, "invalid_grant")
	}
	for _, a := range []answer{s.refresh(t, app, forge(t, current.Refresh)), s.revoke(t, app, forge(t, current.Refresh))} {
		a.checkStatus(t, http.StatusTooManyRequests)
		if wait, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || wait < 1 || wait > 60 {
			t.Errorf("%s: Retry-After is %q", a.to.path, a.header.Get("Retry-After"))
		}
	}
	current = s.refresh(t, app, current.Refresh).tokens(t)
	// Who has used up the attempts keeps nobody elsewhere from proving theft.
	honest := post(tokenPath, formType, app.identify(refreshment(first.Refresh)).Encode())
	honest.header.Set("X-Forwarded-For", "192.0.2.7")
	s.do(t, honest).checkRefused(t, "invalid_grant")
	s.checkDead(t, app, current)
}

func testReplayWindow(t *testing.T) {
	s := settle(t, config+"refresh_replay_window: 1ms\n")
	app, confidential := s.register(t, registration{public: true}), s.register(t, registration{})
	first := s.grant(t, app)
	second := s.refresh(t, app, first.Refresh).tokens(t)
	// The window may still be open for the first tries; each of them is answered without reopening it.
	eventually(t, "the replay window has closed", func() bool {
		a := s.refresh(t, app, first.Refresh)
		if a.status != http.StatusOK {
			a.checkRefused(t, "invalid_grant")
		}
		return a.status != http.StatusOK
	})
	s.checkDead(t, app, second)

	first = s.grant(t, confidential)
	second = s.refresh(t, confidential, first.Refresh).tokens(t)
	checkSame(t, s.refresh(t, confidential, first.Refresh).tokens(t), second)
}
