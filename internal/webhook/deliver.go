package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// How deliveries go about.
const (
	// parallel is how many attempts a process makes at once, and perApplication how many of
	// these are for one application, so that a slow one does not hold up the others. One with
	// an attempt that took slowTime gets perSlow for slowFor, and all of those together get
	// allSlow: however many they are, they leave the others some.
	parallel, allSlow, perApplication, perSlow = 256, 128, 4, 1
	slowTime, slowFor                          = 2 * time.Second, 10 * time.Minute
	// maxSlow is how many slow applications are remembered.
	maxSlow = 1000
	// lease is how long nobody else takes a delivery that is attempted, and noteTime of it
	// is for writing down how that went.
	lease, noteTime = attemptTime + 5*time.Second, 4 * time.Second
	// look is how often the outbox is looked into.
	look = time.Second
	// rest is how long the deliverer leaves a store alone that failed.
	rest = 5 * time.Second
	// drain is how long attempts under way may take after the server was told to end. Those
	// cut off are made by the next to come.
	drain = 5 * time.Second
	// secretsEvery is how often ending secrets are looked for.
	secretsEvery = time.Hour
)

// Problems of an attempt, as the log of deliveries keeps them.
const (
	ProblemForbidden   = "forbidden"
	ProblemUnresolved  = "unresolved"
	ProblemUnreachable = "unreachable"
	ProblemTLS         = "tls"
	ProblemTimeout     = "timeout"
	ProblemRedirect    = "redirect"
	ProblemRefused     = "refused"
	ProblemGone        = "gone"
)

// Run delivers until ctx ends, and then waits for the attempts under way.
func (w *Webhooks) Run(ctx context.Context) {
	var secrets sync.WaitGroup
	secrets.Go(func() { w.watchSecrets(ctx) })
	attempts, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	r := &run{Webhooks: w, attempts: attempts, busy: map[oauth.ID]int{}, slow: map[oauth.ID]time.Time{}, freed: map[oauth.ID]bool{}, finished: make(chan finished, parallel)}
	for ctx.Err() == nil {
		r.wait(ctx, r.fill(ctx))
	}
	stop := time.AfterFunc(drain, cut)
	defer stop.Stop()
	for r.underWay > 0 {
		r.finish(<-r.finished)
	}
	secrets.Wait()
	w.client.CloseIdleConnections()
}

// watchSecrets tells applications of secrets that end soon.
func (w *Webhooks) watchSecrets(ctx context.Context) {
	for {
		told, err := w.store.TellEndingSecrets(ctx)
		if err != nil && ctx.Err() == nil {
			w.log.Warn("ending secrets could not be looked for; it is tried again", "cause", err)
		}
		if told > 0 {
			w.nudge()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(secretsEvery):
		}
	}
}

// run is what the one goroutine knows that hands out deliveries.
type run struct {
	*Webhooks
	attempts context.Context
	// busy counts the attempts under way by application.
	busy map[oauth.ID]int
	// slow is when an attempt of an application ended that took long.
	slow     map[oauth.ID]time.Time
	underWay int
	finished chan finished
	// nothing is until when there is nothing to claim, as far as is known, but of those that
	// were full and had a quick answer since.
	nothing time.Time
	freed   map[oauth.ID]bool
}

// finished is an attempt that is over.
type finished struct {
	application oauth.ID
	took        time.Duration
	at          time.Time
}

func (r *run) finish(f finished) {
	r.underWay--
	if r.busy[f.application]--; r.busy[f.application] == 0 {
		delete(r.busy, f.application)
	}
	if f.took < slowTime {
		// The application may have more to send. One that is slow waits for the next look:
		// many of those would have all that is due looked through without end.
		if f.at.Before(r.nothing) {
			r.freed[f.application] = true
		}
		return
	}
	r.slow[f.application] = f.at
	if len(r.slow) > maxSlow {
		delete(r.slow, r.slowLongestAgo())
	}
}

func (r *run) slowLongestAgo() (longest oauth.ID) {
	for id, at := range r.slow {
		if longest.IsZero() || at.Before(r.slow[longest]) {
			longest = id
		}
	}
	return longest
}

// full are the applications for which no more attempts may be made now.
func (r *run) full(now time.Time) (full []oauth.ID) {
	slow := 0
	for id, at := range r.slow {
		if now.Sub(at) >= slowFor {
			delete(r.slow, id)
		} else {
			slow += r.busy[id]
		}
	}
	for id, n := range r.busy {
		if _, isSlow := r.slow[id]; n >= perApplication || isSlow && n >= perSlow {
			full = append(full, id)
		}
	}
	if slow >= allSlow {
		full = slices.AppendSeq(full, maps.Keys(r.slow))
	}
	return full
}

