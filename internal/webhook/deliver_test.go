package webhook

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
	"github.com/latchkey/latchkey/internal/throttle"
)

// world is a store with webhooks that are delivered until the test ends.
type world struct {
	*testing.T
	store *store.Store
	hooks *Webhooks
	stop  func()
}

func newWorld(t *testing.T, config Config) *world {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), store.Options{Folder: t.TempDir(), Now: time.Now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	key, err := oauth.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	config.FirstRetry = time.Millisecond
	w := &world{T: t, store: s, hooks: New(s, key, func() float64 { return 0.5 }, log, config)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.hooks.Run(ctx)
	}()
	w.stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(func() {
		w.stop()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// application registers one whose webhook is at the URL.
func (w *world) application(url string) oauth.Application {
	w.Helper()
	now := w.store.Now()
	owner, err := oauth.NewID(rand.Reader, now)
	w.must(err)
	w.must(w.store.CreateAccount(w.Context(), oauth.Account{ID: owner, Email: owner.String(), Username: owner.String(), CreatedAt: now}, ""))
	id, clientID, err := oauth.NewClientID(rand.Reader, now)
	w.must(err)
	a := oauth.Application{ID: id, ClientID: clientID, OwnerID: owner, Name: "App", Scope: "profile", CreatedAt: now}
	w.must(w.store.RegisterApplication(w.Context(), a))
	w.must(w.store.SetWebhook(w.Context(), a.ID, url, oauth.WebhookEvents(), ""))
	return a
}

// send sends a test event.
func (w *world) send(a oauth.Application) oauth.ID {
	w.Helper()
	id, err := w.hooks.Test(w.Context(), a.ID, netip.Addr{})
	w.must(err)
	return id
}

// settled waits until nothing more is tried.
func (w *world) settled(a oauth.Application, id oauth.ID) oauth.Delivery {
	w.Helper()
	return w.await(a, id, func(d oauth.Delivery) bool { return d.DueAt.IsZero() })
}

// await waits until a delivery is as it should be.
func (w *world) await(a oauth.Application, id oauth.ID, reached func(oauth.Delivery) bool) oauth.Delivery {
	w.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(time.Millisecond) {
		d, err := w.store.Delivery(w.Context(), a.ID, id)
		w.must(err)
		if reached(d) {
			return d
		}
		if time.Now().After(deadline) {
			w.Fatalf("it stays %+v", d)
		}
	}
}

// receiver answers what handle says, and is shut when the test ends.
func receiver(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return s.URL
}

func TestWhatReceiversAnswer(t *testing.T) {
	var followed atomic.Int64
	elsewhere := receiver(t, func(http.ResponseWriter, *http.Request) { followed.Add(1) })
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	t.Cleanup(old.Close)
	for _, s := range []*httptest.Server{secure, old} {
		s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	}
	answering := func(status int) string {
		return receiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", elsewhere)
			w.WriteHeader(status)
		})
	}
	var flaky atomic.Int64
	rows := []struct {
		name, url string
		status    int
		problem   string
		attempts  int
	}{
		{"204", answering(204), 204, "", 1},
		{"two failures, then success", receiver(t, func(w http.ResponseWriter, _ *http.Request) {
			if flaky.Add(1) < 3 {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}), 200, "", 3},
		{"410", answering(410), 410, ProblemGone, 1},
		{"endless failures", answering(404), 404, ProblemRefused, 4},
		{"a redirect", answering(307), 307, ProblemRedirect, 4},
		{"nobody there", closed.URL, 0, ProblemUnreachable, 4},
		{"an unknown certificate", secure.URL, 0, ProblemTLS, 4},
		{"a TLS that is too old", old.URL, 0, ProblemTLS, 4},
		{"no TLS", strings.Replace(answering(204), "http:", "https:", 1), 0, ProblemTLS, 4},
		{"a name without address", "https://nobody.invalid/", 0, ProblemUnresolved, 4},
		{"an answer without end", receiver(t, func(w http.ResponseWriter, _ *http.Request) {
			for range 4 * maxAnswer / 1024 {
				if _, err := io.WriteString(w, strings.Repeat("x", 1024)); err != nil {
					return
				}
			}
		}), 200, "", 1},
	}
	w := newWorld(t, Config{Loopback: true})
	for _, row := range rows {
		a := w.application(row.url)
		// The schedule grows too long to wait for its end.
		d := w.await(a, w.send(a), func(d oauth.Delivery) bool {
			return d.Attempts >= row.attempts && (d.Problem != "" && d.DueAt.Sub(w.store.Now()) < attemptTime/2 || !d.DeliveredAt.IsZero())
		})
		if over := row.problem == "" || row.problem == ProblemGone; over != d.DueAt.IsZero() {
			t.Errorf("%s: tried again: %v; want %v", row.name, !d.DueAt.IsZero(), !over)
		}
		if d.Status != row.status || d.Problem != row.problem || (row.problem == "") == d.DeliveredAt.IsZero() {
			t.Errorf("%s: status %d, problem %q after %d attempts; want %d, %q", row.name, d.Status, d.Problem, d.Attempts, row.status, row.problem)
		}
	}
	if followed.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func TestAnotherProtocolIsNotWaitedFor(t *testing.T) {
	w := newWorld(t, Config{Loopback: true})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	var open sync.WaitGroup
	over := make(chan struct{})
	t.Cleanup(func() {
		listener.Close()
		close(over)
		open.Wait()
	})
	open.Go(func() {
		for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
			open.Go(func() {
				defer conn.Close()
				_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n")
				<-over
			})
		}
	})
	a := w.application("http://" + listener.Addr().String())
	w.await(a, w.send(a), func(d oauth.Delivery) bool {
		return d.Status == http.StatusSwitchingProtocols && d.Problem == ProblemRefused
	})
}

func TestNothingIsSentToAnAddressThatIsNotPublic(t *testing.T) {
	var reached atomic.Int64
	url := receiver(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	w := newWorld(t, Config{})
	for _, url := range []string{url, strings.Replace(url, "127.0.0.1", "localhost", 1)} {
		a := w.application(url)
		id := w.send(a)
		w.hooks.Await(t.Context(), a.ID, id)
		d, err := w.store.Delivery(t.Context(), a.ID, id)
		if err != nil || d.Problem != ProblemForbidden {
			t.Errorf("%+v (%v)", d, err)
		}
	}
	if reached.Load() != 0 {
		t.Error("the receiver was reached")
	}
}

func TestASlowReceiverDoesNotHoldUpOthers(t *testing.T) {
	release := make(chan struct{})
	var held atomic.Int64
	slow := receiver(t, func(http.ResponseWriter, *http.Request) {
		held.Add(1)
		<-release
	})
	w := newWorld(t, Config{Loopback: true})
	a, b := w.application(slow), w.application(receiver(t, func(http.ResponseWriter, *http.Request) {}))
	var first oauth.ID
	for range 2 * perApplication {
		first = w.send(a)
	}
	if d := w.settled(b, w.send(b)); d.DeliveredAt.IsZero() {
		t.Errorf("not delivered: %+v", d)
	}
	if n := held.Load(); n > perApplication {
		t.Errorf("%d attempts at once for one application", n)
	}
	close(release)
	w.settled(a, first)
}

func TestASlowApplicationGetsOneAttemptAtATime(t *testing.T) {
	slow, quick, now := oauth.ID{1}, oauth.ID{2}, time.Now()
	r := &run{busy: map[oauth.ID]int{slow: 3, quick: 2}, slow: map[oauth.ID]time.Time{}, freed: map[oauth.ID]bool{}, underWay: 5}
	r.finish(finished{slow, slowTime, now})
	r.finish(finished{quick, slowTime / 2, now})
	if full := r.full(now); len(full) != 1 || full[0] != slow {
		t.Errorf("no more for %v, want none for %v", full, slow)
	}
	// A quick answer between two slow ones makes it no better.
	r.finish(finished{slow, slowTime / 2, now})
	r.busy[quick] = perApplication
	if full := r.full(now); len(full) != 2 {
		t.Errorf("after a quick one, no more for %v, want none for %v and %v", full, slow, quick)
	}
	if full := r.full(now.Add(slowFor)); len(full) != 1 || full[0] != quick {
		t.Errorf("after a while, no more for %v, want none for %v", full, quick)
	}
}

func TestSlowApplicationsLeaveSlotsToTheOthers(t *testing.T) {
	now := time.Now()
	r := &run{busy: map[oauth.ID]int{}, slow: map[oauth.ID]time.Time{}}
	id := func(i int) oauth.ID { return oauth.ID{0: 1, 14: byte(i >> 8), 15: byte(i)} }
	for i := range 2 * parallel {
		r.slow[id(i)] = now
	}
	for i := range allSlow - 1 {
		r.busy[id(i)] = 1
	}
	if full := r.full(now); len(full) != allSlow-1 {
		t.Errorf("no more for %d applications, want none for %d", len(full), allSlow-1)
	}
	r.busy[id(allSlow)] = 1
	full := r.full(now)
	if !slices.Contains(full, id(2*parallel-1)) {
		t.Error("slow applications may take all slots")
	}
	if slices.Contains(full, id(2*parallel)) {
		t.Error("an application that is not slow must wait")
	}
	for i := range 2 * maxSlow {
		r.busy[id(i)]++
		r.finish(finished{id(i), slowTime, now.Add(time.Duration(i))})
	}
	if _, last := r.slow[id(2*maxSlow-1)]; len(r.slow) != maxSlow || !last {
		t.Errorf("%d slow applications are remembered, the last %v", len(r.slow), last)
	}
}

func TestASlowAttemptThatEndsHasNothingLookedThrough(t *testing.T) {
	now, one := time.Now(), oauth.ID{1}
	r := &run{busy: map[oauth.ID]int{one: perApplication}, slow: map[oauth.ID]time.Time{}, freed: map[oauth.ID]bool{}, nothing: now.Add(look)}
	r.finish(finished{one, slowTime, now})
	if r.nothingFor(now, r.full(now)) != look {
		t.Error("after a slow attempt what is due is looked through before the next look")
	}
	clear(r.slow)
	r.finish(finished{one, slowTime / 2, now})
	if r.nothingFor(now, r.full(now)) > 0 {
		t.Error("after a quick attempt the next waits")
	}
	// What is due may be much, and all of it is of the application that is full again.
	r.busy[one] = perApplication
	if r.nothingFor(now, r.full(now)) != look {
		t.Error("after each quick attempt what is due is looked through")
	}
}

func TestApplicationsThatAnswerQuicklyAreNotRemembered(t *testing.T) {
	now := time.Now()
	r := &run{busy: map[oauth.ID]int{}, freed: map[oauth.ID]bool{}, nothing: now}
	r.finish(finished{oauth.ID{1}, slowTime / 2, now})
	if len(r.freed) > 0 {
		t.Error("one is, although all that is due is looked through next")
	}
}

func TestAClockThatIsSetBackKeepsNobodyWaiting(t *testing.T) {
	now := time.Now()
	r := &run{nothing: now.Add(look)}
	for back, want := range map[time.Duration]time.Duration{0: look, -look / 2: look / 2, -look: 0, time.Hour: 0} {
		if got := r.nothingFor(now.Add(-back), nil); got != want {
			t.Errorf("set back by %v: the next look is after %v; want %v", back, got, want)
		}
	}
}

func TestTestsThatWaitAreBounded(t *testing.T) {
	w := newWorld(t, Config{Loopback: true, Exempt: throttle.Exempt{netip.MustParsePrefix("127.0.0.0/8")}})
	release := make(chan struct{})
	a := w.application(receiver(t, func(http.ResponseWriter, *http.Request) { <-release }))
	from := netip.MustParseAddr("127.0.0.1")
	var id oauth.ID
	for range maxWaitingTests {
		var err error
		id, err = w.hooks.Test(t.Context(), a.ID, from)
		w.must(err)
	}
	_, err := w.hooks.Test(t.Context(), a.ID, from)
	var problem *Problem
	if !errors.As(err, &problem) || problem.RetryAfter != 0 {
		t.Errorf("one more: %v", err)
	}
	w.must(w.hooks.Redeliver(t.Context(), a.ID, id, from))
	b := w.application(receiver(t, func(http.ResponseWriter, *http.Request) {}))
	w.settled(b, w.send(b))
	close(release)
	w.settled(a, id)
}

func TestEveryKeyThatCountsSigns(t *testing.T) {
	signatures := make(chan string, 1)
	w := newWorld(t, Config{Loopback: true})
	a := w.application(receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Content-Type") != "application/json" || !strings.Contains(string(body), `"type":"webhook.test"`) {
			t.Errorf("received %v %s", r.Header, body)
		}
		signatures <- r.Header.Get("webhook-id") + " " + r.Header.Get("webhook-signature")
	}))
	old, err := w.hooks.Of(t.Context(), a.ID)
	w.must(err)
	id := w.send(a)
	if got := strings.Fields(<-signatures); len(got) != 2 || got[0] != id.String() {
		t.Errorf("signed %v", got)
	}
	w.must(w.hooks.Rotate(t.Context(), a.ID, old.Generation))
	rotated, err := w.hooks.Of(t.Context(), a.ID)
	w.must(err)
	if w.hooks.Secret(rotated) == w.hooks.Secret(old) || !strings.HasPrefix(w.hooks.Secret(rotated), "whsec_") {
		t.Error("the secret is the same")
	}
	w.send(a)
	if got := strings.Fields(<-signatures); len(got) != 3 || got[1] == got[2] {
		t.Errorf("signed %v after a rotation", got)
	}
}

