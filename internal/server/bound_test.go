package server

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

func TestARequestWaitsUntil(t *testing.T) {
	for _, c := range []struct {
		name  string
		leave time.Duration
		want  error
		after time.Duration
	}{
		{"its time is over", time.Hour, context.DeadlineExceeded, answerTime},
		{"its client leaves", time.Second, context.Canceled, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, leave := context.WithCancel(t.Context())
				defer time.AfterFunc(c.leave, leave).Stop()
				began := time.Now()
				newBounds().around(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					ctx := r.Context()
					if err := ctx.Err(); err != nil {
						t.Errorf("it begins with %v", err)
					}
					if until, ok := ctx.Deadline(); !ok || until.Sub(began) != answerTime {
						t.Errorf("it may take until %v", until)
					}
					<-ctx.Done()
					if waited := time.Since(began); waited < c.after || waited > c.after+overlooked {
						t.Errorf("it waited for %v", waited)
					}
					if err := ctx.Err(); !errors.Is(err, c.want) {
						t.Errorf("it was over because of %v", err)
					}
				})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(client, http.MethodGet, "/", nil))
				leave()
			})
		})
	}
}

// TestAnAnsweredRequestWaitsNoMore also of those who ask for the first time then. The goroutine
// that looks ends, or synctest would tell.
func TestAnAnsweredRequestWaitsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newBounds()
		var contexts []context.Context
		asking := 0
		h := all.around(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			contexts = append(contexts, r.Context())
			if asking > 0 {
				asking--
				select {
				case <-r.Context().Done():
					t.Error("it is over before it is answered")
				default:
				}
				// Others come and go meanwhile.
				h := all.around(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _ = r.Context().Err() }))
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
			}
		}))
		for asking = range 3 {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		}
		for i, ctx := range contexts {
			<-ctx.Done()
			if err := ctx.Err(); !errors.Is(err, context.Canceled) {
				t.Errorf("request %d is over because of %v", i, err)
			}
			if _, ok := ctx.Deadline(); !ok {
				t.Errorf("request %d has no deadline", i)
			}
		}
		if len(all.waiting) > 0 {
			t.Errorf("%d wait still", len(all.waiting))
		}
		// The clock of the bubble goes on while the main goroutine sleeps.
		time.Sleep(overlooked)
	})
}
