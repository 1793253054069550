package store

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	realpostgres "github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
)

// by is the context of what an account does.
func by(t *testing.T, a oauth.Account) context.Context {
	return oauth.WithActor(t.Context(), oauth.Actor{AccountID: a.ID, Name: a.Name})
}

// managersDecide: whoever asked for a change managed the application when the page looked.
func managersDecide(t *testing.T, s *Store) {
	a := confidential(t, s)
	ada, err := s.Account(t.Context(), a.OwnerID)
	must(t, err)
	person := func(name string) oauth.Account { return newAccount(t, s, name+"@example.com", name, name, false) }
	co, former, tester, heir, guest := person("co"), person("former"), person("tester"), person("heir"), person("guest")
	for member, role := range map[oauth.Account]oauth.Role{
		co: oauth.RoleCoOwner, former: oauth.RoleCoOwner, tester: oauth.RoleTester, heir: oauth.RoleHeir,
	} {
		must(t, s.AddMember(by(t, ada), a.ID, member, role))
	}
	must(t, s.RemoveMember(by(t, former), a.ID, former, oauth.RoleCoOwner, false))
	var sent oauth.ID
	add := func(role oauth.Role) func(context.Context) error {
		return func(ctx context.Context) error { return s.AddMember(ctx, a.ID, guest, role) }
	}
	remove := func(role oauth.Role) func(context.Context) error {
		return func(ctx context.Context) error { return s.RemoveMember(ctx, a.ID, guest, role, false) }
	}
	edit := func(ctx context.Context) error {
		return s.EditApplication(ctx, a.ID, func(n oauth.Application) (oauth.Application, error) { n.Name += "!"; return n, nil })
	}
	hook := func(ctx context.Context) error {
		return s.SetWebhook(ctx, a.ID, "https://app.example/hook", []oauth.WebhookEvent{oauth.EventSecretEnding}, "")
	}
	deleted := func(ctx context.Context) error { return s.DeleteApplication(ctx, a.ID) }
	refused := func(what string, who oauth.Account, do func(context.Context) error) {
		t.Helper()
		before := told(t, s, a.ID)
		if err := do(by(t, who)); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s by %s: %v", what, who.Name, err)
		}
		if after := told(t, s, a.ID); !slices.Equal(after, before) {
			t.Errorf("%s by %s was made: %q", what, who.Name, after)
		}
	}
	for _, c := range []struct {
		what string
		// owner: co-owners may not.
		owner bool
		do    func(context.Context) error
	}{
		{"an edit", false, edit},
		{"a logo", false, func(ctx context.Context) error {
			return s.PutLogo(ctx, a.ID, &oauth.Picture{ID: newID(t, s.Now()), Type: "image/png", Body: []byte("1"), CreatedAt: s.Now()})
		}},
		{"another secret", false, func(ctx context.Context) error {
			return s.RotateSecret(ctx, a.ID, time.Time{}, oauth.Hash{1}, s.Now().Add(time.Hour))
		}},
		{"the end of a secret", false, func(ctx context.Context) error { return s.EndPreviousSecret(ctx, a.ID, time.Time{}) }},
		{"the wish for a review", false, func(ctx context.Context) error { return s.SubmitApplication(ctx, a.ID) }},
		{"the wish for a scope", false, func(ctx context.Context) error { return s.RequestScope(ctx, a.ID, "community") }},
		{"a webhook", false, hook},
		{"another key", false, func(ctx context.Context) error {
			w, err := s.Webhook(ctx, a.ID)
			must(t, err)
			return s.RotateWebhook(ctx, a.ID, w.Generation)
		}},
		{"a test event", false, func(ctx context.Context) (err error) { sent, err = s.TestWebhook(ctx, a.ID); return err }},
		{"a delivery", false, func(ctx context.Context) error { return s.Redeliver(ctx, a.ID, sent) }},
		{"the end of a webhook", false, func(ctx context.Context) error { return s.DeleteWebhook(ctx, a.ID) }},
		{"a tester", false, add(oauth.RoleTester)},
		{"the end of a tester", false, remove(oauth.RoleTester)},
		{"a co-owner", true, add(oauth.RoleCoOwner)},
		{"the end of a co-owner", true, remove(oauth.RoleCoOwner)},
	} {
		outsiders, who := []oauth.Account{former, tester, heir}, co
		if c.owner {
			outsiders, who = append(outsiders, co), ada
		}
		for _, outsider := range outsiders {
			refused(c.what, outsider, c.do)
		}
		if err := c.do(by(t, who)); err != nil {
			t.Errorf("%s by %s: %v", c.what, who.Name, err)
		}
	}
	refused("an heir", co, add(oauth.RoleHeir))
	refused("the deletion", co, deleted)
	must(t, s.DisableAccount(t.Context(), ada.ID))
	refused("the acceptance of what a disabled account offers", heir, func(ctx context.Context) error { return s.Inherit(ctx, a.ID, heir) })
	must(t, s.EnableAccount(t.Context(), ada.ID))
	must(t, s.Inherit(by(t, heir), a.ID, heir))
	if read, err := s.Application(t.Context(), a.ID); err != nil || read.Submitted() || read.OwnerID != heir.ID {
		t.Errorf("the heir has %+v (%v)", read, err)
	}
	for what, do := range map[string]func(context.Context) error{"an edit": edit, "a webhook": hook, "the deletion": deleted} {
		refused(what, ada, do)
		refused(what, co, do)
	}
	refused("a tester who owns it", heir, func(ctx context.Context) error { return s.AddMember(ctx, a.ID, heir, oauth.RoleTester) })
	must(t, deleted(by(t, heir)))
}

