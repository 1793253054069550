package store

import (
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
}

type cacheShard[V any] struct {
	mu sync.Mutex
	// drops counts what was dropped: a read that began before one must not be kept.
	drops uint64
	// places says where in records an id is; free are the places that were dropped.
	places  map[oauth.ID]uint32
	records []cached[V]
	free    []uint32
	// hand is where the search for a record to replace goes on.
	hand int
}

type cached[V any] struct {
	value V
	id    oauth.ID
	// read is when it was, in Unix nanoseconds, but for the last bit: used since the hand
	// last came by. Such a record gets another round.
	read int64
}

const used = 1

const cacheShards = 64

func newCache[V any](limit int, life func() time.Duration) *cache[V] {
	c := &cache[V]{limit: max(1, limit/cacheShards), life: life}
	for i := range c.shards {
		c.shards[i].places = map[oauth.ID]uint32{}
	}
	return c
}

// shard goes by the last byte, which is random.
func (c *cache[V]) shard(id oauth.ID) *cacheShard[V] { return &c.shards[id[15]%cacheShards] }

func (c *cache[V]) get(id oauth.ID) (value V, ok bool) {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	place, ok := s.places[id]
	if !ok {
		return value, false
	}
	record := &s.records[place]
	if c.life != nil && time.Now().UnixNano()-record.read > int64(c.life()) {
		return value, false
	}
	record.read |= used
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
	place, known := s.places[id]
	if !known {
		place = s.place(c.limit)
		s.places[id] = place
	}
	s.records[place] = cached[V]{value: value, id: id, read: began.at.UnixNano() &^ used}
}

// place finds room for a record: what was dropped, or new room up to the limit, or
// that of the first record that nobody used since the hand last came by.
func (s *cacheShard[V]) place(limit int) uint32 {
	if last := len(s.free) - 1; last >= 0 {
		place := s.free[last]
		s.free = s.free[:last]
		return place
	}
	if len(s.records) < limit {
		s.records = append(s.records, cached[V]{})
		return uint32(len(s.records) - 1)
	}
	for s.records[s.hand].read&used != 0 {
		s.records[s.hand].read &^= used
		s.hand = (s.hand + 1) % limit
	}
	place := s.hand
	s.hand = (s.hand + 1) % limit
	delete(s.places, s.records[place].id)
	return uint32(place)
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
	if place, ok := s.places[id]; ok {
		delete(s.places, id)
		s.records[place] = cached[V]{}
		s.free = append(s.free, place)
	}
}

func (c *cache[V]) empty() {
	c.drops.Add(1)
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.drops++
		clear(s.places)
		s.records, s.free, s.hand = nil, nil, 0
		s.mu.Unlock()
	}
}

// memory is what a store remembers of its database.
type memory struct {
	authorizations *cache[checkRecord]
	scopes         scopeNumbers
	applications   *cache[oauth.Application]
	accounts       *cache[accountRecord]
	// accountChanges tell how long what a record of an authorization says of its account
	// holds.
	accountChanges accountChanges
	// trusted reports whether every drop has reached us; otherwise everything is
	// read again.
	trusted func() bool
}

// How long a record is trusted on PostgreSQL: briefly where several replicas write, because a
// rotation tells nobody, and longer by the only one. A command always tells, but it may be
// killed between its commit and that.
const (
	cachedLife      = 10 * time.Second
	cachedLifeAlone = time.Minute
)

// The bounds of the memory in records.
const (
	maxCachedAuthorizations = 120_000
	maxCachedApplications   = 10_000
	maxCachedAccounts       = 100_000
)

func newMemory(life func() time.Duration, trusted func() bool) *memory {
	return &memory{
		authorizations: newCache[checkRecord](maxCachedAuthorizations, life),
		applications:   newCache[oauth.Application](maxCachedApplications, life),
		accounts:       newCache[accountRecord](maxCachedAccounts, life),
		trusted:        trusted,
	}
}

func (m *memory) empty() {
	m.authorizations.empty()
	m.applications.empty()
	m.accounts.empty()
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
		m.accountChanges.add(c.id)
		// Applications carry their owner's name and state.
		m.applications.empty()
	case everythingChanged:
		m.empty()
	}
}

// recall is what is remembered to judge the access tokens of an authorization.
func (m *memory) recall(id oauth.ID) (c checked, ok bool) {
	if !m.trusted() {
		return c, false
	}
	r, ok := m.authorizations.get(id)
	if !ok {
		return c, false
	}
	return checked{check: m.scopes.open(r), disabled: r.disabled}, r.changes == m.accountChanges.at(r.account).Load()
}

// account returns what is remembered of an account, or reads it.
func (m *memory) account(id oauth.ID, read func() (oauth.Account, error)) (oauth.Account, error) {
	r, err := m.accountRecord(id, true, func() (accountRecord, error) {
		a, err := read()
		return sealAccount(a), err
	})
	if err != nil {
		return oauth.Account{}, err
	}
	return r.open(id), nil
}

// accountDisabled is account for what every event wants to know.
func (m *memory) accountDisabled(id oauth.ID, read func() (bool, error)) (bool, error) {
	r, err := m.accountRecord(id, false, func() (accountRecord, error) {
		disabled, err := read()
		return accountRecord{disabled: disabled}, err
	})
	return r.disabled, err
}

// accountRecord is remembered, but for a record that is not whole where that is needed.
func (m *memory) accountRecord(id oauth.ID, whole bool, read func() (accountRecord, error)) (accountRecord, error) {
	if !m.trusted() {
		return read()
	}
	if r, ok := m.accounts.get(id); ok && (r.whole || !whole) {
		return r, nil
	}
	return m.accounts.fill(id, read)
}

// knownDisabled is accountDisabled for a transaction that has begun: what that reads may be
// older than a drop, so that only learn, which looked before it began, may keep it.
func (m *memory) knownDisabled(id oauth.ID) (disabled, known bool) {
	if !m.trusted() {
		return false, false
	}
	r, known := m.accounts.get(id)
	return r.disabled, known
}

// learn reads what recall does not know, and keeps it.
func (m *memory) learn(id oauth.ID, read func() (checked, error)) (checked, error) {
	trusted := m.trusted()
	began, beganAccount := m.authorizations.begin(id), m.accounts.beginAny()
	before := m.accountChanges.all.Load()
	c, err := read()
	if err != nil || !trusted {
		return c, err
	}
	changes := m.accountChanges.at(c.check.AccountID).Load()
	if r, ok := m.scopes.seal(c, changes); ok && before == m.accountChanges.all.Load() {
		m.authorizations.keep(id, began, r)
	}
	if !c.account.ID.IsZero() {
		m.accounts.keep(c.account.ID, beganAccount, sealAccount(c.account))
	} else if _, known := m.accounts.get(c.check.AccountID); !known {
		m.accounts.keep(c.check.AccountID, beganAccount, accountRecord{disabled: c.disabled})
	}
	return c, nil
}

// remembered returns a record from the cache where that can be trusted, or reads it.
func remembered[V any](m *memory, c *cache[V], id oauth.ID, read func() (V, error)) (V, error) {
	if !m.trusted() {
		return read()
	}
	if value, ok := c.get(id); ok {
		return value, nil
	}
	return c.fill(id, read)
}
