package store_test

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// hour is when the tests of usage begin.
func (w *world) hour() time.Time { return w.clock.Now().UTC().Truncate(time.Hour) }

func usageAddsUp(w *world) {
	stores := []*store.Store{w.open(false), w.open(false)}
	w.populate(stores[0], 3)
	applications := make([]oauth.ID, 100)
	for i := range applications {
		applications[i] = w.id()
	}
	const rounds = 12
	var done sync.WaitGroup
	for i := range 4 {
		done.Go(func() {
			for round := range rounds {
				// Each time other accounts, in another order.
				var tallies []oauth.Tally
				for j := range store.UsageBatch {
					t := oauth.Tally{
						ApplicationID: applications[(i*31+round*7+j)%len(applications)], Hour: w.hour(), Since: w.hour(),
						Usage: oauth.Usage{Issued: 1, Refreshed: 2, Calls: 3, Errors: 4},
					}
					t.Accounts.Add(w.accounts[(i+round+j)%3].ID)
					tallies = append(tallies, t)
				}
				if i%2 == 1 {
					slices.Reverse(tallies)
				}
				if err := stores[i%2].AddUsage(w.ctx, tallies); err != nil {
					w.Error(err)
				}
			}
		})
	}
	done.Wait()
	var total oauth.Usage
	for _, id := range applications {
		days, err := stores[0].UsageDays(w.ctx, id, w.hour())
		w.must(err)
		if len(days) != 1 || !days[0].Day.Equal(w.hour().Truncate(24*time.Hour)) {
			w.Fatalf("the days of an application are %v", days)
		}
		total = total.Add(days[0].Usage)
		if n := days[0].Accounts.Estimate(); n < 1 || n > 3 {
			w.Errorf("%d accounts; there are 3", n)
		}
	}
	const n = 4 * rounds * store.UsageBatch
	if want := (oauth.Usage{Issued: n, Refreshed: 2 * n, Calls: 3 * n, Errors: 4 * n}); total != want {
		w.Errorf("what was added comes to %v; want %v", total, want)
	}
	all, err := stores[1].UsageDays(w.ctx, oauth.ID{}, w.hour())
	w.must(err)
	if len(all) != 1 || all[0].Usage != total {
		w.Errorf("of all applications together it is %v; want %v", all, total)
	}
	w.noDeadlocks()
}

func accountsOfAnHourMerge(w *world) {
	s := w.open(false)
	application := w.id()
	var want oauth.Sketch
	for i := range 30 {
		t := oauth.Tally{ApplicationID: application, Hour: w.hour().Add(time.Duration(i%3) * 24 * time.Hour), Usage: oauth.Usage{Calls: 1}}
		for range 5 {
			id := w.id()
			t.Accounts.Add(id)
			want.Add(id)
		}
		w.must(s.AddUsage(w.ctx, []oauth.Tally{t}))
	}
	days, err := s.UsageDays(w.ctx, application, w.hour())
	w.must(err)
	var got oauth.Sketch
	for _, d := range days {
		got.Merge(&d.Accounts)
	}
	if len(days) != 3 || got != want {
		w.Errorf("%d days have %d accounts; want 3 and %d", len(days), got.Estimate(), want.Estimate())
	}
	if days, err = s.UsageDays(w.ctx, application, w.hour().Add(25*time.Hour)); err != nil || len(days) != 2 {
		w.Errorf("from the second day on there are %d days: %v", len(days), err)
	}
}