func TestAnAttemptUnderWayIsFinishedAtTheEnd(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	w := newWorld(t, Config{Loopback: true})
	a := w.application(receiver(t, func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	}))
	id := w.send(a)
	<-arrived
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		w.stop()
	}()
	close(release)
	<-stopped
	if d, err := w.store.Delivery(t.Context(), a.ID, id); err != nil || d.DeliveredAt.IsZero() {
		t.Errorf("%+v (%v)", d, err)
	}
}

func TestAnAttemptThatIsCutOffAtTheEndCountsForNothing(t *testing.T) {
	w := newWorld(t, Config{Loopback: true})
	a := w.application(receiver(t, func(http.ResponseWriter, *http.Request) {}))
	w.stop()
	id := w.send(a)
	claimed, hook, err := w.store.ClaimDelivery(t.Context(), nil, lease)
	w.must(err)
	cut, end := context.WithCancel(t.Context())
	end()
	w.hooks.attempt(cut, claimed, hook)
	d, err := w.store.Delivery(t.Context(), a.ID, id)
	if err != nil || claimed.ID != id || d.Attempts != 0 || d.Problem != "" || d.DueAt.IsZero() || d.DueAt.After(w.store.Now()) {
		t.Errorf("%+v (%v)", d, err)
	}
}

