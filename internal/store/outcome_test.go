package store_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// unlucky is an event whose commit has an accident.
type unlucky struct {
	name string
	// prepare makes the row as it is before. own tells that the store does it that has the
	// accident, so that it remembers the row.
	prepare func(w *world, s *store.Store) life
	own     bool
	event   func(w *world, s *store.Store, l life) error
	// happened is what the row has to be after an answer without an error.
	happened func(w *world, l life, row oauth.Authorization) bool
	// again is what a repetition of an event that did happen may answer.
	again error
}

var unluckyEvents = []unlucky{
	{
		name:    "a redemption",
		prepare: (*world).issuedPending, event: (*world).redeems, happened: (*world).isRedeemed,
	},
	{
		name: "a redemption soon after its approval", own: true,
		prepare: (*world).approved, event: (*world).redeems, happened: (*world).isRedeemed,
	},
	{
		name:    "a refresh",
		prepare: (*world).issuedActive, event: (*world).refreshes, happened: (*world).isRefreshed,
	},
	{
		name: "a refresh soon after its redemption", own: true,
		prepare: func(w *world, s *store.Store) life {
			l := w.approved(s)
			w.must(w.redeems(s, l))
			return l
		},
		event: (*world).refreshes, happened: (*world).isRefreshed,
	},
	{
		name:    "a revocation by an application",
		prepare: (*world).issuedActive,
		event: func(w *world, s *store.Store, l life) error {
			return s.Revoke(w.ctx, oauth.Revocation{
				ID: l.row.ID, Reason: oauth.ReasonRequested, By: oauth.Revoker{ApplicationID: l.row.ApplicationID, Token: l.access},
			})
		},
		happened: func(_ *world, _ life, row oauth.Authorization) bool {
			return row.Status == oauth.StatusRevoked && row.RevokedReason == oauth.ReasonRequested
		},
	},
	{
		name:    "a revocation",
		prepare: (*world).issuedActive,
		event: func(w *world, s *store.Store, l life) error {
			return s.Revoke(w.ctx, oauth.Revocation{ID: l.row.ID, Reason: oauth.ReasonRequested})
		},
		happened: func(_ *world, _ life, row oauth.Authorization) bool {
			return row.Status == oauth.StatusRevoked && row.RevokedReason == oauth.ReasonRequested
		},
	},
	{
		name:    "an issue",
		prepare: func(w *world, _ *store.Store) life { return w.active(w.accounts[0].ID) },
		event:   func(w *world, s *store.Store, l life) error { return s.Issue(w.ctx, l.row) },
		happened: func(_ *world, l life, row oauth.Authorization) bool {
			return row == l.row
		},
	},
	{
		name:    "an approval",
		prepare: func(w *world, _ *store.Store) life { return w.pending(w.accounts[0].ID) },
		event: func(w *world, s *store.Store, l life) error {
			return s.Approve(w.ctx, store.Approval{Authorization: l.row, Identity: w.application.Identity(), Asked: true})
		},
		happened: func(_ *world, l life, row oauth.Authorization) bool { return row == l.row },
		again:    store.ErrAnswered,
	},
	{
		name:    "a disconnection",
		prepare: (*world).issuedActive,
		event: func(w *world, s *store.Store, _ life) error {
			return s.Disconnect(w.ctx, w.accounts[0].ID, w.application.ID)
		},
		happened: func(_ *world, _ life, row oauth.Authorization) bool { return row.Status == oauth.StatusRevoked },
	},
}

func (w *world) issuedPending(s *store.Store) life {
	w.Helper()
	l := w.pending(w.accounts[0].ID)
	w.must(s.Issue(w.ctx, l.row))
	return l
}

func (w *world) approved(s *store.Store) life {
	w.Helper()
	l := w.pending(w.accounts[0].ID)
	w.must(s.Approve(w.ctx, store.Approval{Authorization: l.row, Identity: w.application.Identity(), Asked: true}))
	return l
}

func (w *world) redeems(s *store.Store, l life) error {
	row, err := s.RedeemCode(w.ctx, l.redemption())
	return w.answered(row, err, l.access)
}

func (w *world) isRedeemed(l life, row oauth.Authorization) bool {
	return row.Status == oauth.StatusActive && row.Generation == 1 && row.RefreshHash == l.redemption().RefreshHash
}

func (w *world) refreshes(s *store.Store, l life) error {
	e, access, _ := w.rotation(l.refresh)
	row, err := s.RotateRefresh(w.ctx, e)
	return w.answered(row, err, access)
}

func (w *world) isRefreshed(l life, row oauth.Authorization) bool {
	e, _, _ := w.rotation(l.refresh)
	return row.Status == oauth.StatusActive && row.Generation == 2 && row.RefreshHash == e.RefreshHash
}

