package main

import (
	"math"
	"testing"
	"time"
)

func TestQuantilesAreCloseToTheLatencies(t *testing.T) {
	for _, unit := range []time.Duration{time.Nanosecond, time.Microsecond, 37 * time.Microsecond, time.Second} {
		var h, odd histogram
		for n := 1; n <= 1000; n += 2 {
			h.add(time.Duration(n+1) * unit)
			odd.add(time.Duration(n) * unit)
		}
		h.merge(&odd)
		if h.total != 1000 {
			t.Errorf("%d latencies were counted, not 1000", h.total)
		}
		for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999} {
			got, want := float64(h.quantile(q)), (1000*q+1)*float64(unit)
			if math.Abs(got-want) > 0.02*want+1 {
				t.Errorf("of 1 to 1000 times %v the quantile %v is %v, not about %v", unit, q, time.Duration(got), time.Duration(want))
			}
		}
	}
}

func TestEveryLatencyHasABucketThatHoldsIt(t *testing.T) {
	for bits := range 62 {
		for _, ns := range []uint64{1<<bits - 1, 1 << bits, 1<<bits + 1, 3 << bits / 2} {
			b := bucket(ns)
			if d := time.Duration(ns); d < lowest(b) || d >= lowest(b+1) {
				t.Errorf("%v is put between %v and %v", d, lowest(b), lowest(b+1))
			}
		}
	}
	var h histogram
	h.add(-time.Second)
	h.add(math.MaxInt64)
	if h.counts[0] != 1 || h.total != 2 {
		t.Error("a clock that went back, or an endless wait, was not counted")
	}
}
