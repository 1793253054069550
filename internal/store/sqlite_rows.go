package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// sqliteOf is the connection that a transaction of this engine runs on: what every
// request needs is bound and read value by value, which allocates nothing.
func sqliteOf(tx *transaction) *connection { return tx.conn.(*connection) }

// insertCredentials adds what client_credentials yields: an access token and nothing
// else.
const insertCredentials = `insert into authorizations (key, ` + authorizationColumns + `) values
	(?, ?, ?, ?, 'client_credentials', 2, ?, ?, x'', 0, '', 0, '', 1, ?, 0, x'', ?, ?, ?, ?, x'', x'', '', 0, 0, x'', 0, '', ?)
	on conflict (key) do nothing`

// insertIssued is insertAuthorization, shorter where the row allows it.
func insertIssued(tx *transaction, a *oauth.Authorization) (bool, error) {
	if a.GrantType != oauth.GrantClientCredentials {
		return insertAuthorization(tx, *a)
	}
	// Its id was drawn just now, so that only the beginning of it can be there already.
	n, err := sqliteOf(tx).statement(insertCredentials).number(keyOf(a.ID)).
		blob(a.ID[:]).blob(a.ApplicationID[:]).blob(a.AccountID[:]).text(string(a.Scope)).moment(a.CreatedAt).moment(a.RotatedAt).
		blob(a.Access.Hash[:]).text(string(a.Access.Scope)).moment(a.Access.IssuedAt).moment(a.Access.ExpiresAt).moment(a.SweepAfter).run()
	if err != nil || n == 1 {
		return n == 1, err
	}
	return insertByKey(tx, a)
}

// insertByKey finds a place for the row and adds it there.
func insertByKey(tx *transaction, a *oauth.Authorization) (bool, error) {
	key, taken, err := sqliteOf(tx).place(&a.ID)
	if err != nil || taken {
		return false, err
	}
	values := append([]any{key, make([]byte, roomOf(a))}, valuesOf(a)...)
	n, err := tx.exec(`insert into authorizations (key, room, `+wholeAuthorization+`) values `+rowsOf(1, 32), values...)
	return n == 1, err
}

// endByID revokes where the ids decide and nothing else has to be known. Whatever it
// does not end is left to the rule.
func endByID(tx *transaction, r oauth.Revocation, now time.Time) (ended bool, err error) {
	after := oauth.Authorization{ID: r.ID}.Revoked(r.Reason, now)
	n, err := sqliteOf(tx).statement(`update authorizations set status = 3, revoked_at = ?, revoked_reason = ?, ` + lessRoom +
		whereKeyed + ` and application_id = ? and status <> 3 and sweep_after > ?`).
		moment(after.RevokedAt).text(string(after.RevokedReason)).number(int64(grown(&after))).
		keyed(&r.ID).blob(r.By.ApplicationID[:]).moment(after.SweepAfter).run()
	if err != nil || n == 0 {
		return false, err
	}
	tx.early.add(after.ReasonKept(), r.ID)
	return true, nil
}

// What an event decides on; each column costs.
const (
	decidedOn           = `key, account_id, application_id, status, scope, generation, sweep_after, revoked_reason, ends_at`
	selectForRedemption = `select ` + decidedOn + `,
		code_hash, code_expires_at, redirect_uri, redirect_uri_sent, challenge from authorizations` + whereKeyed
	selectForRotation = `select ` + decidedOn + `, rotated_at, replayed_at, key_id, refresh_hash, previous_refresh_hash,
		access_hash, access_scope, access_issued_at, access_expires_at,
		previous_access_hash, previous_access_scope, previous_access_issued_at, previous_access_expires_at
		from authorizations` + whereKeyed
)

// loadFor reads the columns of a row that an event decides on, and its key.
func loadFor(tx *transaction, event oauth.Event) (a oauth.Authorization, key int64, err error) {
	a.ID = event.AuthorizationID()
	query := selectForRedemption
	switch event.(type) {
	case oauth.Redemption:
	case oauth.Rotation:
		query = selectForRotation
	default:
		return loadWhole(tx, a.ID)
	}
	s := sqliteOf(tx).statement(query).keyed(&a.ID)
	if !s.next() {
		s.fail(ErrNotFound)
		return a, 0, s.end()
	}
	key = s.readNumber()
	s.readFixed(a.AccountID[:])
	s.readFixed(a.ApplicationID[:])
	a.Status, a.Scope, a.Generation = oauth.Status(s.readNumber()), oauth.Scope(s.readText()), uint32(s.readNumber())
	a.SweepAfter, a.RevokedReason, a.EndsAt = s.readTime(), oauth.Reason(s.readText()), s.readTime()
	if query == selectForRotation {
		s.readForRotation(&a)
	} else {
		s.readForRedemption(&a)
	}
	return a, key, s.end()
}

// loadWhole is loadFor for what is rare.
func loadWhole(tx *transaction, id oauth.ID) (a oauth.Authorization, key int64, err error) {
	err = tx.queryRow(`select `+wholeAuthorization+`, key from authorizations`+byKey, id[:]).Scan(append(authorizationDestinations(&a), &key)...)
	return a, key, notFound(err)
}

func (s *statement) readForRedemption(a *oauth.Authorization) {
	s.readFixed(a.CodeHash[:])
	a.CodeExpiresAt, a.RedirectURI, a.RedirectURISent = s.readTime(), s.readText(), s.readNumber() != 0
	a.Challenge = oauth.Challenge(s.readText())
}

