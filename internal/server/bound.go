package server

import (
	"context"
	"net/http"
	"sync"
	"time"
)

const (
	// answerTime is how long a request may take, whatever it waits for.
	answerTime = 9 * time.Second
	// overlooked is how long a wait may go on after its end.
	overlooked = 100 * time.Millisecond
)

// bounds limit how long requests take. A timer for each request that waits, and its place among
// the contexts of the connection, cost as much as the answer; so one goroutine looks at all who
// wait, as long as anybody does.
type bounds struct {
	// over is closed from the start.
	over chan struct{}

	mu      sync.Mutex
	waiting []*bound
	looking bool
}

func newBounds() *bounds {
	b := &bounds{over: make(chan struct{})}
	close(b.over)
	return b
}

// around gives each request of a handler its time.
func (all *bounds) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := answerTime
		if r.ContentLength > maxForm {
			// It takes a while until a picture has come.
			limit = requestTime
		}
		b := &bound{Context: r.Context(), all: all, limit: limit, place: -1}
		defer b.release()
		next.ServeHTTP(w, r.WithContext(b))
	})
}

// bound is the context of a request. Its limit counts from when somebody first waits: most
// requests are answered without. It ends with the request, but for overlooked.
type bound struct {
	context.Context
	all   *bounds
	limit time.Duration
	once  sync.Once
	until time.Time
	done  chan struct{}
	// place is where in all.waiting it is, negative where it is not; ended is why it is over.
	// Both are guarded by all.mu.
	place int
	ended error
}

// Deadline is when the time is over.
func (b *bound) Deadline() (time.Time, bool) {
	b.once.Do(b.begin)
	return b.until, true
}

// Done is closed when the time is over, the client has left or the request is answered.
func (b *bound) Done() <-chan struct{} {
	b.once.Do(b.begin)
	return b.done
}

// Err tells why it is over.
func (b *bound) Err() error {
	select {
	case <-b.Done():
		b.all.mu.Lock()
		defer b.all.mu.Unlock()
		return b.ended
	default:
		return nil
	}
}

func (b *bound) begin() {
	b.until = time.Now().Add(b.limit)
	b.done = make(chan struct{})
	all := b.all
	all.mu.Lock()
	defer all.mu.Unlock()
	b.place = len(all.waiting)
	all.waiting = append(all.waiting, b)
	if !all.looking {
		all.looking = true
		go all.look()
	}
}

// release ends it with its request. Whoever asks later is told so.
func (b *bound) release() {
	begun := true
	b.once.Do(func() { begun, b.done, b.ended = false, b.all.over, context.Canceled })
	if begun {
		b.all.mu.Lock()
		defer b.all.mu.Unlock()
		b.end(context.Canceled)
	}
}

// end is called with the lock held.
func (b *bound) end(why error) {
	if b.place < 0 {
		return
	}
	all := b.all
	last := len(all.waiting) - 1
	moved := all.waiting[last]
	all.waiting[b.place], moved.place = moved, b.place
	all.waiting[last] = nil
	all.waiting = all.waiting[:last]
	b.place, b.ended = -1, why
	close(b.done)
}

// look ends what is over until nobody waits.
func (all *bounds) look() {
	every := time.NewTicker(overlooked)
	defer every.Stop()
	for range every.C {
		if !all.sweep(time.Now()) {
			return
		}
	}
}

// sweep ends what is over, and reports whether anybody waits still.
func (all *bounds) sweep(now time.Time) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	for i := len(all.waiting) - 1; i >= 0; i-- {
		b := all.waiting[i]
		if err := b.Context.Err(); err != nil {
			b.end(err)
		} else if now.After(b.until) {
			b.end(context.DeadlineExceeded)
		}
	}
	all.looking = len(all.waiting) > 0
	return all.looking
}
