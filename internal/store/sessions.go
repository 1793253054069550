package store

import (
	"context"
	"strconv"

	"github.com/latchkey/latchkey/internal/oauth"
)

const selectSession = `select id, account_id, hash, user_agent, address, created_at, last_seen_at, expires_at from sessions`

func scanSession(r row) (s oauth.Session, err error) {
	err = r.Scan(fixed(s.ID[:]), fixed(s.AccountID[:]), fixed(s.Hash[:]), &s.UserAgent, &s.Address,
		millis{&s.CreatedAt}, millis{&s.LastSeenAt}, millis{&s.ExpiresAt})
	return s, notFound(err)
}

// StartSession adds a session, and ends the one that the browser had before.
// ErrNotFound: the account is gone or disabled, or password is no longer the hash
// of its password: whoever proved the old one comes too late.
func (s *Store) StartSession(ctx context.Context, n oauth.Session, password string, before oauth.ID) error {
	return s.write(ctx, func(tx *transaction) error {
		// Whoever changes the password waits until it can end this session, too.
		err := tx.oneRow(`insert into sessions (id, account_id, hash, user_agent, address, created_at, last_seen_at, expires_at)
			select $1, id, $3, $4, $5, $6, $7, $8 from accounts where id = $2 and disabled_at = 0 and password = $9`+tx.shareOf("accounts"),
			n.ID[:], n.AccountID[:], n.Hash[:], n.UserAgent, n.Address, toMillis(n.CreatedAt), toMillis(n.LastSeenAt), toMillis(n.ExpiresAt), password)
		if err != nil || tx.refusal != nil {
			return err
		}
		if _, err = tx.exec(`delete from sessions where id = $1`, before[:]); err != nil {
			return err
		}
		return tx.auditOwn(oauth.AuditSignedIn, n.AccountID, "")
	})
}

// Session reads a session.
func (s *Store) Session(ctx context.Context, id oauth.ID) (oauth.Session, error) {
	return scanSession(s.engine.db().QueryRowContext(ctx, selectSession+` where id = $1`, id[:]))
}

// Sessions lists the sessions of an account that have not expired, the one that
// was seen last first.
func (s *Store) Sessions(ctx context.Context, account oauth.ID) ([]oauth.Session, error) {
	rows, err := s.engine.db().QueryContext(ctx, selectSession+` where account_id = $1 and expires_at > $2 order by last_seen_at desc`,
		account[:], toMillis(s.engine.now()))
	return collect(rows, err, scanSession)
}

// SeeSession records that a session is in use, and until when it now lives.
func (s *Store) SeeSession(ctx context.Context, n oauth.Session) error {
	return s.write(ctx, func(tx *transaction) error {
		_, err := tx.exec(`update sessions set last_seen_at = $1, expires_at = $2 where id = $3`,
			toMillis(n.LastSeenAt), toMillis(n.ExpiresAt), n.ID[:])
		return err
	})
}

// EndSession signs a browser out. Only the account's own sessions can be ended.
func (s *Store) EndSession(ctx context.Context, account, id oauth.ID) error {
	return s.write(ctx, func(tx *transaction) error {
		n, err := tx.exec(`delete from sessions where id = $1 and account_id = $2`, id[:], account[:])
		if err != nil || n == 0 {
			return err
		}
		return tx.auditOwn(oauth.AuditSessionEnded, account, "")
	})
}

// EndOtherSessions signs an account out everywhere but in the session keep.
func (s *Store) EndOtherSessions(ctx context.Context, account, keep oauth.ID) error {
	return s.write(ctx, func(tx *transaction) error {
		n, err := tx.exec(`delete from sessions where account_id = $1 and id <> $2`, account[:], keep[:])
		if err != nil || n == 0 {
			return err
		}
		return tx.auditOwn(oauth.AuditSessionsEnded, account, strconv.FormatInt(n, 10))
	})
}
