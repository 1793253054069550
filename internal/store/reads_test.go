package store

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestReadsThatFollowEachOtherGoTogether: the first does not wait, and the next ones wait for each
// other until they are many or a moment has passed.
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
			if len(sizes) == 2 {
				// They are all there when the loop looks again.
				ask(small)
			}
		})
		go g.loop()
		ask(1)
		time.Sleep(apart / 4)
		ask(1)
		time.Sleep(apart / 4)
		ask(2)
		time.Sleep(2 * apart)
		ask(1)
		synctest.Wait()
		close(closing)
		synctest.Wait()

		wantSizes := []int{1, 3, small, 1}
		wantAt := []time.Duration{0, apart, apart, 2*apart + apart/2}
		if !slices.Equal(sizes, wantSizes) || !slices.Equal(at, wantAt) {
			t.Errorf("the groups had %v reads at %v; wanted are %v at %v", sizes, at, wantSizes, wantAt)
		}
	})
}
