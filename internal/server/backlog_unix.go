//go:build unix

package server

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// acceptWaiting returns a connection that waits to be accepted, and an error where none does.
func acceptWaiting(listener syscall.Conn) (net.Conn, error) {
	raw, err := listener.SyscallConn()
	if err != nil {
		return nil, err
	}
	accepted, failed := -1, error(syscall.EINTR)
	err = raw.Control(func(fd uintptr) {
		for failed == syscall.EINTR || failed == syscall.ECONNABORTED {
			accepted, _, failed = syscall.Accept(int(fd))
		}
	})
	if err != nil || failed != nil {
		return nil, errors.Join(err, failed)
	}
	file := os.NewFile(uintptr(accepted), "")
	defer file.Close()
	return net.FileConn(file)
}
