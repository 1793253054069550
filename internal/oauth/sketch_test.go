package oauth_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// someIDs are the same in each run: of others, one set of ten in a thousand is taken for eight.
func someIDs(t *testing.T, n int) []oauth.ID {
	t.Helper()
	ids, source := make([]oauth.ID, n), rand.NewChaCha8([32]byte{})
	for i := range ids {
		var err error
		if ids[i], err = oauth.NewID(source, time.UnixMilli(1_800_000_000_000+int64(i))); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

func TestSketchEstimatesHowManyWereAdded(t *testing.T) {
	for _, n := range []int{0, 1, 2, 10, 100, 1000, 3000, 10_000, 200_000} {
		var s oauth.Sketch
		for _, id := range someIDs(t, n) {
			s.Add(id)
			s.Add(id)
		}
		// Five times the standard error of 3.3 per cent, or one that share a register.
		if got := s.Estimate(); math.Abs(float64(got)-float64(n)) > max(1, 0.16*float64(n)) {
			t.Errorf("%d ids are estimated as %d", n, got)
		}
	}
}

func TestSketchesMergeToThatOfBoth(t *testing.T) {
	for _, n := range []int{3, 500, 5000} {
		var one, other, both oauth.Sketch
		for i, id := range someIDs(t, n) {
			both.Add(id)
			if i%3 != 0 {
				one.Add(id)
			}
			if i%3 != 1 {
				other.Add(id)
			}
		}
		if !one.Merge(&other) || one != both {
			t.Errorf("two sketches of %d ids do not merge to the sketch of all", n)
		}
		if one.Merge(&other) {
			t.Error("a second merge changes something")
		}
	}
}

func TestSketchIsReadAsItWasStored(t *testing.T) {
	for _, n := range []int{0, 1, 50, 400, 5000} {
		var s oauth.Sketch
		for _, id := range someIDs(t, n) {
			s.Add(id)
		}
		stored := s.Bytes()
		if len(stored) > len(s)+1 || len(stored) > 3*n+1 {
			t.Errorf("%d ids take %d bytes", n, len(stored))
		}
		if read, err := oauth.ParseSketch(stored); err != nil || read != s {
			t.Errorf("the sketch of %d ids is another after it was stored: %v", n, err)
		}
	}
}

func TestBrokenSketchIsRefused(t *testing.T) {
	for _, stored := range [][]byte{nil, {}, {9}, {1, 0}, {1, 0xff, 0xff, 1}, {1, 0, 1, 200}, make([]byte, 1025), {2, 1, 1}} {
		if _, err := oauth.ParseSketch(stored); err == nil {
			t.Errorf("%v passes for a sketch", stored)
		}
	}
}
