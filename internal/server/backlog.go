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

// acceptTime is how long those who wait at the end are accepted, where others keep coming.
const acceptTime = 5 * time.Second

// end lets Accept go on until nobody waits. Then whoever accepts closes the listener.
func (b backlog) end() {
	l, ok := b.Listener.(interface{ SetDeadline(time.Time) error })
	if !ok || l.SetDeadline(time.Unix(1, 0)) != nil {
		_ = b.Close()
		return
	}
	time.AfterFunc(acceptTime, func() { _ = b.Close() })
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
