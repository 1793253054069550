package server

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/latchkey/latchkey/internal/throttle"
)

func TestOnlyTrustedProxiesAreBelieved(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fe80::/10")}
	for name, c := range map[string]struct {
		from      string
		forwarded []string
		want      string
	}{
		"nobody trusted":            {"192.0.2.1:1", []string{"203.0.113.9"}, "192.0.2.1"},
		"a trusted proxy":           {"10.0.0.1:1", []string{"203.0.113.9"}, "203.0.113.9"},
		"two trusted proxies":       {"10.0.0.1:1", []string{"203.0.113.9, 10.1.1.1"}, "203.0.113.9"},
		"two headers":               {"10.0.0.1:1", []string{"203.0.113.9", "10.1.1.1"}, "203.0.113.9"},
		"a client that lies":        {"10.0.0.1:1", []string{"127.0.0.1, 203.0.113.9"}, "203.0.113.9"},
		"no header":                 {"10.0.0.1:1", nil, "10.0.0.1"},
		"a header that is no list":  {"10.0.0.1:1", []string{"unknown"}, "10.0.0.1"},
		"an address with a port":    {"10.0.0.1:1", []string{"203.0.113.9:4711"}, "203.0.113.9"},
		"IPv6 in brackets":          {"[::1]:1", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		"brackets without a port":   {"[::1]:1", []string{"[2001:db8::1]"}, "2001:db8::1"},
		"IPv6":                      {"[::1]:1", []string{"2001:db8::1"}, "2001:db8::1"},
		"an IPv4 address inside v6": {"[::ffff:10.0.0.1]:1", []string{"203.0.113.9"}, "203.0.113.9"},
		"empty elements":            {"10.0.0.1:1", []string{"", "203.0.113.9,, 10.1.1.1\t,", ""}, "203.0.113.9"},
		"a link's own address":      {"[fe80::1%eth0]:1", []string{"203.0.113.9"}, "203.0.113.9"},
		"two on a link":             {"[fe80::1%eth0]:1", []string{"203.0.113.9, fe80::2%eth0"}, "203.0.113.9"},
	} {
		t.Run(name, func(t *testing.T) {
			var got netip.Addr
			var plain bool
			led := func(toPlain bool) http.Handler {
				return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					got, plain = throttle.Client(r.RemoteAddr), toPlain
				})
			}
			h := believeProxies(led(false), led(true), trusted)
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = c.from
			r.Header["X-Forwarded-For"] = c.forwarded
			r.Header.Set("X-Forwarded-Proto", "http")
			h.ServeHTTP(httptest.NewRecorder(), r)
			if got.String() != c.want || plain == (name == "nobody trusted") {
				t.Errorf("the client is %v, without TLS: %v; want %s", got, plain, c.want)
			}
		})
	}
}

func TestOneForwardedHTTPIsEnough(t *testing.T) {
	for _, c := range []struct {
		forwarded []string
		want      bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{"https"}, false},
		{[]string{"https, https", "HTTPS"}, false},
		{[]string{"http"}, true},
		{[]string{"HTTP"}, true},
		{[]string{" Http\t"}, true},
		{[]string{"http, https"}, true},
		{[]string{"https,http"}, true},
		{[]string{"https", "http"}, true},
	} {
		var got bool
		led := func(toPlain bool) http.Handler {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got = toPlain })
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["X-Forwarded-Proto"] = c.forwarded
		believeProxies(led(false), led(true), []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}).ServeHTTP(httptest.NewRecorder(), r)
		if got != c.want {
			t.Errorf("%q: without TLS: %v", c.forwarded, got)
		}
	}
}
