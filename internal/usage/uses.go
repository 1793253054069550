package usage

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"net/netip"
	"slices"
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
	maxUses = 2048
	// usesApart lies between two writes of some of them, so that the rows, which lie
	// anywhere, take little of the disk: at most a few hundred a second.
	usesApart = 200 * time.Millisecond
)

// uses collects what applications are seen to use of accounts.
type uses struct {
	seed  maphash.Seed
	epoch atomic.Uint64
	seen  []atomic.Uint64

	// full tells without the lock that there is no room.
	full    atomic.Bool
	mu      sync.Mutex
	waiting []use
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
// remoteAddr, which may be unknown. Seen already within the quarter of an hour, it costs a hash and a look.
func (m *Meter) Used(c oauth.Connection, scope oauth.Scope, remoteAddr string) {
	u := m.uses
	sum := binary.BigEndian.Uint64(c.AccountID[8:])*0x9e3779b97f4a7c15 ^ bits.RotateLeft64(binary.BigEndian.Uint64(c.ApplicationID[8:]), 29)
	sum = (sum^maphash.String(u.seed, string(scope)))*0xbf58476d1ce4e5b9 ^ u.epoch.Load()*0x94d049bb133111eb
	place := &u.seen[(sum^sum>>32)%maxSeen]
	// Where there is no room it stays unseen, and is noted the next time.
	if place.Load() == sum || u.full.Load() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.waiting) == maxUses {
		u.full.Store(true)
		return
	}
	u.waiting = append(u.waiting, use{c, scope, throttle.Client(remoteAddr)})
	place.Store(sum)
}

// take returns what waits, by connection; of more than room the rest goes on waiting.
func (u *uses) take(now time.Time, room int) map[oauth.Connection]oauth.Use {
	u.mu.Lock()
	taking := u.waiting[:min(room, len(u.waiting))]
	u.waiting = slices.Clone(u.waiting[len(taking):])
	u.full.Store(len(u.waiting) == maxUses)
	u.mu.Unlock()
	u.begin(now)
	taken := make(map[oauth.Connection]oauth.Use, len(taking))
	for _, w := range taking {
		known := taken[w.connection]
		known.At = time.Time{} // the latest observation counts
		taken[w.connection] = known.Later(oauth.Use{Scope: w.scope, At: now, Network: Network(w.from)})
	}
	return taken
}

// Network is the address block of a client: enough to recognise a place, too little to
// recognise a person. It is empty for what is no address.
func Network(from netip.Addr) string {
	size := 24
	if from.Is6() {
		size = 48
	}
	// The block of what is no address is none.
	block, err := from.Prefix(size)
	if err != nil || !block.IsValid() {
		return ""
	}
	return block.String()
}