func usesMerge(w *world) {
	stores := []*store.Store{w.open(false), w.open(false)}
	w.populate(stores[0], 5)
	var done sync.WaitGroup
	for i := range 6 {
		done.Go(func() {
			for round := range 10 {
				uses := map[oauth.Connection]oauth.Use{}
				for _, a := range w.accounts {
					uses[oauth.Connection{AccountID: a.ID, ApplicationID: w.application.ID}] = oauth.Use{
						Scope: oauth.ScopeOf(fmt.Sprintf("scope%d", i*10+round)), At: w.hour().Add(time.Duration(i*10+round) * time.Minute), Network: fmt.Sprintf("192.0.%d.0/24", i*10+round),
					}
				}
				if err := stores[i%2].AddUses(w.ctx, uses); err != nil {
					w.Error(err)
				}
			}
		})
	}
	done.Wait()
	var scope oauth.Scope
	for n := range 60 {
		scope = scope.With(oauth.ScopeOf(fmt.Sprintf("scope%d", n)))
	}
	for _, a := range w.accounts {
		uses, err := stores[0].Uses(w.ctx, a.ID)
		w.must(err)
		u := uses[w.application.ID]
		if !u.Scope.Equal(scope) || !u.At.Equal(w.hour().Add(59*time.Minute)) || u.Network != "192.0.59.0/24" {
			w.Errorf("the use is %+v", u)
		}
	}
	account, other := w.accounts[0].ID, w.id()
	w.must(stores[0].AddUses(w.ctx, map[oauth.Connection]oauth.Use{{AccountID: account, ApplicationID: other}: {At: w.hour()}}))
	w.must(stores[1].Disconnect(w.ctx, account, w.application.ID))
	uses, err := stores[0].Uses(w.ctx, account)
	if _, stands := uses[other]; err != nil || len(uses) != 1 || !stands {
		w.Errorf("after disconnecting the uses are %v: %v", uses, err)
	}
	w.noDeadlocks()
}

func secretsAreSeen(w *world) {
	s := w.open(false)
	w.populate(s, 1)
	id := w.application.ID
	w.must(s.RotateSecret(w.ctx, id, time.Time{}, oauth.Hash{1}, w.clock.Now().Add(time.Hour)))
	made := w.clock.Now()
	see := func(since time.Time, current, previous bool) oauth.Application {
		w.must(s.AddUsage(w.ctx, []oauth.Tally{{ApplicationID: id, Hour: since.UTC().Truncate(time.Hour), Since: since, SecretUsed: current, PreviousSecretUsed: previous}}))
		a, err := s.Application(w.ctx, id)
		w.must(err)
		return a
	}
	if a := see(made.Add(-time.Second), true, true); !a.SecretUsedAt.IsZero() || !a.PreviousSecretUsedAt.IsZero() {
		w.Errorf("a secret that was replaced meanwhile was used at %v and %v", a.SecretUsedAt, a.PreviousSecretUsedAt)
	}
	if a := see(made, true, false); !a.SecretUsedAt.Equal(a.SecretCreatedAt) || !a.PreviousSecretUsedAt.IsZero() {
		w.Errorf("the new secret was used at %v and the one before at %v", a.SecretUsedAt, a.PreviousSecretUsedAt)
	}
	later := made.UTC().Truncate(time.Hour).Add(3*time.Hour + time.Minute)
	if a := see(later, true, true); !a.SecretUsedAt.Equal(later.Truncate(time.Hour)) || !a.PreviousSecretUsedAt.Equal(later.Truncate(time.Hour)) {
		w.Errorf("the secrets were used at %v and %v", a.SecretUsedAt, a.PreviousSecretUsedAt)
	}
	if a := see(later.Add(-2*time.Hour), true, true); !a.SecretUsedAt.Equal(later.Truncate(time.Hour)) {
		w.Errorf("what comes late takes the use back to %v", a.SecretUsedAt)
	}
}

func (w *world) refusal(code string) oauth.Refusal {
	w.clock.Add(time.Second)
	return oauth.Refusal{
		ID: w.id(), ApplicationID: w.application.ID, Place: "token", Code: code, Description: "what was answered", Address: "192.0.2.1",
		Wrong: oauth.Say("%s is wrong.", code), Mend: oauth.Say("Mend it."),
	}
}

