package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// ErrNoBackup: the database is a PostgreSQL, which has tools of its own.
var ErrNoBackup = errors.New("this store is in PostgreSQL; use pg_dump and pg_restore")

// Backup writes a consistent copy of the SQLite database to a new file, while
// everything else goes on.
func (s *Store) Backup(ctx context.Context, file string) (err error) {
	e, ok := s.engine.(*sqlite)
	if !ok {
		return ErrNoBackup
	}
	draft, err := newDraft(file)
	if err != nil {
		return err
	}
	defer os.Remove(draft)
	// The readers' connections may not even write another file.
	db, err := connectSQLite(e.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, `vacuum into $1`, draft); err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	return publish(draft, file)
}

// newDraft makes an empty private file beside the one that is wanted, which must
// not exist.
func newDraft(file string) (string, error) {
	if _, err := os.Lstat(file); err == nil {
		return "", fmt.Errorf("%s exists already", file)
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".latchkey-*")
	if err != nil {
		return "", fmt.Errorf("write beside %s: %w", file, err)
	}
	return f.Name(), f.Close()
}

// publish gives a draft its name once all of it is on the disk.
func publish(draft, file string) error {
	f, err := os.OpenFile(draft, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(draft, file); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Restore puts a backup into a data folder on which no server runs. A database
// that is there already is kept under another name, which is returned. What it makes
// belongs to the owner of the folder, where this process may give it away.
func Restore(ctx context.Context, folder, backup string) (kept string, err error) {
	if err := checkBackup(ctx, backup); err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("create the data folder: %w", err)
	}
	path := filepath.Join(folder, DatabaseFile)
	lock := flock.New(path+".serve", flock.SetPermissions(0o600))
	free, err := lock.TryLock()
	if err != nil {
		return "", fmt.Errorf("lock the data folder: %w", err)
	}
	if !free {
		return "", fmt.Errorf("a server runs on the data folder %s; stop it first", folder)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if _, err := os.Stat(path); err == nil {
		if kept, err = setAside(ctx, path); err != nil {
			return "", err
		}
	}
	draft, err := newDraft(path)
	if err != nil {
		return kept, err
	}
	defer os.Remove(draft)
	if err := copyFile(backup, draft); err != nil {
		return kept, err
	}
	if err := keepOwner(folder, draft, lock.Path()); err != nil {
		return kept, err
	}
	return kept, publish(draft, path)
}

// checkBackup refuses a file that is no whole database of ours.
func checkBackup(ctx context.Context, file string) (err error) {
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro&immutable=1")
	if err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var verdict string
	if err := db.QueryRowContext(ctx, `pragma integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		return fmt.Errorf("%s is not a whole database: %w", file, errors.Join(err, errors.New(verdict)))
	}
	var n int
	if err := db.QueryRowContext(ctx, `select count(*) from (select 1 from authorizations limit 1)`).Scan(&n); err != nil {
		return fmt.Errorf("%s is not a backup of Latchkey: %w", file, err)
	}
	return nil
}

// setAside moves a database out of the way, with all that its log still held.
func setAside(ctx context.Context, path string) (kept string, err error) {
	db, err := connectSQLite(path)
	if err != nil {
		return "", err
	}
	var busy, logged, moved int
	err = db.QueryRowContext(ctx, `pragma wal_checkpoint(truncate)`).Scan(&busy, &logged, &moved)
	// The last connection that closes writes the log into the database.
	if err = errors.Join(err, db.Close()); err != nil {
		return "", fmt.Errorf("close the present database: %w", err)
	}
	if busy != 0 {
		return "", fmt.Errorf("another program uses the database %s; end it first", path)
	}
	kept = path + ".before-" + time.Now().UTC().Format("20060102T150405.000Z")
	for _, side := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + side); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	return kept, os.Rename(path, kept)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
