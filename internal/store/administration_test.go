package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	realpostgres "github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
)

// TestAdministration demands of both engines what administrators see and decide.
func TestAdministration(t *testing.T) {
	t.Parallel()
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
		{"authorizations are listed by who gave them and to which application", authorizationsAreListed},
		{"an operator's revocation is written down", revocationsAreWrittenDown},
		{"what is done to a webhook is among what was done to its owner", webhooksAreWrittenDown},
		{"co-owners and testers may authorize a draft", membersMayTest},
		{"an approval of a draft needs a role in it", draftsAreApprovedByMembers},
		{"who is removed from a draft loses what it approved", removedTestersAreCutOff},
		{"another name takes the mark from the applications of an account", anotherNameTakesTheMark},
		{"the last administrator stays", lastAdministratorStays},
		{"administrators who disable each other leave one", administratorsDisableEachOther},
		{"who is no administrator any more decides nothing", formerAdministratorsDecideNothing},
	}
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		for _, c := range tests {
			t.Run(c.name, func(t *testing.T) { c.test(t, openAt(t, Options{Folder: t.TempDir()})) })
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		for _, c := range tests {
			t.Run(c.name, func(t *testing.T) { c.test(t, openAt(t, Options{Database: realpostgres.Database(t)})) })
		}
	})
}

func openAt(t *testing.T, o Options) *Store {
	t.Helper()
	// Ids tell the order of what was made in different milliseconds.
	var ticks atomic.Int64
	began := time.Now().Add(-time.Hour)
	o.Now, o.OwnClock = func() time.Time { return began.Add(time.Duration(ticks.Add(1)) * time.Millisecond) }, true
	return opened(t, o)
}

