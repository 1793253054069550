package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	library "modernc.org/sqlite"
	binding "zombiezen.com/go/sqlite"
)

// Backup writes a consistent copy of the SQLite database in a data folder to a new file, while
// everything else goes on. It leaves the schema as it is: whoever backs up before an upgrade may
// have the new program in place already, and the old one running.
func Backup(ctx context.Context, folder, file string) (err error) {
	path := filepath.Join(folder, DatabaseFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return ErrNoData
	}
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("%s exists already", file)
	}
	draft, err := newDraft(file)
	if err != nil {
		return err
	}
	defer os.Remove(draft)
	db, err := connectSQLite(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, `vacuum into $1`, draft); err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	if err := flush(draft); err != nil {
		return err
	}
	if err := os.Rename(draft, file); err != nil {
		return err
	}
	return flush(filepath.Dir(file))
}

// newDraft makes an empty private file beside the one that is wanted.
func newDraft(file string) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(file), ".latchkey-*")
	if err != nil {
		return "", fmt.Errorf("write beside %s: %w", file, err)
	}
	return f.Name(), f.Close()
}

// flush waits until a file, or what a folder names, is on the disk.
func flush(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Restore puts a backup into a data folder on which no server runs. A database
// that is there already is kept under another name, which is returned. What it makes
// belongs to the owner of the folder, where this process may give it away.
func Restore(ctx context.Context, folder, backup string) (kept string, err error) {
	if err := checkBackup(ctx, folder, backup); err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("create the data folder: %w", err)
	}
	path := filepath.Join(folder, DatabaseFile)
	lock, err := takeFolder(path)
	if err != nil {
		return "", err
	}
	if lock == nil {
		return "", fmt.Errorf("a server runs on the data folder %s; stop it first", folder)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	// Whatever can fail for want of room comes before what is there is touched.
	draft, err := newDraft(path)
	if err != nil {
		return "", err
	}
	defer os.Remove(draft)
	if err := errors.Join(copyFile(backup, draft), flush(draft), keepOwner(folder, draft)); err != nil {
		return "", fmt.Errorf("copy the backup: %w", err)
	}
	if _, err := os.Stat(path); err == nil {
		if kept, err = keep(ctx, path); err != nil {
			return "", err
		}
	}
	if err := os.Rename(draft, path); err != nil {
		if kept != "" {
			err = errors.Join(err, os.Remove(kept)) // the second name of what is still there
		}
		return "", err
	}
	if err := flush(folder); err != nil {
		return kept, fmt.Errorf("%w; the backup is in place, and what was there is in %s", err, kept)
	}
	return kept, nil
}

// checkBackup refuses a file that is no whole database of ours, of this version or an older one,
// or that is the one to be replaced, or has a log: what that holds would be missing.
func checkBackup(ctx context.Context, folder, file string) (err error) {
	// Of a file that may not be read SQLite would tell less.
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	about, err := f.Stat()
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	if present, err := os.Stat(filepath.Join(folder, DatabaseFile)); err == nil && os.SameFile(about, present) {
		return fmt.Errorf("%s is the database that is there, not a backup of it", file)
	}
	if log, err := os.Stat(file + "-wal"); err == nil && log.Size() > 0 {
		return fmt.Errorf("%s is not all of a database: the rest is in the log beside it; make a backup of its folder, and restore that", file)
	}
	db, err := sql.Open("sqlite", databaseURL(file)+"?mode=ro&immutable=1")
	if err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var verdict string
	if err := db.QueryRowContext(ctx, `pragma integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		return fmt.Errorf("%s is not a whole database: %w", file, cmp.Or(err, errors.New(verdict)))
	}
	var n int
	if err := db.QueryRowContext(ctx, `select count(*) from (select 1 from authorizations limit 1)`).Scan(&n); err != nil {
		return fmt.Errorf("%s is not a backup of Latchkey: %w", file, err)
	}
	_, err = pendingMigrations(ctx, goose.DialectSQLite3, db, "sqlite")
	return err
}

// keep gives a database a second name, with all that its log still held. It has the first one
// until another takes that, so that there is always one.
func keep(ctx context.Context, path string) (kept string, err error) {
	db, err := connectSQLite(path)
	if err != nil {
		return "", err
	}
	var busy, logged, moved int
	err = db.QueryRowContext(ctx, `pragma wal_checkpoint(truncate)`).Scan(&busy, &logged, &moved)
	// The last connection that closes writes the log into the database.
	err = errors.Join(err, db.Close())
	damaged := isDamaged(err)
	if err != nil && !damaged {
		return "", fmt.Errorf("close the present database: %w", err)
	}
	if busy != 0 {
		return "", fmt.Errorf("another program uses the database %s; end it first", path)
	}
	kept = path + ".before-" + time.Now().UTC().Format("20060102T150405.000Z")
	if damaged {
		// It may be needed by whoever saves something of what is damaged.
		if err := os.Rename(path+"-wal", kept+"-wal"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	for _, side := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + side); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	return kept, os.Link(path, kept)
}

// isDamaged reports whether a file is no database any more, for which a backup is restored.
func isDamaged(err error) bool {
	var failure *library.Error
	if !errors.As(err, &failure) {
		return false
	}
	code := binding.ResultCode(failure.Code()).ToPrimary()
	return code == binding.ResultNotADB || code == binding.ResultCorrupt
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
