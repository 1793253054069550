//go:build !unix

package server

import (
	"errors"
	"net"
	"syscall"
)

// acceptWaiting accepts nobody: there is no way to ask without waiting.
func acceptWaiting(syscall.Conn) (net.Conn, error) { return nil, errors.ErrUnsupported }
