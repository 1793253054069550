package server

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

func TestShutdownFinishesRequestsAndDoesNotWaitForUnusedConnections(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	s := &Server{log: slog.New(slog.DiscardHandler), handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-finish
		_, _ = io.WriteString(w, "done")
	})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, listener) }()

	unused, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer unused.Close()
	answers := make(chan string, 1)
	go func() {
		r, err := http.Get("http://" + listener.Addr().String())
		if err != nil {
			answers <- err.Error()
			return
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		answers <- string(body)
	}()
	<-began
	stop()
	// The unused connection is closed while the request is still in flight.
	if err := unused.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := unused.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the unused connection says %v", err)
	}
	close(finish)
	if got := <-answers; got != "done" {
		t.Errorf("the request in flight got %q", got)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestLeavingClosesUnusedConnectionsAlone(t *testing.T) {
	c := &connections{unused: map[net.Conn]bool{}}
	unused, itsClient := net.Pipe()
	busy, client := net.Pipe()
	for conn, states := range map[net.Conn][]http.ConnState{unused: {http.StateNew}, busy: {http.StateNew, http.StateActive}} {
		for _, state := range states {
			c.observe(conn, state)
		}
	}
	c.leave(0)
	if _, err := itsClient.Write([]byte("x")); err != io.ErrClosedPipe {
		t.Errorf("the unused connection says %v", err)
	}
	go func() { _, _ = io.WriteString(busy, "x") }()
	if _, err := client.Read(make([]byte, 1)); err != nil {
		t.Errorf("the busy connection says %v", err)
	}
}

func TestConnectionsEndWithAnAnswerAtShutdown(t *testing.T) {
	address, stop, served := serving(t, func(l *net.TCPListener) net.Listener { return l })

	// Connections are accepted in their order, so whoever is before one that is answered is known.
	unused, idle := dial(t, address), dial(t, address)
	idle.ask(t)
	var busy sync.WaitGroup
	for range 8 {
		c := dial(t, address)
		c.ask(t)
		busy.Go(func() {
			for status, last := c.ask(t); status != 0 && !last; status, last = c.ask(t) {
			}
		})
	}
	stop()
	busy.Wait()
	for name, c := range map[string]*client{"kept": idle, "unused": unused} {
		if status, last := c.ask(t); status != http.StatusServiceUnavailable || !last {
			t.Errorf("on the %s connection readyz answers %d, the last is %v", name, status, last)
		}
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestWhoWaitsToBeAcceptedIsAnsweredAtShutdown(t *testing.T) {
	address, stop, served := serving(t, func(l *net.TCPListener) net.Listener {
		return &late{TCPListener: l, ended: make(chan struct{})}
	})

	var waiting []*client
	for range 50 {
		c := dial(t, address)
		c.send(t)
		waiting = append(waiting, c)
	}
	stop()
	for i, c := range waiting {
		if status, last := c.answer(t); status != http.StatusServiceUnavailable || !last {
			t.Errorf("on connection %d readyz answers %d, the last is %v", i, status, last)
		}
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("it listens still")
	}
}

// serving answers readyz on a listener until stop, and then tells how that ended.
func serving(t *testing.T, on func(*net.TCPListener) net.Listener) (address string, stop func(), served <-chan error) {
	t.Helper()
	s := &Server{log: slog.New(slog.DiscardHandler), linger: time.Minute}
	s.handler = s.ready(func(context.Context) error { return nil })
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, on(listener)) }()
	return listener.Addr().String(), stop, ended
}

// late accepts nobody until it is to end.
type late struct {
	*net.TCPListener
	once  sync.Once
	ended chan struct{}
}

func (l *late) end() { l.once.Do(func() { close(l.ended) }) }

func (l *late) Accept() (net.Conn, error) {
	<-l.ended
	return l.TCPListener.Accept()
}

func (l *late) SetDeadline(at time.Time) error {
	defer l.end()
	return l.TCPListener.SetDeadline(at)
}

func (l *late) Close() error {
	defer l.end()
	return l.TCPListener.Close()
}

// client asks on one connection.
type client struct {
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, address string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{conn, bufio.NewReader(conn)}
}

func (c *client) ask(t *testing.T) (status int, last bool) {
	t.Helper()
	c.send(t)
	return c.answer(t)
}

func (c *client) send(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(c, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Errorf("a request cannot be sent: %v", err)
	}
}

// answer returns the status, 0 without an answer, and whether the server answers no more after it.
func (c *client) answer(t *testing.T) (status int, last bool) {
	t.Helper()
	res, err := http.ReadResponse(c.in, nil)
	if err == nil {
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
	}
	if err != nil {
		t.Errorf("a request gets no answer: %v", err)
		return 0, false
	}
	return res.StatusCode, res.Close
}
