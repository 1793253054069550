package throttle_test

import (
	"net/netip"
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

	for range 10 {
		if _, ok := th.Take("a", home); !ok {
			t.Fatal("an exempt client was counted")
		}
	}
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
