package store

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// cache keeps what was read, up to a bound, until it is dropped. It is safe for
// concurrent use. Where V has no pointers, the garbage collector need not look at
// what it keeps.
type cache[V any] struct {
	shards [cacheShards]cacheShard[V]
	// drops counts what was dropped of all shards.
	drops atomic.Uint64
	limit int
	// life is how long a record is trusted at the moment; nil stands for ever.
	life func() time.Duration
	// made is what ages are counted from: a clock that is set back makes no record younger.
	made time.Time
}

type cacheShard[V any] struct {
	mu sync.Mutex
	// drops counts what was dropped: a read that began before one must not be kept.
	drops uint64
	// index says where in records an id is: a table with open addressing, of places from 1
	// on. A map would need four times as much room.
	index   []uint32
	records []cached[V]
	// free are the places that were dropped.
	free []uint32
	// hand is where the search for a record to replace goes on.
	hand int
}

type cached[V any] struct {
	value V
	id    oauth.ID
	// read is when it was, in nanoseconds since the cache was made, but for the last bit:
	// used since the hand last came by. Such a record gets another round.
	read int64
}

const used = 1

const cacheShards = 64

func newCache[V any](limit int, life func() time.Duration) *cache[V] {
	return &cache[V]{limit: max(1, limit/cacheShards), life: life, made: time.Now()}
}

// shard goes by the last byte, which is random.
func (c *cache[V]) shard(id oauth.ID) *cacheShard[V] { return &c.shards[id[15]%cacheShards] }

func (c *cache[V]) get(id oauth.ID) (value V, ok bool) {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, record := s.find(id)
	if record == nil {
		return value, false
	}
	if c.life != nil && time.Since(c.made)-time.Duration(record.read) > c.life() {
		return value, false
	}
	if record.read&used == 0 {
		record.read |= used
	}
	return record.value, true
}

// ticket is taken before a read, so that what was read is kept only if nothing
// of its shard was dropped since: it may be from before the drop.
type ticket struct {
	drops uint64
	any   bool
	at    time.Time
}

func (c *cache[V]) begin(id oauth.ID) ticket {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return ticket{drops: s.drops, at: time.Now()}
}

// beginAny is a ticket for a read of which it is not known yet what it will find.
func (c *cache[V]) beginAny() ticket { return ticket{any: true, drops: c.drops.Load(), at: time.Now()} }

func (c *cache[V]) keep(id oauth.ID, began ticket, value V) {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	drops := s.drops
	if began.any {
		drops = c.drops.Load()
	}
	if drops != began.drops {
		return
	}
	fresh := cached[V]{value: value, id: id, read: int64(began.at.Sub(c.made)) &^ used}
	if _, record := s.find(id); record != nil {
		*record = fresh
		return
	}
	place := s.place(c.limit)
	s.records[place] = fresh
	s.enter(place)
}

// place finds room for a record: what was dropped, or new room up to the limit, or
// that of the first record that nobody used since the hand last came by.
func (s *cacheShard[V]) place(limit int) uint32 {
	if last := len(s.free) - 1; last >= 0 {
		place := s.free[last]
		s.free = s.free[:last]
		return place
	}
	if n := len(s.records); n < limit {
		if n == cap(s.records) {
			// append would make more room than the limit allows.
			s.records = append(make([]cached[V], 0, min(max(8, n+n/2), limit)), s.records...)
		}
		s.records = s.records[:n+1]
		return uint32(n)
	}
	for s.records[s.hand].read&used != 0 {
		s.records[s.hand].read &^= used
		s.hand = (s.hand + 1) % limit
	}
	place := s.hand
	s.hand = (s.hand + 1) % limit
	slot, _ := s.find(s.records[place].id)
	s.leave(slot)
	return uint32(place)
}

// home is where in the index the search for an id begins.
func (s *cacheShard[V]) home(id oauth.ID) int {
	sum := (binary.BigEndian.Uint64(id[:8]) ^ binary.BigEndian.Uint64(id[8:])) * 0x9e3779b97f4a7c15
	return int(sum>>32) & (len(s.index) - 1)
}

// find returns the record of an id and where in the index it is; nil and where it would be,
// if there is none.
func (s *cacheShard[V]) find(id oauth.ID) (slot int, record *cached[V]) {
	if len(s.index) == 0 {
		return 0, nil
	}
	for slot = s.home(id); s.index[slot] != 0; slot = (slot + 1) & (len(s.index) - 1) {
		if record = &s.records[s.index[slot]-1]; record.id == id {
			return slot, record
		}
	}
	return slot, nil
}

// enter puts a record that the index does not have into it. A quarter of the index stays
// empty, so that searches are short.
func (s *cacheShard[V]) enter(place uint32) {
	if 4*len(s.records) > 3*len(s.index) {
		old := s.index
		s.index = make([]uint32, max(16, 2*len(old)))
		for _, entry := range old {
			if entry != 0 {
				s.enter(entry - 1)
			}
		}
	}
	slot, _ := s.find(s.records[place].id)
	s.index[slot] = place + 1
}

// leave takes an entry out of the index, and moves those up that were put behind it for
// want of room.
func (s *cacheShard[V]) leave(slot int) {
	last := len(s.index) - 1
	for next := (slot + 1) & last; s.index[next] != 0; next = (next + 1) & last {
		home := s.home(s.records[s.index[next]-1].id)
		if (next-home)&last >= (next-slot)&last {
			s.index[slot] = s.index[next]
			slot = next
		}
	}
	s.index[slot] = 0
}

// fill reads a record and keeps it.
func (c *cache[V]) fill(id oauth.ID, read func() (V, error)) (V, error) {
	began := c.begin(id)
	value, err := read()
	if err == nil {
		c.keep(id, began, value)
	}
	return value, err
}

func (c *cache[V]) drop(id oauth.ID) {
	c.drops.Add(1)
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drops++
	if slot, record := s.find(id); record != nil {
		place := s.index[slot] - 1
		s.leave(slot)
		*record = cached[V]{}
		s.free = append(s.free, place)
	}
}

func (c *cache[V]) empty() {
	c.drops.Add(1)
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.drops++
		s.index, s.records, s.free = nil, nil, nil
		s.mu.Unlock()
	}
}
