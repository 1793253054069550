package store

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	realpostgres "github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
)

func openForTest(t *testing.T) *Store {
	t.Helper()
	return opened(t, Options{Folder: t.TempDir(), Now: time.Now})
}

// hold keeps the writer busy until release is called.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	began, end := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- s.write(context.Background(), func(*transaction) error {
			close(began)
			<-end
			return nil
		})
	}()
	<-began
	return func() {
		close(end)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestAFullQueueIsAnsweredAtOnce(t *testing.T) {
	s := openForTest(t)
	release := hold(t, s)
	results := make(chan error, maxQueue)
	for range maxQueue {
		go func() { results <- s.PutSetting(t.Context(), "a", "b") }()
	}
	for len(s.engine.(*sqlite).writer.queue) < maxQueue {
		if t.Context().Err() != nil {
			t.Fatal("the queue does not fill")
		}
	}
	var refusal *oauth.Error
	if err := s.PutSetting(t.Context(), "a", "b"); !errors.As(err, &refusal) || refusal.Code != oauth.Unavailable || refusal.RetryAfter == 0 {
		t.Errorf("a full queue was answered with %v", err)
	}
	release()
	for range maxQueue {
		if err := <-results; err != nil {
			t.Errorf("a write that was let in: %v", err)
		}
	}
}

func TestAWriteThatFailsDoesNotHarmItsBatch(t *testing.T) {
	s := openForTest(t)
	release := hold(t, s)
	broken := errors.New("broken")
	results := map[string]chan error{"good": make(chan error, 1), "refused": make(chan error, 1), "broken": make(chan error, 1)}
	go func() { results["good"] <- s.PutSetting(t.Context(), "good", "1") }()
	go func() {
		results["refused"] <- s.write(t.Context(), func(tx *transaction) error { return tx.refuse(ErrNotFound) })
	}()
	go func() {
		results["broken"] <- s.write(t.Context(), func(tx *transaction) error {
			if _, err := tx.exec(`insert into settings (name, value) values ('broken', '1')`); err != nil {
				return err
			}
			return broken
		})
	}()
	for len(s.engine.(*sqlite).writer.queue) < len(results) {
		if t.Context().Err() != nil {
			t.Fatal("the writes do not queue")
		}
	}
	release()
	for name, want := range map[string]error{"good": nil, "refused": ErrNotFound, "broken": broken} {
		if err := <-results[name]; !errors.Is(err, want) {
			t.Errorf("%s: got %v; want %v", name, err, want)
		}
	}
	if value, err := s.Setting(t.Context(), "good"); value != "1" {
		t.Errorf("the good write is gone: %v", err)
	}
	if _, err := s.Setting(t.Context(), "broken"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the broken write left something: %v", err)
	}
}

func TestARefusalIsForItsOwnCaller(t *testing.T) {
	s := openForTest(t)
	release := hold(t, s)
	queued := func(n int) {
		await(t, "the writes are queued", func() bool { return len(s.engine.(*sqlite).writer.queue) == n })
	}
	refused, good := make(chan error, 1), make(chan error, 1)
	go func() {
		refused <- s.write(t.Context(), func(tx *transaction) error { return tx.refuse(ErrNotFound) })
	}()
	queued(1)
	go func() { good <- s.PutSetting(t.Context(), "good", "1") }()
	queued(2)
	release()
	if err := <-refused; !errors.Is(err, ErrNotFound) {
		t.Errorf("what is refused is answered %v", err)
	}
	if err := <-good; err != nil {
		t.Errorf("what comes behind it in the batch is answered %v", err)
	}
}

func TestARefusalIsFinal(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{"SQLite": {Folder: t.TempDir()}, "PostgreSQL": {Database: realpostgres.Database(t)}} {
		s, runs, refusal := openAt(t, o), 0, errors.New("refused")
		err := s.write(t.Context(), func(tx *transaction) error {
			runs++
			return tx.refuse(refusal)
		})
		if err != refusal || runs != 1 {
			t.Errorf("%s: a write that was refused ran %d times: %v", name, runs, err)
		}
	}
}

func TestAClosedStoreRefusesWritesAtOnce(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{"SQLite": {Folder: t.TempDir()}, "PostgreSQL": {Database: realpostgres.Database(t)}} {
		o.Now, o.Log = time.Now, slog.New(slog.DiscardHandler)
		s, err := Open(t.Context(), o)
		must(t, err)
		must(t, s.Close())
		for what, do := range map[string]func(context.Context) error{
			"a new authorization": func(ctx context.Context) error { return s.Issue(ctx, oauth.Authorization{ID: newID(t, s.Now())}) },
			"an event":            func(ctx context.Context) error { return s.Revoke(ctx, oauth.Revocation{ID: newID(t, s.Now())}) },
			"the small tables":    func(ctx context.Context) error { return s.Audited(ctx, oauth.AuditExported, oauth.AuditSubject{}, "") },
		} {
			ctx, leave := context.WithTimeout(t.Context(), 10*time.Second)
			if err := do(ctx); !errors.Is(err, errClosed) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
			leave()
		}
	}
}

func TestFormBatch(t *testing.T) {
	row := func(b byte) oauth.ID { return oauth.ID{15: b} }
	revoke := func(b byte, reason oauth.Reason) *operation {
		return &operation{event: oauth.Revocation{ID: row(b), Reason: reason}, done: make(chan outcome, 1)}
	}
	redeem := func(b byte) *operation {
		return &operation{event: oauth.Redemption{Code: oauth.Token{ID: row(b)}}, done: make(chan outcome, 1)}
	}
	left := revoke(9, "x")
	if !left.leave() || left.begin() {
		t.Error("an operation whose caller has left can begin")
	}
	batch, rest := formBatch([]*operation{
		revoke(1, "x"), revoke(1, "x"), revoke(1, "y"), redeem(2), redeem(2), left, revoke(3, "x"), revoke(4, "x"),
	}, 3)
	if len(batch) != 3 || len(batch[0].waiters) != 2 || len(batch[1].waiters) != 1 || batch[2].id() != row(3) {
		t.Errorf("the batch has %d events", len(batch))
	}
	if len(rest) != 3 || rest[0].event.AuthorizationID() != row(1) || rest[1].event.AuthorizationID() != row(2) || rest[2].event.AuthorizationID() != row(4) {
		t.Errorf("%d operations wait for the next batch", len(rest))
	}
	if batch[0].waiters[0].leave() {
		t.Error("a caller can leave what has begun")
	}
}

// TestManyEventsOnOneRowKeepNobodyOut has more different events wait for a row that is locked than
// two batches have room for, and then somebody who wants another row.
func TestManyEventsOnOneRowKeepNobodyOut(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{Database: realpostgres.Database(t)})
	p, hot := s.engine.(*postgres), newID(t, s.Now())
	issue := func(id oauth.ID) error {
		return s.Issue(t.Context(), oauth.Authorization{ID: id, GrantType: oauth.GrantClientCredentials, SweepAfter: s.Now().Add(time.Hour)})
	}
	must(t, issue(hot))
	inTheWay, err := p.pool.Begin(t.Context())
	must(t, err)
	_, err = inTheWay.Exec(t.Context(), `select from authorizations where id = $1 for update`, hot[:])
	must(t, err)
	var answered atomic.Int64
	var all sync.WaitGroup
	redeem := func() {
		_, _ = s.RedeemCode(t.Context(), oauth.Redemption{Code: oauth.Token{ID: hot}})
		answered.Add(1)
	}
	all.Go(redeem)
	await(t, "the first waits for the row", func() bool {
		return lines(t, p.pool, `select count(*)::text from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`) == "1"
	})
	const many = 2*maxBatch + 200
	for range many {
		all.Go(redeem)
	}
	await(t, "the others are queued", func() bool { return len(p.events) == many })
	next, other := newID(t, s.Now()), make(chan error, 1)
	go func() { other <- issue(next) }()
	await(t, "somebody else is queued", func() bool { return len(p.events) == many+1 })
	must(t, inTheWay.Rollback(t.Context()))
	must(t, <-other)
	if n := answered.Load(); n > 100 {
		t.Errorf("%d events on one row came before another that waited with them", n)
	}
	all.Wait()
}
