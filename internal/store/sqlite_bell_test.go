package store

import (
	"errors"
	"net"
	"path/filepath"
	"syscall"
	"testing"
)

// shortOfFiles is a socket for which there was no file left once.
type shortOfFiles struct {
	net.Listener
	t       *testing.T
	files   bool
	refused chan struct{}
	forgot  func() bool
}

func (s *shortOfFiles) Accept() (net.Conn, error) {
	if s.files {
		conn, err := s.Listener.Accept()
		return attentive{conn, s.t, s.forgot}, err
	}
	s.files = true
	close(s.refused)
	return nil, syscall.EMFILE
}

// attentive is a connection that wants everything to be forgotten before it is answered.
type attentive struct {
	net.Conn
	t      *testing.T
	forgot func() bool
}

func (a attentive) Write(b []byte) (int, error) {
	if !a.forgot() {
		a.t.Error("the command is answered, and nothing was dropped")
	}
	return a.Conn.Write(b)
}

func TestAServerThatCouldNotHearACommandHearsTheNext(t *testing.T) {
	path := filepath.Join(t.TempDir(), DatabaseFile)
	server, command := &sqlite{path: path, closing: make(chan struct{})}, &sqlite{path: path}
	server.memory = newMemory(cachedOnSQLite, nil, server.trusted)
	refused, before := make(chan struct{}), server.memory.authorizations.drops.Load()
	forgot := func() bool { return server.memory.authorizations.drops.Load() != before }
	must(t, server.atSocket(func(path string) error {
		listening, err := net.Listen("unix", path)
		server.socket = &shortOfFiles{Listener: listening, t: t, refused: refused, forgot: forgot}
		return err
	}))
	server.workers.Go(server.hear)
	<-refused
	must(t, command.announce(nil, true))
	close(server.closing)
	must(t, server.socket.Close())
	server.workers.Wait()
}

func TestACommandKnowsWhetherTheServerHeard(t *testing.T) {
	command := &sqlite{path: filepath.Join(t.TempDir(), DatabaseFile)}
	if err := command.announce(nil, true); err != nil {
		t.Errorf("where no server is: %v", err)
	}
	must(t, command.atSocket(func(path string) error {
		listening, err := net.Listen("unix", path)
		if err != nil {
			return err
		}
		go func() {
			conn, err := listening.Accept()
			if err == nil {
				_ = conn.Close()
			}
		}()
		t.Cleanup(func() { _ = listening.Close() })
		return nil
	}))
	if err := command.announce(nil, true); !errors.Is(err, ErrUnconfirmed) {
		t.Errorf("where a server ends without an answer: %v", err)
	}
}
