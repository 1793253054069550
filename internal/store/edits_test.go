package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	realpostgres "github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
)

// TestEdits demands of both engines what those who manage an application do to it.
func TestEdits(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*testing.T, *Store){
		"what is edited is in the audit log by its name": editsAreWrittenDown,
		"a mark goes with what it was given for":         marksGo,
		"an old secret is ended":                         oldSecretsEnd,
		"managed applications are found and paged":       managedAreListed,
		"who is a member already is not added again":     membersAreAddedOnce,
		"whoever manages it decides when it is written":  managersDecide,
		"what is done to one leaves others alone":        othersAreLeftAlone,
	}
	t.Run("SQLite", func(t *testing.T) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) { test(t, openAt(t, Options{Folder: t.TempDir()})) })
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) { test(t, openAt(t, Options{Database: realpostgres.Database(t)})) })
		}
	})
}

func adaOf(t *testing.T, s *Store) oauth.Account {
	t.Helper()
	return newAccount(t, s, "ada@example.com", "ada", "Ada", false)
}

func confidential(t *testing.T, s *Store) oauth.Application {
	t.Helper()
	id, clientID, err := oauth.NewClientID(rand.Reader, s.Now())
	must(t, err)
	a := oauth.Application{
		ID: id, ClientID: clientID, OwnerID: adaOf(t, s).ID, Name: "App", Scope: "profile", ResourceServer: true,
		SecretHash: oauth.Hash{9}, SecretCreatedAt: s.Now(), CreatedAt: s.Now(),
	}
	must(t, s.RegisterApplication(t.Context(), a))
	return a
}

// told is the kinds and details of the audit log about an application, the oldest first.
func told(t *testing.T, s *Store, id oauth.ID) []string {
	t.Helper()
	p, err := s.Audit(t.Context(), AuditFilter{ApplicationID: id}, AuditCursor{}, 100)
	must(t, err)
	var all []string
	for _, e := range p.Events {
		all = append(all, string(e.Kind)+": "+e.Detail)
	}
	slices.Reverse(all)
	return all
}

