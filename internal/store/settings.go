package store

import (
	"context"
)

// Setting reads what PutSetting wrote; ErrNotFound where it never did.
func (s *Store) Setting(ctx context.Context, name string) (value string, err error) {
	err = s.engine.db().QueryRowContext(ctx, `select value from settings where name = $1`, name).Scan(&value)
	return value, notFound(err)
}

// PutSetting keeps a value under a name.
func (s *Store) PutSetting(ctx context.Context, name, value string) error {
	_, err := s.SwapSetting(ctx, name, value)
	return err
}

// SwapSetting keeps a value under a name, and returns the one that was there before; empty
// where there was none. What is there already is not written again: each start of a server
// says the same.
func (s *Store) SwapSetting(ctx context.Context, name, value string) (before string, err error) {
	if before, err = s.Setting(ctx, name); err == nil && before == value {
		return before, nil
	}
	err = s.write(ctx, func(tx *transaction) error {
		before = ""
		added, err := tx.exec(`insert into settings (name, value) values ($1, $2) on conflict (name) do nothing`, name, value)
		if err != nil || added > 0 {
			return err
		}
		if err := tx.queryRow(`select value from settings where name = $1`+tx.lock, name).Scan(&before); err != nil {
			return err
		}
		return putSetting(tx, name, value)
	})
	return before, err
}

func putSetting(tx *transaction, name, value string) error {
	_, err := tx.exec(`insert into settings (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value`, name, value)
	return err
}
