package store

import (
	"context"
)

// Setting reads what PutSetting wrote; ErrNotFound where it never did.
func (s *Store) Setting(ctx context.Context, name string) (value string, err error) {
	err = s.engine.db().QueryRowContext(ctx, `select value from settings where name = $1`, name).Scan(&value)
	return value, notFound(err)
}

// PutSetting keeps a value under a name. What is there already is not written again: each
// start of a server says the same.
func (s *Store) PutSetting(ctx context.Context, name, value string) error {
	if stored, err := s.Setting(ctx, name); err == nil && stored == value {
		return nil
	}
	return s.write(ctx, func(tx *transaction) error { return putSetting(tx, name, value) })
}

func putSetting(tx *transaction, name, value string) error {
	_, err := tx.exec(`insert into settings (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value`, name, value)
	return err
}
