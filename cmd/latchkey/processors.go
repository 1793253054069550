package main

import "runtime"

// spareProcessor gives Go's scheduler one processor more than the machine has, unless the
// operator has said how many. A commit to SQLite keeps one while the disk writes, a millisecond;
// with none to spare the runtime's monitor looks every 20 µs whether to take it away, which was a
// twelfth of what the server computed.
func (c *config) spareProcessor() {
	if _, set := c.env("GOMAXPROCS"); !set {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}
