package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// RotateSecret replaces the secret of a confidential application that was made at a time,
// or whichever there is where that is zero. The one that was current until now works until
// previousEnds; the one before it no more. ErrNotFound: there is no such application that is
// confidential and that the actor manages. ErrChanged: its secret is another one.
func (s *Store) RotateSecret(ctx context.Context, id oauth.ID, made time.Time, secret oauth.Hash, previousEnds time.Time) error {
	return s.changeApplication(ctx, id, oauth.AuditSecretReplaced, func(tx *transaction, a oauth.Application) error {
		if !made.IsZero() && !made.Equal(a.SecretCreatedAt) {
			return tx.refuse(ErrChanged)
		}
		return tx.oneRow(`update applications set previous_secret_hash = secret_hash, previous_secret_ends_at = $1,
				previous_secret_created_at = secret_created_at, previous_secret_used_at = secret_used_at,
				secret_hash = $2, secret_created_at = $3, secret_used_at = 0 where id = $4 and not public`,
			toMillis(previousEnds), secret[:], toMillis(s.engine.now()), id[:])
	})
}

// EndPreviousSecret ends the secret before the one that was made at a time, or before
// whichever there is where that is zero. ErrNotFound: there is none. ErrChanged: the
// present secret is another one, and so is the one before it.
func (s *Store) EndPreviousSecret(ctx context.Context, id oauth.ID, made time.Time) error {
	return s.changeApplication(ctx, id, oauth.AuditSecretEnded, func(tx *transaction, a oauth.Application) error {
		if !made.IsZero() && !made.Equal(a.SecretCreatedAt) {
			return tx.refuse(ErrChanged)
		}
		return tx.oneRow(`update applications set previous_secret_hash = $1, previous_secret_ends_at = 0,
				previous_secret_created_at = 0, previous_secret_used_at = 0
			where id = $2 and previous_secret_ends_at > $3`, []byte{}, id[:], toMillis(tx.now))
	})
}

// changeApplication does something to an application whose actor manages it, and writes down
// that it was done.
func (s *Store) changeApplication(ctx context.Context, id oauth.ID, kind oauth.AuditKind, f func(*transaction, oauth.Application) error) error {
	err := s.write(ctx, func(tx *transaction) error {
		a, err := tx.managed(id)
		if err != nil || tx.refusal != nil {
			return err
		}
		if err := f(tx, a); err != nil || tx.refusal != nil {
			return err
		}
		return tx.audit(kind, subjectOf(a), "")
	})
	return s.afterwards(err, change{kind: applicationChanged, id: id})
}

// verifiedMark is what the audit log calls it when an application lost its mark by an edit.
const verifiedMark = "verified mark"

// whatWasEdited names what differs, for the audit log.
func whatWasEdited(before, after oauth.Application) string {
	var edited []string
	for name, differs := range map[string]bool{
		"name":           before.Name != after.Name,
		"site":           before.Site != after.Site,
		"privacy":        before.Privacy != after.Privacy,
		"terms":          before.Terms != after.Terms,
		"redirect_uris":  !slices.Equal(before.RedirectURIs, after.RedirectURIs),
		"optional_scope": before.OptionalScope != after.OptionalScope,
		verifiedMark:     before.Verified() && !after.Verified(),
		fmt.Sprintf("scope %q to %q", before.Scope, after.Scope): before.Scope != after.Scope,
	} {
		if differs {
			edited = append(edited, name)
		}
	}
	slices.Sort(edited)
	return strings.Join(edited, ", ")
}
