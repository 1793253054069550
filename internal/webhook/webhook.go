// Package webhook tells applications of what happened to them or to their
// authorizations: it signs what lies in the outbox of the store as Standard Webhooks
// (standardwebhooks.com) say, posts it to the URL that the developer set, and tries again
// until it is taken. What is told, and when, is decided in internal/oauth and
// internal/store.
package webhook

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
	"github.com/latchkey/latchkey/internal/throttle"
)

// Config is what the operator decides about webhooks.
type Config struct {
	// Allow are networks to which is delivered although they are not public.
	Allow []netip.Prefix
	// Loopback lets webhooks be http on this machine: the server is for this machine alone.
	Loopback bool
	// FirstRetry is how long after a failure the first retry comes; the others grow with
	// it. Zero stands for DefaultFirstRetry.
	FirstRetry time.Duration
	// Exempt are client addresses that no throttle counts.
	Exempt throttle.Exempt
}

// DefaultFirstRetry is how long after a failure a delivery is tried again. With more than two
// minutes the last retries would come after the days that deliveries are kept.
const (
	DefaultFirstRetry = 10 * time.Second
	MaxFirstRetry     = time.Hour
)

// Webhooks knows the webhooks of one store.
type Webhooks struct {
	store  *store.Store
	key    oauth.Key
	log    *slog.Logger
	config Config
	guard  guard
	client *http.Client
	// jitter draws from 0 to 1.
	jitter func() float64
	// wake tells the deliverer that something is due.
	wake chan struct{}
	// byHand counts, for each application, what a person asked to be sent.
	byHand *throttle.Throttle
}

// New makes the webhooks of a store with its server key. Jitter draws from 0 to 1.
func New(s *store.Store, key oauth.Key, jitter func() float64, log *slog.Logger, config Config) *Webhooks {
	if config.FirstRetry == 0 {
		config.FirstRetry = DefaultFirstRetry
	}
	g := guard{allow: config.Allow, loopback: config.Loopback}
	return &Webhooks{
		store: s, key: key, log: log, config: config, guard: g, client: g.client(), jitter: jitter, wake: make(chan struct{}, 1),
		byHand: throttle.New(20, 10*time.Second, config.Exempt, s.Now),
	}
}

// ErrNotFound: there is no such webhook, or no such delivery.
var ErrNotFound = store.ErrNotFound

// Problem is what a developer can mend in the form.
type Problem = oauth.Problem

// Of reads the webhook of an application; ErrNotFound where it has none.
func (w *Webhooks) Of(ctx context.Context, application oauth.ID) (oauth.Webhook, error) {
	return w.store.Webhook(ctx, application)
}

// Set makes or changes the webhook of an application. The error is a *Problem where the
// developer can mend it.
func (w *Webhooks) Set(ctx context.Context, application oauth.ID, address string, events []string) error {
	address = strings.TrimSpace(address)
	var ofURL, ofEvents *Problem
	if wrong := w.guard.checkURL(address); !wrong.IsZero() {
		ofURL = &Problem{Field: "url", Message: wrong}
	}
	var chosen []oauth.WebhookEvent
	for _, e := range oauth.WebhookEvents() {
		if slices.Contains(events, string(e)) {
			chosen = append(chosen, e)
		}
	}
	if len(chosen) == 0 {
		ofEvents = &Problem{Field: "event", Message: oauth.Say("Choose at least one event.")}
	}
	if wrong := oauth.Together(ofURL, ofEvents); wrong != nil {
		return wrong
	}
	return w.store.SetWebhook(ctx, application, address, chosen, describe(address, chosen))
}

// describe is for the audit log. The path and the query of a URL may hold a secret.
func describe(address string, events []oauth.WebhookEvent) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	names := make([]string, len(events))
	for i, e := range events {
		names[i] = string(e)
	}
	return "to " + u.Host + " on " + strings.Join(names, ", ")
}

// Delete removes the webhook of an application, and what waits for it.
func (w *Webhooks) Delete(ctx context.Context, application oauth.ID) error {
	return w.store.DeleteWebhook(ctx, application)
}

// Rotate gives the webhook of an application another secret than that of a generation;
// ErrNotFound where it has that one no more. What is sent is signed with both for
// a day.
func (w *Webhooks) Rotate(ctx context.Context, application oauth.ID, generation int64) error {
	return w.store.RotateWebhook(ctx, application, generation)
}

// maxWaitingTests is how many test events of one application may wait to be sent.
const maxWaitingTests = 20

// Test puts a test event into the outbox and returns the delivery. The error is a
// *Problem after too many, and while too many wait.
func (w *Webhooks) Test(ctx context.Context, application oauth.ID, from netip.Addr) (oauth.ID, error) {
	if err := w.take(application, from); err != nil {
		return oauth.ID{}, err
	}
	if err := w.roomForTest(ctx, application); err != nil {
		return oauth.ID{}, err
	}
	id, err := w.store.TestWebhook(ctx, application)
	w.nudge()
	return id, err
}

// Redeliver sends a delivery again, whatever became of it. The error is a *Problem after
// too many, and for a test event while too many wait.
func (w *Webhooks) Redeliver(ctx context.Context, application, id oauth.ID, from netip.Addr) error {
	if err := w.take(application, from); err != nil {
		return err
	}
	d, err := w.store.Delivery(ctx, application, id)
	if err != nil {
		return err
	}
	if d.Event == oauth.EventTest && d.DueAt.IsZero() {
		if err := w.roomForTest(ctx, application); err != nil {
			return err
		}
	}
	err = w.store.Redeliver(ctx, application, id)
	w.nudge()
	return err
}

// roomForTest keeps a developer from filling the outbox.
func (w *Webhooks) roomForTest(ctx context.Context, application oauth.ID) error {
	waiting, err := w.store.WaitingTests(ctx, application, maxWaitingTests)
	if err == nil && waiting >= maxWaitingTests {
		return &Problem{Message: oauth.Say("%d test events are on their way already or will be tried again. Mend what the log shows, and send one of those again.", waiting)}
	}
	return err
}

// take keeps a developer from making this server knock at somebody's door all day.
func (w *Webhooks) take(application oauth.ID, from netip.Addr) error {
	if wait, ok := w.byHand.Take(string(application[:]), from); !ok {
		return oauth.TooManyAttempts("", wait)
	}
	return nil
}

func (w *Webhooks) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// logPage is how many deliveries a page of the log has: each comes with what is sent.
const logPage = 12

// Log lists deliveries of an application, the newest first, those before one where that
// is not zero; more tells that there are older ones.
func (w *Webhooks) Log(ctx context.Context, application, before oauth.ID) (page []oauth.Delivery, more bool, err error) {
	page, err = w.store.Deliveries(ctx, application, before, logPage+1)
	if len(page) > logPage {
		page, more = page[:logPage], true
	}
	return page, more, err
}

// Await waits until the attempt that a person asked for is over, but not long: the page
// that follows can show how it went.
func (w *Webhooks) Await(ctx context.Context, application, id oauth.ID) {
	const longest, look = 3 * time.Second, 50 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	for {
		d, err := w.store.Delivery(ctx, application, id)
		if err != nil || d.Attempts > 0 && (!d.DeliveredAt.IsZero() || d.Problem != "") {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(look):
		}
	}
}
