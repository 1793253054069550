package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// client makes the requests of one connection, one after another.
type client struct {
	// next is the request to send; nil when there is nothing left to ask for.
	next func() []byte
	// accept judges the answer.
	accept func(status int, body []byte) error
}

// result is what a load did to a server.
type result struct {
	requests uint64
	elapsed  time.Duration
	latency  histogram
}

func (r *result) rate() float64 { return float64(r.requests) / r.elapsed.Seconds() }

// errUnmeasured tells why a workload could not be measured, where others can.
type errUnmeasured string

func (e errUnmeasured) Error() string { return string(e) }

const (
	// errDry: a client ran out of requests, so what was measured would be the end of its
	// stock.
	errDry errUnmeasured = "the prepared rows are used up: prepare more with -authorizations, or ask for less with -length and -rounds"
	// errStalled: nothing tells a slow answer from none.
	errStalled errUnmeasured = "no request was answered in time"
)

// closed has every client ask again as soon as it was answered. What happens
// during warm is not counted. Clients are spread over the addresses in turn.
func closed(addresses []string, clients []client, warm, length time.Duration) (*result, error) {
	begin := time.Now().Add(warm)
	end := begin.Add(length)
	return drive(addresses, clients, begin, end, func() (time.Time, bool) {
		now := time.Now()
		return now, now.Before(end)
	})
}

// open asks at a rate, as callers who know nothing of each other would, whether or
// not the server keeps up: a latency counts from the moment at which the request was
// due, so that waiting for a connection is part of it.
func open(addresses []string, clients []client, rate float64, warm, length time.Duration) (*result, error) {
	due := make(chan time.Time, 1<<16)
	begin := time.Now().Add(warm)
	go func() {
		// Timers of the runtime are too coarse; a thread of its own sleeps exactly.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(due)
		// Without it Linux may end a sleep 50 µs late.
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
		gap := float64(time.Second) / rate
		for next := time.Now(); next.Before(begin.Add(length)); next = next.Add(time.Duration(gap * rand.ExpFloat64())) {
			if wait := time.Until(next); wait > 0 {
				nap := unix.NsecToTimespec(int64(wait))
				_ = unix.Nanosleep(&nap, nil)
			}
			select {
			case due <- next:
			default:
				// So far behind that what was measured shows it.
				return
			}
		}
	}()
	return drive(addresses, clients, begin, begin.Add(length), func() (time.Time, bool) {
		at, more := <-due
		return at, more
	})
}

// drive runs the clients, each on its connection, until turn says that it is over.
// turn returns the moment at which the next request was due. Answers count between
// begin and end; latencies, of what was due since begin.
func drive(addresses []string, clients []client, begin, end time.Time, turn func() (time.Time, bool)) (*result, error) {
	conns := make([]*conn, len(clients))
	for i := range conns {
		c, err := dial(addresses[i%len(addresses)])
		if err != nil {
			return nil, err
		}
		defer c.close()
		conns[i] = c
	}
	var wait sync.WaitGroup
	var failed atomic.Pointer[error]
	results := make([]result, len(clients))
	for i := range clients {
		wait.Go(func() {
			if err := ask(conns[i], clients[i], &results[i], begin, end, turn, &failed); err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	wait.Wait()
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	all := &result{elapsed: end.Sub(begin)}
	for i := range results {
		all.requests += results[i].requests
		all.latency.merge(&results[i].latency)
	}
	return all, nil
}

func ask(c *conn, of client, r *result, begin, end time.Time, turn func() (time.Time, bool), failed *atomic.Pointer[error]) error {
	for at, more := turn(); more && failed.Load() == nil; at, more = turn() {
		request := of.next()
		if request == nil {
			return errDry
		}
		status, body, err := c.exchange(request)
		if err != nil {
			return err
		}
		if err := of.accept(status, body); err != nil {
			return fmt.Errorf("%w: status %d: %s", err, status, body)
		}
		now := time.Now()
		if !now.Before(begin) && now.Before(end) {
			r.requests++
		}
		if !at.Before(begin) {
			r.latency.add(now.Sub(at))
		}
	}
	return nil
}
