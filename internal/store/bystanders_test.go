package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// furnished is an application that has everything, and its people.
type furnished struct {
	oauth.Application
	owner, co, tester, heir, user oauth.Account
	given                         oauth.Authorization
	done                          oauth.Delivery
}

// furnish makes one. shared has every role in it, too.
func furnish(t *testing.T, s *Store, name string, shared oauth.Account) *furnished {
	t.Helper()
	ctx := t.Context()
	person := func(role string) oauth.Account {
		return newAccount(t, s, role+"@"+name+".example", name+"-"+role, name+" "+role, false)
	}
	f := &furnished{owner: person("owner"), co: person("co"), tester: person("tester"), heir: person("heir"), user: person("user")}
	f.Application = newApplication(t, s, f.owner, name)
	for _, m := range []struct {
		oauth.Account
		oauth.Role
	}{{shared, oauth.RoleHeir}, {shared, oauth.RoleTester}, {shared, oauth.RoleCoOwner}, {f.heir, oauth.RoleHeir}, {f.co, oauth.RoleCoOwner}, {f.tester, oauth.RoleTester}} {
		must(t, s.AddMember(ctx, f.ID, m.Account, m.Role))
	}
	secret := oauth.Hash{8}
	must(t, s.write(ctx, func(tx *transaction) error {
		_, err := tx.exec(`update applications set public = $1, secret_hash = $2, secret_created_at = 1 where id = $3`, false, secret[:], f.ID[:])
		return err
	}))
	must(t, s.RotateSecret(ctx, f.ID, time.Time{}, oauth.Hash{1}, s.Now().Add(time.Hour)))
	must(t, s.PutLogo(ctx, f.ID, picture(t, s)))
	must(t, s.PutPortrait(ctx, f.owner.ID, picture(t, s)))
	must(t, s.VerifyApplication(ctx, f.ID))
	must(t, s.SubmitApplication(ctx, f.ID))
	must(t, s.RequestScope(ctx, f.ID, "community"))
	f.hook(t, s)
	f.given = living(t, s, f.Application, f.user)
	must(t, s.AddUses(ctx, map[oauth.Connection]oauth.Use{{AccountID: f.user.ID, ApplicationID: f.ID}: {Scope: "profile", At: s.Now()}}))
	for range 2 {
		f.signIn(t, s)
	}
	must(t, s.AddRefusals(ctx, []oauth.Refusal{{ID: newID(t, s.Now()), ApplicationID: f.ID, Place: "token", Code: "invalid_grant"}}, nil))
	tally := oauth.Tally{ApplicationID: f.ID, Hour: s.Now().Truncate(time.Hour), Usage: oauth.Usage{Issued: 1}}
	tally.Accounts.Add(f.user.ID)
	must(t, s.AddUsage(ctx, []oauth.Tally{tally}))
	must(t, s.DisableAccount(ctx, f.heir.ID))
	return f
}

func picture(t *testing.T, s *Store) *oauth.Picture {
	t.Helper()
	return &oauth.Picture{ID: newID(t, s.Now()), Type: "image/png", Body: []byte("1"), CreatedAt: s.Now()}
}

// hook makes a webhook of which one delivery is done with, and another is under way.
func (f *furnished) hook(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	must(t, s.SetWebhook(ctx, f.ID, "https://app.example/hook", oauth.WebhookEvents(), ""))
	for range 2 {
		_, err := s.TestWebhook(ctx, f.ID)
		must(t, err)
	}
	for _, release := range []bool{true, false} {
		d, _, err := s.ClaimDelivery(ctx, nil, 24*time.Hour)
		must(t, err)
		if release {
			must(t, s.ReleaseDelivery(ctx, d))
		}
	}
	var err error
	f.done, _, err = s.ClaimDelivery(ctx, nil, time.Hour)
	must(t, err)
	f.done.DueAt, f.done.Problem = time.Time{}, "a problem"
	must(t, s.FinishDelivery(ctx, f.done))
}

