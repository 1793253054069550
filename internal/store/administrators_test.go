package store

import (
	"errors"
	"fmt"
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
				if err := s.DisableAccount(by, a.ID); err != nil && !errors.Is(err, ErrLastAdministrator) {
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
