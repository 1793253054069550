package store

import (
	"context"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// failedSignIn is an attempt to sign in to an account by somebody who did not prove it.
type failedSignIn struct {
	account oauth.Account
	actor   oauth.Actor
}

// failuresEvery is how often the audit log tells of an account's failed sign-ins, at most.
const failuresEvery = time.Minute

// maxFailures is how many failed sign-ins may wait to be written; more are forgotten.
const maxFailures = 64

// SignInFailed writes into the audit log that somebody tried to sign in to an account,
// unless that was written within the last minute. It returns before it is written: the
// time that the answer takes must not tell whether there is such an account.
func (s *Store) SignInFailed(ctx context.Context, a oauth.Account) {
	select {
	case s.failures <- failedSignIn{account: a, actor: oauth.ActorFrom(ctx)}:
	default:
	}
}

// noteFailures writes down what SignInFailed was told, until ctx ends.
func (s *Store) noteFailures(ctx context.Context) {
	for {
		select {
		case f := <-s.failures:
			s.noteFailure(ctx, f)
		case <-ctx.Done():
			for range len(s.failures) {
				s.noteFailure(ctx, <-s.failures)
			}
			return
		}
	}
}

func (s *Store) noteFailure(ctx context.Context, f failedSignIn) {
	// What is known already is written also while the store is being closed.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(oauth.WithActor(ctx, f.actor)), 5*time.Second)
	defer cancel()
	err := s.write(ctx, func(tx *transaction) error {
		since := firstID(tx.now.Add(-failuresEvery))
		var told bool
		err := tx.queryRow(`select exists (select 1 from audit where account_id = $1 and id > $2 and kind = $3)`,
			f.account.ID[:], since[:], string(oauth.AuditSignInFailed)).Scan(&told)
		if err != nil || told {
			return err
		}
		return tx.audit(oauth.AuditSignInFailed, aboutAccount(f.account), "")
	})
	if err != nil {
		s.log.Warn("a failed sign-in could not be written into the audit log", "cause", err)
	}
}