func refusalsArePaged(w *world) {
	s := w.open(false)
	w.populate(s, 1)
	var all []oauth.Refusal
	for i := range 50 {
		all = append(all, w.refusal([]string{"invalid_grant", "invalid_scope"}[i%2]))
	}
	w.must(s.AddRefusals(w.ctx, all, nil))
	w.must(s.AddRefusals(w.ctx, all[:1], map[oauth.ID]int64{all[49].ID: 7}))
	var read []oauth.Refusal
	for before := (oauth.ID{}); ; before = read[len(read)-1].ID {
		page, err := s.Refusals(w.ctx, w.application.ID, store.RefusalFilter{Before: before, Limit: 20})
		w.must(err)
		if len(page) == 0 {
			break
		}
		read = append(read, page...)
	}
	slices.Reverse(read)
	if len(read) != len(all) || read[0].Wrong.String() != all[0].Wrong.String() || read[0].Mend.String() != "Mend it." || read[3].Code != "invalid_scope" || read[49].More != 7 || read[48].More != 0 {
		w.Errorf("read were %+v", read)
	}
	page, err := s.Refusals(w.ctx, w.application.ID, store.RefusalFilter{Code: "invalid_scope", Limit: 100})
	if err != nil || len(page) != 25 || page[0].Code != "invalid_scope" {
		w.Errorf("of one code there are %d: %v", len(page), err)
	}
	if codes, err := s.RefusalCodes(w.ctx, w.application.ID); err != nil || !slices.Equal(codes, []string{"invalid_grant", "invalid_scope"}) {
		w.Errorf("the codes are %v: %v", codes, err)
	}
	if page, err := s.Refusals(w.ctx, w.id(), store.RefusalFilter{Limit: 1}); err != nil || len(page) != 0 {
		w.Errorf("another application has %v: %v", page, err)
	}
}

func refusalsSayWhatWasTold(w *world) {
	s := w.open(false)
	w.populate(s, 1)
	told := w.refusal("invalid_request")
	told.Mend = oauth.Say("Send %s. %s", "https://app.example/", oauth.Say("The other has the scheme %s, and at most %d characters.", "myapp", 2000))
	w.must(s.AddRefusals(w.ctx, []oauth.Refusal{told}, nil))
	page, err := s.Refusals(w.ctx, w.application.ID, store.RefusalFilter{Limit: 1})
	w.must(err)
	if got, want := fmt.Sprint(page[0].Mend), fmt.Sprint(told.Mend); got != want {
		w.Errorf("read is %q, want %q", got, want)
	}
}

func refusalsAreBounded(w *world) {
	s := w.open(false)
	w.populate(s, 1)
	var last oauth.Refusal
	for range 20 {
		var batch []oauth.Refusal
		for range store.UsageBatch {
			batch = append(batch, w.refusal("invalid_grant"))
		}
		w.must(s.AddRefusals(w.ctx, batch, nil))
		last = batch[len(batch)-1]
	}
	page, err := s.Refusals(w.ctx, w.application.ID, store.RefusalFilter{Limit: 10_000})
	if err != nil || len(page) != 1000 || page[0].ID != last.ID {
		w.Errorf("%d of one application are kept; want the newest 1000: %v", len(page), err)
	}
}

func usageIsSwept(w *world) {
	s := w.open(false)
	w.populate(s, 1)
	first := w.hour()
	tally := oauth.Tally{ApplicationID: w.application.ID, Usage: oauth.Usage{Issued: 1}}
	tally.Accounts.Add(w.accounts[0].ID)
	for day := range 4 {
		tally.Hour = first.Add(time.Duration(day) * 24 * time.Hour)
		w.must(s.AddUsage(w.ctx, []oauth.Tally{tally}))
	}
	w.must(s.AddRefusals(w.ctx, []oauth.Refusal{w.refusal("invalid_grant")}, nil))
	left := func() (days, refusals int) {
		for {
			removed, err := s.SweepUsage(w.ctx)
			w.must(err)
			if removed == 0 {
				break
			}
		}
		all, err := s.UsageDays(w.ctx, w.application.ID, first)
		w.must(err)
		page, err := s.Refusals(w.ctx, w.application.ID, store.RefusalFilter{Limit: 10})
		w.must(err)
		return len(all), len(page)
	}
	for _, c := range []struct {
		at             time.Duration
		days, refusals int
	}{
		{7*24*time.Hour - time.Hour, 4, 1},
		{7*24*time.Hour + time.Hour, 4, 0},
		{90 * 24 * time.Hour, 4, 0},
		{91 * 24 * time.Hour, 3, 0},
		{95 * 24 * time.Hour, 0, 0},
	} {
		w.clock.Add(first.Add(c.at).Sub(w.clock.Now()))
		if days, refusals := left(); days != c.days || refusals != c.refusals {
			w.Errorf("after %v there are %d days and %d refusals; want %d and %d", c.at, days, refusals, c.days, c.refusals)
		}
	}
}
