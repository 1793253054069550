package usage

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/throttle"
)

const (
	// epoch is how long a connection that was seen to use a scope is not looked at again.
	epoch = 15 * time.Minute
	// maxSeen is how many connections are remembered to have been seen, a power of two.
	// Of two that share a place each is looked at again after the other.
	maxSeen = 1 << 17
	// maxUses is how many observations wait to be written.
	maxUses = 4096
)

// uses collects what applications are seen to use of accounts.
type uses struct {
	seed  maphash.Seed
	epoch atomic.Uint64
	seen  []atomic.Uint64

	mu      sync.Mutex
	waiting []use
	dropped int64
}

// use is an observation.
type use struct {
	connection oauth.Connection
	scope      oauth.Scope
	from       netip.Addr
}

func newUses(now time.Time) *uses {
	u := &uses{seed: maphash.MakeSeed(), seen: make([]atomic.Uint64, maxSeen)}
	u.begin(now)
	return u
}

// begin sets the clock; Used has none of its own.
func (u *uses) begin(now time.Time) { u.epoch.Store(uint64(now.UnixNano() / int64(epoch))) }

// Used notes that an API let an application use a scope of an account, for the client at
// remoteAddr. Seen already within the quarter of an hour, it costs a hash and a look.
func (m *Meter) Used(c oauth.Connection, scope oauth.Scope, remoteAddr string) {
	u := m.uses
	sum := binary.BigEndian.Uint64(c.AccountID[8:])*0x9e3779b97f4a7c15 ^ bits.RotateLeft64(binary.BigEndian.Uint64(c.ApplicationID[8:]), 29)
	sum = (sum^maphash.String(u.seed, string(scope)))*0xbf58476d1ce4e5b9 ^ u.epoch.Load()*0x94d049bb133111eb
	place := &u.seen[(sum^sum>>32)%maxSeen]
	if place.Load() == sum {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case len(u.waiting) == maxUses:
		// It stays unseen, so that it is noted when there is room again.
		u.dropped++
		return
	case len(u.waiting) == maxUses/2:
		m.hurry()
	}
	u.waiting = append(u.waiting, use{c, scope, throttle.Client(remoteAddr)})
	place.Store(sum)
}

// take returns what waits, by connection.
func (u *uses) take(now time.Time) (taken map[oauth.Connection]oauth.Use, dropped int64) {
	u.mu.Lock()
	waiting := u.waiting
	dropped, u.waiting, u.dropped = u.dropped, nil, 0
	u.mu.Unlock()
	u.begin(now)
	taken = make(map[oauth.Connection]oauth.Use, len(waiting))
	for _, w := range waiting {
		known := taken[w.connection]
		known.At = time.Time{} // the latest observation counts
		taken[w.connection] = known.Later(oauth.Use{Scope: w.scope, At: now, Network: Network(w.from)})
	}
	return taken, dropped
}

// Network is the address block of a client: enough to recognise a place, too little to
// recognise a person. It is empty for what is no address.
func Network(from netip.Addr) string {
	size := 24
	if from.Is6() {
		size = 48
	}
	block, err := from.Prefix(size)
	if err != nil {
		return ""
	}
	return block.String()
}
