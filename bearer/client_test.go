package bearer_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestTheCallersClientIsUsedWithoutItsCookies(t *testing.T) {
	check := newCheckEndpoint(t, asContract)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(check.URL)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(u, []*http.Cookie{{Name: "session", Value: "secret"}})
	var used counted
	if resp, got := through(t, check.URL, &http.Client{Transport: &used, Jar: jar}, request("Bearer "+live)); got == nil || used.Load() != 1 {
		t.Errorf("status %d; the Transport was used %d times", resp.StatusCode, used.Load())
	}
	if cookie := check.requests()[0].Header.Get("Cookie"); cookie != "" {
		t.Errorf("the cookie %s was sent", cookie)
	}
}

// counted is the Transport of everybody, and how often it was used.
type counted struct{ atomic.Int32 }

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.Add(1)
	return http.DefaultTransport.RoundTrip(r)
}

func TestAClientWithoutATimeoutGetsFiveSeconds(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{0: 5 * time.Second, -1: 5 * time.Second, time.Minute: time.Minute} {
		asked := time.Now()
		seen := deadline(func(until time.Time, limited bool) {
			if earliest, latest := asked.Add(want), time.Now().Add(want); !limited || until.Before(earliest) || until.After(latest) {
				t.Errorf("a client with the Timeout %v waits until %v (%v), want %v to %v", timeout, until, limited, earliest, latest)
			}
		})
		check := newCheckEndpoint(t, asContract)
		if resp, got := through(t, check.URL, &http.Client{Transport: seen, Timeout: timeout}, request("Bearer "+live)); got == nil {
			t.Errorf("a client with the Timeout %v: status %d", timeout, resp.StatusCode)
		}
	}
}

// deadline is the Transport of everybody, and tells until when a request waits.
type deadline func(until time.Time, limited bool)

func (d deadline) RoundTrip(r *http.Request) (*http.Response, error) {
	d(r.Context().Deadline())
	return http.DefaultTransport.RoundTrip(r)
}

func TestEveryCharacterOfRFC6750IsAskedAboutAndNoOther(t *testing.T) {
	for c := byte(' ') + 1; c <= '~'; c++ {
		check := newCheckEndpoint(t, asContract)
		through(t, check.URL, nil, request("Bearer a"+string(c)+"a"))
		want := strings.Contains("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/", string(c))
		if got := len(check.requests()) == 1; got != want {
			t.Errorf("a token with %q is asked about: %v; want %v", c, got, want)
		}
	}
}
