package storetest

import (
	"crypto/rand"
	"errors"
	"flag"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// Lives draws random lives of authorizations: an account approves, a confidential
// and a public application redeem and refresh, a thief has copies of what they
// had, an operator switches things off, and time passes. After every step the
// store has to agree with the model. -rapid.checks and -rapid.steps make it longer.
func Lives(t *testing.T, open Opener) {
	f := newFixture(t, open)
	key := f.key()
	// A failure prints its seed; a file would lie about in the tree.
	f.must(flag.Set("rapid.nofailfile", "true"))
	rapid.Check(t, func(r *rapid.T) {
		p := &play{fixture: f, r: r, key: key}
		p.begin()
		r.Repeat(map[string]func(*rapid.T){
			"approve":                p.on(p.approve),
			"redeem":                 p.on(p.redeem),
			"redeem again and again": p.on(p.redeem),
			"refresh":                p.on(func() { p.refresh(1) }),
			"refresh the newest":     p.on(func() { p.refresh(0) }),
			"show an old token":      p.on(func() { p.refresh(5) }),
			"steal a code":           p.on(p.stealCode),
			"steal a refresh token":  p.on(p.stealRefresh),
			"guess a token":          p.on(p.guess),
			"revoke":                 p.on(p.revoke),
			"operate":                p.on(p.operate),
			"let a little time pass": p.on(func() { p.pass(time.Second, replayWindow-time.Second, replayWindow, inFlight, codeLife) }),
			"let much time pass":     p.on(func() { p.pass(accessLife-inFlight, accessLife, questionLife, idleLimit-time.Second, idleLimit) }),
			"sweep":                  p.on(p.sweep),
			"":                       p.on(p.agree),
		})
	})
}

// play is one drawn sequence of events.
type play struct {
	*fixture
	r                  *rapid.T
	key                oauth.Key
	account, developer oauth.Account
	disabled, orphaned bool
	applications       []*modelApplication
	lives              []*life
}

// life is an authorization, with all tokens that it ever had, and its model.
type life struct {
	grant
	modelLife
	of               *modelApplication
	accesses, others []oauth.Token
}

func (p *play) on(step func()) func(*rapid.T) {
	return func(r *rapid.T) {
		p.r = r
		step()
	}
}

func (p *play) begin() {
	p.account, p.developer = p.person(), p.person()
	for _, public := range []bool{false, true} {
		id, clientID, err := oauth.NewClientID(rand.Reader, p.clock.Now())
		p.sure(err)
		a := oauth.Application{
			ID: id, ClientID: clientID, OwnerID: p.developer.ID, OwnerName: p.developer.Name, Name: "App", Public: public,
			RedirectURIs: []string{"https://app.example/cb"}, Scope: "profile", CreatedAt: p.clock.Now(),
		}
		p.sure(p.store.RegisterApplication(p.ctx, a))
		p.applications = append(p.applications, &modelApplication{row: a})
	}
}

func (p *play) person() oauth.Account {
	id := p.id()
	a := oauth.Account{ID: id, Email: id.String() + "@example.com", Username: id.String(), Name: "Somebody", CreatedAt: p.clock.Now()}
	p.sure(p.store.CreateAccount(p.ctx, a, "hash"))
	return a
}

// sure fails the sequence, so that it is made shorter.
func (p *play) sure(err error) {
	if err != nil {
		p.r.Fatalf("%+v", err)
	}
}

func (p *play) expect(event string, err error, want answer) {
	var refused *oauth.Error
	got := granted
	switch {
	case errors.Is(err, oauth.ErrUnrecognised):
		got = unprovable
	case errors.Is(err, store.ErrChanged):
		got = conflict
	case errors.Is(err, store.ErrAnswered):
		got = alreadyDone
	case errors.Is(err, store.ErrNotFound):
		got = nothing
	case errors.As(err, &refused):
		got = answer(refused.Code.Wire)
	case err != nil:
		got = answer(err.Error())
	}
	if got != want {
		p.r.Fatalf("%s: the store says %q (%v), the model %q", event, got, err, want)
	}
}

// one draws an authorization, or skips the step when there is none. Nobody proves to be an
// application that was deleted, so that nothing happens to those of one.
func (p *play) one() *life {
	present := slices.DeleteFunc(slices.Clone(p.lives), func(l *life) bool { return l.of.deleted })
	if len(present) == 0 {
		p.r.Skip("no authorization yet")
	}
	return rapid.SampledFrom(present).Draw(p.r, "authorization")
}

func (p *play) approve() {
	if len(p.lives) >= 4 {
		p.r.Skip("enough authorizations")
	}
	of := rapid.SampledFrom(p.applications).Draw(p.r, "application")
	asked := rapid.Bool().Draw(p.r, "asked")
	p.owner = p.account
	now := p.clock.Now()
	l := &life{of: of, modelLife: modelLife{public: of.row.Public, status: oauth.StatusPending, made: now}}
	if lasting := rapid.SampledFrom([]time.Duration{0, codeLife / 2, accessLife * 3 / 2, idleLimit / 2}).Draw(p.r, "lasting"); lasting > 0 {
		l.limit = now.Add(lasting)
	}
	approval := p.approval(of.row, &l.grant)
	approval.Asked, approval.Authorization = asked, approval.Authorization.Asked()
	approval.Authorization.EndsAt = l.limit
	want := granted
	switch {
	case of.deleted:
		want = nothing
	case of.suspended, p.orphaned, p.disabled, !asked && !of.covers(l.limit, now):
		want = conflict
	}
	p.expect("approve", p.store.Approve(p.ctx, approval), want)
	if want != granted {
		return
	}
	p.expect("approve again", p.store.Approve(p.ctx, approval), alreadyDone)
	if asked {
		of.limit = l.limit
	}
	of.consented, p.lives = true, append(p.lives, l)
	l.accesses, l.others = []oauth.Token{l.access}, []oauth.Token{l.refresh}
}

func (p *play) redeem() {
	l := p.one()
	e := l.redemption()
	e.RefreshIdle = idleLimit
	written := p.rule(l, e)
	_, err := p.store.RedeemCode(p.ctx, e)
	p.expect("redeem", err, l.redeem(p.disabled, p.clock.Now()))
	written()
}

// rule lets an event decide on the row of an authorization. What it returns demands that the
// store has written that, and all of it.
func (p *play) rule(l *life, e oauth.Event) (written func()) {
	row, err := p.store.Authorization(p.ctx, l.code.ID)
	p.sure(err)
	want, _ := e.Decide(row, p.disabled, p.clock.Now())
	return func() {
		row, err := p.store.Authorization(p.ctx, l.code.ID)
		p.sure(err)
		if row != want {
			p.r.Fatalf("%T leaves\n%+v\nwhere the rule makes\n%+v", e, row, want)
		}
	}
}

// refresh shows the refresh token of up to so many generations ago.
func (p *play) refresh(ago int) {
	l := p.one()
	if l.generation == 0 {
		p.r.Skip("not redeemed yet")
	}
	generation := max(1, l.generation-rapid.IntRange(0, ago).Draw(p.r, "generations ago"))
	now := p.clock.Now()
	e := p.rotation(l, generation, l.of)
	written := p.rule(l, e)
	row, err := p.store.RotateRefresh(p.ctx, e)
	want := l.present(generation, p.disabled, now)
	if l.status == oauth.StatusRevoked && errors.Is(err, oauth.ErrUnrecognised) {
		want = refusal
	}
	p.expect("refresh", err, want)
	written()
	if want == unprovable {
		// As internal/grant does: a token that leads to the current one was genuine.
		if !p.key.Reaches(e.Refresh, row.RefreshHash, l.generation) {
			p.r.Fatal("an old refresh token does not lead to the current one")
		}
		p.sure(p.store.Revoke(p.ctx, oauth.Revocation{ID: l.code.ID, Reason: oauth.ReasonTokenReplay}))
		l.end(now)
	}
	if want == granted && (row.Access.Hash != e.AccessHash || row.RefreshHash != e.RefreshHash) {
		p.r.Fatal("a refresh was granted with other tokens than those derived")
	}
	if l.generation > len(l.others) {
		access, next := p.key.Successors(l.others[generation-1])
		l.accesses, l.others = append(l.accesses, access), append(l.others, next)
	}
}

func (p *play) rotation(l *life, generation int, shownBy *modelApplication) oauth.Rotation {
	e := rotation(p.key, &l.grant, l.others[generation-1])
	e.ApplicationID, e.Public = shownBy.row.ID, shownBy.row.Public
	e.Limits = oauth.RefreshLimits{AccessLifetime: accessLife, Idle: idleLimit, ReplayWindow: replayWindow}
	return e
}

// stealCode shows a code in the name of another application, or without the
// redirect URI that belongs to it: nothing may change.
func (p *play) stealCode() {
	l := p.one()
	e := l.redemption()
	if rapid.Bool().Draw(p.r, "by another application") {
		e.ApplicationID = p.other(l).row.ID
	} else {
		e.RedirectURI = "https://thief.example/cb"
	}
	_, err := p.store.RedeemCode(p.ctx, e)
	p.expect("steal a code", err, refusal)
}

// stealRefresh shows a copied refresh token in the name of another application.
func (p *play) stealRefresh() {
	l := p.one()
	if l.generation == 0 {
		p.r.Skip("not redeemed yet")
	}
	generation := rapid.IntRange(1, l.generation).Draw(p.r, "generation")
	_, err := p.store.RotateRefresh(p.ctx, p.rotation(l, generation, p.other(l)))
	p.expect("steal a refresh token", err, refusal)
}

func (p *play) other(l *life) *modelApplication {
	if l.of == p.applications[0] {
		return p.applications[1]
	}
	return p.applications[0]
}

// guess shows tokens with the right first half: they prove nothing.
func (p *play) guess() {
	l := p.one()
	e := l.redemption()
	e.Code = p.token(l.code.ID)
	_, err := p.store.RedeemCode(p.ctx, e)
	p.expect("guess a code", err, refusal)
	guessed := rotation(p.key, &l.grant, p.token(l.code.ID))
	want := refusal
	if l.status == oauth.StatusActive {
		want = unprovable
	}
	row, err := p.store.RotateRefresh(p.ctx, guessed)
	p.expect("guess a refresh token", err, want)
	if want == unprovable && p.key.Reaches(guessed.Refresh, row.RefreshHash, l.generation) {
		p.r.Fatal("a guessed refresh token leads to the current one")
	}
}

func (p *play) revoke() {
	l := p.one()
	reason := rapid.SampledFrom([]oauth.Reason{oauth.ReasonRequested, oauth.ReasonOperator}).Draw(p.r, "reason")
	e := oauth.Revocation{ID: l.code.ID, Reason: reason}
	written := p.rule(l, e)
	p.sure(p.store.Revoke(p.ctx, e))
	l.end(p.clock.Now())
	written()
}

// operate switches people and applications off and on, disconnects and deletes.
func (p *play) operate() {
	a := rapid.SampledFrom(p.applications).Draw(p.r, "application")
	want := granted
	if a.deleted {
		want = nothing
	}
	switch what := rapid.SampledFrom([]string{"disable", "enable", "orphan", "adopt", "suspend", "resume", "disconnect", "delete"}).Draw(p.r, "what"); what {
	case "disable", "enable":
		p.disabled = what == "disable"
		p.sure(p.setDisabled(p.account.ID, p.disabled))
	case "orphan", "adopt":
		p.orphaned = what == "orphan"
		p.sure(p.setDisabled(p.developer.ID, p.orphaned))
	case "suspend":
		p.expect(what, p.store.SuspendApplication(p.ctx, a.row.ID, ""), want)
		a.suspended = true
	case "resume":
		p.expect(what, p.store.ResumeApplication(p.ctx, a.row.ID), want)
		a.suspended = false
	case "disconnect":
		p.sure(p.store.Disconnect(p.ctx, p.account.ID, a.row.ID))
		p.endAll(a)
	case "delete":
		p.expect(what, p.store.DeleteApplication(p.ctx, a.row.ID), want)
		a.deleted = true
		p.endAll(a)
	}
}

func (p *play) setDisabled(id oauth.ID, off bool) error {
	if off {
		return p.store.DisableAccount(p.ctx, id)
	}
	return p.store.EnableAccount(p.ctx, id)
}

func (p *play) endAll(a *modelApplication) {
	a.consented, a.limit = false, time.Time{}
	for _, l := range p.lives {
		if l.of == a {
			l.end(p.clock.Now())
		}
	}
}

func (p *play) pass(steps ...time.Duration) {
	p.clock.Add(rapid.SampledFrom(steps).Draw(p.r, "time"))
	p.forget()
}

// forget leaves out of the model what the sweeper may have removed by now, which
// is all that it may remove.
func (p *play) forget() {
	var left []*life
	for _, l := range p.lives {
		if !l.dispensable(p.clock.Now()) {
			left = append(left, l)
			continue
		}
		row, err := p.store.Authorization(p.ctx, l.code.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			p.sure(err)
		}
		if err == nil && !l.of.deleted && row.Status != l.status {
			p.r.Fatalf("a row that matters no more has the status %v; the model %v", row.Status, l.status)
		}
	}
	p.lives = left
}

func (p *play) sweep() {
	_, err := p.store.Sweep(p.ctx)
	p.sure(err)
}
