package store_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// says fails unless err has the words that tell a person what is wrong, on one line.
func (w *world) says(err error, words string) {
	w.Helper()
	if err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "\n") {
		w.Errorf("got the error %q; want one that says %q", err, words)
	}
}

// intact asks SQLite whether the database is whole.
func (w *world) intact(folder string) {
	w.Helper()
	var verdict string
	db := w.sqlite(filepath.Join(folder, store.DatabaseFile))
	w.must(db.QueryRowContext(w.ctx, `pragma integrity_check`).Scan(&verdict))
	if verdict != "ok" {
		w.Errorf("the database is not whole: %s", verdict)
	}
}

func TestBackupWhileOthersWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, store.Options{Folder: t.TempDir()})
	s := w.open(true)
	w.populate(s, 1)
	var mu sync.Mutex
	var acknowledged []life
	var stop atomic.Bool
	var done sync.WaitGroup
	for range 8 {
		done.Go(func() {
			for !stop.Load() {
				l := w.active(w.accounts[0].ID)
				if err := s.Issue(w.ctx, l.row); err != nil {
					w.Error(err)
				}
				mu.Lock()
				acknowledged = append(acknowledged, l)
				mu.Unlock()
			}
		})
	}
	for range 3 {
		mu.Lock()
		before, enough := len(acknowledged), len(acknowledged)+500
		mu.Unlock()
		w.eventually("others write", 20*time.Second, func() bool {
			mu.Lock()
			defer mu.Unlock()
			before = len(acknowledged)
			return before > enough
		})
		folder := t.TempDir()
		w.must(store.Backup(w.ctx, w.at.Folder, filepath.Join(folder, store.DatabaseFile)))
		w.intact(folder)
		mu.Lock()
		want := acknowledged[:before:before]
		mu.Unlock()
		w.holds(folder, want)
	}
	stop.Store(true)
	done.Wait()
}

// holds opens the store in a folder and looks for authorizations.
func (w *world) holds(folder string, lives []life) {
	w.Helper()
	at := *w
	at.at.Folder = folder
	at.during(func(s *store.Store) {
		rows, err := s.Authorizations(w.ctx, store.AuthorizationFilter{Limit: 1_000_000})
		w.must(err)
		there := map[oauth.ID]oauth.Authorization{}
		for _, row := range rows {
			there[row.ID] = row
		}
		for _, l := range lives {
			if there[l.row.ID] != l.row {
				w.Fatalf("one of %d authorizations that should be there is not", len(lives))
			}
		}
	})
}

func TestBackupOverwritesNothing(t *testing.T) {
	w := newWorld(t, store.Options{Folder: t.TempDir()})
	folder := t.TempDir()
	file := filepath.Join(folder, "precious")
	if err := store.Backup(w.ctx, w.at.Folder, file); !errors.Is(err, store.ErrNoData) {
		t.Errorf("a backup of an empty folder: %v", err)
	}
	w.open(false)
	w.must(os.WriteFile(file, []byte("precious"), 0o600))
	w.says(store.Backup(w.ctx, w.at.Folder, file), "exists already")
	w.says(store.Backup(w.ctx, w.at.Folder, filepath.Join(folder, "no such folder", "backup")), "no such file")
	if content, err := os.ReadFile(file); err != nil || string(content) != "precious" {
		t.Errorf("the file holds %q now, %v", content, err)
	}
	w.must(store.Backup(w.ctx, w.at.Folder, filepath.Join(folder, "backup")))
	info, err := os.Stat(filepath.Join(folder, "backup"))
	w.must(err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the backup: %v", info.Mode())
	}
	entries, err := os.ReadDir(folder)
	w.must(err)
	if len(entries) != 2 {
		t.Errorf("the folder holds %v", entries)
	}
}

