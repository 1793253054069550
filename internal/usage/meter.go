// Package usage is what applications did, for their developers and for the accounts
// whose data it was. Requests are counted in memory; a few times a minute the counts go
// to the store as small rollups, in the background: no request waits for a write.
//
// What it needs of memory is bounded: 1.1 KiB for each application that did something
// since the last write, of at most 8,192; as much again, twice, of what could not be
// written yet; 1 MiB for which connections were seen; and 2,048 observations of them.
// What is more than that is not counted, and the log tells how much it was; a connection
// that there is no room for is observed when it is used again.
package usage

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

const (
	flushEvery = 10 * time.Second
	// flushApart is how soon after another a flush comes when the memory fills up.
	flushApart = time.Second
	// closeTime is how long the last flush may take.
	closeTime = 5 * time.Second

	shards          = 64
	maxApplications = 8192
)

// Meter counts. It is safe for concurrent use; what is counted is written by Flush,
// which Start calls every few seconds.
type Meter struct {
	store  *store.Store
	random io.Reader
	now    func() time.Time
	log    *slog.Logger

	shards [shards]shard
	// uncounted is how often there was no room to count.
	uncounted atomic.Int64
	uses      *uses
	refusals  refusals
	// wake asks for a flush ahead of time.
	wake chan struct{}

	// flushing is held for a whole flush, which takes its time over the uses.
	flushing sync.Mutex
	// pendingUses are of what was taken and is not written yet.
	pendingUses map[oauth.Connection]oauth.Use

	// turn is taken while counts and refusals are taken and written, by a flush or for a
	// page.
	turn chan struct{}
	// since is when counting began for the next flush.
	since   time.Time
	pending pending

	stop    context.CancelFunc
	stopped chan struct{}
}

// shard counts for some of the applications.
type shard struct {
	mu      sync.Mutex
	tallies map[oauth.ID]*tally
}

// tally is what an application did since the last flush.
type tally struct {
	usage                  oauth.Usage
	accounts               oauth.Sketch
	secret, previousSecret bool
}

// New makes a meter for the applications of a store. The clock is the store's.
func New(s *store.Store, random io.Reader, now func() time.Time, log *slog.Logger) *Meter {
	return &Meter{store: s, random: random, now: now, log: log, since: now(), uses: newUses(now()),
		turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), stop: func() {}, stopped: closed()}
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// Start flushes in the background until ctx ends. What is counted after that, Close writes
// down.
func (m *Meter) Start(ctx context.Context) {
	ctx, m.stop = context.WithCancel(ctx)
	m.stopped = make(chan struct{})
	go func() {
		defer close(m.stopped)
		m.run(ctx)
	}()
}

func (m *Meter) run(ctx context.Context) {
	for {
		// What was counted belongs to the hour in which counting began, so the end of
		// an hour ends it.
		now := m.now()
		rest := time.NewTimer(min(flushEvery, now.Truncate(time.Hour).Add(time.Hour).Sub(now)))
		select {
		case <-ctx.Done():
			rest.Stop()
			return
		case <-rest.C:
		case <-m.wake:
			rest.Stop()
		}
		if err := m.flush(ctx, usesApart); err != nil && ctx.Err() == nil {
			m.log.Warn("usage could not be written down; it is tried again", "cause", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(flushApart):
		}
	}
}

// Close ends what Start began and writes down what was counted until now.
func (m *Meter) Close(ctx context.Context) error {
	m.stop()
	<-m.stopped
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	if err := m.Flush(ctx); err != nil {
		return fmt.Errorf("the last counts of usage could not be written down: %w", err)
	}
	return nil
}

// hurry asks for a flush ahead of time.
func (m *Meter) hurry() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Issued counts an answer to a code, for an account, or to client_credentials, for none.
func (m *Meter) Issued(application, account oauth.ID) {
	m.count(application, account, func(t *tally) { t.usage.Issued++ })
}

// Refreshed counts an answer to a refresh token.
func (m *Meter) Refreshed(application, account oauth.ID) {
	m.count(application, account, func(t *tally) { t.usage.Refreshed++ })
}

// Called counts a living access token that an API asked about. The account is zero where
// no person approved.
func (m *Meter) Called(application, account oauth.ID) {
	m.count(application, account, func(t *tally) { t.usage.Calls++ })
}

// SecretUsed notes that an application has proved who it is, by its present secret or by
// the one before.
func (m *Meter) SecretUsed(application oauth.ID, previous bool) {
	if previous {
		m.count(application, oauth.ID{}, func(t *tally) { t.previousSecret = true })
		return
	}
	m.count(application, oauth.ID{}, func(t *tally) { t.secret = true })
}

// count lets add change the tally of an application. None of this allocates but the
// first tally of an application after a flush.
func (m *Meter) count(application, account oauth.ID, add func(*tally)) {
	s := &m.shards[application[15]%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tallies[application]
	if t == nil {
		if len(s.tallies) == maxApplications/shards {
			m.uncounted.Add(1)
			return
		}
		if s.tallies == nil {
			s.tallies = map[oauth.ID]*tally{}
		}
		t = &tally{}
		s.tallies[application] = t
		if len(s.tallies) == maxApplications/shards/2 {
			m.hurry()
		}
	}
	add(t)
	if !account.IsZero() {
		t.accounts.Add(account)
	}
}

// take ends counting for one flush and begins it for the next.
func (m *Meter) take() (tallies []oauth.Tally) {
	hour, since := m.since.UTC().Truncate(time.Hour), m.since
	m.since = m.now()
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		taken := s.tallies
		s.tallies = nil
		s.mu.Unlock()
		for id, t := range taken {
			tallies = append(tallies, oauth.Tally{
				ApplicationID: id, Hour: hour, Since: since, Usage: t.usage, Accounts: t.accounts,
				SecretUsed: t.secret, PreviousSecretUsed: t.previousSecret,
			})
		}
	}
	return tallies
}
