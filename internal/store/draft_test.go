package store

import (
	"errors"
	"testing"

	"github.com/latchkey/latchkey/internal/oauth"
)

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

func draftsAreApprovedByMembers(t *testing.T, s *Store) {
	ctx := t.Context()
	owner, tester, former, stranger := newAccount(t, s, "o@x.example", "olive", "Olive", false), newAccount(t, s, "t@x.example", "tess", "Tess", false),
		newAccount(t, s, "f@x.example", "finn", "Finn", false), newAccount(t, s, "s@x.example", "sam", "Sam", false)
	draft, verified := newApplication(t, s, owner, "Draft"), newApplication(t, s, owner, "Verified")
	must(t, s.VerifyApplication(ctx, verified.ID))
	for _, member := range []oauth.Account{tester, former} {
		must(t, s.AddMember(ctx, draft.ID, member, oauth.RoleTester))
	}
	must(t, s.RemoveMember(ctx, draft.ID, former, oauth.RoleTester, true))
	for _, c := range []struct {
		what        string
		account     oauth.Account
		application oauth.Application
		review      bool
		want        error
	}{
		{"the owner", owner, draft, true, nil},
		{"a tester", tester, draft, true, nil},
		{"who was a tester when the page was shown", former, draft, true, ErrChanged},
		{"a stranger", stranger, draft, true, ErrChanged},
		{"a stranger, of what is verified", stranger, verified, true, nil},
		{"a stranger, where no review is required", stranger, draft, false, nil},
	} {
		row := oauth.Authorization{
			ID: newID(t, s.Now()), ApplicationID: c.application.ID, AccountID: c.account.ID, GrantType: oauth.GrantAuthorizationCode,
			Status: oauth.StatusPending, Scope: "profile", CreatedAt: s.Now(),
		}.Asked()
		read, err := s.Application(ctx, c.application.ID)
		must(t, err)
		err = s.Approve(ctx, Approval{Authorization: row, Identity: read.Identity(), Asked: true, Review: c.review})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", c.what, err, c.want)
		}
	}
}

func removedTestersAreCutOff(t *testing.T, s *Store) {
	ctx := t.Context()
	owner := newAccount(t, s, "o@x.example", "olive", "Olive", false)
	for i, c := range []struct {
		what             string
		roles            []oauth.Role
		review, verified bool
		ends             bool
	}{
		{"a tester of a draft", []oauth.Role{oauth.RoleTester}, true, false, true},
		{"a co-owner of a draft", []oauth.Role{oauth.RoleCoOwner}, true, false, true},
		{"a co-owner who is a tester too", []oauth.Role{oauth.RoleTester, oauth.RoleCoOwner}, true, false, false},
		{"an heir, who approved it before it was a draft", []oauth.Role{oauth.RoleHeir}, true, false, false},
		{"a tester of what everybody may use", []oauth.Role{oauth.RoleTester}, true, true, false},
		{"a tester where no review is required", []oauth.Role{oauth.RoleTester}, false, false, false},
	} {
		name := "m" + string(rune('a'+i))
		member, a := newAccount(t, s, name+"@x.example", name, name, false), newApplication(t, s, owner, c.what)
		for _, role := range c.roles {
			must(t, s.AddMember(ctx, a.ID, member, role))
		}
		if c.verified {
			must(t, s.VerifyApplication(ctx, a.ID))
		}
		row, own := living(t, s, a, member), living(t, s, a, owner)
		must(t, s.AddUses(ctx, map[oauth.Connection]oauth.Use{{AccountID: member.ID, ApplicationID: a.ID}: {Scope: "profile", At: s.Now()}}))
		must(t, s.RemoveMember(ctx, a.ID, member, c.roles[0], c.review))
		read, err := s.Authorization(ctx, row.ID)
		must(t, err)
		if ended := read.Status == oauth.StatusRevoked; ended != c.ends || ended && read.RevokedReason != oauth.ReasonRemoved {
			t.Errorf("%s: it is %v for %q", c.what, read.Status, read.RevokedReason)
		}
		if _, err := s.Consent(ctx, member.ID, a.ID); errors.Is(err, ErrNotFound) != c.ends {
			t.Errorf("%s: the consent: %v", c.what, err)
		}
		if uses, err := s.Uses(ctx, member.ID); (len(uses) == 0) != c.ends || err != nil {
			t.Errorf("%s: the uses: %v (%v)", c.what, uses, err)
		}
		if _, err := s.Consent(ctx, owner.ID, a.ID); err != nil {
			t.Errorf("%s: the owner's consent: %v", c.what, err)
		}
		if read, err = s.Authorization(ctx, own.ID); err != nil || read.Status != oauth.StatusActive {
			t.Errorf("%s: the owner's is %v (%v)", c.what, read.Status, err)
		}
		if err := s.RemoveMember(ctx, a.ID, member, c.roles[0], c.review); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: removed twice: %v", c.what, err)
		}
	}
}

func anotherNameTakesTheMark(t *testing.T, s *Store) {
	ctx := t.Context()
	olive, peer := newAccount(t, s, "o@x.example", "olive", "Olive", false), newAccount(t, s, "p@x.example", "peer", "Peer", false)
	marked, draft, foreign := newApplication(t, s, olive, "Marked"), newApplication(t, s, olive, "Draft"), newApplication(t, s, peer, "Foreign")
	must(t, s.VerifyApplication(ctx, marked.ID))
	must(t, s.VerifyApplication(ctx, foreign.ID))
	verified := func(what string, want bool, a oauth.Application) {
		t.Helper()
		read, err := s.Application(ctx, a.ID)
		must(t, err)
		if read.Verified() != want {
			t.Errorf("%s: %s is verified: %v", what, a.Name, read.Verified())
		}
	}
	warned := func(want bool) {
		t.Helper()
		if owns, err := s.OwnsVerified(ctx, olive.ID); err != nil || owns != want {
			t.Errorf("one of the account's is verified: %v (%v)", owns, err)
		}
	}
	warned(true)
	olive.Username = "olive2"
	must(t, s.ChangeProfile(ctx, olive))
	verified("another username", true, marked)
	olive.Name = "The Platform"
	must(t, s.ChangeProfile(ctx, olive))
	verified("another name", false, marked)
	warned(false)
	verified("another name of somebody else", true, foreign)
	kinds, details := kindsOf(t, s, AuditFilter{ApplicationID: marked.ID})
	if want := "application.registered application.verified application.edited"; kinds != want || details != "profile||verified mark" {
		t.Errorf("written down is %s: %s", kinds, details)
	}
	if kinds, _ := kindsOf(t, s, AuditFilter{ApplicationID: draft.ID}); kinds != "application.registered" {
		t.Errorf("of the draft is written down %s", kinds)
	}
}