// TestChangesThatMeet has one change wait for the audit log, at its end, until another waits too.
func TestChangesThatMeet(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T, *meeting){
		"who was removed meanwhile changes nothing":          removedMeanwhile,
		"a mark is given to the name that was seen":          markedMeanwhile,
		"what works again is told so, however it came about": resumedMeanwhile,
	} {
		t.Run(name, func(t *testing.T) { test(t, &meeting{openAt(t, Options{Database: realpostgres.Database(t)})}) })
	}
}

type meeting struct{ *Store }

func (m *meeting) of(t *testing.T, first, second func() error) (ofFirst, ofSecond error) {
	t.Helper()
	pool := m.engine.(*postgres).pool
	inTheWay, err := pool.Begin(t.Context())
	must(t, err)
	_, err = inTheWay.Exec(t.Context(), `lock table audit in share mode`)
	must(t, err)
	waiting := func() string {
		return lines(t, pool, `select count(*)::text from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
	}
	one, other := make(chan error, 1), make(chan error, 1)
	go func() { one <- first() }()
	await(t, "the first change waits for the audit log", func() bool { return waiting() == "1" })
	go func() { other <- second() }()
	await(t, "the second change waits, too, or is over", func() bool { return len(other) == 1 || waiting() == "2" })
	must(t, inTheWay.Rollback(t.Context()))
	return <-one, <-other
}

func removedMeanwhile(t *testing.T, m *meeting) {
	a := newApplication(t, m.Store, adaOf(t, m.Store), "App")
	bob := newAccount(t, m.Store, "bob@example.com", "bob", "Bob", false)
	must(t, m.AddMember(t.Context(), a.ID, bob, oauth.RoleCoOwner))
	removed, edited := m.of(t,
		func() error { return m.RemoveMember(t.Context(), a.ID, bob, oauth.RoleCoOwner, false) },
		func() error {
			return m.EditApplication(by(t, bob), a.ID, func(n oauth.Application) (oauth.Application, error) { n.Name = "Bob's"; return n, nil })
		})
	must(t, removed)
	read, err := m.Application(t.Context(), a.ID)
	must(t, err)
	if !errors.Is(edited, ErrNotFound) || read.Name != a.Name {
		t.Errorf("it is called %q after an edit that ended with %v", read.Name, edited)
	}
}

func markedMeanwhile(t *testing.T, m *meeting) {
	ada := adaOf(t, m.Store)
	for _, renamedFirst := range []bool{true, false} {
		a, err := m.Application(t.Context(), newApplication(t, m.Store, ada, "App").ID)
		must(t, err)
		ada.Name += "!"
		rename := func() error { return m.ChangeProfile(t.Context(), ada) }
		mark := func() error { return m.VerifySeen(t.Context(), a.ID, a.Identity().String()) }
		var renamed, marked error
		if renamedFirst {
			renamed, marked = m.of(t, rename, mark)
		} else {
			marked, renamed = m.of(t, mark, rename)
		}
		must(t, renamed)
		read, err := m.Application(t.Context(), a.ID)
		must(t, err)
		if read.Verified() || read.OwnerName != ada.Name || errors.Is(marked, ErrChanged) != renamedFirst {
			t.Errorf("renamed first: %v: an application of %s is verified: %v (%v)", renamedFirst, read.OwnerName, read.Verified(), marked)
		}
	}
}

func resumedMeanwhile(t *testing.T, m *meeting) {
	ada := adaOf(t, m.Store)
	for _, enabledFirst := range []bool{true, false} {
		a := newApplication(t, m.Store, ada, "App")
		must(t, m.SetWebhook(t.Context(), a.ID, "https://app.example/hook", []oauth.WebhookEvent{oauth.EventApplicationResumed}, ""))
		must(t, m.SuspendApplication(t.Context(), a.ID, "a reason"))
		must(t, m.DisableAccount(t.Context(), ada.ID))
		enable := func() error { return m.EnableAccount(t.Context(), ada.ID) }
		resume := func() error { return m.ResumeApplication(t.Context(), a.ID) }
		first, second := enable, resume
		if !enabledFirst {
			first, second = resume, enable
		}
		one, other := m.of(t, first, second)
		must(t, errors.Join(one, other))
		sent, err := m.Deliveries(t.Context(), a.ID, oauth.ID{}, 10)
		must(t, err)
		if len(sent) != 1 || sent[0].Event != oauth.EventApplicationResumed {
			t.Errorf("enabled first: %v: the application is told %v", enabledFirst, sent)
		}
	}
}