func (f *furnished) signIn(t *testing.T, s *Store) oauth.Session {
	t.Helper()
	n := oauth.Session{ID: newID(t, s.Now()), AccountID: f.user.ID, ExpiresAt: s.Now().Add(time.Hour)}
	must(t, s.StartSession(t.Context(), n, "hash", oauth.ID{}))
	return n
}

// everything is what is read of an application and its people.
func (f *furnished) everything(t *testing.T, s *Store) string {
	t.Helper()
	ctx := t.Context()
	var all strings.Builder
	add := func(what string) func(any, error) {
		return func(value any, err error) {
			t.Helper()
			must(t, err)
			fmt.Fprintf(&all, "%s: %+v\n", what, value)
		}
	}
	a, err := s.Application(ctx, f.ID)
	add("application")(a, err)
	logo, ok := oauth.ParseID(a.Logo)
	if !ok {
		t.Errorf("%s has no logo", a.Name)
	}
	add("logo")(anyOf(s.Picture(ctx, logo)))
	add("members")(anyOf(s.Members(ctx, f.ID)))
	add("webhook")(anyOf(s.Webhook(ctx, f.ID)))
	add("deliveries")(anyOf(s.Deliveries(ctx, f.ID, oauth.ID{}, 100)))
	add("delivery")(anyOf(s.Delivery(ctx, f.ID, f.done.ID)))
	add("tests that wait")(anyOf(s.WaitingTests(ctx, f.ID, 100)))
	add("given")(anyOf(s.Authorizations(ctx, AuthorizationFilter{ApplicationID: f.ID, Limit: 100})))
	add("lives")(anyOf(s.LivingOfApplication(ctx, f.ID)))
	add("refusals")(anyOf(s.Refusals(ctx, f.ID, RefusalFilter{Limit: 100})))
	add("codes")(anyOf(s.RefusalCodes(ctx, f.ID)))
	add("usage")(anyOf(s.UsageDays(ctx, f.ID, s.Now().Add(-24*time.Hour))))
	for _, p := range []oauth.Account{f.owner, f.co, f.tester, f.heir, f.user} {
		account, password, err := s.AccountByEmail(ctx, p.Email)
		add(p.Name)(account, err)
		add("password")(password, nil)
		add("consents")(anyOf(s.Consents(ctx, p.ID)))
		add("uses")(anyOf(s.Uses(ctx, p.ID)))
		add("sessions")(anyOf(s.Sessions(ctx, p.ID)))
		add("manages")(anyOf(s.ManagedApplications(ctx, p.ID, "", Page{Limit: 100})))
		add("owns verified")(anyOf(s.OwnsVerified(ctx, p.ID)))
		add("may test")(anyOf(s.MayTest(ctx, f.ID, p.ID)))
		for _, role := range []oauth.Role{oauth.RoleCoOwner, oauth.RoleTester, oauth.RoleHeir} {
			add("is " + string(role))(anyOf(s.HasRole(ctx, f.ID, p.ID, role)))
			as, err := s.ApplicationsByRole(ctx, p.ID, role)
			add("as "+string(role))(names(as), err)
		}
	}
	return all.String()
}

func anyOf[T any](value T, err error) (any, error) { return value, err }

// has checks who has which role, and that strangers have none.
func (f *furnished) has(t *testing.T, s *Store, stranger *furnished) {
	t.Helper()
	for _, c := range []struct {
		who   oauth.Account
		role  oauth.Role
		tests bool
	}{{f.co, oauth.RoleCoOwner, true}, {f.tester, oauth.RoleTester, true}, {f.user, "", false}, {stranger.co, "", false}, {stranger.tester, "", false}} {
		for _, role := range []oauth.Role{oauth.RoleCoOwner, oauth.RoleTester, oauth.RoleHeir} {
			has, err := s.HasRole(t.Context(), f.ID, c.who.ID, role)
			if err != nil || has != (role == c.role) {
				t.Errorf("%s is a %s of %s: %v (%v)", c.who.Name, role, f.Name, has, err)
			}
			as, err := s.ApplicationsByRole(t.Context(), c.who.ID, role)
			must(t, err)
			if slices.Contains(names(as), f.Name) != (role == c.role) {
				t.Errorf("%s is a %s of %q", c.who.Name, role, names(as))
			}
		}
		if tests, err := s.MayTest(t.Context(), f.ID, c.who.ID); err != nil || tests != c.tests {
			t.Errorf("%s may test %s: %v (%v)", c.who.Name, f.Name, tests, err)
		}
	}
}

