package application

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// maxReason is how long what an administrator writes to an owner may be, in characters.
const maxReason = 500

// Reason cleans what an administrator tells the owner of an application. The error is a
// *Problem where it is missing although it is needed, or too long.
func Reason(s string, needed bool) (string, error) {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	switch {
	case s == "" && needed:
		return "", &Problem{Field: "reason", Message: oauth.Say("Write a sentence: the owner reads it.")}
	case utf8.RuneCountInString(s) > maxReason:
		return "", &Problem{Field: "reason", Message: oauth.Say("Use at most %d characters.", maxReason)}
	}
	return s, nil
}

// Suspend switches an application off until Resume: it cannot authenticate, and none of
// its tokens and codes works. Its owner is shown the reason, which may be empty.
func (a *Applications) Suspend(ctx context.Context, id oauth.ID, reason string) error {
	return a.store.SuspendApplication(ctx, id, reason)
}

// Resume undoes Suspend.
func (a *Applications) Resume(ctx context.Context, id oauth.ID) error {
	return a.store.ResumeApplication(ctx, id)
}

// Submit asks the administrators for a review.
func (a *Applications) Submit(ctx context.Context, id oauth.ID) error {
	return a.store.SubmitApplication(ctx, id)
}

// Verify marks an application as what it says it is.
func (a *Applications) Verify(ctx context.Context, id oauth.ID) error {
	return a.store.VerifyApplication(ctx, id)
}

// ErrChanged: an application is no longer what was looked at.
var ErrChanged = store.ErrChanged

// VerifySeen is Verify for an application whose identity was seen: ErrChanged where
// somebody changed it meanwhile.
func (a *Applications) VerifySeen(ctx context.Context, id oauth.ID, seen string) error {
	return a.store.VerifySeen(ctx, id, seen)
}

// OwnsVerified reports whether an application of an account has the mark that Verify gives.
func (a *Applications) OwnsVerified(ctx context.Context, account oauth.ID) (bool, error) {
	return a.store.OwnsVerified(ctx, account)
}

// Return answers a review with no; the owner is shown the note. ErrChanged: the
// application is not submitted, or no more.
func (a *Applications) Return(ctx context.Context, id oauth.ID, note string) error {
	return a.store.ReturnApplication(ctx, id, note)
}

// Unverify takes the mark that Verify gave; the owner is shown the note. ErrChanged where there
// is none.
func (a *Applications) Unverify(ctx context.Context, id oauth.ID, note string) error {
	return a.store.UnverifyApplication(ctx, id, note)
}

// RequestScope asks the administrators for scopes that need their approval. The error is a
// *Problem where there is none among them.
func (a *Applications) RequestScope(ctx context.Context, id oauth.ID, scope oauth.Scope) error {
	scope = scope.Within(a.catalogue.All()).Without(a.catalogue.WithoutApproval())
	if scope == "" {
		return &Problem{Field: "requested_scope", Message: oauth.Say("Choose at least one scope.")}
	}
	return a.store.RequestScope(ctx, id, scope)
}

// AllowScope gives an application a scope, asked for or not: ErrChanged where the scope is
// no longer to it what somebody saw.
func (a *Applications) AllowScope(ctx context.Context, id oauth.ID, scope string, seen oauth.ScopeState) error {
	return a.store.AllowScope(ctx, id, scope, seen)
}

// DeclineScope answers a request for a scope with no, or takes it from an application that
// has it: ErrChanged as for AllowScope.
func (a *Applications) DeclineScope(ctx context.Context, id oauth.ID, scope string, seen oauth.ScopeState) error {
	return a.store.DeclineScope(ctx, id, scope, seen)
}

// Page is where a list begins and how long it may be.
type Page = store.Page

// Page lists applications in a state of package store, or all, the newest first.
func (a *Applications) Page(ctx context.Context, state string, p Page) ([]oauth.Application, error) {
	return a.store.ApplicationPage(ctx, state, p)
}

// PageOf lists the applications of an owner, the newest first.
func (a *Applications) PageOf(ctx context.Context, owner oauth.ID, p Page) ([]oauth.Application, error) {
	return a.store.ApplicationPageOf(ctx, owner, p)
}

// Beginning lists applications whose name begins with a text.
func (a *Applications) Beginning(ctx context.Context, prefix string, limit int) ([]oauth.Application, error) {
	return a.store.FindApplications(ctx, prefix, limit)
}

// Living counts what stops when an application is suspended.
func (a *Applications) Living(ctx context.Context, id oauth.ID) (store.Living, error) {
	return a.store.LivingOfApplication(ctx, id)
}
