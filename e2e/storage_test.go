package e2e_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // to check the file from outside

	"github.com/latchkey/latchkey/e2e/postgres"
)

// settleOn starts a server whose data is at the place given, with Ada and her browser.
func settleOn(t *testing.T, place ...string) *server {
	t.Helper()
	s := newServer(t, place...)
	s.serve(t, config)
	s.ada = s.newAccount(t, "Ada Lovelace")
	s.session = s.browser(s.ada)
	return s
}

// replicas starts servers on one database with one server key; Ada and her browser are the same.
func replicas(t *testing.T, databases ...string) []*server {
	t.Helper()
	key := writeKey(t)
	var all []*server
	for i, database := range databases {
		place := []string{"--database", database, "--server-key-file", key}
		if i == 0 {
			all = append(all, settleOn(t, place...))
			continue
		}
		s := newServer(t, place...)
		s.serve(t, config)
		s.ada, s.vault = all[0].ada, all[0].vault
		s.session = s.browser(s.ada)
		all = append(all, s)
	}
	return all
}

// writeKey makes the file of a server key that replicas share.
func writeKey(t *testing.T) string {
	t.Helper()
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	file := filepath.Join(t.TempDir(), "server.key")
	write(t, file, fmt.Sprintf("%x\n", secret))
	return file
}

// kill ends the process as a power cut would.
func (s *server) kill(t *testing.T) {
	t.Helper()
	s.killed = true
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.exited
	s.transport.CloseIdleConnections()
}

// again serves on the same data and another port.
func (s *server) again(t *testing.T, config string) {
	t.Helper()
	s.serve(t, config)
	origin, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	s.session.origin = origin // cookies know no ports
}

// checkIntegrity demands that SQLite finds nothing wrong with its file.
func (s *server) checkIntegrity(t *testing.T) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.data, "latchkey.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("the integrity check says %q (%v)", verdict, err)
	}
}

// ask runs a statement on a database and returns the first column of its rows as text.
func ask(t *testing.T, database, statement string) []string {
	t.Helper()
	all, err := query(database, statement)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// query is ask on any goroutine.
func query(database, statement string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, statement)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// each runs f for 0 to n-1 on a few goroutines and waits for all.
func each(n int, f func(i int)) {
	next := make(chan int)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	workers.Wait()
}

// issue has an application make tokens for itself.
func (s *server) issue(t *testing.T, app application, n int) []string {
	t.Helper()
	all := make([]string, n)
	each(n, func(i int) {
		a, err := s.send(issuing(app))
		if err != nil || a.status != 200 {
			t.Errorf("client_credentials is answered %d: %v %s", a.status, err, a.body)
			return
		}
		all[i] = a.decoded().Access
	})
	if t.Failed() {
		t.FailNow()
	}
	return all
}

// engines are what every promise of the storage is tested on.
func engines(t *testing.T, test func(t *testing.T, s *server)) {
	t.Run("on SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, settleOn(t))
	})
	t.Run("on PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, settleOn(t, "--database", postgres.Database(t)))
	})
}
