package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// TestReadsThatFollowEachOtherGoTogether: those who have company wait for more until they are many
// or a moment has passed; whoever reads alone does not wait.
func TestReadsThatFollowEachOtherGoTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const apart = time.Millisecond
		var sizes []int
		var at []time.Duration
		began, closing := time.Now(), make(chan struct{})
		var g *grouped[bool]
		ask := func(reads int) {
			for range reads {
				g.wanted <- &lookup[bool]{done: make(chan found[bool], 1)}
			}
		}
		g = newGrouped(closing, apart, func(group []*lookup[bool]) {
			sizes, at = append(sizes, len(group)), append(at, time.Since(began))
			// These are all there when the loop looks again.
			switch len(sizes) {
			case 2:
				ask(2)
			case 3:
				ask(small)
			}
		})
		go g.loop()
		ask(1)
		time.Sleep(apart / 4)
		ask(1) // alone
		time.Sleep(apart / 2)
		ask(1) // joins the two
		time.Sleep(apart)
		ask(1) // behind many
		time.Sleep(2 * apart)
		ask(1)
		synctest.Wait()
		close(closing)
		synctest.Wait()

		wantSizes := []int{1, 1, 3, small, 1, 1}
		wantAt := []time.Duration{0, apart / 4, apart * 5 / 4, apart * 5 / 4, apart * 9 / 4, apart * 15 / 4}
		if !slices.Equal(sizes, wantSizes) || !slices.Equal(at, wantAt) {
			t.Errorf("the groups had %v reads at %v; wanted are %v at %v", sizes, at, wantSizes, wantAt)
		}
	})
}

// TestReadsEndInTimeWhileTheDatabaseIsAway: those who come while others wait do not wait for them
// and then as long again.
func TestReadsEndInTimeWhileTheDatabaseIsAway(t *testing.T) {
	down := errors.New("there is no connection")
	for name, read := range map[string]func(context.Context) error{
		"and refuses":  func(context.Context) error { return down },
		"and is mute":  func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"and is hasty": func(ctx context.Context) error { time.Sleep(attemptPatience / 7); return down },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &postgres{closing: make(chan struct{}), bell: &bell{started: time.Now()}}
				p.left.Store(int64(time.Hour)) // there are no connections to distrust
				g := readInGroups(p, func(ctx context.Context, _ [][]byte) (map[oauth.ID]*bool, error) { return nil, read(ctx) })
				go g.loop()
				var all sync.WaitGroup
				for range 100 {
					all.Go(func() {
						began := time.Now()
						_, err := g.read(t.Context(), oauth.ID{})
						if took := time.Since(began); took > patience+leastAttempt || took < patience-leastAttempt {
							t.Errorf("an answer took %v", took)
						}
						if known := oauth.ErrorOf(err); known.Code != oauth.Unavailable {
							t.Errorf("the answer is %v", err)
						}
					})
					time.Sleep(70 * time.Millisecond)
				}
				all.Wait()
				close(p.closing)
			})
		})
	}
}

// TestAReadThatNobodyAnswersEnds: its caller leaves, the store is closed, or too many wait.
func TestAReadThatNobodyAnswersEnds(t *testing.T) {
	closing := make(chan struct{})
	g := newGrouped[bool](closing, 0, nil)
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := g.read(gone, oauth.ID{}); !errors.Is(err, context.Canceled) {
		t.Errorf("whoever leaves is answered %v", err)
	}
	for len(g.wanted) < maxQueue {
		g.wanted <- nil
	}
	if _, err := g.read(gone, oauth.ID{}); oauth.ErrorOf(err).Code != oauth.Unavailable {
		t.Errorf("with %d before, the answer is %v", maxQueue, err)
	}
	<-g.wanted
	close(closing)
	if _, err := g.read(t.Context(), oauth.ID{}); !errors.Is(err, errClosed) {
		t.Errorf("while the store is closed the answer is %v", err)
	}
}
