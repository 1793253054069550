// Package postgres starts a real PostgreSQL for tests and the benchmark: Debian's
// package, on a free port, in a temporary folder, as a user without privileges. What
// is tested on it lives elsewhere.
package postgres

import (
	"bufio"
	"context"
	"errors"
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

// New makes a cluster and starts it. Close stops and removes it.
func New() (*Server, error) {
	binaries, err := findBinaries()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "latchkey-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{folder: folder, binaries: binaries, port: port}
	if err := s.found(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Start is New for a test, with which it ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Close stops the server and removes all that it had.
func (s *Server) Close() error {
	s.stop(syscall.SIGQUIT)
	return os.RemoveAll(s.folder)
}

// found makes the cluster and starts it.
func (s *Server) found() error {
	if os.Geteuid() == 0 {
		if err := s.becomeUnprivileged(); err != nil {
			return err
		}
	}
	initdb := s.command("initdb", "--no-sync", "-D", s.data(), "-U", "latchkey", "-A", "trust", "-E", "UTF8", "--no-locale")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return s.up()
}

func (s *Server) data() string { return filepath.Join(s.folder, "data") }

func findBinaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("PostgreSQL is not installed; run: apt-get install postgresql")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

// becomeUnprivileged lets the server run as postgres or nobody: it refuses root.
func (s *Server) becomeUnprivileged() error {
	who, err := user.Lookup("postgres")
	if err != nil {
		if who, err = user.Lookup("nobody"); err != nil {
			return err
		}
	}
	uid, uidErr := strconv.ParseUint(who.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(who.Gid, 10, 32)
	if uidErr != nil || gidErr != nil {
		return fmt.Errorf("the user %s has no numbers", who.Username)
	}
	s.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.folder, int(uid), int(gid))
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
	if err := s.up(settings...); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) up(settings ...string) error {
	args := []string{"-D", s.data(), "-p", s.port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200"}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	s.process = s.command("postgres", args...)
	log, err := s.process.StderrPipe()
	if err != nil {
		return err
	}
	if err := s.process.Start(); err != nil {
		return err
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
			return fmt.Errorf("PostgreSQL did not start:\n%s", said)
		}
		return nil
	case <-time.After(patience):
		return errors.New("PostgreSQL did not start in time")
	}
}

// PID is the process whose children are the server's backends.
func (s *Server) PID() int { return s.process.Process.Pid }

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

// Create makes an empty database and returns its URL.
func (s *Server) Create() (string, error) {
	name := fmt.Sprintf("database%d", s.databases.Add(1))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "create database "+name)
	return s.URL(name), err
}

// Database is Create for a test.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	url, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	return url
}
