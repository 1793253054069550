package usage

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// bench is a meter on a new store, with a clock of its own.
type bench struct {
	*Meter
	t   testing.TB
	at  time.Time
	log bytes.Buffer
}

var start = time.Date(2026, 11, 1, 12, 20, 0, 0, time.UTC)

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{t: t, at: start}
	s := b.open()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	b.Meter = New(s, rand.Reader, func() time.Time { return b.at }, slog.New(slog.NewTextHandler(&b.log, nil)))
	return b
}

func (b *bench) open() *store.Store {
	b.t.Helper()
	s, err := store.Open(b.t.Context(), store.Options{Folder: b.t.TempDir(), Now: func() time.Time { return b.at }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// breakStore gives the meter a store that can be written to no more.
func (b *bench) breakStore() {
	b.t.Helper()
	b.store = b.open()
	if err := b.store.Close(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) id() oauth.ID {
	b.t.Helper()
	id, err := oauth.NewID(rand.Reader, b.at)
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

func (b *bench) flush() {
	b.t.Helper()
	if err := b.Flush(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// days reads what was written of an application.
func (b *bench) days(application oauth.ID) []oauth.UsageDay {
	b.t.Helper()
	days, err := b.store.UsageDays(b.t.Context(), application, start.Add(-24*time.Hour))
	if err != nil {
		b.t.Fatal(err)
	}
	return days
}

func TestWhatIsCountedIsWritten(t *testing.T) {
	b := newBench(t)
	one, other, ada, bob := b.id(), b.id(), b.id(), b.id()
	for range 3 {
		b.Issued(one, ada)
		b.Called(one, bob)
	}
	b.Refreshed(one, ada)
	b.Issued(other, oauth.ID{})
	b.flush()
	b.Called(one, ada)
	b.flush()
	b.flush()
	days := b.days(one)
	if len(days) != 1 || days[0].Usage != (oauth.Usage{Issued: 3, Refreshed: 1, Calls: 4}) || days[0].Accounts.Estimate() != 2 {
		t.Errorf("written was %+v", days)
	}
	if days = b.days(other); len(days) != 1 || days[0].Usage != (oauth.Usage{Issued: 1}) || days[0].Accounts.Estimate() != 0 {
		t.Errorf("of an application without people written was %+v", days)
	}
}

func TestCountsBelongToTheDayInWhichTheyBegan(t *testing.T) {
	b := newBench(t)
	application := b.id()
	b.at = time.Date(2026, 11, 1, 23, 59, 55, 0, time.UTC)
	b.flush()
	b.Called(application, oauth.ID{})
	b.at = b.at.Add(5 * time.Second)
	b.flush()
	b.Called(application, oauth.ID{})
	b.flush()
	days := b.days(application)
	if len(days) != 2 || days[0].Calls != 1 || days[1].Calls != 1 {
		t.Errorf("written was %+v", days)
	}
}

func TestNothingIsLostWhenTheStoreFails(t *testing.T) {
	b := newBench(t)
	whole := b.store
	application, ada := b.id(), b.id()
	c := oauth.Connection{AccountID: ada, ApplicationID: application}
	b.breakStore()
	for _, scope := range []oauth.Scope{"profile", "events", "tides"} {
		b.Called(application, b.id())
		b.Used(c, scope, "192.0.2.1:1")
		b.Refused(Attempt{Application: oauth.Application{ID: application}, Place: "token"}, oauth.NewError(oauth.InvalidGrant, "no"))
		if err := b.Flush(t.Context()); err == nil {
			t.Fatal("a store that is closed can be written to")
		}
		b.at = b.at.Add(30 * time.Minute)
	}
	b.store = whole
	b.flush()
	days := b.days(application)
	if len(days) != 1 || days[0].Calls != 3 || days[0].Errors != 3 || days[0].Accounts.Estimate() != 3 {
		t.Errorf("written was %+v", days)
	}
	if uses, err := b.store.Uses(t.Context(), ada); err != nil || len(uses) != 1 || !uses[application].Scope.Equal("profile events tides") {
		t.Errorf("the uses are %v: %v", uses, err)
	}
	if refusals, err := b.store.Refusals(t.Context(), application, store.RefusalFilter{Limit: 10}); err != nil || len(refusals) != 3 {
		t.Errorf("the refusals are %v: %v", refusals, err)
	}
}

func TestClosingWritesWhatWasCounted(t *testing.T) {
	b := newBench(t)
	application := b.id()
	b.Start(t.Context())
	var done sync.WaitGroup
	for range 8 {
		done.Go(func() {
			for range 1000 {
				b.Called(application, oauth.ID{})
				b.hurry()
			}
		})
	}
	done.Wait()
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if days := b.days(application); len(days) != 1 || days[0].Calls != 8000 {
		t.Errorf("written was %+v", days)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	b := newBench(t)
	for range 3 * maxApplications {
		id := b.id()
		b.Called(id, id)
		b.Used(oauth.Connection{AccountID: id, ApplicationID: id}, "profile", "192.0.2.1:1")
	}
	tallies, uses := 0, len(b.uses.waiting)
	for i := range b.shards {
		tallies += len(b.shards[i].tallies)
	}
	if tallies > maxApplications || uses > maxUses {
		t.Errorf("%d tallies and %d uses are kept", tallies, uses)
	}
	b.flush()
	if !strings.Contains(b.log.String(), "room to count") {
		t.Error("the log does not tell that something was not counted")
	}
}

func TestClosingTellsThatCountsAreLost(t *testing.T) {
	b := newBench(t)
	b.breakStore()
	b.Start(t.Context())
	b.Called(b.id(), oauth.ID{})
	if err := b.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "counts of usage") {
		t.Errorf("closing says %v", err)
	}
}

func TestMemoryIsBoundedWhileTheStoreFails(t *testing.T) {
	b := newBench(t)
	b.breakStore()
	for range 3 {
		b.at = b.at.Add(time.Minute)
		for range maxApplications {
			id := b.id()
			b.Used(oauth.Connection{AccountID: id, ApplicationID: id}, "profile", "192.0.2.1:1")
			for range alike + 1 {
				b.Refused(Attempt{Application: oauth.Application{ID: id}, Place: "token", Proven: true}, oauth.NewError(oauth.InvalidGrant, "no"))
			}
		}
		if err := b.Flush(t.Context()); err == nil {
			t.Fatal("a store that is closed can be written to")
		}
	}
	tallies, refusals, more, uses := len(b.pending.tallies), len(b.pending.refusals), len(b.pending.more), len(b.pendingUses)
	if tallies > maxPending || refusals > maxRefusals || more > maxRefusals || uses > maxUses {
		t.Errorf("%d tallies, %d refusals, %d numbers and %d uses are kept", tallies, refusals, more, uses)
	}
}

func TestUsesAreWrittenOnceAQuarterOfAnHour(t *testing.T) {
	b := newBench(t)
	c := oauth.Connection{AccountID: b.id(), ApplicationID: b.id()}
	use := func(scope oauth.Scope, from string, want int) {
		t.Helper()
		b.Used(c, scope, from)
		if n := len(b.uses.waiting); n != want {
			t.Errorf("%d observations wait; want %d", n, want)
		}
	}
	use("profile", "192.0.2.1:1", 1)
	use("profile", "192.0.2.1:1", 1)
	use("events", "198.51.100.7:1", 2)
	b.at = b.at.Add(10 * time.Second)
	b.flush()
	use("profile", "[2001:db8:1:2::3]:1", 0)
	b.at = b.at.Add(epoch)
	b.flush()
	use("profile", "[2001:db8:1:2::3]:1", 1)
	if uses, err := b.store.Uses(t.Context(), c.AccountID); err != nil || uses[c.ApplicationID].Network != "198.51.100.0/24" || !uses[c.ApplicationID].Scope.Equal("profile events") {
		t.Errorf("the use is %+v: %v", uses, err)
	}
	b.flush()
	if uses, err := b.store.Uses(t.Context(), c.AccountID); err != nil || uses[c.ApplicationID].Network != "2001:db8:1::/48" || !uses[c.ApplicationID].At.Equal(b.at) {
		t.Errorf("the use is %+v: %v", uses, err)
	}
}

func TestAPageDoesNotWaitForUses(t *testing.T) {
	b := newBench(t)
	application, ada := b.id(), b.id()
	b.Called(application, ada)
	b.Used(oauth.Connection{AccountID: ada, ApplicationID: application}, "profile", "192.0.2.1:1")
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = b.Meter.flush(ctx, time.Hour) })
	defer func() {
		stop()
		running.Wait()
	}()
	for len(b.days(application)) == 0 {
		runtime.Gosched() // until the counts are written, and an hour has to pass before the uses are
	}
	b.Called(application, ada)
	hurry, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	shown := make(chan Report, 1)
	running.Go(func() {
		r, err := b.Report(hurry, application, 1)
		if err != nil {
			t.Error(err)
		}
		shown <- r
	})
	select {
	case r := <-shown:
		if r.Total.Calls != 2 {
			t.Errorf("%d calls are shown", r.Total.Calls)
		}
	case <-hurry.Done():
		t.Error("the page waits for the uses")
	}
}

func TestAPageWaitsForCountsNoLongerThanItsReader(t *testing.T) {
	b := newBench(t)
	b.turn <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Report(ctx, b.id(), 1); !errors.Is(err, context.Canceled) || b.log.Len() > 0 {
		t.Errorf("the error is %v, and the log tells: %s", err, b.log.String())
	}
}

func TestUsesThatFindNoRoomAreNotedLater(t *testing.T) {
	b := newBench(t)
	ids := make([]oauth.ID, maxUses+100)
	for i := range ids {
		ids[i] = b.id()
	}
	use := func() {
		for _, id := range ids {
			b.Used(oauth.Connection{AccountID: id, ApplicationID: id}, "profile", "192.0.2.1:1")
		}
	}
	written := func() (n int) {
		for _, id := range ids {
			uses, err := b.store.Uses(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			n += len(uses)
		}
		return n
	}
	use()
	b.flush()
	if n := written(); n != maxUses {
		t.Errorf("%d uses are written; want %d", n, maxUses)
	}
	use()
	b.flush()
	// Of two that share a place one is written again.
	if n := written(); n != len(ids) {
		t.Errorf("%d uses are written at last; want %d", n, len(ids))
	}
}

// TestCountingAllocatesNothing holds what every request pays.
func TestCountingAllocatesNothing(t *testing.T) {
	b := newBench(t)
	application, ada := b.id(), b.id()
	c := oauth.Connection{AccountID: ada, ApplicationID: application}
	request := func() {
		b.SecretUsed(application, false)
		b.Issued(application, ada)
		b.Refreshed(application, ada)
		b.Called(application, ada)
		b.Used(c, "profile community", "192.0.2.1:1")
	}
	if n := testing.AllocsPerRun(1000, request); n != 0 {
		t.Errorf("counting allocates %v times", n)
	}
}

func BenchmarkCall(b *testing.B) {
	m := newBench(b)
	application, ada := m.id(), m.id()
	c := oauth.Connection{AccountID: ada, ApplicationID: application}
	b.ReportAllocs()
	for b.Loop() {
		m.Called(application, ada)
		m.Used(c, "profile community", "192.0.2.1:1")
	}
}

func BenchmarkCallsOfManyAtOnce(b *testing.B) {
	m := newBench(b)
	application, ada := m.id(), m.id()
	c := oauth.Connection{AccountID: ada, ApplicationID: application}
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			m.Called(application, ada)
			m.Used(c, "profile community", "192.0.2.1:1")
		}
	})
}

func TestOnlySoManyRefusedRequestsAreWrittenDown(t *testing.T) {
	for _, c := range []struct {
		name   string
		proven []bool
		rows   int
	}{
		{"of an application", []bool{true}, 3 * alike},
		{"of somebody who may be another", []bool{false}, aMinute / 2},
		{"of both", []bool{false, false, false, true}, 3 * alike},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			application := oauth.Application{ID: b.id()}
			const refused = 200
			for minute := range 2 {
				for i := range refused {
					refusal := oauth.NewError(oauth.InvalidGrant, "kind %d", i%3)
					b.Refused(Attempt{Application: application, Place: "token", Proven: c.proven[i%len(c.proven)]}, refusal)
					if i%50 == 0 {
						b.flush()
					}
				}
				b.flush()
				rows, err := b.store.Refusals(t.Context(), application.ID, store.RefusalFilter{Limit: 1000})
				if err != nil {
					t.Fatal(err)
				}
				total := int64(len(rows))
				for _, r := range rows {
					total += r.More
				}
				if want := c.rows * (minute + 1); len(rows) != want || total != int64(refused*(minute+1)) {
					t.Errorf("%d are written down and %d told; want %d and %d", len(rows), total, want, refused*(minute+1))
				}
				b.at = b.at.Add(time.Minute)
			}
			if days := b.days(application.ID); len(days) != 1 || days[0].Errors != 2*refused {
				t.Errorf("counted were %+v", days)
			}
		})
	}
}

func TestWhatWasLeftOutIsToldOfEveryApplication(t *testing.T) {
	b := newBench(t)
	const applications, refused = 2 * store.UsageBatch, 2 * alike
	var all []oauth.ID
	for range applications {
		id := b.id()
		all = append(all, id)
		for range refused {
			b.Refused(Attempt{Application: oauth.Application{ID: id}, Place: "token", Proven: true}, oauth.NewError(oauth.InvalidGrant, "no"))
		}
	}
	b.flush()
	for _, id := range all {
		rows, err := b.store.Refusals(t.Context(), id, store.RefusalFilter{Limit: 1000})
		told := int64(len(rows))
		for _, r := range rows {
			told += r.More
		}
		if err != nil || told != refused {
			t.Fatalf("%d refused requests are told in %d rows (%v); want %d", told, len(rows), err, refused)
		}
	}
}