func (s *statement) readForRotation(a *oauth.Authorization) {
	a.RotatedAt, a.ReplayedAt = s.readTime(), s.readTime()
	s.readFixed(a.KeyID[:])
	s.readFixed(a.RefreshHash[:])
	s.readFixed(a.PreviousRefreshHash[:])
	s.readAccess(&a.Access)
	s.readAccess(&a.PreviousAccess)
}

func (s *statement) readAccess(t *oauth.AccessToken) {
	s.readFixed(t.Hash[:])
	t.Scope, t.IssuedAt, t.ExpiresAt = oauth.Scope(s.readText()), s.readTime(), s.readTime()
}

// accountDisabled reads whether an account is disabled, in an index of the few that are:
// to look at the account itself would mostly be two pages more from the disk.
func (c *connection) accountDisabled(id oauth.ID) (disabled bool, err error) {
	s := c.statement(`select 1 from accounts indexed by accounts_disabled where id = ? and disabled_at > 0`).blob(id[:])
	disabled = s.next()
	return disabled, s.end()
}

// readCheck reads what of a row decides about access tokens. Whether the account is
// disabled is mostly remembered.
func (e *sqlite) readCheck(conn *connection, id oauth.ID) (c *checked, err error) {
	c = new(checked)
	s := conn.statement(selectCheck).keyed(&id)
	if !s.next() {
		s.fail(ErrNotFound)
		return c, s.end()
	}
	s.readFixed(c.check.ApplicationID[:])
	s.readFixed(c.check.AccountID[:])
	c.check.GrantType, c.check.Status = oauth.GrantType(s.readText()), oauth.Status(s.readNumber())
	s.readAccess(&c.check.Access)
	s.readAccess(&c.check.PreviousAccess)
	if err := s.end(); err != nil {
		return c, err
	}
	if c.disabled, c.remembered = e.memory.knownDisabled(c.check.AccountID); c.remembered {
		return c, nil
	}
	c.disabled, err = conn.accountDisabled(c.check.AccountID)
	return c, err
}

const selectCheck = `select ` + checkColumns + ` from authorizations` + whereKeyed

// What an event may change of a row: columns that change together. Columns that are
// left alone need no work in an index.
const (
	changesStatus = 1 << iota
	changesSweep
	changesReplay
	changesAccess
	changesGeneration
	changesEnd
)

// updates are the statements for every set of changes.
func updates() (all [changesEnd]string) {
	columns := map[int]string{
		changesStatus: `status = ?, revoked_at = ?, revoked_reason = ?`,
		changesSweep:  `sweep_after = ?`,
		changesReplay: `replayed_at = ?`,
		changesAccess: `access_hash = ?, access_scope = ?, access_issued_at = ?, access_expires_at = ?`,
		changesGeneration: `generation = ?, rotated_at = ?, key_id = ?, refresh_hash = ?, previous_refresh_hash = ?,
			previous_access_hash = ?, previous_access_scope = ?, previous_access_issued_at = ?, previous_access_expires_at = ?`,
	}
	for changes := range all {
		var set []string
		for one := 1; one < changesEnd; one <<= 1 {
			if changes&one != 0 {
				set = append(set, columns[one])
			}
		}
		all[changes] = `update authorizations set ` + strings.Join(append(set, lessRoom), ", ") + ` where key = ? and status = ? and generation = ?`
	}
	return all
}

func changesOf(before, after *oauth.Authorization) (changes int) {
	if after.Status != before.Status {
		changes |= changesStatus
	}
	if after.SweepAfter != before.SweepAfter {
		changes |= changesSweep
	}
	if after.ReplayedAt != before.ReplayedAt {
		changes |= changesReplay
	}
	if after.Access != before.Access {
		changes |= changesAccess
	}
	if after.Generation != before.Generation {
		changes |= changesGeneration
	}
	return changes
}

// update writes what an event changed, only if the row is still the one that the
// decision was made on.
func (e *sqlite) update(tx *transaction, key int64, before, after *oauth.Authorization) error {
	changes := changesOf(before, after)
	s := sqliteOf(tx).statement(e.updates[changes])
	if changes&changesStatus != 0 {
		s.number(int64(after.Status)).moment(after.RevokedAt).text(string(after.RevokedReason))
	}
	if changes&changesSweep != 0 {
		s.moment(after.SweepAfter)
	}
	if changes&changesReplay != 0 {
		s.moment(after.ReplayedAt)
	}
	if changes&changesAccess != 0 {
		s.access(&after.Access)
	}
	if changes&changesGeneration != 0 {
		s.number(int64(after.Generation)).moment(after.RotatedAt).blob(blob(after.KeyID[:])).
			blob(blob(after.RefreshHash[:])).blob(blob(after.PreviousRefreshHash[:])).access(&after.PreviousAccess)
	}
	n, err := s.number(int64(grown(after) - grown(before))).number(key).number(int64(before.Status)).number(int64(before.Generation)).run()
	if err == nil && n != 1 {
		err = fmt.Errorf("authorization %s changed while an event was decided on it", after.ID)
	}
	if err == nil {
		tx.early.add(after.EarlySweep(), after.ID)
	}
	return err
}

func (s *statement) access(t *oauth.AccessToken) *statement {
	return s.blob(blob(t.Hash[:])).text(string(t.Scope)).moment(t.IssuedAt).moment(t.ExpiresAt)
}
