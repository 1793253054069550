package server

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAConnectionEndsWithTheAnswerToWhatOthersMayFrameOtherwise: in HTTP/1.0 net/http believes
// Content-Length, later Transfer-Encoding, and a proxy may believe the other.
func TestAConnectionEndsWithTheAnswerToWhatOthersMayFrameOtherwise(t *testing.T) {
	s := &Server{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })}
	listening := httptest.NewServer(s)
	defer listening.Close()
	const length, chunked = "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"
	for _, c := range []struct {
		version, framing string
		want             int
	}{
		{"1.0", length, 1}, {"1.0", length + chunked, 1},
		{"1.1", length, 2}, {"1.1", chunked, 1}, {"1.1", length + chunked, 1}, {"1.1", chunked + length, 1},
	} {
		conn, err := net.Dial("tcp", listening.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "POST /first HTTP/"+c.version+"\r\nHost: a\r\nConnection: keep-alive\r\n"+c.framing+"\r\n0\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		// It may also end with a reset, since the second request is left unread.
		all, _ := io.ReadAll(conn)
		if got := strings.Count(string(all), " 200 OK"); got != c.want {
			t.Errorf("HTTP/%s, %q: %d answers; want %d: %q", c.version, c.framing, got, c.want, all)
		}
	}
}
