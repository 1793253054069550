package store

import (
	"context"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// misuse is what somebody did who did not prove that they may.
type misuse struct {
	kind    oauth.AuditKind
	subject oauth.AuditSubject
	detail  string
	actor   oauth.Actor
}

// misuseTime is how long one may take to be written, and at the end all that wait, together.
const misuseTime = 5 * time.Second

// misuseEvery is how often the audit log tells of the same of an account, at most.
const misuseEvery = time.Minute

// maxMisuses is how many may wait to be written; more are forgotten.
const maxMisuses = 64

// SignInFailed writes into the audit log that somebody tried to sign in to an account,
// unless that was written within the last minute. It returns before it is written: the
// time that the answer takes must not tell whether there is such an account.
func (s *Store) SignInFailed(ctx context.Context, a oauth.Account) {
	s.misused(ctx, misuse{kind: oauth.AuditSignInFailed, subject: aboutAccount(a)})
}

// EndedByMisuse writes into the audit log why an authorization was revoked when somebody used
// what is of it and works no more. The name is the application's.
func (s *Store) EndedByMisuse(ctx context.Context, a oauth.Authorization, name string, reason oauth.Reason) {
	s.misused(ctx, misuse{
		kind: oauth.AuditAuthorizationRevoked, subject: aboutAuthorization(a, name), detail: string(reason) + ": authorization " + a.ID.String(),
	})
}

func (s *Store) misused(ctx context.Context, m misuse) {
	m.actor = oauth.ActorFrom(ctx)
	select {
	case s.misuses <- m:
	default:
	}
}

// noteMisuses writes down what misused was told, until ctx ends, and then what waits.
func (s *Store) noteMisuses(ctx context.Context) {
	whole := context.WithoutCancel(ctx)
	for ctx.Err() == nil {
		select {
		case m := <-s.misuses:
			s.noteMisuse(whole, m)
		case <-ctx.Done():
		}
	}
	limit, cancel := context.WithTimeout(whole, misuseTime)
	defer cancel()
	for range len(s.misuses) {
		s.noteMisuse(limit, <-s.misuses)
	}
}

func (s *Store) noteMisuse(ctx context.Context, m misuse) {
	ctx, cancel := context.WithTimeout(oauth.WithActor(ctx, m.actor), misuseTime)
	defer cancel()
	err := s.write(ctx, func(tx *transaction) error {
		since := firstID(tx.now.Add(-misuseEvery))
		var told bool
		err := tx.queryRow(`select exists (select 1 from audit where account_id = $1 and id > $2 and kind = $3 and detail = $4)`,
			m.subject.AccountID[:], since[:], string(m.kind), m.detail).Scan(&told)
		if err != nil || told {
			return err
		}
		return tx.audit(m.kind, m.subject, m.detail)
	})
	if err != nil {
		s.log.Warn("what somebody misused could not be written into the audit log", "kind", m.kind, "cause", err)
	}
}
