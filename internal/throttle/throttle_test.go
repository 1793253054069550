package throttle_test

import (
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/throttle"
)

func TestThrottle(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	from, home := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("127.0.0.1")
	exempt := throttle.Exempt{netip.MustParsePrefix("127.0.0.0/8")}
	th := throttle.New(2, time.Minute, exempt, func() time.Time { return now })
	take := func(key string, want bool, wantWait time.Duration) {
		t.Helper()
		wait, ok := th.Take(key, from)
		if ok != want || wait != wantWait {
			t.Errorf("Take(%q) = %v, %v; want %v, %v", key, wait, ok, wantWait, want)
		}
	}
	take("a", true, 0)
	take("a", true, 0)
	take("a", false, time.Minute)
	take("b", true, 0)

	th.Return("a", from)
	take("a", true, 0)
	take("a", false, time.Minute)

	now = now.Add(30 * time.Second)
	take("a", false, 30*time.Second)
	now = now.Add(30 * time.Second)
	take("a", true, 0)
	take("a", false, time.Minute)

	// A clock that is set back locks nobody out.
	now = now.Add(-time.Hour)
	take("a", false, time.Minute)
	now = now.Add(time.Minute)
	take("a", true, 0)
	take("a", false, time.Minute)

	for range 10 {
		if _, ok := th.Take("a", home); !ok {
			t.Fatal("an exempt client was counted")
		}
	}
	th.Return("a", home)
	take("a", false, time.Minute)
}

func TestNetworkIsOnePersonsReach(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "2001:db8::1": "2001:db8::/64", "2001:db8::ffff:1": "2001:db8::/64",
	} {
		if got := throttle.Network(netip.MustParseAddr(address)); got != want {
			t.Errorf("Network(%s) = %s; want %s", address, got, want)
		}
	}
}

// held is how much memory is in use, in bytes.
func held() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestLongKeysTakeNoMoreMemoryThanShortOnes(t *testing.T) {
	from := netip.MustParseAddr("192.0.2.1")
	th := throttle.New(1, time.Minute, nil, time.Now)
	long := func(i int) string { return strings.Repeat("x", 60<<10) + strconv.Itoa(i) }
	const keys = 500
	before := held()
	for i := range keys {
		th.Take(long(i), from)
	}
	if took := int64(held() - before); took > keys*1024 {
		t.Errorf("%d keys take %d bytes", keys, took)
	}
	if _, ok := th.Take(long(0), from); ok {
		t.Error("a long key is not counted")
	}
	th.Return(long(0), from)
	if _, ok := th.Take(long(0), from); !ok {
		t.Error("what was returned is counted")
	}
}

func TestForgottenKeysMakeRoom(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	from := netip.MustParseAddr("192.0.2.1")
	th := throttle.New(2, time.Minute, nil, func() time.Time { return now })
	const keys = 100_000 // as many as there is room for
	for i := range keys {
		th.Take(strconv.Itoa(i), from)
	}
	take := func(key string, want ...bool) {
		t.Helper()
		for i, want := range want {
			if _, ok := th.Take(key, from); ok != want {
				t.Errorf("attempt %d for %s is allowed: %v; want %v", i+1, key, ok, want)
			}
		}
	}
	take("late", true, true, true) // not counted
	take("1", true, false)
	now = now.Add(time.Minute)
	take("late", true, true, false)
	take("1", true, false)
	// A clock that is set back keeps none longer.
	for i := range keys {
		th.Take(strconv.Itoa(i), from)
	}
	now = now.Add(-time.Hour)
	take("1", false)
	now = now.Add(3 * time.Minute)
	take("later", true, true, false)
}