func (w *world) issuedActive(s *store.Store) life {
	w.Helper()
	l := w.active(w.accounts[0].ID)
	w.must(s.Issue(w.ctx, l.row))
	return l
}

// answered checks that an answer without an error has the tokens of the request.
func (w *world) answered(row oauth.Authorization, err error, access oauth.Token) error {
	if err == nil && row.Access.Hash != access.Hash(oauth.KindAccessToken) {
		return errors.New("the answer has other tokens")
	}
	return err
}

// TestCommitsWithUnknownOutcome loses the connection while a commit is under way.
// The answer has to be right all the same, and no retry of ours may count as a
// replay.
func TestCommitsWithUnknownOutcome(t *testing.T) {
	t.Parallel()
	for _, e := range unluckyEvents {
		for name, fate := range map[string]accident{"never arrives": lostBefore, "is done": lostAfter, "arrives late": late} {
			t.Run(fmt.Sprintf("%s whose commit %s", e.name, name), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, store.Options{Database: postgres.Database(t)})
				calm := w.open(false)
				w.populate(calm, 1)
				p, through := startProxy(t, w.at.Database)
				w.at.Database = through
				s := w.open(true)
				w.trusting(s)
				e.play(w, p, fate, calm, s)
			})
		}
	}
}

// behindProxy opens a store on a PostgreSQL that it reaches through a proxy.
func behindProxy(t *testing.T) (*world, *proxy, *store.Store) {
	t.Helper()
	w := newWorld(t, store.Options{Database: postgres.Database(t)})
	w.populate(w.open(false), 1)
	p, through := startProxy(t, w.at.Database)
	w.at.Database = through
	return w, p, w.open(false)
}

// TestConnectionsThatDieSilently: whoever reads waits for one, and then goes on with another.
func TestConnectionsThatDieSilently(t *testing.T) {
	t.Parallel()
	w, p, s := behindProxy(t)
	l := w.issuedActive(s)
	if !w.accepts(s, l.access) {
		t.Error("a token that lives is not accepted")
	}
	for range 2 { // those that died are still being closed
		p.silence()
		if !w.accepts(s, l.access) {
			t.Error("a token that lives is not accepted by way of a new connection")
		}
	}
}

// TestOfConnectionsThatDieTogetherOneIsWaitedFor: the others are made anew at once, as after the
// machine of the database has vanished.
func TestOfConnectionsThatDieTogetherOneIsWaitedFor(t *testing.T) {
	t.Parallel()
	w, p, s := behindProxy(t)
	read := func() error { _, err := s.Application(w.ctx, w.application.ID); return err }
	w.eventually("there are many connections", time.Minute, func() bool {
		each(8, 8, func(int) {
			if err := read(); err != nil {
				t.Error(err)
			}
		})
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.open) >= 6
	})
	p.silence()
	if err := read(); err != nil {
		t.Error(err)
	}
}

// TestADatabaseThatIsRestartedIsWaitedFor: whatever a request needs of it.
func TestADatabaseThatIsRestartedIsWaitedFor(t *testing.T) {
	t.Parallel()
	w, p, s := behindProxy(t)
	l := w.issuedActive(s)
	for what, do := range map[string]func() error{
		"an application":          func() error { _, err := s.Application(w.ctx, w.application.ID); return err },
		"an account":              func() error { _, err := s.Account(w.ctx, w.accounts[0].ID); return err },
		"an account by its email": func() error { _, _, err := s.AccountByEmail(w.ctx, w.accounts[0].Email); return err },
		"what decides about a token": func() error {
			_, _, err := s.AccessToken(w.ctx, l.access.ID, l.access.Hash(oauth.KindAccessToken))
			return err
		},
		"an authorization":            func() error { _, err := s.Authorization(w.ctx, l.row.ID); return err },
		"a row that is not there":     func() error { return notThere(s.Setting(w.ctx, "nothing")) },
		"a new authorization":         func() error { return s.Issue(w.ctx, w.active(w.accounts[0].ID).row) },
		"a write to the small tables": func() error { return s.PutSetting(w.ctx, "name", rand.Text()) },
	} {
		t.Run(what, func(t *testing.T) {
			before := p.turnedAway.Load()
			p.leave()
			answer := make(chan error, 1)
			go func() { answer <- do() }()
			w.eventually("somebody was turned away twice", 10*time.Second, func() bool { return p.turnedAway.Load() >= before+2 || len(answer) > 0 })
			if err := s.Ready(w.ctx); err == nil {
				t.Error("the store is ready without its database")
			}
			p.away.Store(false)
			if err := <-answer; err != nil {
				t.Error(err)
			}
		})
	}
}

// notThere turns it into an error that a setting is there.
func notThere(_ string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return fmt.Errorf("what was never written is read with %w", err)
}

