package main

import (
	"io"
	"net"
	"strings"
	"testing"
)

// answering is the address of a server that answers each request with the pieces of
// one answer, each in a write of its own.
func answering(t *testing.T, answers ...[]string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		tcp, err := listener.Accept()
		if err != nil {
			return
		}
		defer tcp.Close()
		request := make([]byte, len(ping))
		for _, pieces := range answers {
			if _, err := io.ReadFull(tcp, request); err != nil {
				return
			}
			for _, piece := range pieces {
				if _, err := tcp.Write([]byte(piece)); err != nil {
					return
				}
			}
		}
	}()
	return listener.Addr().String()
}

const ping = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

func dialed(t *testing.T, address string) *conn {
	t.Helper()
	c, err := dial(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

// TestAnswersAreRead reads several answers from one connection, so that what one
// leaves behind would spoil the next.
func TestAnswersAreRead(t *testing.T) {
	long := strings.Repeat("long ", 4000)
	chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n"
	cases := []struct {
		name   string
		answer []string
		status int
		body   string
	}{
		{"whole", []string{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}, 200, "hello"},
		{"a header in lower case", []string{"HTTP/1.1 400 Bad Request\r\ncontent-length:3\r\n\r\nbad"}, 400, "bad"},
		{"empty", []string{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, 200, ""},
		{"without a body", []string{"HTTP/1.1 204 No Content\r\n\r\n"}, 204, ""},
		{"in bytes", strings.Split("HTTP/1.1 200 OK\r\nX-Content-Length: 9\r\nContent-Length: 5\r\n\r\nhello", ""), 200, "hello"},
		{"longer than a packet", []string{"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n", long}, 200, long},
		{"chunks", []string{chunked}, 200, "hello, world"},
		{"chunks in bytes", strings.Split(chunked, ""), 200, "hello, world"},
	}
	var answers [][]string
	for _, c := range cases {
		answers = append(answers, c.answer)
	}
	connection := dialed(t, answering(t, answers...))
	for _, c := range cases {
		status, body, err := connection.exchange([]byte(ping))
		if err != nil || status != c.status || string(body) != c.body {
			t.Fatalf("%s: read %d and %d bytes, %v", c.name, status, len(body), err)
		}
	}
	if _, _, err := connection.exchange([]byte(ping)); err == nil {
		t.Error("an answer was read from a connection that was closed")
	}
}

func TestWhatIsNoAnswerIsAnError(t *testing.T) {
	for _, answer := range []string{
		"short\r\n\r\n",
		"HTTP/1.1 abc OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 64<<10),
	} {
		if status, _, err := dialed(t, answering(t, []string{answer})).exchange([]byte(ping)); err == nil {
			t.Errorf("%.60q was read as an answer with the status %d", answer, status)
		}
	}
}