// backedUp makes a folder with one authorization, a backup of it, and another
// authorization that is too late for the backup.
func backedUp(t *testing.T) (w *world, backup string, saved, late life) {
	t.Helper()
	w = newWorld(t, store.Options{Folder: t.TempDir()})
	backup = filepath.Join(t.TempDir(), "backup #1?50%25.db")
	w.during(func(s *store.Store) {
		w.populate(s, 1)
		saved, late = w.active(w.accounts[0].ID), w.active(w.accounts[0].ID)
		w.must(s.Issue(w.ctx, saved.row))
		w.must(store.Backup(w.ctx, w.at.Folder, backup))
		w.must(s.Issue(w.ctx, late.row))
	})
	return w, backup, saved, late
}

func TestRestoreKeepsWhatWasThere(t *testing.T) {
	w, backup, saved, late := backedUp(t)
	kept, err := store.Restore(w.ctx, w.at.Folder, backup)
	w.must(err)
	w.intact(w.at.Folder)
	w.during(func(s *store.Store) {
		if !w.accepts(s, saved.access) || w.accepts(s, late.access) {
			t.Error("the restored store is not what was backed up")
		}
		w.must(s.Revoke(w.ctx, oauth.Revocation{ID: saved.row.ID, Reason: oauth.ReasonOperator}))
		if _, err := s.Authorization(w.ctx, late.row.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("what came after the backup: %v", err)
		}
	})
	// The way back.
	_, err = store.Restore(w.ctx, w.at.Folder, kept)
	w.must(err)
	w.holds(w.at.Folder, []life{saved, late})
}

func TestRestoreIntoAnEmptyFolder(t *testing.T) {
	w, backup, saved, _ := backedUp(t)
	folder := filepath.Join(t.TempDir(), "new")
	kept, err := store.Restore(w.ctx, folder, backup)
	w.must(err)
	if kept != "" {
		t.Errorf("%q was kept of an empty folder", kept)
	}
	w.holds(folder, []life{saved})
}

func TestWhatRootMakesBelongsToTheOwnerOfTheFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	w, backup, _, _ := backedUp(t)
	restore := func(w *world) {
		_, err := store.Restore(w.ctx, w.at.Folder, backup)
		w.must(err)
	}
	command := func(w *world) { w.during(func(*store.Store) {}) }
	for _, c := range []struct {
		name, folder string
		does         []func(*world)
	}{
		{"a restore", w.at.Folder, []func(*world){restore}},
		{"a restore into an empty folder, and a command", t.TempDir(), []func(*world){restore, command}},
		{"a command in an empty folder", t.TempDir(), []func(*world){command}},
	} {
		t.Run(c.name, func(t *testing.T) {
			const uid, gid = 1234, 4321
			w := newWorld(t, store.Options{Folder: c.folder})
			w.must(filepath.WalkDir(c.folder, func(path string, _ fs.DirEntry, err error) error {
				return errors.Join(err, os.Chown(path, uid, gid))
			}))
			for _, do := range c.does {
				do(w)
			}
			entries, err := os.ReadDir(c.folder)
			w.must(err)
			for _, e := range entries {
				about, err := e.Info()
				w.must(err)
				if owner := about.Sys().(*syscall.Stat_t); owner.Uid != uid || owner.Gid != gid || about.Mode().Perm() != 0o600 {
					t.Errorf("%s belongs to %d:%d, %v", e.Name(), owner.Uid, owner.Gid, about.Mode())
				}
			}
			if len(entries) < 2 {
				t.Errorf("the folder holds %v", entries)
			}
		})
	}
}

// A server that was killed leaves a log, which belongs to the old database.
func TestRestoreIgnoresTheLogOfTheOldDatabase(t *testing.T) {
	w, backup, saved, late := backedUp(t)
	killed := t.TempDir()
	s := w.open(true)
	third := w.active(w.accounts[0].ID)
	w.must(s.Issue(w.ctx, third.row))
	for _, end := range []string{"", "-wal"} {
		content, err := os.ReadFile(filepath.Join(w.at.Folder, store.DatabaseFile+end))
		w.must(err)
		w.must(os.WriteFile(filepath.Join(killed, store.DatabaseFile+end), content, 0o600))
	}
	kept, err := store.Restore(w.ctx, killed, backup)
	w.must(err)
	w.intact(killed)
	w.holds(killed, []life{saved})
	_, err = store.Restore(w.ctx, killed, kept)
	w.must(err)
	w.holds(killed, []life{saved, late, third})
}

