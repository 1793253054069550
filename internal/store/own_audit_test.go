package store

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	realpostgres "github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
)

func TestWhatPeopleDoIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) { auditsPeople(t, Options{Folder: t.TempDir()}) })
	t.Run("PostgreSQL", func(t *testing.T) { auditsPeople(t, Options{Database: realpostgres.Database(t)}) })
}

// audited is a store whose clock a test moves, and what it wrote into the audit log.
type audited struct {
	*testing.T
	store *Store
	clock atomic.Int64
	seen  int
}

func (a *audited) now() time.Time { return surplusNow.Add(time.Duration(a.clock.Load())) }

// log is what was added to the audit log since it was last asked for.
func (a *audited) log() []string {
	a.Helper()
	rows, err := a.store.engine.db().QueryContext(a.Context(), `select kind, actor_id, actor_name, address, account_id, application_id, subject, detail from audit order by id`)
	all, err := collect(rows, err, func(r row) (string, error) {
		var kind, actorName, address, subject, detail string
		var actor, account, application []byte
		err := r.Scan(&kind, &actor, &actorName, &address, &account, &application, &subject, &detail)
		return fmt.Sprintf("%s by %s %d at %s of %d/%d %s: %s", kind, actorName, len(actor), address, len(account), len(application), subject, detail), err
	})
	if err != nil {
		a.Fatal(err)
	}
	fresh := all[a.seen:]
	a.seen = len(all)
	return fresh
}

// does demands what something adds to the audit log.
func (a *audited) does(what string, do func() error, want ...string) {
	a.Helper()
	a.clock.Add(int64(time.Millisecond))
	if err := do(); err != nil {
		a.Fatalf("%s: %v", what, err)
	}
	if got := a.log(); !slices.Equal(got, want) {
		a.Errorf("%s: the audit log says\n%q, want\n%q", what, got, want)
	}
}

func (a *audited) id() oauth.ID { return surplusID(a.T) }

func auditsPeople(t *testing.T, o Options) {
	a := &audited{T: t}
	o.Now, o.OwnClock, o.Serve = a.now, true, true
	a.store = opened(t, o)
	ada := oauth.Account{ID: a.id(), Email: "ada@example.com", Username: "ada", Name: "Ada"}
	ctx := oauth.WithActor(t.Context(), oauth.Actor{AccountID: ada.ID, Name: "Ada", Address: "192.0.2.7"})
	a.does("signing up", func() error { return a.store.CreateAccount(ctx, ada, "hash") },
		"account.signed_up by Ada 16 at 192.0.2.7 of 16/0 Ada: ")
	a.auditsSessions(ctx, ada)
	a.auditsProfile(ctx, ada)
	a.auditsFailures(ada)
	a.auditsApprovals(ctx, ada)
}

func (a *audited) auditsSessions(ctx context.Context, ada oauth.Account) {
	var sessions []oauth.Session
	enter := func() error {
		s := oauth.Session{ID: a.id(), AccountID: ada.ID, ExpiresAt: a.now().Add(time.Hour)}
		sessions = append(sessions, s)
		return a.store.StartSession(ctx, s, "hash", oauth.ID{})
	}
	for range 4 {
		a.does("signing in", enter, "session.signed_in by Ada 16 at 192.0.2.7 of 16/0 Ada: ")
	}
	end := func() error { return a.store.EndSession(ctx, ada.ID, sessions[0].ID) }
	a.does("signing out", end, "session.ended by Ada 16 at 192.0.2.7 of 16/0 Ada: ")
	a.does("signing out again", end)
	others := func() error { return a.store.EndOtherSessions(ctx, ada.ID, sessions[1].ID) }
	a.does("signing out everywhere", others, "session.others_ended by Ada 16 at 192.0.2.7 of 16/0 Ada: 2")
	a.does("signing out everywhere again", others)
	a.does("a new password", func() error { return a.store.ChangePassword(ctx, ada.ID, "hash", "new", sessions[1].ID, oauth.Hash{}) },
		"account.password_changed by Ada 16 at 192.0.2.7 of 16/0 Ada: ")
	command := oauth.WithActor(a.Context(), oauth.Actor{Name: "command line"})
	a.does("a password that a command sets", func() error { return a.store.SetPassword(command, ada.ID, "other") },
		"account.password_changed by command line 0 at  of 16/0 Ada: ")
}

