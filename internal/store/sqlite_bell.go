package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"
)

// socketFile is where a server on a data folder hears of the writes of commands.
const socketFile = "latchkey.sock"

// socketPatience bounds how long a command waits for the server to drop what it
// cached.
const socketPatience = 3 * time.Second

// serve lets this process, which has the data folder, answer from memory: it drops everything
// when a command tells that it wrote.
func (e *sqlite) serve() error {
	// A server that was killed left its socket behind.
	if err := os.Remove(filepath.Join(filepath.Dir(e.path), socketFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove an old socket: %w", err)
	}
	err := e.atSocket(func(path string) (err error) {
		e.socket, err = net.Listen("unix", path)
		return err
	})
	if err != nil {
		return fmt.Errorf("listen for commands: %w", err)
	}
	e.workers.Go(e.hear)
	e.workers.Go(e.watch)
	return nil
}

// maxSocketPath is what fits into the address of a Unix socket everywhere.
const maxSocketPath = 100

// atSocket calls f with a path of the socket that is short enough: through the
// open folder, where Linux has that, when the folder's own path is too long.
func (e *sqlite) atSocket(f func(path string) error) error {
	folder := filepath.Dir(e.path)
	path := filepath.Join(folder, socketFile)
	if len(path) <= maxSocketPath {
		return f(path)
	}
	open, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer open.Close()
	return f(fmt.Sprintf("/proc/self/fd/%d/%s", open.Fd(), socketFile))
}

// hearAgain is how long nobody is heard who could not be: there may be no file left to open.
const hearAgain = 50 * time.Millisecond

// hear drops everything for whoever connects, and then says so, until the store is closed.
func (e *sqlite) hear() {
	for {
		conn, err := e.socket.Accept()
		if err != nil {
			select {
			case <-time.After(hearAgain):
				continue
			case <-e.closing:
				return
			}
		}
		e.memory.empty()
		_, _ = conn.Write([]byte("ok"))
		_ = conn.Close()
	}
}

// watch looks every second whether another process wrote, for a command that died
// before it could tell.
func (e *sqlite) watch() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var last int64
	for {
		var version int64
		err := e.transact(context.Background(), func(tx *transaction) error {
			return tx.queryRow(`pragma data_version`).Scan(&version)
		})
		if err != nil || version != last {
			e.memory.empty()
			last = version
		}
		select {
		case <-ticker.C:
		case <-e.closing:
			return
		}
	}
}

// announce tells the server of the data folder, if there is one, that this
// process wrote, and waits until it has dropped what it cached.
func (e *sqlite) announce([]change, bool) error {
	if e.socket != nil {
		return nil
	}
	var conn net.Conn
	err := e.atSocket(func(path string) (err error) {
		conn, err = net.DialTimeout("unix", path, socketPatience)
		return err
	})
	if err != nil {
		// No server runs, or it was killed.
		return nil
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(socketPatience)); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, make([]byte, 2)); err != nil {
		return fmt.Errorf("%w: %w", ErrUnconfirmed, err)
	}
	return nil
}