// opened opens a store whose log nobody reads, and closes it when the test ends.
func opened(t *testing.T, o Options) *Store {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	s, err := Open(t.Context(), o)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func must(t rapid.TB, err error) {
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
	for range 2 {
		must(t, s.SubmitApplication(ctx, a.ID))
	}
	look(`submitted true, verified false, suspended false, note "", reason "", scope "profile", asks for ""`)
	must(t, s.ReturnApplication(ctx, a.ID, "No site."))
	look(`submitted false, verified false, suspended false, note "No site.", reason "", scope "profile", asks for ""`)
	must(t, s.SubmitApplication(ctx, a.ID))
	for range 2 {
		must(t, s.VerifyApplication(ctx, a.ID))
	}
	must(t, s.RequestScope(ctx, a.ID, "community billing"))
	look(`submitted false, verified true, suspended false, note "", reason "", scope "profile", asks for "community billing"`)
	must(t, s.AllowScope(ctx, a.ID, "community", oauth.ScopeRequested))
	must(t, s.DeclineScope(ctx, a.ID, "billing", oauth.ScopeRequested))
	for scope, stale := range map[string]func(context.Context, oauth.ID, string, oauth.ScopeState) error{"community": s.DeclineScope, "billing": s.AllowScope} {
		if err := stale(ctx, a.ID, scope, oauth.ScopeRequested); !errors.Is(err, ErrChanged) {
			t.Errorf("what was decided about %s is decided again: %v", scope, err)
		}
	}
	for range 2 {
		must(t, s.SuspendApplication(ctx, a.ID, "Spam."))
	}
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
	if want := "profile||No site.|||community billing|community|billing|Spam.||Sold.|"; details != want {
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
		must(t, s.PutLogo(ctx, a.ID, nil))
		must(t, s.SetWebhook(ctx, a.ID, "https://x.example/hook", oauth.WebhookEvents(), ""))
		must(t, s.ResumeApplication(ctx, a.ID))
		if err := s.ReturnApplication(ctx, a.ID, "No."); !errors.Is(err, ErrChanged) {
			t.Errorf("what was not submitted is sent back: %v", err)
		}
		unmarked := func() {
			t.Helper()
			if err := s.UnverifyApplication(ctx, a.ID, "No."); !errors.Is(err, ErrChanged) {
				t.Errorf("the mark is taken of what has none: %v", err)
			}
		}
		unmarked()
		if err := s.DeclineScope(ctx, a.ID, "community", oauth.ScopeNeither); !errors.Is(err, ErrChanged) {
			t.Errorf("what nobody asked for is declined: %v", err)
		}
		must(t, s.VerifyApplication(ctx, a.ID))
		must(t, s.SubmitApplication(ctx, a.ID))
		must(t, s.UnverifyApplication(ctx, a.ID, "No."))
		unmarked()
		must(t, s.DisableAccount(ctx, owner.ID))
		must(t, s.DisableAccount(ctx, owner.ID))
	}
	must(t, s.EnableAccount(ctx, owner.ID))
	must(t, s.EnableAccount(ctx, owner.ID))
	newAccount(t, s, "b@x.example", "boss", "Boss", true)
	for _, change := range []func(context.Context, oauth.ID) error{s.MakeAdministrator, s.UnmakeAdministrator} {
		must(t, change(ctx, owner.ID))
		must(t, change(ctx, owner.ID))
	}
	kinds, _ := kindsOf(t, s, AuditFilter{AccountID: owner.ID})
	if want := "account.created application.registered webhook.changed application.verified application.unverified account.disabled " +
		"application.verified application.unverified account.enabled account.administrator_made account.administrator_unmade"; kinds != want {
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
		"ada": {ada, bob}, "ADA@": {ada}, "bob %_": {bob}, "Å": {eve}, "bob": {bob}, "%": nil, "lace": nil, "ADA-": {bob}, "eve@people.example": {eve}, strings.Repeat("ada", 20_000): nil,
	} {
		got, err := s.FindAccounts(ctx, search, 10)
		must(t, err)
		checkAccounts(t, "the search for "+search, got, want)
	}
	got, err := s.FindAccounts(ctx, "ada", 1)
	must(t, err)
	checkAccounts(t, "a search for one", got, []oauth.Account{ada})
	got, err = s.Accounts(ctx)
	must(t, err)
	checkAccounts(t, "the list of all", got, []oauth.Account{ada, bob, eve})
	if _, details := kindsOf(t, s, AuditFilter{AccountID: ada.ID}); details != "administrator" {
		t.Errorf("of an administrator's account is written down: %s", details)
	}
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
	got, err = s.FindApplications(ctx, strings.Repeat("atl", 20_000), 10)
	check("a long search", got, err)
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
	return livingUntil(t, s, a, account, time.Time{})
}

func livingUntil(t *testing.T, s *Store, a oauth.Application, account oauth.Account, ends time.Time) oauth.Authorization {
	t.Helper()
	row := oauth.Authorization{
		ID: newID(t, s.Now()), ApplicationID: a.ID, AccountID: account.ID, GrantType: oauth.GrantAuthorizationCode, Status: oauth.StatusActive,
		Scope: "profile", CreatedAt: s.Now(), Generation: 1, RotatedAt: s.Now(), EndsAt: ends,
	}.UntilIdle(time.Hour)
	must(t, s.Issue(t.Context(), row))
	must(t, s.write(t.Context(), func(tx *transaction) error {
		return putConsent(tx, oauth.Consent{AccountID: account.ID, ApplicationID: a.ID, Scope: row.Scope, CreatedAt: s.Now()})
	}))
	return row
}

func livingIsCounted(t *testing.T, s *Store) {
	ctx := t.Context()
	ada, bob := newAccount(t, s, "ada@x.example", "ada", "Ada", false), newAccount(t, s, "bob@x.example", "bob", "Bob", false)
	first, second := newApplication(t, s, ada, "One"), newApplication(t, s, ada, "Two")
	living(t, s, first, bob)
	livingUntil(t, s, first, bob, s.Now().Add(time.Hour))
	living(t, s, second, ada)
	livingUntil(t, s, first, ada, s.Now())
	must(t, s.RevokeByOperator(ctx, living(t, s, second, bob).ID))
	got, err := s.LivingOfApplication(ctx, first.ID)
	must(t, err)
	if got.Authorizations != 2 || got.Accounts != 1 {
		t.Errorf("of the application live %+v", got)
	}
	must(t, s.StartSession(ctx, oauth.Session{ID: newID(t, s.Now()), AccountID: ada.ID, ExpiresAt: s.Now().Add(time.Hour)}, "hash", oauth.ID{}))
	must(t, s.StartSession(ctx, oauth.Session{ID: newID(t, s.Now()), AccountID: ada.ID, ExpiresAt: s.Now()}, "hash", oauth.ID{}))
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

func authorizationsAreListed(t *testing.T, s *Store) {
	ctx := t.Context()
	ada, bob := newAccount(t, s, "ada@x.example", "ada", "Ada", false), newAccount(t, s, "bob@x.example", "bob", "Bob", false)
	eve := newAccount(t, s, "eve@x.example", "eve", "Eve", false)
	one, two := newApplication(t, s, ada, "One"), newApplication(t, s, ada, "Two")
	names := map[oauth.ID]string{living(t, s, one, bob).ID: "bob-one", living(t, s, two, bob).ID: "bob-two", living(t, s, two, ada).ID: "ada-two"}
	ended := oauth.Authorization{
		ID: newID(t, s.Now()), ApplicationID: one.ID, AccountID: ada.ID, GrantType: oauth.GrantAuthorizationCode,
		Status: oauth.StatusPending, Scope: "profile", CreatedAt: s.Now(),
	}.Asked()
	read, err := s.Application(ctx, one.ID)
	must(t, err)
	must(t, s.Approve(ctx, Approval{Authorization: ended, Identity: read.Identity(), Asked: true}))
	must(t, s.Disconnect(ctx, ada.ID, one.ID))
	own := oauth.Authorization{
		ID: newID(t, s.Now()), ApplicationID: one.ID, AccountID: ada.ID, GrantType: oauth.GrantClientCredentials, Status: oauth.StatusActive, SweepAfter: s.Now().Add(time.Hour),
	}
	must(t, s.Issue(ctx, own))
	refused := oauth.Authorization{
		ID: newID(t, s.Now()), ApplicationID: one.ID, AccountID: eve.ID, GrantType: oauth.GrantAuthorizationCode,
		Scope: "profile", CreatedAt: s.Now(),
	}.Revoked(oauth.ReasonRefused, s.Now())
	must(t, s.Refuse(ctx, refused, "One"))
	names[ended.ID], names[own.ID], names[refused.ID] = "ada-one, which has ended", "one for itself", "eve-one, which was refused"
	for _, c := range []struct {
		what   string
		filter AuthorizationFilter
		want   []string
	}{
		{"all", AuthorizationFilter{Limit: 10}, []string{"eve-one, which was refused", "one for itself", "ada-one, which has ended", "ada-two", "bob-two", "bob-one"}},
		{"the newest", AuthorizationFilter{Limit: 2}, []string{"eve-one, which was refused", "one for itself"}},
		{"those of Ada", AuthorizationFilter{AccountID: ada.ID, Limit: 10}, []string{"ada-one, which has ended", "ada-two"}},
		{"those of Bob", AuthorizationFilter{AccountID: bob.ID, Limit: 10}, []string{"bob-two", "bob-one"}},
		{"those of Eve", AuthorizationFilter{AccountID: eve.ID, Limit: 10}, []string{"eve-one, which was refused"}},
		{"those of One", AuthorizationFilter{ApplicationID: one.ID, Limit: 10}, []string{"eve-one, which was refused", "ada-one, which has ended", "bob-one"}},
		{"those of Bob for Two", AuthorizationFilter{AccountID: bob.ID, ApplicationID: two.ID, Limit: 10}, []string{"bob-two"}},
		{"those of Ada for One", AuthorizationFilter{AccountID: ada.ID, ApplicationID: one.ID, Limit: 10}, []string{"ada-one, which has ended"}},
	} {
		all, err := s.Authorizations(ctx, c.filter)
		must(t, err)
		var got []string
		for _, a := range all {
			got = append(got, names[a.ID])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q; want %q", c.what, got, c.want)
		}
	}
	own.ID, own.ApplicationID = newID(t, s.Now()), two.ID
	must(t, s.Issue(ctx, own))
	for id, name := range names {
		if name == "bob-one" {
			must(t, s.RevokeByOperator(ctx, id))
		}
	}
	for _, a := range []oauth.Account{ada, bob} {
		living, err := s.LivingGrants(ctx, a.ID)
		must(t, err)
		if len(living) != 1 || len(living[two.ID]) != 1 {
			t.Errorf("of what %s gave lives %+v", a.Name, living)
		}
	}
}

func webhooksAreWrittenDown(t *testing.T, s *Store) {
	ctx := t.Context()
	ada := newAccount(t, s, "ada@x.example", "ada", "Ada", false)
	a := newApplication(t, s, ada, "One")
	must(t, s.SetWebhook(ctx, a.ID, "https://x.example/hook", nil, ""))
	id, err := s.TestWebhook(ctx, a.ID)
	must(t, err)
	must(t, s.Redeliver(ctx, a.ID, id))
	must(t, s.DeleteWebhook(ctx, a.ID))
	if kinds, _ := kindsOf(t, s, AuditFilter{AccountID: ada.ID, Kind: "webhook"}); kinds != "webhook.changed webhook.redelivered webhook.deleted" {
		t.Errorf("written down is %s", kinds)
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
	if read.RevokedAt.IsZero() || read != row.Revoked(oauth.ReasonOperator, read.RevokedAt) {
		t.Errorf("it is %+v", read)
	}
	if all := walk(t, s, AuditFilter{Kind: "authorization"}, 10); len(all) != 1 || all[0].Subject.AccountID != ada.ID || all[0].Subject.Name != "One" || !strings.Contains(all[0].Detail, row.ID.String()) {
		t.Errorf("written down is %+v", all)
	}
}