func TestWhatAPersonAsksForIsCounted(t *testing.T) {
	w := newWorld(t, Config{Loopback: true})
	a := w.application(receiver(t, func(http.ResponseWriter, *http.Request) {}))
	id := w.send(a)
	var problem *Problem
	for n := 0; problem == nil; n++ {
		if err := w.hooks.Redeliver(t.Context(), a.ID, id, netip.Addr{}); !errors.As(err, &problem) && (err != nil || n > 1000) {
			t.Fatalf("sent again %d times, then: %v", n, err)
		}
	}
	if _, err := w.hooks.Test(t.Context(), a.ID, netip.Addr{}); problem.RetryAfter <= 0 || !errors.As(err, &problem) {
		t.Errorf("after %v a test is sent: %v", problem, err)
	}
}

func TestTheLogTellsWhetherThereAreOlder(t *testing.T) {
	w := newWorld(t, Config{Loopback: true})
	a := w.application(receiver(t, func(http.ResponseWriter, *http.Request) {}))
	for n := 1; n <= logPage+1; n++ {
		_, err := w.store.TestWebhook(t.Context(), a.ID)
		w.must(err)
		page, more, err := w.hooks.Log(t.Context(), a.ID, oauth.ID{})
		if err != nil || len(page) != min(n, logPage) || more != (n > logPage) {
			t.Errorf("of %d deliveries a page has %d, more: %v (%v)", n, len(page), more, err)
		}
	}
}