// reads checks what is read of its deliveries one by one.
func (f *furnished) reads(t *testing.T, s *Store) {
	t.Helper()
	all, err := s.Deliveries(t.Context(), f.ID, oauth.ID{}, 100)
	must(t, err)
	for _, d := range all {
		if one, err := s.Delivery(t.Context(), f.ID, d.ID); err != nil || one != d {
			t.Errorf("a delivery is %+v (%v) and listed as %+v", one, err, d)
		}
	}
	if page, err := s.Deliveries(t.Context(), f.ID, all[0].ID, 1); err != nil || !slices.Equal(page, all[1:2]) {
		t.Errorf("the next page has %v (%v) of %v", page, err, all)
	}
	if page, err := s.Deliveries(t.Context(), f.ID, oauth.ID{}, 1); err != nil || !slices.Equal(page, all[:1]) {
		t.Errorf("the first page has %v (%v) of %v", page, err, all)
	}
	if due, err := s.NextDelivery(t.Context()); err != nil || due.IsZero() {
		t.Errorf("nothing is due next (%v)", err)
	}
}

// deed is what can be done to an application or its people.
type deed struct {
	what string
	// mine: whoever neither manages the application nor administers the platform may not.
	mine bool
	// tells is how many events the application is told of.
	tells int
	do    func(context.Context) error
}

// othersAreLeftAlone does to an application and its people whatever can be done, beside another
// one that has all of the same, after strangers tried.
func othersAreLeftAlone(t *testing.T, s *Store) {
	ctx := t.Context()
	newAccount(t, s, "admin@example.com", "admin", "Admin", true)
	shared := newAccount(t, s, "shared@example.com", "shared", "Shared", false)
	other := furnish(t, s, "other", shared)
	before := other.everything(t, s)
	f := furnish(t, s, "one", shared)
	f.has(t, s, other)
	other.has(t, s, f)
	f.reads(t, s)
	for _, c := range f.deeds(t, s, shared) {
		if c.mine {
			was := f.everything(t, s)
			if err := c.do(by(t, other.user)); !errors.Is(err, ErrNotFound) {
				t.Errorf("it is %s by a stranger: %v", c.what, err)
			}
			if is := f.everything(t, s); is != was {
				t.Fatalf("after a stranger tried, and it was to be %s, it is\n%s\nand was\n%s", c.what, is, was)
			}
		}
		had, err := s.Deliveries(ctx, f.ID, oauth.ID{}, 100)
		must(t, err)
		if err := c.do(ctx); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if told, err := s.Deliveries(ctx, f.ID, oauth.ID{}, 100); err != nil || len(told)-len(had) != c.tells {
			t.Errorf("it is %s, and told %d events (%v); want %d", c.what, len(told)-len(had), err, c.tells)
		}
		if after := other.everything(t, s); after != before {
			t.Fatalf("where one is %s, another is\n%s\nand was\n%s", c.what, after, before)
		}
	}
}