func (a *audited) auditsProfile(ctx context.Context, ada oauth.Account) {
	ada.Name = `Ada "L"`
	change := func() error { return a.store.ChangeProfile(ctx, ada) }
	a.does("a new name", change, `account.profile_changed by Ada 16 at 192.0.2.7 of 16/0 Ada "L": name "Ada" to "Ada \"L\""`)
	a.does("the same name", change)
	ada.Name, ada.Username = "Ada", "lovelace"
	a.does("both", change, `account.profile_changed by Ada 16 at 192.0.2.7 of 16/0 Ada: name "Ada \"L\"" to "Ada", username "ada" to "lovelace"`)
	p := &oauth.Picture{ID: a.id(), Type: "image/png", Body: []byte("x")}
	a.does("a picture", func() error { return a.store.PutPortrait(ctx, ada.ID, p) },
		"account.profile_changed by Ada 16 at 192.0.2.7 of 16/0 Ada: picture replaced")
	a.does("no picture", func() error { return a.store.PutPortrait(ctx, ada.ID, nil) },
		"account.profile_changed by Ada 16 at 192.0.2.7 of 16/0 Ada: picture removed")
	a.does("no picture again", func() error { return a.store.PutPortrait(ctx, ada.ID, nil) })
}

func (a *audited) auditsFailures(ada oauth.Account) {
	stranger := oauth.WithActor(a.Context(), oauth.Actor{Name: "somebody", Address: "203.0.113.9"})
	const line = "session.sign_in_failed by somebody 0 at 203.0.113.9 of 16/0 Ada: "
	fail := func() error {
		for range 10 {
			a.store.noteMisuse(stranger, misuse{kind: oauth.AuditSignInFailed, subject: aboutAccount(ada), actor: oauth.ActorFrom(stranger)})
		}
		return nil
	}
	a.does("guessing", fail, line)
	a.clock.Add(int64(30 * time.Second))
	a.does("guessing on", fail)
	a.clock.Add(int64(31 * time.Second))
	a.does("guessing a minute later", fail, line)

	// In the background, and nobody waits for it.
	a.clock.Add(int64(2 * time.Minute))
	for range 10 * maxMisuses {
		a.store.SignInFailed(stranger, ada)
	}
	var got []string
	await(a.T, "a guess is in the audit log", func() bool {
		got = a.log()
		return len(got) > 0
	})
	if !slices.Equal(got, []string{line}) {
		a.Errorf("the audit log says %q", got)
	}
}

func TestWhatIsMisusedLastIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	a := &audited{T: t}
	a.store = opened(t, Options{Folder: t.TempDir(), Now: a.now})
	a.store.misuses = make(chan misuse, maxMisuses)
	stranger := oauth.WithActor(t.Context(), oauth.Actor{Name: "somebody", Address: "203.0.113.9"})
	for range maxMisuses {
		a.store.SignInFailed(stranger, oauth.Account{ID: a.id(), Name: "Ada"})
	}
	ended, end := context.WithCancel(t.Context())
	end()
	a.store.noteMisuses(ended)
	if got := a.log(); len(got) != maxMisuses || got[0] != "session.sign_in_failed by somebody 0 at 203.0.113.9 of 16/0 Ada: " {
		t.Errorf("the audit log says %q", got)
	}
}

func (a *audited) auditsApprovals(ctx context.Context, ada oauth.Account) {
	application := oauth.Application{ID: a.id(), ClientID: "client", OwnerID: ada.ID, OwnerName: "Ada", Name: "Calendar", Scope: "profile events"}
	if err := a.store.RegisterApplication(ctx, application); err != nil {
		a.Fatal(err)
	}
	read, err := a.store.Application(ctx, application.ID)
	if err != nil {
		a.Fatal(err)
	}
	a.log()
	ask := func(ends time.Time) oauth.Authorization {
		return oauth.Authorization{
			ID: a.id(), ApplicationID: application.ID, AccountID: ada.ID, GrantType: oauth.GrantAuthorizationCode, Status: oauth.StatusPending,
			Scope: "profile events", CreatedAt: a.now(), CodeHash: oauth.Hash{1}, CodeExpiresAt: a.now().Add(time.Minute), EndsAt: ends,
		}
	}
	approve := func(asked bool, ends time.Time) func() error {
		return func() error {
			return a.store.Approve(ctx, Approval{Authorization: ask(ends), Identity: read.Identity(), Asked: asked})
		}
	}
	const by = " by Ada 16 at 192.0.2.7 of 16/16 Calendar: "
	a.does("approving for a time", approve(true, surplusNow.Add(24*time.Hour)), "authorization.approved"+by+"profile events until 2026-11-02T12:00:00Z")
	a.does("approving", approve(true, time.Time{}), "authorization.approved"+by+"profile events")
	a.does("approving without being asked", approve(false, time.Time{}))
	a.does("refusing", func() error { return a.store.Refuse(ctx, ask(time.Time{}), "Calendar") }, "authorization.refused"+by+"profile events")
	disconnect := func() error { return a.store.Disconnect(ctx, ada.ID, application.ID) }
	a.does("disconnecting", disconnect, "authorization.disconnected"+by)
	a.does("disconnecting again", disconnect)
}