func TestRestoreReplacesADatabaseThatCannotBeRead(t *testing.T) {
	w, backup, saved, _ := backedUp(t)
	path := filepath.Join(w.at.Folder, store.DatabaseFile)
	// The connection stays open, and with it the log.
	w.exec(path, `insert into settings values ('x', '1')`)
	was := map[string][]byte{}
	for _, end := range []string{"", "-wal"} {
		content, err := os.ReadFile(path + end)
		w.must(err)
		was[end] = content
	}
	copy(was[""], "no database")
	w.must(os.WriteFile(path, was[""], 0o600))
	kept, err := store.Restore(w.ctx, w.at.Folder, backup)
	w.must(err)
	w.intact(w.at.Folder)
	w.holds(w.at.Folder, []life{saved})
	for end, want := range was {
		if got, err := os.ReadFile(kept + end); err != nil || len(want) == 0 || !bytes.Equal(got, want) {
			t.Errorf("%s has %d bytes, not the %d that were there (%v)", kept+end, len(got), len(want), err)
		}
	}
}

// exec changes a file of SQLite from outside the store.
func (w *world) exec(file, statement string) {
	w.Helper()
	_, err := w.sqlite((&url.URL{Scheme: "file", OmitHost: true, Path: file}).String()).ExecContext(w.ctx, statement)
	w.must(err)
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, words string
		prepare     func(w *world, backup string)
	}{
		{"while a server runs on the folder", "a server runs", func(w *world, _ string) { w.open(true) }},
		{"while another program reads the database", "another program uses the database", func(w *world, _ string) {
			db := w.sqlite(filepath.Join(w.at.Folder, store.DatabaseFile))
			reading, err := db.BeginTx(w.ctx, nil)
			w.must(err)
			w.Cleanup(func() { _ = reading.Rollback() })
			var n int
			w.must(reading.QueryRowContext(w.ctx, `select count(*) from authorizations`).Scan(&n))
			// What the log holds now is too new for the one who reads.
			_, err = db.ExecContext(w.ctx, `insert into settings values ('x', '1')`)
			w.must(err)
		}},
		{"a backup that is missing", "no such file", func(w *world, backup string) { w.must(os.Remove(backup)) }},
		{"an empty file", "not a", func(w *world, backup string) { w.must(os.Truncate(backup, 0)) }},
		{"a file of another kind", "not a whole database", func(w *world, backup string) {
			w.must(os.WriteFile(backup, []byte(strings.Repeat("no database ", 1000)), 0o600))
		}},
		{"a file that was cut off", "not a whole database", func(w *world, backup string) { w.must(os.Truncate(backup, 20_000)) }},
		{"the database of another program", "not a backup of Latchkey", func(w *world, backup string) {
			w.must(os.Remove(backup))
			w.exec(backup, `create table t (x)`)
		}},
		{"a backup of a newer version", "made by a newer version of latchkey", func(w *world, backup string) {
			w.exec(backup, `insert into goose_db_version (version_id, is_applied) values (1000, true)`)
		}},
		{"what a server left that was killed", "not all of a database", func(w *world, backup string) {
			w.must(os.WriteFile(backup+"-wal", []byte("a log"), 0o600))
		}},
		{"the database that is there", "the database that is there", func(w *world, backup string) {
			w.must(os.Remove(backup))
			w.must(os.Symlink(filepath.Join(w.at.Folder, store.DatabaseFile), backup))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, backup, saved, late := backedUp(t)
			c.prepare(w, backup)
			_, err := store.Restore(w.ctx, w.at.Folder, backup)
			w.says(err, c.words)
			w.holds(w.at.Folder, []life{saved, late})
		})
	}
}
