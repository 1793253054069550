package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/store"
)

// engine is where a server under measurement keeps its data: a new data folder, and
// a new PostgreSQL where there is one.
type engine struct {
	name   string
	folder string
	// database and url are of PostgreSQL alone.
	database *postgres.Server
	url      string
}

const (
	onSQLite     = "sqlite"
	onPostgreSQL = "postgres"
)

func newEngine(name string) (*engine, error) {
	folder, err := os.MkdirTemp("", "latchkey-bench-")
	if err != nil {
		return nil, err
	}
	e := &engine{name: name, folder: folder}
	if name == onSQLite {
		return e, nil
	}
	if e.database, err = postgres.New(); err == nil {
		e.url, err = e.database.Create()
	}
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// onEach measures on a new engine of each name, one after another.
func onEach(names []string, measure func(*engine) error) error {
	for _, name := range names {
		if err := onNew(name, measure); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func onNew(name string, measure func(*engine) error) (err error) {
	e, err := newEngine(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	return measure(e)
}

// close removes everything.
func (e *engine) close() error {
	err := os.RemoveAll(e.folder)
	if e.database != nil {
		err = errors.Join(err, e.database.Close())
	}
	return err
}

// serve starts the server on the data.
func (e *engine) serve(binary string) (*process, error) {
	return e.command(e.folder, binary, nil)
}

// serveReplicas starts several servers on the database, which share a server key but
// no folder. They are measured and stopped as one.
func (e *engine) serveReplicas(binary string, count int) (*process, error) {
	key := digest("server key", 0)
	environment := []string{"LATCHKEY_SERVER_KEY=" + hex.EncodeToString(key[:])}
	var first *process
	for i := range count {
		folder := filepath.Join(e.folder, fmt.Sprintf("replica%d-of-%d", i+1, count))
		p, err := e.command(folder, binary, environment)
		if err != nil && first != nil {
			err = errors.Join(err, first.stop())
		}
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = p
			continue
		}
		// The database is counted with the first one.
		p.helpers = 0
		first.replicas = append(first.replicas, p)
	}
	return first, nil
}

func (e *engine) command(folder, binary string, environment []string) (*process, error) {
	cmd := exec.Command(binary, "serve", "--listen", "127.0.0.1:0", "--data", folder)
	if e.url != "" {
		cmd.Args = append(cmd.Args, "--database", e.url)
	}
	cmd.Env = append(os.Environ(), environment...)
	p, err := startCommand(cmd)
	if err == nil && e.database != nil {
		p.helpers = e.database.PID()
	}
	return p, err
}

// fill prepares rows while no server runs.
func (e *engine) fill(ctx context.Context, with func(*store.Store) error) error {
	s, err := store.Open(ctx, store.Options{Folder: e.folder, Database: e.url, Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		return err
	}
	if err := errors.Join(with(s), s.Close()); err != nil {
		return err
	}
	return e.settle(ctx)
}

// settle lets the database finish what a fill leaves behind, so that it is not
// measured with what follows.
func (e *engine) settle(ctx context.Context) error {
	if e.url == "" {
		return nil
	}
	return e.ask(ctx, func(conn *pgx.Conn) error {
		for _, statement := range []string{"vacuum analyze", "checkpoint"} {
			if _, err := conn.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

// occupy issues client_credentials until PostgreSQL appends them to the table. Pages that hold
// nothing but the larger rows of the code grant have room for one more small row each. After a
// vacuum it is used first, and each page that changes is written into the log as a whole. A
// server that issues both kinds all the time has little of such room.
func (e *engine) occupy(ctx context.Context, r rows) error {
	if e.url == "" {
		return nil
	}
	const each = 5000
	pages := func() (n int, err error) {
		err = e.ask(ctx, func(conn *pgx.Conn) error {
			return conn.QueryRow(ctx, "select pg_relation_size('authorizations') / 8192").Scan(&n)
		})
		return n, err
	}
	return e.fill(ctx, func(s *store.Store) error {
		before, err := pages()
		for appended := 0; err == nil && appended < each/40; {
			var after int
			if err = together(0, each, func(number int) error { return s.Issue(ctx, r.credentials(number)) }); err == nil {
				after, err = pages()
			}
			appended, before = after-before, after
		}
		return err
	})
}

func (e *engine) ask(ctx context.Context, f func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, e.url)
	if err != nil {
		return err
	}
	return errors.Join(f(conn), conn.Close(ctx))
}

// size is how many bytes the data takes on the disk: of PostgreSQL the table of the
// authorizations with its indexes, of SQLite the whole folder.
func (e *engine) size(ctx context.Context) (bytes int64, err error) {
	if e.url != "" {
		err = e.ask(ctx, func(conn *pgx.Conn) error {
			return conn.QueryRow(ctx, "select pg_total_relation_size('authorizations')").Scan(&bytes)
		})
		return bytes, err
	}
	err = filepath.WalkDir(e.folder, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		about, err := entry.Info()
		if err == nil {
			bytes += about.Size()
		}
		return err
	})
	return bytes, err
}

// sync adds to a histogram what the disk under the data takes to keep a few pages.
func (e *engine) sync(h *histogram) error {
	f, err := os.CreateTemp(e.folder, "fsync-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	pages := make([]byte, 16<<10)
	for range 100 {
		began := time.Now()
		if _, err := f.Write(pages); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		h.add(time.Since(began))
	}
	return nil
}