// fill begins as many attempts as there are due and may be made, and returns how long to
// wait for more.
func (r *run) fill(ctx context.Context) time.Duration {
	for r.underWay < parallel {
		now := r.store.Now()
		full := r.full(now)
		if left := r.nothingFor(now, full); left > 0 {
			return left
		}
		// A look is cheap; a claim is a write.
		due, err := r.store.NextDelivery(ctx)
		if err != nil {
			return r.tired(ctx, err)
		}
		if due.IsZero() {
			return look
		}
		if soon := due.Sub(r.store.Now()); soon > 0 {
			return min(soon, look)
		}
		d, hook, err := r.store.ClaimDelivery(ctx, full, lease)
		if errors.Is(err, ErrNotFound) {
			// What is due waits for an application that is busy, or somebody else has it. All of
			// it, which may be much, was looked through.
			r.nothing = r.store.Now().Add(look)
			clear(r.freed)
			return look
		}
		if err != nil {
			return r.tired(ctx, err)
		}
		r.underWay++
		r.busy[d.ApplicationID]++
		go func() {
			begun := r.store.Now()
			r.attempt(r.attempts, d, hook)
			ended := r.store.Now()
			r.finished <- finished{d.ApplicationID, ended.Sub(begun), ended}
		}()
	}
	return look
}

// nothingFor is how long there is nothing to claim while these are full: for a look at most.
// What is further away is of a clock that was set back.
func (r *run) nothingFor(now time.Time, full []oauth.ID) time.Duration {
	left := r.nothing.Sub(now)
	if left > look {
		return 0
	}
	for id := range r.freed {
		if !slices.Contains(full, id) {
			return 0
		}
	}
	return left
}

func (r *run) tired(ctx context.Context, err error) time.Duration {
	if ctx.Err() == nil {
		r.log.Warn("the outbox of webhooks could not be read; it is tried again", "cause", err)
	}
	return rest
}

// wait returns when there may be something to do.
func (r *run) wait(ctx context.Context, longest time.Duration) {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case f := <-r.finished:
		r.finish(f)
	case <-r.wake:
		r.nothing = time.Time{}
	case <-timer.C:
	}
}

// attempt delivers, and writes down how it went.
func (w *Webhooks) attempt(ctx context.Context, d oauth.Delivery, hook oauth.Webhook) {
	status, problem := w.post(ctx, d, hook)
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	var err error
	if problem != "" && ctx.Err() != nil {
		err = w.store.ReleaseDelivery(limit, d)
	} else {
		err = w.store.FinishDelivery(limit, w.after(d, status, problem))
	}
	if err != nil {
		w.log.Warn("how a delivery went could not be written down; it may be made again", "delivery", d.ID, "application", d.ApplicationID, "cause", err)
	}
}

// after is a delivery after an attempt.
func (w *Webhooks) after(d oauth.Delivery, status int, problem string) oauth.Delivery {
	now := w.store.Now()
	d.DueAt, d.DeliveredAt, d.Status, d.Problem = time.Time{}, time.Time{}, status, problem
	if problem == "" {
		d.DeliveredAt = now
		return d
	}
	pause, again := retryAfter(d.Attempts, w.config.FirstRetry, w.jitter())
	if again && problem != ProblemGone {
		d.DueAt = now.Add(pause)
		return d
	}
	w.log.Info("a delivery is given up", "delivery", d.ID, "application", d.ApplicationID, "problem", problem)
	return d
}

// post makes one attempt. The problem is empty when the receiver took it.
func (w *Webhooks) post(ctx context.Context, d oauth.Delivery, hook oauth.Webhook) (status int, problem string) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, strings.NewReader(d.Body))
	if err != nil {
		return 0, ProblemUnreachable
	}
	id, now := d.ID.String(), w.store.Now()
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "Latchkey-Webhook/1")
	request.Header.Set("Webhook-Id", id)
	request.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	request.Header.Set("Webhook-Signature", w.signatures(hook, id, now, d.Body))
	answer, err := w.client.Do(request)
	if err != nil {
		return 0, problemOf(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusSwitchingProtocols {
		// The connection can be used again when the answer was read; what it says is the
		// receiver's own business. After a 101 it would be read without any limit of time.
		_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer))
	}
	switch s := answer.StatusCode; {
	case s >= 200 && s < 300:
		return s, ""
	case s >= 300 && s < 400:
		return s, ProblemRedirect
	case s == http.StatusGone:
		return s, ProblemGone
	default:
		return s, ProblemRefused
	}
}

// problemOf tells the developer what to mend, and nothing of the network that this server
// is in.
func problemOf(err error) string {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var operation *net.OpError
	var network net.Error
	switch {
	case errors.Is(err, errForbidden):
		return ProblemForbidden
	case errors.As(err, &name):
		return ProblemUnresolved
	case errors.As(err, &certificate), errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return ProblemTLS
	case errors.As(err, &operation) && operation.Op == "remote error":
		// So crypto/tls names an alert that the receiver sent.
		return ProblemTLS
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return ProblemTimeout
	}
	return ProblemUnreachable
}
