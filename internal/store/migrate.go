package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// pendingMigrations finds what brings the schema up to date, nil where it is, and refuses
// a schema that is newer than this program.
func pendingMigrations(ctx context.Context, dialect goose.Dialect, db *sql.DB, folder string) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	provider, err := goose.NewProvider(dialect, db, files)
	if err != nil {
		return nil, fmt.Errorf("prepare the migrations: %w", err)
	}
	has, newest, err := provider.GetVersions(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the version of the schema: %w", err)
	case has > newest:
		// goose would leave alone what it does not know.
		return nil, fmt.Errorf("the database was made by a newer version of latchkey: its schema has version %d, this program knows %d; run the newer one, or restore a backup that is older", has, newest)
	case has == newest:
		return nil, nil
	}
	return provider, nil
}

// migrate brings the schema up to date. The caller keeps others from doing the same
// meanwhile, and from using the schema as it was.
func migrate(ctx context.Context, pending *goose.Provider) error {
	if _, err := pending.Up(ctx); err != nil {
		return fmt.Errorf("bring the database up to date: %w", err)
	}
	return nil
}
