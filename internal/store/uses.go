package store

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/latchkey/latchkey/internal/oauth"
)

// observed is a use with whose it is.
type observed struct {
	oauth.Connection
	oauth.Use
}

// AddUses merges what applications were seen to use, at most UsageBatch connections, into
// what is known.
func (s *Store) AddUses(ctx context.Context, uses map[oauth.Connection]oauth.Use) error {
	all := make([]observed, 0, len(uses))
	for c, u := range uses {
		all = append(all, observed{c, u})
	}
	// Everybody takes the rows in this order, so that nobody waits in a circle.
	slices.SortFunc(all, func(a, b observed) int {
		return cmp.Or(bytes.Compare(a.AccountID[:], b.AccountID[:]), bytes.Compare(a.ApplicationID[:], b.ApplicationID[:]))
	})
	return s.write(ctx, func(tx *transaction) error {
		return inGroups(all, func(group []observed) error { return mergeUses(tx, group) })
	})
}

func mergeUses(tx *transaction, group []observed) error {
	insert := func(conflict string, group []observed) error {
		var args []any
		for _, o := range group {
			args = append(args, o.AccountID[:], o.ApplicationID[:], string(o.Scope), toMillis(o.At), o.Network)
		}
		_, err := tx.exec(`insert into uses (account_id, application_id, scope, used_at, network) values `+rowsOf(len(group), 5)+conflict, args...)
		return err
	}
	// A row must be there to be locked.
	if err := insert(` on conflict do nothing`, group); err != nil {
		return err
	}
	stored, err := lockUses(tx, group)
	if err != nil {
		return err
	}
	merged := slices.Clone(group)
	for i, o := range merged {
		merged[i].Use = stored[o.Connection].Later(o.Use)
	}
	return insert(` on conflict (account_id, application_id) do update set
		scope = excluded.scope, used_at = excluded.used_at, network = excluded.network`, merged)
}

func lockUses(tx *transaction, group []observed) (map[oauth.Connection]oauth.Use, error) {
	var args []any
	var wanted []string
	for i, o := range group {
		args = append(args, o.AccountID[:], o.ApplicationID[:])
		wanted = append(wanted, fmt.Sprintf("account_id = $%d and application_id = $%d", 2*i+1, 2*i+2))
	}
	rows, err := tx.query(selectUse+` where `+strings.Join(wanted, " or ")+` order by account_id, application_id`+tx.lock, args...)
	return collectUses(rows, err)
}

const selectUse = `select account_id, application_id, scope, used_at, network from uses`

func scanUse(r row) (o observed, err error) {
	err = r.Scan(fixed(o.AccountID[:]), fixed(o.ApplicationID[:]), &o.Scope, millis{&o.At}, &o.Network)
	return o, err
}

func collectUses(found rows, err error) (map[oauth.Connection]oauth.Use, error) {
	all, err := collect(found, err, scanUse)
	uses := map[oauth.Connection]oauth.Use{}
	for _, o := range all {
		uses[o.Connection] = o.Use
	}
	return uses, err
}

// Uses tells what applications have really used of an account, by their ids.
func (s *Store) Uses(ctx context.Context, account oauth.ID) (map[oauth.ID]oauth.Use, error) {
	rows, err := s.engine.db().QueryContext(ctx, selectUse+` where account_id = $1`, account[:])
	byConnection, err := collectUses(rows, err)
	uses := map[oauth.ID]oauth.Use{}
	for c, u := range byConnection {
		uses[c.ApplicationID] = u
	}
	return uses, err
}
