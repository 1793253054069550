package webhook

import (
	"encoding/base64"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestSignatureIsThatOfTheSpecification uses the example of the reference libraries of
// Standard Webhooks.
func TestSignatureIsThatOfTheSpecification(t *testing.T) {
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), `{"test": 2432232314}`)
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signature %s; want %s", got, want)
	}
}

func TestRetriesComeLessAndLessOften(t *testing.T) {
	want := []time.Duration{
		10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
	}
	for i, middle := range want {
		for jitter, factor := range map[float64]float64{0: 0.9, 0.5: 1, 1: 1.1} {
			got, again := retryAfter(i+1, DefaultFirstRetry, jitter)
			if off := got - time.Duration(float64(middle)*factor); !again || off.Abs() > time.Millisecond {
				t.Errorf("after failure %d with jitter %v: %v, %v; want %v times %v", i+1, jitter, got, again, middle, factor)
			}
		}
	}
	if last, again := retryAfter(len(want), MaxFirstRetry, 1); !again || last < 8640*time.Hour {
		t.Errorf("the longest pause is %v", last)
	}
	if _, again := retryAfter(len(want)+1, DefaultFirstRetry, 0.5); again {
		t.Error("a delivery is never given up")
	}
}

func TestGuardPermitsPublicAddressesAlone(t *testing.T) {
	public := guard{}
	here := guard{loopback: true}
	inside := guard{allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")}}
	rows := []struct {
		address              string
		public, here, inside bool
	}{
		{"93.184.216.34", true, true, true},
		{"2606:2800:220:1:248:1893:25c8:1946", true, true, true},
		{"::ffff:93.184.216.34", true, true, true},
		{"64:ff9b::5db8:d822", true, true, true},
		{"127.0.0.1", false, true, false},
		{"127.8.8.8", false, true, false},
		{"::1", false, true, false},
		{"::ffff:127.0.0.1", false, true, false},
		{"10.1.2.3", false, false, true},
		{"::ffff:10.1.2.3", false, false, true},
		{"64:ff9b::a01:203", false, false, true},
		{"fd12::1", false, false, true},
		{"10.2.2.3", false, false, false},
		{"172.16.0.1", false, false, false},
		{"192.168.1.1", false, false, false},
		{"::ffff:192.168.1.1", false, false, false},
		{"::192.168.1.1", false, false, false},
		{"64:ff9b::c0a8:101", false, false, false},
		{"64:ff9b:1::1", false, false, false},
		{"2002:c0a8:101::1", false, false, false},
		{"2001:0:c0a8:101::1", false, false, false},
		{"169.254.169.254", false, false, false},
		{"fe80::1%eth0", false, false, false},
		{"fe80::1", false, false, false},
		{"fec0::1", false, false, false},
		{"::ffff:0:127.0.0.1", false, false, false},
		{"4000::1", false, false, false},
		{"fc00::1", false, false, false},
		{"100.64.0.1", false, false, false},
		{"192.0.0.8", false, false, false},
		{"198.18.0.1", false, false, false},
		{"224.0.0.1", false, false, false},
		{"ff02::1", false, false, false},
		{"0.0.0.0", false, false, false},
		{"0.1.2.3", false, false, false},
		{"::", false, false, false},
		{"255.255.255.255", false, false, false},
		{"240.0.0.1", false, false, false},
		{"192.0.2.1", false, false, false},
		{"192.88.99.1", false, false, false},
		{"198.19.255.255", false, false, false},
		{"198.51.100.1", false, false, false},
		{"203.0.113.1", false, false, false},
		{"100::1", false, false, false},
		{"2001:1ff::1", false, false, false},
		{"2001:db8::1", false, false, false},
		{"3fff::1", false, false, false},
		{"5f00::1", false, false, false},
	}
	for _, row := range rows {
		a := netip.MustParseAddr(row.address)
		for name, c := range map[string]struct {
			g    guard
			want bool
		}{"a public server": {public, row.public}, "a server on loopback": {here, row.here}, "a server that allows networks": {inside, row.inside}} {
			if got := c.g.permits(a); got != c.want {
				t.Errorf("%s dials %s: %v; want %v", name, row.address, got, c.want)
			}
			if got := c.g.control("tcp", netip.AddrPortFrom(a, 443).String(), nil) == nil; got != c.want {
				t.Errorf("%s is let through to %s: %v; want %v", name, row.address, got, c.want)
			}
		}
	}
}

func TestURLsThatCanBeToldAreHTTPS(t *testing.T) {
	rows := []struct {
		url          string
		public, here bool
	}{
		{"https://app.example/hook?key=1", true, true},
		{"https://93.184.216.34:8443/", true, true},
		{"http://localhost:3000/hook", false, true},
		{"http://127.0.0.1:3000/hook", false, true},
		{"http://[::1]:3000/hook", false, true},
		{"https://localhost/hook", false, true},
		{"https://127.0.0.1/", false, true},
		{"http://app.example/", false, false},
		{"https://10.0.0.1/", false, false},
		{"https://[fe80::1]/", false, false},
		{"https://1572395042/hook", false, false},
		{"https://user:password@app.example/", false, false},
		{"https://app.example/#part", false, false},
		{"ftp://app.example/", false, false},
		{"https:///path", false, false},
		{"app.example/hook", false, false},
		{"https://app example/", false, false},
		{"https://app.example/a b", false, false},
		{"https://app.example/ä", false, false},
		{"https://app.example:99999/", false, false},
		{"https://app.example/" + strings.Repeat("x", 2000), false, false},
		{"", false, false},
	}
	for _, row := range rows {
		if wrong := (guard{}).checkURL(row.url); wrong.IsZero() != row.public {
			t.Errorf("a public server says %q to %s", wrong, row.url)
		}
		if wrong := (guard{loopback: true}).checkURL(row.url); wrong.IsZero() != row.here {
			t.Errorf("a server on loopback says %q to %s", wrong, row.url)
		}
	}
	if wrong := (guard{}).checkURL("https://app.example:99999/"); !strings.Contains(wrong.String(), "no valid port") {
		t.Errorf("of a port that cannot be it says %q", wrong)
	}
}