func editsAreWrittenDown(t *testing.T, s *Store) {
	a := confidential(t, s)
	edit := func(change func(*oauth.Application)) {
		t.Helper()
		must(t, s.EditApplication(t.Context(), a.ID, func(a oauth.Application) (oauth.Application, error) { change(&a); return a, nil }))
	}
	edit(func(a *oauth.Application) { a.Name, a.Terms = "Other", "https://app.example/terms" })
	edit(func(*oauth.Application) {})
	edit(func(a *oauth.Application) { a.RedirectURIs = []string{"https://other.example/"} })
	edit(func(a *oauth.Application) { a.Scope = "profile community" })
	must(t, s.VerifyApplication(t.Context(), a.ID))
	must(t, s.PutLogo(t.Context(), a.ID, &oauth.Picture{ID: newID(t, s.Now()), Type: "image/png", Body: []byte("1"), CreatedAt: s.Now()}))
	must(t, s.PutLogo(t.Context(), a.ID, nil))
	must(t, s.PutLogo(t.Context(), a.ID, nil))
	must(t, s.RotateSecret(t.Context(), a.ID, time.Time{}, oauth.Hash{1}, s.Now()))
	if err := s.EndPreviousSecret(t.Context(), a.ID, time.Time{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a secret that works no more is ended: %v", err)
	}
	must(t, s.RotateSecret(t.Context(), a.ID, time.Time{}, oauth.Hash{2}, s.Now().Add(time.Hour)))
	must(t, s.EndPreviousSecret(t.Context(), a.ID, time.Time{}))
	must(t, s.VerifyApplication(t.Context(), a.ID))
	bob := newAccount(t, s, "bob@example.com", "bob", "Bob", false)
	must(t, s.AddMember(t.Context(), a.ID, bob, oauth.RoleHeir))
	must(t, s.Inherit(t.Context(), a.ID, bob))
	want := []string{
		"application.registered: profile, resource server", "application.edited: name, terms", "application.edited: redirect_uris",
		`application.edited: scope "profile" to "profile community"`, "application.verified: ",
		"application.logo_changed: verified mark", "application.logo_changed: ", "application.secret_replaced: ", "application.secret_replaced: ", "application.secret_ended: ",
		"application.verified: ", "application.member_added: heir: Bob", "application.transferred: from Ada, verified mark",
	}
	if got := told(t, s, a.ID); !slices.Equal(got, want) {
		t.Errorf("the audit log has\n%q, want\n%q", got, want)
	}
}

func marksGo(t *testing.T, s *Store) {
	a := newApplication(t, s, adaOf(t, s), "App")
	must(t, s.VerifyApplication(t.Context(), a.ID))
	verified := func() bool {
		t.Helper()
		read, err := s.Application(t.Context(), a.ID)
		must(t, err)
		return read.Verified()
	}
	if !verified() {
		t.Fatal("the application is not verified")
	}
	logo := &oauth.Picture{ID: newID(t, s.Now()), Type: "image/png", Body: []byte("1"), CreatedAt: s.Now()}
	must(t, s.PutLogo(t.Context(), a.ID, logo))
	if verified() {
		t.Error("another logo keeps the mark")
	}
}

func oldSecretsEnd(t *testing.T, s *Store) {
	a := confidential(t, s)
	if err := s.EndPreviousSecret(t.Context(), a.ID, time.Time{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("without an old secret the error is %v", err)
	}
	public := newApplication(t, s, oauth.Account{ID: a.OwnerID}, "Public")
	if err := s.RotateSecret(t.Context(), public.ID, time.Time{}, oauth.Hash{1}, s.Now()); !errors.Is(err, ErrNotFound) {
		t.Errorf("a public application gets a secret: %v", err)
	}
	must(t, s.RotateSecret(t.Context(), a.ID, time.Time{}, oauth.Hash{1}, s.Now().Add(1e15)))
	before, err := s.Application(t.Context(), a.ID)
	must(t, err)
	must(t, s.AddUsage(t.Context(), []oauth.Tally{{ApplicationID: a.ID, Hour: before.SecretCreatedAt, Since: before.SecretCreatedAt, SecretUsed: true}}))
	ends := s.Now().Add(1e15)
	must(t, s.RotateSecret(t.Context(), a.ID, before.SecretCreatedAt, oauth.Hash{2}, ends))
	read, err := s.Application(t.Context(), a.ID)
	must(t, err)
	if !read.SecretCreatedAt.After(before.SecretCreatedAt) || !read.SecretUsedAt.IsZero() || read.PreviousSecretHash != (oauth.Hash{1}) ||
		!read.PreviousSecretCreatedAt.Equal(before.SecretCreatedAt) || !read.PreviousSecretUsedAt.Equal(before.SecretCreatedAt) || !read.PreviousSecretEndsAt.Equal(ends) {
		t.Errorf("after another secret it is %+v", read)
	}
	for what, change := range map[string]func(made time.Time) error{
		"replaced": func(made time.Time) error { return s.RotateSecret(t.Context(), a.ID, made, oauth.Hash{3}, ends) },
		"ended":    func(made time.Time) error { return s.EndPreviousSecret(t.Context(), a.ID, made) },
	} {
		if err := change(before.SecretCreatedAt); !errors.Is(err, ErrChanged) {
			t.Errorf("where the secret is another one, and is %s, the error is %v", what, err)
		}
	}
	must(t, s.EndPreviousSecret(t.Context(), a.ID, read.SecretCreatedAt))
	read, err = s.Application(t.Context(), a.ID)
	must(t, err)
	if read.SecretHash != (oauth.Hash{2}) || read.PreviousSecretHash != (oauth.Hash{}) || !read.PreviousSecretEndsAt.IsZero() ||
		!read.PreviousSecretCreatedAt.IsZero() || !read.PreviousSecretUsedAt.IsZero() {
		t.Errorf("the secrets are %v, %v until %v", read.SecretHash, read.PreviousSecretHash, read.PreviousSecretEndsAt)
	}
}

func managedAreListed(t *testing.T, s *Store) {
	ada, bob := adaOf(t, s), newAccount(t, s, "bob@example.com", "bob", "Bob", false)
	for i := range 3 {
		newApplication(t, s, ada, fmt.Sprintf("Own %d", i))
	}
	newApplication(t, s, bob, "Somebody else's")
	shared := newApplication(t, s, bob, "Shared 100%_!")
	offered := newApplication(t, s, bob, "Offered")
	must(t, s.AddMember(t.Context(), shared.ID, ada, oauth.RoleCoOwner))
	must(t, s.AddMember(t.Context(), offered.ID, ada, oauth.RoleHeir))
	must(t, s.AddMember(t.Context(), offered.ID, ada, oauth.RoleTester))
	list := func(text string, p Page) []string {
		t.Helper()
		found, err := s.ManagedApplications(t.Context(), ada.ID, text, p)
		must(t, err)
		return names(found)
	}
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", []string{"Shared 100%_!", "Own 2", "Own 1", "Own 0"}},
		{"OWN", []string{"Own 2", "Own 1", "Own 0"}},
		{"%_!", []string{"Shared 100%_!"}},
		{"_", []string{"Shared 100%_!"}},
		{"nothing", nil},
		{strings.Repeat("Own", 20_000), nil},
	} {
		if got := list(c.text, Page{Limit: 10}); !slices.Equal(got, c.want) {
			t.Errorf("%q finds %q, want %q", c.text, got, c.want)
		}
	}
	first, err := s.ManagedApplications(t.Context(), ada.ID, "", Page{Limit: 2})
	must(t, err)
	if got := names(first); !slices.Equal(got, []string{"Shared 100%_!", "Own 2"}) {
		t.Errorf("the first page has %q", got)
	}
	for after, want := range map[oauth.ID][]string{first[0].ID: {"Own 2", "Own 1"}, first[1].ID: {"Own 1", "Own 0"}} {
		if got := list("", Page{Before: after, Limit: 2}); !slices.Equal(got, want) {
			t.Errorf("the next page has %q, want %q", got, want)
		}
	}
}

func membersAreAddedOnce(t *testing.T, s *Store) {
	ada, bob := adaOf(t, s), newAccount(t, s, "bob@example.com", "bob", "Bob", false)
	a := newApplication(t, s, ada, "Atlas")
	for _, role := range []oauth.Role{oauth.RoleTester, oauth.RoleCoOwner, oauth.RoleHeir} {
		for range 2 {
			must(t, s.AddMember(t.Context(), a.ID, bob, role))
		}
	}
	for i := range MaxMembers - 1 {
		name := fmt.Sprintf("tester%d", i)
		must(t, s.AddMember(t.Context(), a.ID, newAccount(t, s, name+"@example.com", name, name, false), oauth.RoleTester))
	}
	must(t, s.AddMember(t.Context(), a.ID, bob, oauth.RoleTester))
	late := newAccount(t, s, "late@example.com", "late", "Late", false)
	if err := s.AddMember(t.Context(), a.ID, late, oauth.RoleTester); !errors.Is(err, ErrFull) {
		t.Errorf("one more than may be: %v", err)
	}
	must(t, s.AddMember(t.Context(), a.ID, late, oauth.RoleCoOwner))
	must(t, s.AddMember(t.Context(), newApplication(t, s, ada, "Pilot").ID, late, oauth.RoleTester))
	log, err := s.Audit(t.Context(), AuditFilter{ApplicationID: a.ID, AccountID: bob.ID}, AuditCursor{}, 10)
	must(t, err)
	var details []string
	for _, e := range log.Events {
		details = append(details, string(e.Kind)+" "+e.Detail)
	}
	if want := []string{"application.member_added heir: Bob", "application.member_added co-owner: Bob", "application.member_added tester: Bob"}; !slices.Equal(details, want) {
		t.Errorf("the log has %q, want %q", details, want)
	}
}
