package store

import (
	"net"
	"path/filepath"
	"syscall"
	"testing"
)

// shortOfFiles is a socket for which there was no file left once.
type shortOfFiles struct {
	net.Listener
	files   bool
	refused chan struct{}
}

func (s *shortOfFiles) Accept() (net.Conn, error) {
	if s.files {
		return s.Listener.Accept()
	}
	s.files = true
	close(s.refused)
	return nil, syscall.EMFILE
}

func TestAServerThatCouldNotHearACommandHearsTheNext(t *testing.T) {
	path := filepath.Join(t.TempDir(), DatabaseFile)
	server, command := &sqlite{path: path, closing: make(chan struct{})}, &sqlite{path: path}
	server.memory = newMemory(cachedOnSQLite, nil, server.trusted)
	refused := make(chan struct{})
	must(t, server.atSocket(func(path string) error {
		listening, err := net.Listen("unix", path)
		server.socket = &shortOfFiles{Listener: listening, refused: refused}
		return err
	}))
	server.workers.Go(server.hear)
	<-refused
	before := server.memory.authorizations.drops.Load()
	must(t, command.announce(nil, true))
	if server.memory.authorizations.drops.Load() == before {
		t.Error("the command is answered, and nothing was dropped")
	}
	close(server.closing)
	must(t, server.socket.Close())
	server.workers.Wait()
}
