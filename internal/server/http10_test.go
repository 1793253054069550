package server

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAConnectionOfHTTP10EndsWithItsAnswer: net/http believes Content-Length there, and a proxy
// may believe Transfer-Encoding.
func TestAConnectionOfHTTP10EndsWithItsAnswer(t *testing.T) {
	s := &Server{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })}
	listening := httptest.NewServer(s)
	defer listening.Close()
	for version, want := range map[string]int{"1.0": 1, "1.1": 2} {
		conn, err := net.Dial("tcp", listening.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		framing := "Content-Length: 5\r\n"
		if version == "1.0" {
			framing += "Transfer-Encoding: chunked\r\n"
		}
		if _, err := io.WriteString(conn, "POST /first HTTP/"+version+"\r\nHost: a\r\nConnection: keep-alive\r\n"+framing+"\r\n0\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		// It may also end with a reset, since the second request is left unread.
		all, _ := io.ReadAll(conn)
		if got := strings.Count(string(all), " 200 OK"); got != want {
			t.Errorf("HTTP/%s: %d answers; want %d: %q", version, got, want, all)
		}
	}
}
