package store

import (
	"context"
	"runtime"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// grouped reads rows by their ids, in groups of those that are wanted at the same time.
type grouped[V any] struct {
	wanted  chan *lookup[V]
	closing <-chan struct{}
	// apart is how long after another a small group begins at the earliest, where there is
	// company: whoever reads alone, one row after another, does not wait.
	apart time.Duration
	// answer reads a group, all of it after it was asked for, and answers each.
	answer func(group []*lookup[V])
}

// lookup is a row that somebody wants to read.
type lookup[V any] struct {
	id    oauth.ID
	asked time.Time
	done  chan found[V]
}

// found is by pointer: channels copy what they carry.
type found[V any] struct {
	value *V
	err   error
}

// small is how many reads are too few to go alone.
const small = 4

func newGrouped[V any](closing <-chan struct{}, apart time.Duration, answer func(group []*lookup[V])) *grouped[V] {
	return &grouped[V]{wanted: make(chan *lookup[V], maxQueue), closing: closing, apart: apart, answer: answer}
}

// read waits for the group that the row is read with. ErrNotFound: there is none.
func (g *grouped[V]) read(ctx context.Context, id oauth.ID) (V, error) {
	var none V
	l := &lookup[V]{id: id, asked: time.Now(), done: make(chan found[V], 1)}
	select {
	case g.wanted <- l:
	default:
		return none, errBusy()
	}
	select {
	case f := <-l.done:
		if f.err != nil {
			return none, f.err
		}
		return *f.value, nil
	case <-ctx.Done():
		return none, ctx.Err()
	case <-g.closing:
		return none, errClosed
	}
}

// loop reads until the store is closed.
func (g *grouped[V]) loop() {
	group := make([]*lookup[V], 0, maxBatch)
	pause := time.NewTimer(0)
	defer pause.Stop()
	var last time.Time
	together := false
	for {
		select {
		case first := <-g.wanted:
			// Those who are about to read get the chance to come along.
			runtime.Gosched()
			group = g.gather(append(group[:0], first))
			together = together || len(group) > 1
			if rest := g.apart - time.Since(last); rest > 0 && together && len(group) < small {
				pause.Reset(rest)
				select {
				case <-pause.C:
					group = g.gather(group)
				case <-g.closing:
				}
			}
			together = len(group) > 1
			g.answer(group)
			clear(group)
			last = time.Now()
		case <-g.closing:
			return
		}
	}
}

func (g *grouped[V]) gather(group []*lookup[V]) []*lookup[V] {
	for len(group) < maxBatch {
		select {
		case l := <-g.wanted:
			group = append(group, l)
		default:
			return group
		}
	}
	return group
}
