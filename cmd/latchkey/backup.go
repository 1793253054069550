package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/latchkey/latchkey/internal/store"
)

func backupCommand(c *config) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a consistent copy of the SQLite database, while the server runs; FILE must not exist",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if c.database != "" {
				return usageError{errors.New("backup is for SQLite; a PostgreSQL is backed up with pg_dump")}
			}
			err := store.Backup(cmd.Context(), c.data, args[0])
			if errors.Is(err, store.ErrNoData) {
				return c.noData()
			}
			if err != nil {
				return err
			}
			return c.done(nil, "wrote %s; the server key is not in it, keep a copy elsewhere", args[0])
		},
	}
}

func restoreCommand(c *config) *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup into the data folder; no server may run on it. What was there is kept under another name",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if c.database != "" {
				return usageError{errors.New("restore is for SQLite; a PostgreSQL is restored with pg_restore")}
			}
			kept, err := store.Restore(cmd.Context(), c.data, args[0])
			if err != nil {
				return err
			}
			if kept != "" {
				return c.done(nil, "restored %s; what was there is in %s", args[0], kept)
			}
			return c.done(nil, "restored %s", args[0])
		},
	}
}
