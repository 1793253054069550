package store

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
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
