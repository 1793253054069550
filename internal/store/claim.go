package store

import "sync/atomic"

// claim decides who has a queued operation: the caller that gives up waiting, or
// the writer that begins it. A caller that has left knows that nothing happened; one
// that comes too late waits for the outcome, so that what it changed is dropped from
// memory after the commit and not before.
type claim struct{ taken atomic.Int32 }

const (
	claimedByWriter = 1
	claimedByCaller = 2
)

// begin reports whether the writer may run the operation, now or again.
func (c *claim) begin() bool {
	return c.taken.CompareAndSwap(0, claimedByWriter) || c.taken.Load() == claimedByWriter
}

// leave reports whether the caller may go: the operation will never run.
func (c *claim) leave() bool { return c.taken.CompareAndSwap(0, claimedByCaller) }
