package e2e_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// listener is what a developer built to be told.
type listener struct {
	url    string
	secret string
	// failures is how many requests are answered 503 first.
	failures atomic.Int64
	told     chan notification
	requests atomic.Int64
}

// notification is a delivery that the listener accepted.
type notification struct {
	id   string
	Type string            `json:"type"`
	At   time.Time         `json:"timestamp"`
	Data map[string]string `json:"data"`
}

// newListener accepts what is signed with its secret.
func newListener(t *testing.T) *listener {
	t.Helper()
	l := &listener{told: make(chan notification, 100)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.requests.Add(1)
		if l.failures.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body, err := io.ReadAll(r.Body)
		n := notification{id: r.Header.Get("webhook-id")}
		if err == nil {
			err = verify(l.secret, r.Header, body)
		}
		if err == nil {
			err = json.Unmarshal(body, &n)
		}
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != jsonType {
			t.Errorf("received %s %v %s: %v", r.Method, r.Header, body, err)
		}
		l.told <- n
	}))
	t.Cleanup(s.Close)
	l.url = s.URL + "/hook?key=" + strings.Repeat("k", 12)
	return l
}

// verify is what docs/protocol.md tells developers to do.
func verify(secret string, h http.Header, body []byte) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	at, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if age := time.Since(time.Unix(at, 0)); err != nil || age.Abs() > 5*time.Minute {
		return fmt.Errorf("webhook-timestamp %q", h.Get("webhook-timestamp"))
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", h.Get("webhook-id"), at, body)
	want := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	for _, presented := range strings.Fields(h.Get("webhook-signature")) {
		if hmac.Equal([]byte(presented), want) {
			return nil
		}
	}
	return fmt.Errorf("no signature fits")
}

// next waits for what the listener is told.
func (l *listener) next(t *testing.T, kind string) notification {
	t.Helper()
	select {
	case n := <-l.told:
		if n.Type != kind {
			t.Errorf("told %v; want %s", n, kind)
		}
		return n
	case <-time.After(patience):
		t.Fatalf("not told of %s in %v, after %d requests", kind, patience, l.requests.Load())
		return notification{}
	}
}

// silent demands that nothing more came.
func (l *listener) silent(t *testing.T) {
	t.Helper()
	select {
	case n := <-l.told:
		t.Errorf("told %v too", n)
	default:
	}
}
