package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// headroom is how many bytes of garbage may lie about before they are collected. The
// runtime's own measure is a share of what lives, which is little here while nothing
// is remembered, and much when the memory is full.
const headroom = 16 << 20

// keepHeadroom sets the garbage collector's target by what lives now, until ctx ends.
func keepHeadroom(ctx context.Context) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for set := 0; ; {
		metrics.Read(live)
		percent := int(100 * headroom / max(live[0].Value.Uint64(), headroom/10))
		// Each change stops the world for a moment.
		if percent < set*9/10 || percent > set*11/10 {
			debug.SetGCPercent(percent)
			set = percent
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}