func (f *furnished) deeds(t *testing.T, s *Store, shared oauth.Account) []deed {
	id := f.ID
	one, two := f.signIn(t, s), f.signIn(t, s)
	return []deed{
		{"made", false, 0, func(context.Context) error { return nil }},
		{"edited", true, 0, func(ctx context.Context) error {
			return s.EditApplication(ctx, id, func(a oauth.Application) (oauth.Application, error) { a.Site = "https://x.example"; return a, nil })
		}},
		{"given a logo", true, 0, func(ctx context.Context) error { return s.PutLogo(ctx, id, picture(t, s)) }},
		{"given a portrait", false, 0, func(ctx context.Context) error { return s.PutPortrait(ctx, f.owner.ID, picture(t, s)) }},
		{"given a secret", true, 0, func(ctx context.Context) error {
			return s.RotateSecret(ctx, id, time.Time{}, oauth.Hash{2}, s.Now().Add(time.Hour))
		}},
		{"left without the secret before", true, 0, func(ctx context.Context) error { return s.EndPreviousSecret(ctx, id, time.Time{}) }},
		{"submitted", true, 0, func(ctx context.Context) error { return s.SubmitApplication(ctx, id) }},
		{"returned", true, 0, func(ctx context.Context) error { return s.ReturnApplication(ctx, id, "a note") }},
		{"verified", true, 0, func(ctx context.Context) error { return s.VerifyApplication(ctx, id) }},
		{"unverified", true, 0, func(ctx context.Context) error { return s.UnverifyApplication(ctx, id, "a note") }},
		{"allowed a scope", true, 0, func(ctx context.Context) error { return s.AllowScope(ctx, id, "community", oauth.ScopeRequested) }},
		{"suspended", true, 1, func(ctx context.Context) error { return s.SuspendApplication(ctx, id, "a reason") }},
		{"resumed", true, 1, func(ctx context.Context) error { return s.ResumeApplication(ctx, id) }},
		{"told less", true, 0, f.tellsAt(t, s, "https://app.example/hook", oauth.EventTest)},
		{"told elsewhere", true, 0, f.tellsAt(t, s, "https://x.example/", oauth.EventTest)},
		{"told everything", true, 0, f.tellsAt(t, s, "https://x.example/", oauth.WebhookEvents()...)},
		{"given a key", true, 0, func(ctx context.Context) error {
			w, err := s.Webhook(ctx, id)
			return errors.Join(err, s.RotateWebhook(ctx, f.ID, w.Generation))
		}},
		{"not given a key for one that it has no more", true, 0, f.refused(t, s, func(ctx context.Context) error {
			return s.RotateWebhook(ctx, f.ID, 1)
		})},
		{"tested", true, 1, func(ctx context.Context) error { _, err := s.TestWebhook(ctx, id); return err }},
		{"told something again", true, 0, func(ctx context.Context) error {
			before, _ := s.Deliveries(t.Context(), id, oauth.ID{}, 100)
			err := s.Redeliver(ctx, f.ID, f.done.ID)
			after, _ := s.Deliveries(t.Context(), id, oauth.ID{}, 100)
			for i := range before {
				if changed := after[i] != before[i]; err == nil && changed != (after[i].ID == f.done.ID) {
					t.Errorf("when another is sent again a delivery is %+v and was %+v", after[i], before[i])
				}
			}
			return err
		}},
		{"not told what it never was", true, 0, f.refused(t, s, func(ctx context.Context) error { return s.Redeliver(ctx, f.ID, newID(t, s.Now())) })},
		{"verified again", true, 0, func(ctx context.Context) error { return s.VerifyApplication(ctx, id) }},
		{"of an owner with another name", false, 0, func(ctx context.Context) error {
			f.owner.Name = "Somebody else"
			return s.ChangeProfile(ctx, f.owner)
		}},
		{"of a disabled owner", true, 1, func(ctx context.Context) error { return s.DisableAccount(ctx, f.owner.ID) }},
		{"of an owner who is enabled", true, 1, func(ctx context.Context) error { return s.EnableAccount(ctx, f.owner.ID) }},
		{"of an administrator", true, 0, func(ctx context.Context) error { return s.MakeAdministrator(ctx, f.co.ID) }},
		{"of an administrator no more", true, 0, func(ctx context.Context) error { return s.UnmakeAdministrator(ctx, f.co.ID) }},
		{"in use", false, 0, func(ctx context.Context) error { one.LastSeenAt = s.Now(); return s.SeeSession(ctx, one) }},
		{"out of use", false, 0, func(ctx context.Context) error { return s.EndSession(ctx, f.user.ID, one.ID) }},
		{"in use in one browser", false, 0, func(ctx context.Context) error { return s.EndOtherSessions(ctx, f.user.ID, two.ID) }},
		{"of somebody with another password", false, 0, func(ctx context.Context) error {
			return s.ChangePassword(ctx, f.user.ID, "hash", "another", two.ID, oauth.Hash{3})
		}},
		{"of somebody who forgot it", false, 0, func(ctx context.Context) error { return s.SetPassword(ctx, f.user.ID, "hash") }},
		{"revoked", false, 1, func(ctx context.Context) error { return s.RevokeByOperator(ctx, f.given.ID) }},
		{"disconnected", false, 1, func(ctx context.Context) error {
			living(t, s, f.Application, f.user)
			return s.Disconnect(ctx, f.user.ID, id)
		}},
		{"rid of a tester", true, 0, func(ctx context.Context) error { return s.RemoveMember(ctx, id, shared, oauth.RoleTester, true) }},
		{"rid of its heir", true, 0, func(ctx context.Context) error { return s.RemoveMember(ctx, id, f.heir, oauth.RoleHeir, true) }},
		{"promised to an heir", true, 0, func(ctx context.Context) error { return s.AddMember(ctx, id, shared, oauth.RoleHeir) }},
		{"promised to another", true, 0, func(ctx context.Context) error { return s.AddMember(ctx, id, f.co, oauth.RoleHeir) }},
		{"promised to the first again", true, 0, func(ctx context.Context) error { return s.AddMember(ctx, id, shared, oauth.RoleHeir) }},
		{"not inherited by who is heir no more", true, 0, f.refused(t, s, func(ctx context.Context) error { return s.Inherit(ctx, id, f.co) })},
		{"not rid of whom it does not have", true, 0, f.refused(t, s, func(ctx context.Context) error {
			return s.RemoveMember(ctx, id, f.tester, oauth.RoleCoOwner, true)
		})},
		{"verified for the last time", true, 0, func(ctx context.Context) error { return s.VerifyApplication(ctx, id) }},
		{"told nothing", true, -9, func(ctx context.Context) error { return s.DeleteWebhook(ctx, f.ID) }},
		{"told again", false, 2, func(context.Context) error { f.hook(t, s); return nil }},
		{"inherited", false, -2, func(ctx context.Context) error {
			err := s.Inherit(ctx, id, shared)
			read, readErr := s.Application(ctx, id)
			if read.OwnerID != shared.ID || read.InheritedAt.IsZero() || read.Verified() || read.Submitted() {
				t.Errorf("it is inherited as %+v", read)
			}
			return errors.Join(err, readErr)
		}},
		{"not given away by who owned it", false, 0, f.refused(t, s, func(context.Context) error {
			return s.AddMember(by(t, f.owner), id, f.co, oauth.RoleHeir)
		})},
		{"told as its new owner wants", false, 2, func(context.Context) error { f.hook(t, s); return nil }},
		{"deleted", true, -2, func(ctx context.Context) error { return s.DeleteApplication(ctx, id) }},
		{"swept", false, 0, func(ctx context.Context) error {
			_, err := s.Sweep(ctx)
			_, usage := s.SweepUsage(ctx)
			return errors.Join(err, usage, s.sweepUses(ctx))
		}},
	}
}

// tellsAt gives the webhook another URL and other events.
func (f *furnished) tellsAt(t *testing.T, s *Store, url string, events ...oauth.WebhookEvent) func(context.Context) error {
	return func(ctx context.Context) error {
		err := s.SetWebhook(ctx, f.ID, url, events, "")
		w, readErr := s.Webhook(t.Context(), f.ID)
		if err == nil && (w.URL != url || !slices.Equal(w.Events, events)) {
			t.Errorf("the webhook is %+v", w)
		}
		return errors.Join(err, readErr)
	}
}

// refused demands that something is refused as not found, and not written down.
func (f *furnished) refused(t *testing.T, s *Store, do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		before := told(t, s, f.ID)
		err := do(ctx)
		if after := told(t, s, f.ID); !errors.Is(err, ErrNotFound) || !slices.Equal(after, before) {
			t.Errorf("it ended with %v, and written down is %q", err, after[len(before):])
		}
		if oauth.ActorFrom(ctx).AccountID.IsZero() {
			return nil
		}
		return err
	}
}
