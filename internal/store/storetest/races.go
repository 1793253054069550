package storetest

import (
	"errors"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

func raceRedeem(f *fixture) {
	a := f.register()
	for range Rounds {
		g := f.approve(a)
		wins := f.together(8, func(int) error {
			_, err := f.store.RedeemCode(f.ctx, g.redemption())
			return err
		})
		f.equal("redemptions that won", wins, 1)
		f.equal("status after replays", f.row(g).Status, oauth.StatusRevoked)
	}
}

func raceRefresh(f *fixture) {
	a, key := f.register(), f.key()
	for range Rounds {
		g := f.approve(a)
		f.redeem(g)
		access, next := key.Successors(g.refresh)
		wins := f.together(8, func(int) error {
			row, err := f.store.RotateRefresh(f.ctx, rotation(key, g, g.refresh))
			if err == nil && (!row.Access.Hash.Matches(access.Hash(oauth.KindAccessToken)) || !row.RefreshHash.Matches(next.Hash(oauth.KindRefreshToken))) {
				f.Error("a refresh answered with other tokens")
			}
			return err
		})
		f.equal("refreshes that were answered", wins, 8)
		f.equal("generation", f.row(g).Generation, 2)
	}
	g := f.approve(a)
	f.redeem(g)
	again := func() {
		_, err := f.store.RotateRefresh(f.ctx, rotation(key, g, g.refresh))
		f.must(err)
	}
	again()
	want := f.row(g)
	f.clock.Add(time.Second)
	want.ReplayedAt = f.clock.Now()
	again()
	f.equal("the row of a refresh that is repeated", f.row(g), want)
	_, next := key.Successors(g.refresh)
	_, err := f.store.RotateRefresh(f.ctx, rotation(key, g, next))
	f.must(err)
	f.equal("when the next one was repeated", f.row(g).ReplayedAt, time.Time{})
}

func raceRevokeRefresh(f *fixture) {
	a, key := f.register(), f.key()
	for range Rounds {
		g := f.approve(a)
		f.redeem(g)
		f.together(6, func(i int) error {
			if i == 0 {
				return f.store.Revoke(f.ctx, oauth.Revocation{ID: g.code.ID, Reason: oauth.ReasonRequested})
			}
			_, err := f.store.RotateRefresh(f.ctx, rotation(key, g, g.refresh))
			return err
		})
		row := f.row(g)
		f.equal("status after the revocation", row.Status, oauth.StatusRevoked)
		access, next := key.Successors(g.refresh)
		if _, alive := row.Check().AccessTokenFor(access.Hash(oauth.KindAccessToken), f.clock.Now()); alive {
			f.Error("an access token survived the revocation")
		}
		_, err := f.store.RotateRefresh(f.ctx, rotation(key, g, next))
		f.refused(err, oauth.InvalidGrant)
	}
}

func raceDeleteRedeem(f *fixture) {
	for range Rounds {
		a := f.register()
		g := f.approve(a)
		f.together(4, func(i int) error {
			if i == 0 {
				return f.store.DeleteApplication(f.ctx, a.ID)
			}
			_, err := f.store.RedeemCode(f.ctx, g.redemption())
			return err
		})
		_, err := f.store.Application(f.ctx, a.ID)
		f.is(err, store.ErrNotFound)
		_, err = f.store.Consent(f.ctx, f.owner.ID, a.ID)
		f.is(err, store.ErrNotFound)
		f.sweep()
		_, err = f.store.Authorization(f.ctx, g.code.ID)
		f.is(err, store.ErrNotFound)
	}
}

// raceDeleteApprove lets people approve an application while it is deleted, and swept:
// nothing of what they made may be left behind.
func raceDeleteApprove(f *fixture) {
	for range Rounds {
		a := f.register()
		approvals := make([]store.Approval, 4)
		for i := range approvals {
			approvals[i] = f.approval(a, &grant{})
		}
		f.together(len(approvals)+1, func(i int) error {
			if i < len(approvals) {
				return f.store.Approve(f.ctx, approvals[i])
			}
			err := f.store.DeleteApplication(f.ctx, a.ID)
			for removed := 1; removed > 0 && err == nil; {
				removed, err = f.store.Sweep(f.ctx)
			}
			return err
		})
		for _, approval := range approvals {
			_, err := f.store.Authorization(f.ctx, approval.Authorization.ID)
			f.is(err, store.ErrNotFound)
		}
	}
}

func raceDisconnectRedeem(f *fixture) {
	a := f.register()
	for range Rounds {
		active, waiting := f.approve(a), f.approve(a)
		f.redeem(active)
		silent := &grant{}
		approval := f.approval(a, silent)
		approval.Asked = false
		f.together(3, func(i int) error {
			switch i {
			case 0:
				return f.store.Disconnect(f.ctx, f.owner.ID, a.ID)
			case 1:
				return f.store.Approve(f.ctx, approval)
			}
			_, err := f.store.RedeemCode(f.ctx, waiting.redemption())
			return err
		})
		f.equal("status of the active one", f.row(active).Status, oauth.StatusRevoked)
		f.equal("status of the pending one", f.row(waiting).Status, oauth.StatusRevoked)
		// The approval without asking came first and was revoked, or was refused.
		row, err := f.store.Authorization(f.ctx, silent.code.ID)
		if err == nil {
			f.equal("status of the one approved meanwhile", row.Status, oauth.StatusRevoked)
		} else {
			f.is(err, store.ErrNotFound)
		}
	}
}

func raceApprove(f *fixture) {
	a := f.register()
	for range Rounds {
		g := &grant{}
		approval := f.approval(a, g)
		f.equal("approvals that won", f.together(4, func(int) error { return f.store.Approve(f.ctx, approval) }), 1)
		f.redeem(g)
		// Also after the code was used.
		f.is(f.store.Approve(f.ctx, approval), store.ErrAnswered)
	}
	refused := f.approval(a, &grant{}).Authorization
	f.must(f.store.Refuse(f.ctx, refused, a.Name))
	f.is(f.store.Refuse(f.ctx, refused, a.Name), store.ErrAnswered)
}

func approveSilently(f *fixture) {
	a := f.register()
	silent := func(scope oauth.Scope) error {
		approval := f.approval(a, &grant{})
		approval.Asked, approval.Authorization.Scope = false, scope
		return f.store.Approve(f.ctx, approval)
	}
	f.is(silent("profile"), store.ErrChanged)
	f.approve(a)
	f.must(silent("profile"))
	f.is(silent("profile community"), store.ErrChanged)
	f.must(f.store.Disconnect(f.ctx, f.owner.ID, a.ID))
	f.is(silent("profile"), store.ErrChanged)
	all, err := f.store.Authorizations(f.ctx, store.AuthorizationFilter{ApplicationID: a.ID, Limit: 10})
	f.must(err)
	f.equal("authorizations", len(all), 2)
}

func approveForATime(f *fixture) {
	a, key := f.register(), f.key()
	for _, limited := range []bool{false, true} {
		g := &grant{}
		approval := f.approval(a, g)
		if limited {
			approval.Authorization.EndsAt = f.clock.Now().Add(90 * time.Minute)
		}
		f.must(f.store.Approve(f.ctx, approval))
		f.redeem(g)
		f.equal("the end of the approval", f.row(g).EndsAt, approval.Authorization.EndsAt)
		c, err := f.store.Consent(f.ctx, f.owner.ID, a.ID)
		f.must(err)
		f.equal("the end of the consent", c.EndsAt, approval.Authorization.EndsAt)
		if !limited {
			continue
		}
		f.clock.Add(time.Hour)
		row, err := f.store.RotateRefresh(f.ctx, rotation(key, g, g.refresh))
		f.must(err)
		f.equal("when the access token expires", row.Access.ExpiresAt, approval.Authorization.EndsAt)
		row = f.row(g) // what an event returns need not be the whole row
		silent := f.approval(a, &grant{})
		silent.Asked = false
		f.is(f.store.Approve(f.ctx, silent), store.ErrChanged)
		silent.Authorization.EndsAt = c.EndsAt
		f.must(f.store.Approve(f.ctx, silent))
		f.clock.Add(30 * time.Minute)
		_, next := key.Successors(g.refresh)
		_, err = f.store.RotateRefresh(f.ctx, rotation(key, g, next))
		f.refused(err, oauth.InvalidGrant)
		f.equal("the row afterwards", f.row(g), row)
		silent = f.approval(a, &grant{})
		silent.Asked, silent.Authorization.EndsAt = false, c.EndsAt
		f.is(f.store.Approve(f.ctx, silent), store.ErrChanged)
		f.clock.Add(25 * time.Hour)
		f.sweep()
		_, err = f.store.Authorization(f.ctx, g.code.ID)
		f.is(err, store.ErrNotFound)
	}
}

func approveChanged(f *fixture) {
	for name, change := range map[string]func(a oauth.Application) error{
		"renamed":   func(a oauth.Application) error { a.Name = "Bank"; return f.edit(a) },
		"suspended": func(a oauth.Application) error { return f.store.SuspendApplication(f.ctx, a.ID, "") },
	} {
		a := f.register()
		approval := f.approval(a, &grant{})
		f.must(change(a))
		if err := f.store.Approve(f.ctx, approval); !errors.Is(err, store.ErrChanged) {
			f.Errorf("approved though the application was %s: %v", name, err)
		}
		_, err := f.store.Consent(f.ctx, f.owner.ID, a.ID)
		f.is(err, store.ErrNotFound)
	}
	a := f.register()
	f.must(f.store.ResumeApplication(f.ctx, a.ID))
	approval := f.approval(a, &grant{})
	f.must(f.store.DeleteApplication(f.ctx, a.ID))
	f.is(f.store.Approve(f.ctx, approval), store.ErrNotFound)
}

func consentGrows(f *fixture) {
	a := f.register()
	f.approve(a)
	f.clock.Add(time.Hour)
	want := oauth.Consent{
		AccountID: f.owner.ID, ApplicationID: a.ID, Scope: "profile community", Declined: "events photos",
		Identity: a.Identity(), CreatedAt: beginning, UpdatedAt: f.clock.Now(),
	}
	approval := f.approval(a, &grant{})
	approval.Authorization.Scope, approval.Declined = "community", want.Declined
	f.must(f.store.Approve(f.ctx, approval))
	c, err := f.store.Consent(f.ctx, f.owner.ID, a.ID)
	f.must(err)
	f.equal("the consent", c, want)
	f.clock.Add(time.Hour)
	a.Site = "https://app.example/"
	f.must(f.edit(a))
	f.approve(a)
	c, err = f.store.Consent(f.ctx, f.owner.ID, a.ID)
	f.must(err)
	want.Scope, want.Declined, want.Identity, want.UpdatedAt = "profile", "", a.Identity(), f.clock.Now()
	f.equal("the consent after a change of the application", c, want)
	deleted, newer := f.register(), f.register()
	f.approve(deleted)
	f.approve(newer)
	f.must(f.store.DeleteApplication(f.ctx, deleted.ID))
	all, err := f.store.Consents(f.ctx, f.owner.ID)
	f.must(err)
	var of []oauth.ID
	for _, c := range all {
		of = append(of, c.ApplicationID)
	}
	f.equal("the applications that have a consent", of, []oauth.ID{newer.ID, a.ID})
	f.must(f.store.Disconnect(f.ctx, f.owner.ID, deleted.ID))
}
