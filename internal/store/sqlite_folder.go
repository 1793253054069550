package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
)

// prepare makes this process the server of the data folder, if it shall be, and brings the
// schema up to date. A lock lets one process at a time do that: a server and a command may open a
// new data folder together. Under it nobody else begins to serve, so that a server which is there
// while the schema is old is of an older version, and would fail on the new one.
func (e *sqlite) prepare(ctx context.Context, serve bool) (err error) {
	lock, err := lockFile(e.path + ".migrate")
	if err != nil {
		return err
	}
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("lock the database for its migration: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	folder := filepath.Dir(e.path)
	if serve {
		if e.serving, err = takeFolder(e.path); err != nil {
			return err
		}
		if e.serving == nil {
			return fmt.Errorf("another server runs on the data folder %s", folder)
		}
	}
	db, err := connectSQLite(e.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	pending, err := pendingMigrations(ctx, goose.DialectSQLite3, db, "sqlite")
	if err != nil || pending == nil {
		return err
	}
	if !serve {
		alone, failure := takeFolder(e.path)
		if failure != nil {
			return failure
		}
		if alone == nil {
			return fmt.Errorf("an older version of latchkey serves the data folder %s, and this one has to change the database; stop the server first", folder)
		}
		defer func() { err = errors.Join(err, alone.Close()) }()
	}
	return migrate(ctx, pending)
}

// leave lets others serve the data folder.
func (e *sqlite) leave() error {
	if e.serving == nil {
		return nil
	}
	return e.serving.Close()
}

// createPrivate makes a file that its owner alone can read, where there is none. It belongs to
// the owner of its folder, where this process may give it away: a command that root runs must not
// leave what the server cannot open. SQLite gives the files beside the database the same mode and
// owner.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if f, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
			return err
		}
		return f.Close()
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), keepOwner(filepath.Dir(path), path))
}

// lockFile is a lock beside the database, which everybody can take who may use that.
func lockFile(path string) (*flock.Flock, error) {
	if err := createPrivate(path); err != nil {
		return nil, fmt.Errorf("open a lock: %w", err)
	}
	return flock.New(path, flock.SetPermissions(0o600)), nil
}

// takeFolder takes the lock of whoever serves a database. It is nil where another process has it.
func takeFolder(path string) (*flock.Flock, error) {
	lock, err := lockFile(path + ".serve")
	if err != nil {
		return nil, err
	}
	free, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if !free {
		return nil, nil
	}
	return lock, nil
}
