package server

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// backlog is a listener whose end leaves nobody waiting: closing one resets the connections
// that were made and not accepted yet.
type backlog struct{ net.Listener }

// end lets Accept go on until nobody waits, and no longer than within where others keep coming.
// After that it closes the listener, or whoever accepts does.
func (b backlog) end(within time.Duration) {
	l, ok := b.Listener.(interface{ SetDeadline(time.Time) error })
	if !ok || l.SetDeadline(time.Unix(1, 0)) != nil {
		within = 0
	}
	time.AfterFunc(within, func() { _ = b.Close() })
}

// Accept returns the next connection. After the end it waits for none.
func (b backlog) Accept() (net.Conn, error) {
	conn, err := b.Listener.Accept()
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return conn, err
	}
	// After its deadline net does not ask the kernel any more.
	if l, ok := b.Listener.(syscall.Conn); ok {
		if conn, err = acceptWaiting(l); err == nil {
			return conn, nil
		}
	}
	return nil, net.ErrClosed
}
