package bearer_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
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
