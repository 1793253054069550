package main

import (
	"math/bits"
	"time"
)

// histogram counts latencies, to within 2 %, without keeping each.
type histogram struct {
	counts [60 * steps]uint32
	total  uint64
}

// steps is how many buckets each doubling has.
const steps = 32

func (h *histogram) add(d time.Duration) {
	h.counts[bucket(uint64(max(d, 0)))]++
	h.total++
}

func (h *histogram) merge(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
}

// bucket keeps the six highest bits of a latency in nanoseconds.
func bucket(ns uint64) int {
	if ns < 2*steps {
		return int(ns)
	}
	shift := bits.Len64(ns) - bits.Len64(2*steps-1)
	return shift*steps + int(ns>>shift)
}

// lowest is the smallest latency of a bucket.
func lowest(bucket int) time.Duration {
	if bucket < 2*steps {
		return time.Duration(bucket)
	}
	shift := bucket/steps - 1
	return time.Duration(bucket-shift*steps) << shift
}

// quantile is the latency that the share q of all did not exceed: the middle of
// its bucket.
func (h *histogram) quantile(q float64) time.Duration {
	rank, seen := uint64(q*float64(h.total)), uint64(0)
	for i, n := range h.counts {
		if seen += uint64(n); seen > rank {
			return (lowest(i) + lowest(i+1)) / 2
		}
	}
	return 0
}
