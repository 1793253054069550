package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	realpostgres "github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
)

// TestAdministration demands of both engines what administrators see and decide.
func TestAdministration(t *testing.T) {
	tests := []struct {
		name string
		test func(*testing.T, *Store)
	}{
		{"the audit log is narrowed and paged both ways", auditIsNarrowed},
		{"conditions that seldom meet are searched window by window", auditGoesByWindows},
		{"an application goes from draft to verified and back", applicationsAreReviewed},
		{"what changes nothing is not written down", nothingIsNotWrittenDown},
		{"accounts are found by how they begin", accountsAreFound},
		{"applications are listed by state and owner", applicationsAreListed},
		{"what lives is counted before it is stopped", livingIsCounted},
		{"an operator's revocation is written down", revocationsAreWrittenDown},
		{"co-owners and testers may authorize a draft", membersMayTest},
		{"the last administrator stays", lastAdministratorStays},
	}
	t.Run("SQLite", func(t *testing.T) {
		for _, c := range tests {
			t.Run(c.name, func(t *testing.T) { c.test(t, openAt(t, Options{Folder: t.TempDir()})) })
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		server := realpostgres.Start(t)
		for _, c := range tests {
			t.Run(c.name, func(t *testing.T) { c.test(t, openAt(t, Options{Database: server.Database(t)})) })
		}
	})
}

func openAt(t *testing.T, o Options) *Store {
	t.Helper()
	// Ids tell the order of what was made in different milliseconds.
	var ticks atomic.Int64
	began := time.Now().Add(-time.Hour)
	o.Now, o.OwnClock, o.Log = func() time.Time { return began.Add(time.Duration(ticks.Add(1)) * time.Millisecond) }, true, slog.New(slog.DiscardHandler)
	s, err := Open(t.Context(), o)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newID(t *testing.T, at time.Time) oauth.ID {
	t.Helper()
	id, err := oauth.NewID(rand.Reader, at)
	must(t, err)
	return id
}

func newAccount(t *testing.T, s *Store, email, username, name string, administrator bool) oauth.Account {
	t.Helper()
	a := oauth.Account{ID: newID(t, s.Now()), Email: email, Username: username, Name: name, Administrator: administrator, CreatedAt: s.Now()}
	must(t, s.CreateAccount(t.Context(), a, "hash"))
	return a
}

func newApplication(t *testing.T, s *Store, owner oauth.Account, name string) oauth.Application {
	t.Helper()
	id, clientID, err := oauth.NewClientID(rand.Reader, s.Now())
	must(t, err)
	a := oauth.Application{ID: id, ClientID: clientID, OwnerID: owner.ID, Name: name, Scope: "profile", Public: true, CreatedAt: s.Now()}
	must(t, s.RegisterApplication(t.Context(), a))
	return a
}

func insertAudit(t *testing.T, s *Store, events ...oauth.AuditEvent) {
	t.Helper()
	for some := range slices.Chunk(events, 500) {
		var rows []string
		var args []any
		for _, e := range some {
			first := len(args)
			args = append(args, e.ID[:], string(e.Kind), blob(e.Actor.AccountID[:]), e.Actor.Name, e.Actor.Address,
				blob(e.Subject.AccountID[:]), blob(e.Subject.ApplicationID[:]), e.Subject.Name, e.Detail)
			var row []string
			for i := first; i < len(args); i++ {
				row = append(row, fmt.Sprintf("$%d", i+1))
			}
			rows = append(rows, "("+strings.Join(row, ", ")+")")
		}
		must(t, s.write(t.Context(), func(tx *transaction) error {
			_, err := tx.exec(`insert into audit (`+auditColumns+`) values `+strings.Join(rows, ", "), args...)
			return err
		}))
	}
}

// walk reads the log to its end in pages, and back, and demands the same lines.
func walk(t *testing.T, s *Store, f AuditFilter, limit int) []oauth.AuditEvent {
	t.Helper()
	var all []oauth.AuditEvent
	at := &AuditCursor{}
	var last AuditPage
	for at != nil {
		var err error
		last, err = s.Audit(t.Context(), f, *at, limit)
		must(t, err)
		all = append(all, last.Events...)
		at = last.Older
	}
	back := last.Events
	for at = last.Newer; at != nil; {
		p, err := s.Audit(t.Context(), f, *at, limit)
		must(t, err)
		back = append(slices.Clone(p.Events), back...)
		at = p.Newer
	}
	if !slices.Equal(all, back) {
		t.Errorf("%+v: %d lines on the way there, %d on the way back", f, len(all), len(back))
	}
	return all
}

func auditIsNarrowed(t *testing.T, s *Store) {
	began := time.Now().Add(-1000 * time.Hour).Truncate(time.Hour)
	people := []oauth.ID{{}, newID(t, began), newID(t, began), newID(t, began)}
	kinds := []oauth.AuditKind{"account.a", "account.b", "application.a", "session.a"}
	addresses := []string{"", "192.0.2.1", "2001:db8::1"}
	draw := mathrand.New(mathrand.NewPCG(1, 2))
	pick := func(n int) int { return draw.IntN(n) }
	var all []oauth.AuditEvent
	for i := range 400 {
		e := oauth.AuditEvent{ID: newID(t, began.Add(time.Duration(i)*time.Hour)), Kind: kinds[pick(4)], Detail: fmt.Sprint(i)}
		e.Actor = oauth.Actor{AccountID: people[pick(4)], Name: []string{"server", "command line"}[pick(2)], Address: addresses[pick(3)]}
		e.Subject = oauth.AuditSubject{AccountID: people[pick(4)], ApplicationID: people[pick(4)], Name: "it"}
		all = append(all, e)
	}
	insertAudit(t, s, all...)
	slices.Reverse(all)
	for range 60 {
		f := AuditFilter{}
		if pick(2) == 0 {
			f.Kind = []string{"account", "application.a", "session", "nothing"}[pick(4)]
		}
		if pick(3) == 0 {
			f.ActorID = people[1+pick(3)]
		} else if pick(3) == 0 {
			f.ActorName = "server"
		}
		if pick(3) == 0 {
			f.AccountID = people[1+pick(3)]
		}
		if pick(3) == 0 {
			f.ApplicationID = people[1+pick(3)]
		}
		if pick(3) == 0 {
			f.Address = addresses[1+pick(2)]
		}
		if pick(3) == 0 {
			f.From = began.Add(time.Duration(pick(400)) * time.Hour)
		}
		if pick(3) == 0 {
			f.Until = began.Add(time.Duration(pick(400)) * time.Hour)
		}
		want := slices.DeleteFunc(slices.Clone(all), func(e oauth.AuditEvent) bool { return !meets(f, e) })
		if got := walk(t, s, f, 5+pick(60)); !slices.Equal(got, want) {
			t.Fatalf("%+v: %d lines, want %d", f, len(got), len(want))
		}
	}
	found, err := s.AuditKinds(t.Context())
	must(t, err)
	if want := []string{"account.a", "account.b", "application.a", "session.a"}; !slices.Equal(found, want) {
		t.Errorf("the kinds are %v, want %v", found, want)
	}
}

func meets(f AuditFilter, e oauth.AuditEvent) bool {
	return (f.Kind == "" || f.Kind == string(e.Kind) || f.Kind == e.Kind.Group()) &&
		(f.ActorID.IsZero() || f.ActorID == e.Actor.AccountID) &&
		(f.ActorName == "" || e.Actor.AccountID.IsZero() && e.Actor.Name == f.ActorName) &&
		(f.AccountID.IsZero() || f.AccountID == e.Subject.AccountID) &&
		(f.ApplicationID.IsZero() || f.ApplicationID == e.Subject.ApplicationID) &&
		(f.Address == "" || f.Address == e.Actor.Address) &&
		(f.From.IsZero() || !e.At().Before(f.From)) && (f.Until.IsZero() || e.At().Before(f.Until))
}

func auditGoesByWindows(t *testing.T, s *Store) {
	began := time.Now().Add(-time.Hour)
	person := newID(t, began)
	var all []oauth.AuditEvent
	for i := range 2*auditWindow + 10 {
		e := oauth.AuditEvent{ID: newID(t, began.Add(time.Duration(i)*time.Millisecond)), Kind: "often.it", Subject: oauth.AuditSubject{AccountID: person}}
		if i == 3 {
			e.Kind = "seldom.it"
		}
		all = append(all, e)
	}
	insertAudit(t, s, all...)
	f := AuditFilter{Kind: "seldom.it", AccountID: person}
	first, err := s.Audit(t.Context(), f, AuditCursor{}, 50)
	must(t, err)
	if len(first.Events) != 0 || first.Older == nil || first.Reached != all[auditWindow+10].ID {
		t.Errorf("the first page has %d lines and was searched as far as %v, want that of the window's end", len(first.Events), first.Reached)
	}
	if got := walk(t, s, f, 50); len(got) != 1 || got[0] != all[3] {
		t.Errorf("%d lines are found, want the one", len(got))
	}
}

// kindsOf lists what happened to an application or account, the oldest first.
func kindsOf(t *testing.T, s *Store, f AuditFilter) (kinds, details string) {
	t.Helper()
	all := walk(t, s, f, 100)
	slices.Reverse(all)
	var k, d []string
	for _, e := range all {
		k, d = append(k, string(e.Kind)), append(d, e.Detail)
		if e.Actor != (oauth.Actor{Name: "server"}) {
			t.Errorf("%s was done by %+v", e.Kind, e.Actor)
		}
	}
	return strings.Join(k, " "), strings.Join(d, "|")
}

func applicationsAreReviewed(t *testing.T, s *Store) {
	ctx := t.Context()
	a := newApplication(t, s, newAccount(t, s, "o@x.example", "olive", "Olive", false), "App")
	look := func(want string) {
		t.Helper()
		read, err := s.Application(ctx, a.ID)
		must(t, err)
		got := fmt.Sprintf("submitted %v, verified %v, suspended %v, note %q, reason %q, scope %q, asks for %q",
			read.Submitted(), read.Verified(), read.Suspended(), read.ReviewNote, read.SuspendedReason, read.Scope, read.RequestedScope)
		if got != want {
			t.Errorf("the application is: %s; want: %s", got, want)
		}
	}
	must(t, s.SubmitApplication(ctx, a.ID))
	look(`submitted true, verified false, suspended false, note "", reason "", scope "profile", asks for ""`)
	must(t, s.ReturnApplication(ctx, a.ID, "No site."))
	look(`submitted false, verified false, suspended false, note "No site.", reason "", scope "profile", asks for ""`)
	must(t, s.SubmitApplication(ctx, a.ID))
	must(t, s.VerifyApplication(ctx, a.ID))
	must(t, s.RequestScope(ctx, a.ID, "community billing"))
	look(`submitted false, verified true, suspended false, note "", reason "", scope "profile", asks for "community billing"`)
	must(t, s.AllowScope(ctx, a.ID, "community"))
	must(t, s.DeclineScope(ctx, a.ID, "billing"))
	must(t, s.SuspendApplication(ctx, a.ID, "Spam."))
	look(`submitted false, verified true, suspended true, note "", reason "Spam.", scope "profile community", asks for ""`)
	must(t, s.ResumeApplication(ctx, a.ID))
	must(t, s.UnverifyApplication(ctx, a.ID, "Sold."))
	look(`submitted false, verified false, suspended false, note "Sold.", reason "", scope "profile community", asks for ""`)
	must(t, s.DeleteApplication(ctx, a.ID))
	kinds, details := kindsOf(t, s, AuditFilter{ApplicationID: a.ID})
	if want := "application.registered application.submitted application.returned application.submitted application.verified application.scope_requested " +
		"application.scope_allowed application.scope_declined application.suspended application.resumed application.unverified application.deleted"; kinds != want {
		t.Errorf("written down is %s", kinds)
	}
	if want := "||No site.|||community billing|community|billing|Spam.||Sold.|"; details != want {
		t.Errorf("the details are %s", details)
	}
	if err := s.VerifyApplication(ctx, a.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("an application that is gone is verified: %v", err)
	}
}

func nothingIsNotWrittenDown(t *testing.T, s *Store) {
	ctx := t.Context()
	owner := newAccount(t, s, "o@x.example", "olive", "Olive", false)
	a := newApplication(t, s, owner, "App")
	for range 2 {
		must(t, s.ResumeApplication(ctx, a.ID))
		must(t, s.ReturnApplication(ctx, a.ID, "No."))
		must(t, s.UnverifyApplication(ctx, a.ID, "No."))
		must(t, s.DeclineScope(ctx, a.ID, "community"))
		must(t, s.VerifyApplication(ctx, a.ID))
		must(t, s.SubmitApplication(ctx, a.ID))
		must(t, s.UnverifyApplication(ctx, a.ID, "No."))
		must(t, s.UnverifyApplication(ctx, a.ID, "No."))
		must(t, s.DisableAccount(ctx, owner.ID))
		must(t, s.DisableAccount(ctx, owner.ID))
	}
	must(t, s.EnableAccount(ctx, owner.ID))
	must(t, s.EnableAccount(ctx, owner.ID))
	kinds, _ := kindsOf(t, s, AuditFilter{AccountID: owner.ID})
	if want := "account.created application.registered application.verified application.unverified account.disabled " +
		"application.verified application.unverified account.enabled"; kinds != want {
		t.Errorf("written down is %s", kinds)
	}
}

func accountsAreFound(t *testing.T, s *Store) {
	ctx := t.Context()
	ada := newAccount(t, s, "Ada@engines.example", "lovelace", "Ada Lovelace", true)
	bob := newAccount(t, s, "bob@people.example", "ada-fan", "Bob %_ Babbage", false)
	eve := newAccount(t, s, "eve@people.example", "eve", "Ångström Eve", false)
	must(t, s.DisableAccount(ctx, eve.ID))
	for search, want := range map[string][]oauth.Account{
		"ada": {ada, bob}, "ADA@": {ada}, "bob %_": {bob}, "Å": {eve}, "bob": {bob}, "%": nil, "lace": nil, "ADA-": {bob}, "eve@people.example": {eve},
	} {
		got, err := s.FindAccounts(ctx, search, 10)
		must(t, err)
		checkAccounts(t, "the search for "+search, got, want)
	}
	got, err := s.FindAccounts(ctx, "ada", 1)
	must(t, err)
	checkAccounts(t, "a search for one", got, []oauth.Account{ada})
	for state, want := range map[string][]oauth.Account{"": {eve, bob, ada}, Administrators: {ada}, Disabled: {eve}} {
		got, err := s.AccountPage(ctx, state, Page{Limit: 10})
		must(t, err)
		checkAccounts(t, "the list "+state, got, want)
	}
	got, err = s.AccountPage(ctx, "", Page{Before: bob.ID, Limit: 10})
	must(t, err)
	checkAccounts(t, "the next page", got, []oauth.Account{ada})
}

func checkAccounts(t *testing.T, what string, got, want []oauth.Account) {
	t.Helper()
	same := slices.EqualFunc(got, want, func(a, b oauth.Account) bool { return a.ID == b.ID })
	if !same {
		t.Errorf("%s has %v, want %v", what, got, want)
	}
}

func applicationsAreListed(t *testing.T, s *Store) {
	ctx := t.Context()
	ada, bob := newAccount(t, s, "ada@x.example", "ada", "Ada", false), newAccount(t, s, "bob@x.example", "bob", "Bob", false)
	atlas, pilot, tide := newApplication(t, s, ada, "Atlas"), newApplication(t, s, bob, "Pilot"), newApplication(t, s, ada, "atlantic tide")
	must(t, s.SubmitApplication(ctx, atlas.ID))
	must(t, s.RequestScope(ctx, atlas.ID, "community"))
	must(t, s.VerifyApplication(ctx, pilot.ID))
	must(t, s.SuspendApplication(ctx, tide.ID, ""))
	check := func(what string, got []oauth.Application, err error, want ...oauth.Application) {
		t.Helper()
		must(t, err)
		if !slices.EqualFunc(got, want, func(a, b oauth.Application) bool { return a.ID == b.ID }) {
			t.Errorf("%s has %v, want %v", what, names(got), names(want))
		}
	}
	for state, want := range map[string][]oauth.Application{
		"": {tide, pilot, atlas}, Submitted: {atlas}, Asking: {atlas}, Verified: {pilot}, Suspended: {tide},
	} {
		got, err := s.ApplicationPage(ctx, state, Page{Limit: 10})
		check("the list "+state, got, err, want...)
	}
	got, err := s.ApplicationPage(ctx, "", Page{Before: tide.ID, Limit: 1})
	check("the next page", got, err, pilot)
	got, err = s.ApplicationPageOf(ctx, ada.ID, Page{Limit: 10})
	check("Ada's list", got, err, tide, atlas)
	got, err = s.FindApplications(ctx, "ATL", 10)
	check("the search", got, err, tide, atlas)
	counts, err := s.Counts(ctx)
	must(t, err)
	if counts.Submitted != 1 || counts.Asking != 1 || counts.Suspended != 1 {
		t.Errorf("counted are %+v", counts)
	}
}

func names(all []oauth.Application) (names []string) {
	for _, a := range all {
		names = append(names, a.Name)
	}
	return names
}

func living(t *testing.T, s *Store, a oauth.Application, account oauth.Account) oauth.Authorization {
	t.Helper()
	row := oauth.Authorization{
		ID: newID(t, s.Now()), ApplicationID: a.ID, AccountID: account.ID, GrantType: oauth.GrantAuthorizationCode, Status: oauth.StatusActive,
		Scope: "profile", CreatedAt: s.Now(), Generation: 1, RotatedAt: s.Now(),
	}.UntilIdle(time.Hour)
	must(t, s.Issue(t.Context(), row))
	return row
}

func livingIsCounted(t *testing.T, s *Store) {
	ctx := t.Context()
	ada, bob := newAccount(t, s, "ada@x.example", "ada", "Ada", false), newAccount(t, s, "bob@x.example", "bob", "Bob", false)
	first, second := newApplication(t, s, ada, "One"), newApplication(t, s, ada, "Two")
	living(t, s, first, bob)
	living(t, s, first, bob)
	living(t, s, second, ada)
	must(t, s.RevokeByOperator(ctx, living(t, s, second, bob).ID))
	got, err := s.LivingOfApplication(ctx, first.ID)
	must(t, err)
	if got.Authorizations != 2 || got.Accounts != 1 {
		t.Errorf("of the application live %+v", got)
	}
	must(t, s.StartSession(ctx, oauth.Session{ID: newID(t, s.Now()), AccountID: ada.ID, ExpiresAt: s.Now().Add(time.Hour)}, "hash", oauth.ID{}))
	got, err = s.LivingOfAccount(ctx, ada.ID)
	must(t, err)
	if got.Authorizations != 1 || got.Sessions != 1 || got.Applications != 2 || got.AsOwner.Authorizations != 3 || got.AsOwner.Accounts != 2 {
		t.Errorf("of the account live %+v %+v", got, got.AsOwner)
	}
	must(t, s.SuspendApplication(ctx, first.ID, ""))
	got, err = s.LivingOfAccount(ctx, ada.ID)
	must(t, err)
	if got.AsOwner.Authorizations != 1 {
		t.Errorf("of its applications live %+v, although one is suspended", got.AsOwner)
	}
}

func revocationsAreWrittenDown(t *testing.T, s *Store) {
	ctx := t.Context()
	ada := newAccount(t, s, "ada@x.example", "ada", "Ada", false)
	row := living(t, s, newApplication(t, s, ada, "One"), ada)
	must(t, s.RevokeByOperator(ctx, row.ID))
	must(t, s.RevokeByOperator(ctx, row.ID))
	if err := s.RevokeByOperator(ctx, ada.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("an authorization that is not there is revoked: %v", err)
	}
	read, err := s.Authorization(ctx, row.ID)
	must(t, err)
	if read.Status != oauth.StatusRevoked || read.RevokedReason != oauth.ReasonOperator {
		t.Errorf("it is %v for %v", read.Status, read.RevokedReason)
	}
	if all := walk(t, s, AuditFilter{Kind: "authorization"}, 10); len(all) != 1 || all[0].Subject.AccountID != ada.ID || !strings.Contains(all[0].Detail, row.ID.String()) {
		t.Errorf("written down is %+v", all)
	}
}

func lastAdministratorStays(t *testing.T, s *Store) {
	ctx := t.Context()
	for round := range 5 {
		// All but one are unmade at once by each other.
		var admins []oauth.Account
		for i := range 3 {
			name := fmt.Sprintf("admin%d-%d", round, i)
			admins = append(admins, newAccount(t, s, name+"@x.example", name, name, true))
		}
		var done sync.WaitGroup
		for _, a := range admins {
			done.Go(func() {
				if err := s.UnmakeAdministrator(ctx, a.ID); err != nil && !errors.Is(err, ErrLastAdministrator) {
					t.Error(err)
				}
			})
		}
		done.Wait()
		left, err := s.AccountPage(ctx, Administrators, Page{Limit: 10})
		must(t, err)
		if len(left) != 1 {
			t.Fatalf("%d administrators are left, want 1", len(left))
		}
		next := newAccount(t, s, fmt.Sprintf("next%d@x.example", round), fmt.Sprintf("next%d", round), "Next", false)
		must(t, s.MakeAdministrator(ctx, next.ID))
		must(t, s.UnmakeAdministrator(ctx, left[0].ID))
		must(t, s.DisableAccount(ctx, next.ID))
		must(t, s.MakeAdministrator(ctx, admins[0].ID))
		if err := s.UnmakeAdministrator(ctx, admins[0].ID); !errors.Is(err, ErrLastAdministrator) {
			t.Errorf("one is unmade although the other administrator is disabled: %v", err)
		}
		must(t, s.EnableAccount(ctx, next.ID))
		must(t, s.UnmakeAdministrator(ctx, next.ID))
	}
}

func membersMayTest(t *testing.T, s *Store) {
	ctx := t.Context()
	owner := newAccount(t, s, "o@x.example", "olive", "Olive", false)
	a := newApplication(t, s, owner, "App")
	for role, want := range map[string]bool{"co-owner": true, "tester": true, "heir": false} {
		member := newAccount(t, s, role+"@x.example", role, role, false)
		must(t, s.write(ctx, func(tx *transaction) error {
			_, err := tx.exec(`insert into application_members (application_id, account_id, role, created_at) values ($1, $2, $3, 0)`, a.ID[:], member.ID[:], role)
			return err
		}))
		got, err := s.MayTest(ctx, a.ID, member.ID)
		must(t, err)
		if got != want {
			t.Errorf("a %s may test: %v", role, got)
		}
	}
	if got, err := s.MayTest(ctx, a.ID, newID(t, s.Now())); got || err != nil {
		t.Errorf("a stranger may test: %v %v", got, err)
	}
}
