// Package postgres starts a real PostgreSQL for tests: Debian's package, on a free
// port, in a temporary folder, as a user without privileges. What is tested on it
// lives elsewhere.
package postgres

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL of its own.
type Server struct {
	folder, binaries, port string
	credential             *syscall.Credential
	process                *exec.Cmd
	databases              atomic.Int64
}

// patience bounds how long a server may take to start or stop.
const patience = time.Minute

// Start makes a cluster and starts it. It is stopped and removed when the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{binaries: findBinaries(t), port: freePort(t)}
	folder, err := os.MkdirTemp("", "latchkey-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	s.folder = folder
	t.Cleanup(func() {
		s.stop(syscall.SIGQUIT)
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	if os.Geteuid() == 0 {
		s.becomeUnprivileged(t)
	}
	initdb := s.command("initdb", "-D", s.data(), "-U", "latchkey", "-A", "trust", "-E", "UTF8", "--no-locale")
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.Up(t)
	return s
}

func (s *Server) data() string { return filepath.Join(s.folder, "data") }

func findBinaries(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		t.Fatal("PostgreSQL is not installed; run: apt-get install postgresql")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1])
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// becomeUnprivileged lets the server run as postgres or nobody: it refuses root.
func (s *Server) becomeUnprivileged(t testing.TB) {
	t.Helper()
	who, err := user.Lookup("postgres")
	if err != nil {
		if who, err = user.Lookup("nobody"); err != nil {
			t.Fatal(err)
		}
	}
	uid, uidErr := strconv.ParseUint(who.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(who.Gid, 10, 32)
	if uidErr != nil || gidErr != nil {
		t.Fatalf("the user %s has no numbers", who.Username)
	}
	s.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	if err := os.Chown(s.folder, int(uid), int(gid)); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.binaries, name), args...)
	cmd.Dir = s.folder
	// It must not outlive a test that is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential, Pdeathsig: syscall.SIGQUIT}
	return cmd
}

// Up starts the server and waits until it accepts connections.
func (s *Server) Up(t testing.TB, settings ...string) {
	t.Helper()
	args := []string{"-D", s.data(), "-p", s.port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200"}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	s.process = s.command("postgres", args...)
	log, err := s.process.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	ready, said := make(chan bool, 1), &strings.Builder{}
	go func() {
		lines := bufio.NewScanner(log)
		for lines.Scan() {
			fmt.Fprintln(said, lines.Text())
			if strings.Contains(lines.Text(), "ready to accept connections") {
				ready <- true
				break
			}
		}
		close(ready)
		_, _ = io.Copy(io.Discard, log)
	}()
	select {
	case up := <-ready:
		if !up {
			t.Fatalf("PostgreSQL did not start:\n%s", said)
		}
	case <-time.After(patience):
		t.Fatal("PostgreSQL did not start in time")
	}
}

// Kill stops the server at once, as a power cut would for its clients.
func (s *Server) Kill() { s.stop(syscall.SIGQUIT) }

// Stop shuts the server down; connections are ended.
func (s *Server) Stop() { s.stop(syscall.SIGINT) }

func (s *Server) stop(signal os.Signal) {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Signal(signal)
	_ = s.process.Wait()
	s.process = nil
}

// Address is where the server listens.
func (s *Server) Address() string { return "127.0.0.1:" + s.port }

// URL names a database of the server.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://latchkey@%s/%s?sslmode=disable", s.Address(), database)
}

// Database creates an empty database and returns its URL.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", s.databases.Add(1))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "create database "+name); err != nil {
		t.Fatal(err)
	}
	return s.URL(name)
}
