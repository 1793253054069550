package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/latchkey/latchkey/internal/oauth"
)

// newAdministrators are three whose names a round tells apart from those of others.
func newAdministrators(t *testing.T, s *Store, round int) (admins []oauth.Account) {
	t.Helper()
	for i := range 3 {
		name := fmt.Sprintf("admin%d-%d", round, i)
		admins = append(admins, newAccount(t, s, name+"@x.example", name, name, true))
	}
	return admins
}

func lastAdministratorStays(t *testing.T, s *Store) {
	ctx := t.Context()
	for round := range 5 {
		// All but one are unmade at once by each other.
		admins := newAdministrators(t, s, round)
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

func administratorsDisableEachOther(t *testing.T, s *Store) {
	ctx := t.Context()
	for round := range 5 {
		admins := newAdministrators(t, s, round)
		var done sync.WaitGroup
		for i, a := range admins {
			done.Go(func() {
				by := oauth.WithActor(ctx, oauth.Actor{AccountID: admins[(i+1)%len(admins)].ID, Name: "an administrator"})
				if err := s.DisableAccount(by, a.ID); err != nil && !errors.Is(err, ErrLastAdministrator) && !errors.Is(err, ErrNotFound) {
					t.Error(err)
				}
			})
		}
		done.Wait()
		var left int
		for _, a := range admins {
			now, err := s.Account(ctx, a.ID)
			must(t, err)
			if !now.Disabled {
				left++
			}
		}
		if left != 1 {
			t.Fatalf("%d administrators are left, want 1", left)
		}
		// Whoever runs the platform may do what its administrators may not.
		for _, a := range admins {
			must(t, s.DisableAccount(ctx, a.ID))
		}
	}
}

func formerAdministratorsDecideNothing(t *testing.T, s *Store) {
	admins := newAdministrators(t, s, 0)
	one, unmade, disabled := admins[0], admins[1], admins[2]
	must(t, s.UnmakeAdministrator(by(t, one), unmade.ID))
	must(t, s.DisableAccount(by(t, one), disabled.ID))
	guest := newAccount(t, s, "guest@x.example", "guest", "Guest", false)
	for _, c := range []struct {
		who  oauth.Account
		want error
	}{{unmade, ErrNotFound}, {disabled, ErrNotFound}, {guest, ErrNotFound}, {one, nil}} {
		for what, act := range map[string]func(ctx context.Context, id oauth.ID) error{
			"made an administrator": s.MakeAdministrator, "unmade": s.UnmakeAdministrator, "disabled": s.DisableAccount, "enabled": s.EnableAccount,
		} {
			if err := act(by(t, c.who), newID(t, s.Now())); !errors.Is(err, ErrNotFound) {
				t.Errorf("nobody is %s by %s: %v", what, c.who.Name, err)
			}
			if err := act(by(t, c.who), guest.ID); !errors.Is(err, c.want) {
				t.Errorf("somebody is %s by %s: %v", what, c.who.Name, err)
			}
		}
		a := newApplication(t, s, guest, "App")
		must(t, s.SubmitApplication(t.Context(), a.ID))
		before, err := s.Application(t.Context(), a.ID)
		must(t, err)
		for what, decide := range map[string]func(ctx context.Context) error{
			"suspended":     func(ctx context.Context) error { return s.SuspendApplication(ctx, a.ID, "A reason.") },
			"resumed":       func(ctx context.Context) error { return s.ResumeApplication(ctx, a.ID) },
			"verified":      func(ctx context.Context) error { return s.VerifySeen(ctx, a.ID, before.Identity().String()) },
			"given a scope": func(ctx context.Context) error { return s.AllowScope(ctx, a.ID, "community", oauth.ScopeNeither) },
		} {
			if err := decide(by(t, c.who)); !errors.Is(err, c.want) {
				t.Errorf("an application is %s by %s: %v", what, c.who.Name, err)
			}
		}
		after, err := s.Application(t.Context(), a.ID)
		if must(t, err); c.want != nil && !reflect.DeepEqual(after, before) {
			t.Errorf("after what %s decided it is %+v", c.who.Name, after)
		}
		if read, err := s.Account(t.Context(), guest.ID); err != nil || c.want != nil && read != guest {
			t.Errorf("after what %s did it is %+v (%v)", c.who.Name, read, err)
		}
	}
}
