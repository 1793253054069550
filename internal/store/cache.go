package store

import (
	"sync"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// cache keeps what was read, up to a bound, until it is dropped. It is safe for
// concurrent use.
type cache[V any] struct {
	shards [cacheShards]cacheShard[V]
	limit  int
	// life is how long a record is trusted; zero stands for ever.
	life time.Duration
}

type cacheShard[V any] struct {
	mu sync.Mutex
	// drops counts what was dropped: a read that began before one must not be kept.
	drops   uint64
	records map[oauth.ID]cached[V]
}

type cached[V any] struct {
	value V
	until time.Time
}

const cacheShards = 64

func newCache[V any](limit int, life time.Duration) *cache[V] {
	c := &cache[V]{limit: max(1, limit/cacheShards), life: life}
	for i := range c.shards {
		c.shards[i].records = map[oauth.ID]cached[V]{}
	}
	return c
}

// shard goes by the last byte, which is random.
func (c *cache[V]) shard(id oauth.ID) *cacheShard[V] { return &c.shards[id[15]%cacheShards] }

func (c *cache[V]) get(id oauth.ID) (V, bool) {
	s := c.shard(id)
	s.mu.Lock()
	record, ok := s.records[id]
	s.mu.Unlock()
	if !ok || c.life > 0 && time.Now().After(record.until) {
		var none V
		return none, false
	}
	return record.value, true
}

// ticket is taken before a read, so that what was read is kept only if nothing
// of its shard was dropped since: it may be from before the drop.
type ticket struct {
	drops uint64
	at    time.Time
}

func (c *cache[V]) begin(id oauth.ID) ticket {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return ticket{drops: s.drops, at: time.Now()}
}

func (c *cache[V]) keep(id oauth.ID, began ticket, value V) {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drops != began.drops {
		return
	}
	if _, known := s.records[id]; !known && len(s.records) >= c.limit {
		// Any one will do: the order of a map is random.
		for other := range s.records {
			delete(s.records, other)
			break
		}
	}
	s.records[id] = cached[V]{value: value, until: began.at.Add(c.life)}
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
	s := c.shard(id)
	s.mu.Lock()
	s.drops++
	delete(s.records, id)
	s.mu.Unlock()
}

func (c *cache[V]) empty() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.drops++
		clear(s.records)
		s.mu.Unlock()
	}
}

// memory is what a store remembers of its database.
type memory struct {
	authorizations *cache[oauth.Authorization]
	applications   *cache[oauth.Application]
	accounts       *cache[oauth.Account]
	// disabled tells of accounts whether they are.
	disabled *cache[bool]
	// trusted reports whether every drop has reached us; otherwise everything is
	// read again.
	trusted func() bool
}

// cachedLife is how long a record is trusted where several replicas write: a
// rotation tells nobody.
const cachedLife = 10 * time.Second

// The bounds of the memory in records.
const (
	maxCachedAuthorizations = 100_000
	maxCachedApplications   = 10_000
	maxCachedAccounts       = 50_000
)

func newMemory(life time.Duration, trusted func() bool) *memory {
	return &memory{
		authorizations: newCache[oauth.Authorization](maxCachedAuthorizations, life),
		applications:   newCache[oauth.Application](maxCachedApplications, life),
		accounts:       newCache[oauth.Account](maxCachedAccounts, life),
		disabled:       newCache[bool](maxCachedAccounts, life),
		trusted:        trusted,
	}
}

func (m *memory) empty() {
	m.authorizations.empty()
	m.applications.empty()
	m.accounts.empty()
	m.disabled.empty()
}

// change names a row that others may have cached.
type change struct {
	kind changeKind
	id   oauth.ID
}

type changeKind byte

const (
	authorizationChanged changeKind = 'a'
	applicationChanged   changeKind = 'p'
	accountChanged       changeKind = 'c'
	// everythingChanged has no id: too much changed to name it.
	everythingChanged changeKind = 'e'
)

func (m *memory) drop(c change) {
	switch c.kind {
	case authorizationChanged:
		m.authorizations.drop(c.id)
	case applicationChanged:
		m.applications.drop(c.id)
	case accountChanged:
		m.accounts.drop(c.id)
		m.disabled.drop(c.id)
		// Applications carry their owner's name and state.
		m.applications.empty()
	case everythingChanged:
		m.empty()
	}
}

// remembered returns a record from the cache where that can be trusted, or reads it.
func remembered[V any](m *memory, c *cache[V], id oauth.ID, good func(V) bool, read func() (V, error)) (V, error) {
	if !m.trusted() {
		return read()
	}
	if value, ok := c.get(id); ok && good(value) {
		return value, nil
	}
	return c.fill(id, read)
}