// play lets the event happen through the proxy, and looks at it from the calm side.
func (e unlucky) play(w *world, p *proxy, fate accident, calm, s *store.Store) {
	w.Helper()
	by := calm
	if e.own {
		by = s
	}
	l := e.prepare(w, by)
	before := w.accepts(s, l.access)
	p.next.Store(int32(fate))
	answer := make(chan error, 1)
	go func() { answer <- e.event(w, s, l) }()
	if fate == late {
		w.awaitWaiting(answer)
		// What is read now is from before the commit.
		w.accepts(s, l.access)
		p.deliver <- struct{}{}
	}
	began := time.Now()
	err := <-answer
	if took := time.Since(began); took > 10*time.Second {
		w.Errorf("the answer took %v", took)
	}
	if p.happened.Load() != 1 && fate != late {
		w.Fatalf("%d accidents happened; want 1", p.happened.Load())
	}
	w.checkAnswer(calm, e, l, err)
	if err != nil {
		// What a client does that is told to come again.
		w.eventually("the late commit is done", 10*time.Second, func() bool { return p.happened.Load() == 1 })
		if err := e.event(w, s, l); err != nil && (e.again == nil || !errors.Is(err, e.again)) {
			w.Errorf("the repetition is answered %v", err)
		}
		w.checkAnswer(calm, e, l, nil)
	}
	row, err := calm.Authorization(w.ctx, l.row.ID)
	w.must(err)
	if before && row.Status == oauth.StatusRevoked && w.accepts(s, l.access) {
		w.Error("a token of a revoked authorization is still accepted")
	}
}

// awaitWaiting waits until somebody waits for the locks of a late commit, or has
// answered without.
func (w *world) awaitWaiting(answer chan error) {
	w.Helper()
	conn := w.connect()
	w.eventually("somebody waits for the late commit, or answers", 10*time.Second, func() bool {
		var waiting int
		w.must(conn.QueryRow(w.ctx, `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`).Scan(&waiting))
		return waiting > 0 || len(answer) > 0
	})
}

func (w *world) checkAnswer(s *store.Store, e unlucky, l life, answer error) {
	w.Helper()
	if answer != nil {
		w.must(refusedAs(answer, oauth.Unavailable))
		return
	}
	row, err := s.Authorization(w.ctx, l.row.ID)
	if err != nil || !e.happened(w, l, row) {
		w.Errorf("the event was acknowledged, but the row has status %v (%s), generation %d, %v", row.Status, row.RevokedReason, row.Generation, err)
	}
}

// TestBackendsAreTerminated ends the connections again and again while tokens are
// refreshed: every answer is right or 503, and nothing is revoked by our retries.
func TestBackendsAreTerminated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, store.Options{Database: postgres.Database(t)})
	s := w.open(false)
	w.populate(s, 1)
	stop, ended, due := make(chan struct{}), make(chan struct{}), make(chan struct{}, 1)
	conn := w.connect()
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			case <-due:
			}
			if _, err := conn.Exec(w.ctx, `select pg_terminate_backend(pid) from pg_stat_activity
				where datname = current_database() and application_name = 'latchkey'`); err != nil {
				w.Error(err)
			}
		}
	}()
	// They end each time so many events were answered, however long that takes.
	const refreshes, every = 20, 40
	var answered atomic.Int64
	progress := func() {
		if answered.Add(1)%every == 0 {
			select {
			case due <- struct{}{}:
			default:
			}
		}
	}
	each(16, 200, func(int) {
		l := w.pending(w.accounts[0].ID)
		if !w.retry("issue", func() error { return s.Issue(w.ctx, l.row) }) || !w.retry("redeem", func() error { _, err := s.RedeemCode(w.ctx, l.redemption()); return err }) {
			return
		}
		refresh := l.refresh
		for range refreshes {
			e, _, next := w.rotation(refresh)
			if !w.retry("refresh", func() error { _, err := s.RotateRefresh(w.ctx, e); return err }) {
				return
			}
			progress()
			refresh = next
		}
		var row oauth.Authorization
		read := func() (err error) { row, err = s.Authorization(w.ctx, l.row.ID); return err }
		if w.retry("read", read) && (row.Generation != refreshes+1 || row.Status != oauth.StatusActive) {
			w.Errorf("after %d refreshes: status %v, generation %d", refreshes, row.Status, row.Generation)
		}
	})
	close(stop)
	<-ended
}

// retry repeats what is answered with 503, but for a redemption: it may have
// happened, so that its repetition would be a replay.
func (w *world) retry(what string, call func() error) bool {
	for range 5 {
		err := call()
		if err == nil {
			return true
		}
		if what == "redeem" || refusedAs(err, oauth.Unavailable) != nil {
			w.Errorf("%s: %v", what, err)
			return false
		}
	}
	w.Errorf("%s is answered with 503 again and again", what)
	return false
}
