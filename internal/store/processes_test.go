package store_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// A command is a second store on the folder of one that serves: what it did holds
// in the server when it returns.
func TestServerHearsACommandAtOnce(t *testing.T) {
	w := newWorld(t, store.Options{Folder: t.TempDir()})
	server, command := w.open(true), w.open(false)
	w.populate(server, 2)
	account := w.accounts[1].ID
	for _, c := range []struct {
		name         string
		change, undo func(id oauth.ID) error
	}{
		{"revokes", func(id oauth.ID) error {
			return command.Revoke(w.ctx, oauth.Revocation{ID: id, Reason: oauth.ReasonOperator})
		}, nil},
		{"disconnects", func(oauth.ID) error { return command.Disconnect(w.ctx, account, w.application.ID) }, nil},
		{
			"suspends", func(oauth.ID) error { return command.SuspendApplication(w.ctx, w.application.ID, "") },
			func(oauth.ID) error { return command.ResumeApplication(w.ctx, w.application.ID) },
		},
		{
			"disables", func(oauth.ID) error { return command.DisableAccount(w.ctx, account) },
			func(oauth.ID) error { return command.EnableAccount(w.ctx, account) },
		},
		{"deletes", func(oauth.ID) error { return command.DeleteApplication(w.ctx, w.application.ID) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 20 {
				l := w.active(account)
				w.must(server.Issue(w.ctx, l.row))
				if !w.usable(server, l, account) {
					t.Fatal("the token did not work before")
				}
				w.must(c.change(l.row.ID))
				if w.usable(server, l, account) {
					t.Fatal("the token still works in the server")
				}
				if c.name == "deletes" {
					return
				}
				if c.undo != nil {
					w.must(c.undo(l.row.ID))
					if !w.usable(server, l, account) {
						t.Fatal("that was undone, and the token does not work in the server")
					}
				}
			}
		})
	}
}

// A command that dies after its commit tells nobody; the server looks by itself.
func TestServerSeesWhatACommandCouldNotTell(t *testing.T) {
	w := newWorld(t, store.Options{Folder: t.TempDir()})
	server := w.open(true)
	w.populate(server, 1)
	l := w.active(w.accounts[0].ID)
	w.must(server.Issue(w.ctx, l.row))
	if !w.accepts(server, l.access) {
		t.Fatal("the token did not work before")
	}
	db := w.sqlite(w.at.Folder + "/" + store.DatabaseFile + "?_pragma=busy_timeout(5000)")
	_, err := db.ExecContext(w.ctx, `update authorizations set status = 3`)
	w.must(err)
	w.eventually("the server sees the write of another process", 5*time.Second, func() bool { return !w.accepts(server, l.access) })
}

func TestOneServerOnAFolder(t *testing.T) {
	w := newWorld(t, store.Options{Folder: t.TempDir()})
	w.during(func(first *store.Store) {
		serving := w.at
		serving.Serve = true
		server, err := store.Open(w.ctx, serving)
		w.must(err)
		_, err = store.Open(w.ctx, serving)
		w.says(err, "another server runs on the data folder "+w.at.Folder)
		w.populate(first, 1)
		l := w.active(w.accounts[0].ID)
		w.must(server.Issue(w.ctx, l.row))
		// The one that was refused has not made the first deaf.
		if !w.accepts(server, l.access) {
			t.Error("the token did not work before")
		}
		w.must(first.Revoke(w.ctx, oauth.Revocation{ID: l.row.ID, Reason: oauth.ReasonOperator}))
		if w.accepts(server, l.access) {
			t.Error("the server does not hear of revocations any more")
		}
		w.must(server.Close())
	})
	w.open(true) // the place is free again
}

func TestAWrongURLIsToldWithoutItsPassword(t *testing.T) {
	_, err := store.Open(t.Context(), store.Options{Database: "postgres://latchkey:secret@127.0.0.1:0x/none", Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a wrong URL: %v", err)
	}
}
