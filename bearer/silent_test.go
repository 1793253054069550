package bearer_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchkey/latchkey/bearer"
)

// TestAConnectionThatHasGoneSilentIsGivenUp: all requests to an https URL share one connection in
// HTTP/2, which outlives a request that is not answered.
func TestAConnectionThatHasGoneSilentIsGivenUp(t *testing.T) {
	certified := httptest.NewUnstartedServer(nil)
	certified.EnableHTTP2 = true
	certified.StartTLS()
	serving := certified.TLS.Clone()
	trusting := certified.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	certified.Close()

	synctest.Test(t, func(t *testing.T) {
		dialled := make(pipes)
		var versions atomic.Int32
		check := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			versions.Store(int32(r.ProtoMajor))
			asContract(w, r)
		})}
		go check.Serve(tls.NewListener(dialled, serving))
		defer check.Close()

		var present *silent
		standard := http.DefaultTransport
		defer func() { http.DefaultTransport = standard }()
		http.DefaultTransport = &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: trusting, DialContext: func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			dialled <- there
			present = &silent{Conn: here}
			return present, nil
		}}
		guard, err := bearer.New("https://example.com/irk/oauth/check", nil)
		if err != nil {
			t.Fatal(err)
		}
		asked := func() int {
			w := httptest.NewRecorder()
			guard.Require("profile")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, request("Bearer "+live))
			return w.Code
		}
		if status := asked(); status != http.StatusOK || versions.Load() != 2 {
			t.Fatalf("status %d by HTTP/%d", status, versions.Load())
		}
		present.gone.Store(true)
		began := time.Now()
		for asked() != http.StatusOK {
			if time.Since(began) > time.Minute {
				t.Fatal("the connection is used for a minute")
			}
		}
	})
}

// TestOfConnectionsThatWentSilentTogetherOneIsWaitedFor: in HTTP/1.1 each request at once has a
// connection of its own, and they go silent together when the machine that they lead to is gone.
func TestOfConnectionsThatWentSilentTogetherOneIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const atOnce = 8
		dialled := make(pipes)
		var all sync.WaitGroup
		check := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			all.Done()
			all.Wait() // so that none of them can use the connection of another
			asContract(w, r)
		})}
		go check.Serve(dialled)
		defer check.Close()
		var present []*silent
		var mu sync.Mutex
		guard, err := bearer.New("http://example.com/irk/oauth/check", &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: atOnce,
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				here, there := net.Pipe()
				dialled <- there
				mu.Lock()
				defer mu.Unlock()
				present = append(present, &silent{Conn: here})
				return present[len(present)-1], nil
			},
		}})
		if err != nil {
			t.Fatal(err)
		}
		all.Add(atOnce)
		var asked sync.WaitGroup
		for range atOnce {
			asked.Go(func() { refusedBody(guard) })
		}
		asked.Wait()
		for _, c := range present {
			c.gone.Store(true)
		}
		all.Add(1)
		for i, want := range []string{"temporarily_unavailable", "invalid_token"} {
			if body := refusedBody(guard); !strings.Contains(body, want) {
				t.Errorf("request %d is answered %s, want %s", i, body, want)
			}
		}
	})
}

// pipes is a listener, and silent a connection on which nothing arrives any more, nor is refused.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

type silent struct {
	net.Conn
	gone atomic.Bool
}

func (s *silent) Write(b []byte) (int, error) {
	if s.gone.Load() {
		return len(b), nil
	}
	return s.Conn.Write(b)
}
