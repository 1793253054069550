package store

import (
	"cmp"
	"context"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// subjectOf is an application, and whose it is, for the audit log.
func subjectOf(a oauth.Application) oauth.AuditSubject {
	return oauth.AuditSubject{AccountID: a.OwnerID, ApplicationID: a.ID, Name: a.Name}
}

// standing is what administrators decide about an application.
type standing struct {
	submitted, verified, suspended time.Time
	note, reason                   string
	scope, requested               oauth.Scope
}

// decided is an event in the life of an application that somebody decided on, with what
// of it the audit log keeps.
type decided struct {
	kind   oauth.AuditKind
	detail string
	decide func(standing) standing
	// seen is the identity of the application that was decided about; empty where that
	// makes no difference.
	seen string
	// asking: it is those who manage the application that decided.
	asking bool
	// answer: without a question that it answers, or a mark that it takes, it is refused.
	answer bool
}

// decide changes the standing of an application as it is now. What changes nothing is
// not written down. ErrNotFound: there is no such application, or it is not for the actor to
// decide, or no more.
func (s *Store) decide(ctx context.Context, id oauth.ID, e decided) error {
	err := s.write(ctx, func(tx *transaction) error {
		read := tx.administered
		if e.asking {
			read = tx.managed
		}
		a, err := read(id)
		if err != nil || tx.refusal != nil {
			return err
		}
		if e.seen != "" && a.Identity().String() != e.seen {
			return tx.refuse(ErrChanged)
		}
		before := standing{a.SubmittedAt, a.VerifiedAt, a.SuspendedAt, a.ReviewNote, a.SuspendedReason, a.Scope, a.RequestedScope}
		after := e.decide(before)
		switch {
		case after == before && e.answer:
			return tx.refuse(ErrChanged)
		case after == before:
			return nil
		}
		err = tx.oneRow(`update applications set submitted_at = $1, verified_at = $2, suspended_at = $3, review_note = $4, suspended_reason = $5,
				scope = $6, requested_scope = $7 where id = $8`,
			toMillis(after.submitted), toMillis(after.verified), toMillis(after.suspended), after.note, after.reason,
			string(after.scope), string(after.requested), id[:])
		if err != nil || tx.refusal != nil {
			return err
		}
		if err := tx.tellSuspension(a, !after.suspended.IsZero()); err != nil {
			return err
		}
		return tx.audit(e.kind, subjectOf(a), e.detail)
	})
	return s.afterwards(err, change{kind: applicationChanged, id: id})
}

// administered reads an application for a decision of administrators, and locks it. It refuses
// where the actor, unless it is a command, is none any more.
func (t *transaction) administered(id oauth.ID) (a oauth.Application, err error) {
	may := t.actor.AccountID.IsZero()
	if !may {
		err = t.queryRow(`select exists (select 1 from accounts where id = $1 and administrator and disabled_at = 0)`, t.actor.AccountID[:]).Scan(&may)
	}
	if err != nil {
		return a, err
	}
	if !may {
		return a, t.refuse(ErrNotFound)
	}
	// Nor may its owner get another name meanwhile, or be disabled or enabled.
	a, err = scanApplication(t.queryRow(selectApplication+` where applications.id = $1`+t.shareOf("accounts")+t.lockOf("applications"), id[:]))
	return a, t.absent(err)
}

// SuspendApplication switches an application off: it cannot authenticate, and none of
// its tokens works. Its owner is shown the reason; without one, that of a suspension that
// stands stays.
func (s *Store) SuspendApplication(ctx context.Context, id oauth.ID, reason string) error {
	now := s.engine.now()
	return s.decide(ctx, id, decided{kind: oauth.AuditApplicationSuspended, detail: reason, decide: func(a standing) standing {
		if a.suspended.IsZero() {
			a.suspended = now
		}
		a.reason = cmp.Or(reason, a.reason)
		return a
	}})
}

// ResumeApplication undoes SuspendApplication; tokens that have not expired work again.
func (s *Store) ResumeApplication(ctx context.Context, id oauth.ID) error {
	return s.decide(ctx, id, decided{kind: oauth.AuditApplicationResumed, decide: func(a standing) standing {
		a.suspended, a.reason = time.Time{}, ""
		return a
	}})
}

// SubmitApplication asks for a review. It changes nothing where one is under way or over.
func (s *Store) SubmitApplication(ctx context.Context, id oauth.ID) error {
	now := s.engine.now()
	return s.decide(ctx, id, decided{kind: oauth.AuditApplicationSubmitted, asking: true, decide: func(a standing) standing {
		if a.submitted.IsZero() && a.verified.IsZero() {
			a.submitted, a.note = now, ""
		}
		return a
	}})
}

// VerifyApplication marks an application as what it says it is.
func (s *Store) VerifyApplication(ctx context.Context, id oauth.ID) error {
	return s.VerifySeen(ctx, id, "")
}

// VerifySeen is VerifyApplication for the application of an identity: ErrChanged where it
// is no longer what somebody looked at.
func (s *Store) VerifySeen(ctx context.Context, id oauth.ID, seen string) error {
	now := s.engine.now()
	return s.decide(ctx, id, decided{kind: oauth.AuditApplicationVerified, seen: seen, decide: func(a standing) standing {
		if a.verified.IsZero() {
			a.verified = now
		}
		a.submitted, a.note = time.Time{}, ""
		return a
	}})
}

// ReturnApplication answers a review with no, and tells the owner why: ErrChanged where
// none is asked for, or no more.
func (s *Store) ReturnApplication(ctx context.Context, id oauth.ID, note string) error {
	return s.decide(ctx, id, decided{kind: oauth.AuditApplicationReturned, detail: note, answer: true, decide: func(a standing) standing {
		if !a.submitted.IsZero() {
			a.submitted, a.note = time.Time{}, note
		}
		return a
	}})
}

// UnverifyApplication takes the mark from an application, and tells the owner why: ErrChanged
// where it has none, or no more.
func (s *Store) UnverifyApplication(ctx context.Context, id oauth.ID, note string) error {
	return s.decide(ctx, id, decided{kind: oauth.AuditApplicationUnmarked, detail: note, answer: true, decide: func(a standing) standing {
		if !a.verified.IsZero() {
			a.verified, a.note = time.Time{}, note
		}
		return a
	}})
}

const whereVerifiedOf = ` where owner_id = $1 and verified_at > 0`

// OwnsVerified reports whether an application of an account has the verified mark.
func (s *Store) OwnsVerified(ctx context.Context, account oauth.ID) (owns bool, err error) {
	err = s.engine.db().QueryRowContext(ctx, `select exists (select 1 from applications`+whereVerifiedOf+`)`, account[:]).Scan(&owns)
	return owns, fault(err)
}

// unmarkOwned takes the mark from the applications of an account that changes its name.
func (t *transaction) unmarkOwned(owner oauth.ID) error {
	rows, err := t.query(selectApplication+whereVerifiedOf+` order by applications.id`+t.lockOf("applications"), owner[:])
	marked, err := collect(rows, err, scanApplication)
	if err != nil || len(marked) == 0 {
		return err
	}
	if _, err := t.exec(`update applications set verified_at = 0`+whereVerifiedOf, owner[:]); err != nil {
		return err
	}
	for _, a := range marked {
		if err := t.audit(oauth.AuditApplicationEdited, subjectOf(a), verifiedMark); err != nil {
			return err
		}
	}
	return nil
}

// RequestScope asks for scopes that an administrator has to allow.
func (s *Store) RequestScope(ctx context.Context, id oauth.ID, scope oauth.Scope) error {
	return s.decide(ctx, id, decided{kind: oauth.AuditScopeRequested, detail: string(scope), asking: true, decide: func(a standing) standing {
		a.requested = a.requested.With(scope).Without(a.scope)
		return a
	}})
}

// AllowScope gives an application a scope, asked for or not: ErrChanged where the scope is
// no longer to it what somebody saw.
func (s *Store) AllowScope(ctx context.Context, id oauth.ID, scope string, seen oauth.ScopeState) error {
	return s.decideScope(ctx, id, oauth.AuditScopeAllowed, scope, seen, func(a standing) standing {
		a.scope, a.requested = a.scope.With(oauth.ScopeOf(scope)), a.requested.Without(oauth.ScopeOf(scope))
		return a
	})
}

// DeclineScope answers a request for a scope with no, or takes it from an application that
// has it: ErrChanged as for AllowScope.
func (s *Store) DeclineScope(ctx context.Context, id oauth.ID, scope string, seen oauth.ScopeState) error {
	return s.decideScope(ctx, id, oauth.AuditScopeDeclined, scope, seen, func(a standing) standing {
		a.scope, a.requested = a.scope.Without(oauth.ScopeOf(scope)), a.requested.Without(oauth.ScopeOf(scope))
		return a
	})
}

func (s *Store) decideScope(ctx context.Context, id oauth.ID, kind oauth.AuditKind, scope string, seen oauth.ScopeState, decide func(standing) standing) error {
	return s.decide(ctx, id, decided{kind: kind, detail: scope, answer: true, decide: func(a standing) standing {
		if (oauth.Application{Scope: a.scope, RequestedScope: a.requested}).StateOf(scope) != seen {
			return a
		}
		return decide(a)
	}})
}

// MayTest reports whether an account is named as one that may authorize an application
// before its review: a co-owner or a tester. The owner is not asked about here.
func (s *Store) MayTest(ctx context.Context, application, account oauth.ID) (may bool, err error) {
	err = s.engine.db().QueryRowContext(ctx, mayTest, application[:], account[:]).Scan(&may)
	return may, fault(err)
}

// mayApprove reports whether an account may approve an application, which is a draft where a
// review is required.
func (t *transaction) mayApprove(a oauth.Application, account oauth.ID, review bool) (may bool, err error) {
	if !review || a.Verified() || a.OwnerID == account {
		return true, nil
	}
	err = t.queryRow(mayTest, a.ID[:], account[:]).Scan(&may)
	return may, err
}

const mayTest = `select exists (select 1 from application_members
	where application_id = $1 and account_id = $2 and role in ('co-owner', 'tester'))`
