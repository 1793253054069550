package store_test

import (
	databasesql "database/sql"
	"encoding/json"
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

func TestOutbox(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		test func(*world)
	}{
		{"an application is told of an end that it did not ask for, once", toldOfRevocations},
		{"neither an end nor its delivery is without the other", endsWithItsDelivery},
		{"what the webhook does not want, and what it asked for, is not told", notTold},
		{"suspensions are told when they change something", toldOfSuspensions},
		{"the end of a secret is told once, whoever looks", toldOfEndingSecret},
		{"of many who claim, one gets a delivery", claimedOnce},
		{"a busy application does not hold up others", othersAreClaimed},
		{"tests that wait are counted, and nothing else", waitingCounted},
		{"a delivery that nobody finished is due again", claimedAgain},
		{"a webhook is deleted with what waits", webhookDeleted},
		{"a webhook stays behind when its application is given away", webhookStaysBehind},
		{"the log goes back thirty days", logIsSwept},
	}
	t.Run("SQLite", func(t *testing.T) {
		for _, c := range tests {
			t.Run(c.name, func(t *testing.T) { c.test(newWorld(t, store.Options{Folder: t.TempDir()})) })
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		for _, c := range tests {
			t.Run(c.name, func(t *testing.T) { c.test(newWorld(t, store.Options{Database: postgres.Database(t)})) })
		}
	})
}

// hooked opens a store with an application that wants to be told of some events.
func (w *world) hooked(events ...oauth.WebhookEvent) *store.Store {
	w.Helper()
	s := w.open(false)
	w.populate(s, 3)
	w.must(s.SetWebhook(w.ctx, w.application.ID, "https://app.example/hook", events, ""))
	return s
}

// outbox reads what the application was told, the newest first.
func (w *world) outbox(s *store.Store) []oauth.Delivery {
	w.Helper()
	all, err := s.Deliveries(w.ctx, w.application.ID, oauth.ID{}, 100)
	w.must(err)
	return all
}

// told reads the data of a delivery.
func (w *world) told(d oauth.Delivery) map[string]any {
	w.Helper()
	var body struct {
		Type      oauth.WebhookEvent
		Timestamp time.Time
		Data      map[string]any
	}
	w.must(json.Unmarshal([]byte(d.Body), &body))
	if body.Type != d.Event || !body.Timestamp.Equal(w.clock.Now()) || body.Data["client_id"] != w.application.ClientID {
		w.Errorf("the body of %s is %s", d.Event, d.Body)
	}
	return body.Data
}

// living adds an active authorization.
func (w *world) living(s *store.Store, account oauth.ID) life {
	w.Helper()
	l := w.active(account)
	w.must(s.Issue(w.ctx, l.row))
	return l
}

func toldOfRevocations(w *world) {
	s := w.hooked(oauth.EventAuthorizationRevoked)
	ada := w.accounts[0].ID
	rows := []struct {
		reason string
		end    func(l life)
	}{
		{"operator", func(l life) {
			w.must(s.RevokeByOperator(w.ctx, l.row.ID))
			w.must(s.RevokeByOperator(w.ctx, l.row.ID))
		}},
		{"surplus", func(l life) {
			w.must(s.Revoke(w.ctx, oauth.Revocation{ID: l.row.ID, Reason: oauth.ReasonSurplus}))
			w.must(s.Revoke(w.ctx, oauth.Revocation{ID: l.row.ID, Reason: oauth.ReasonSurplus}))
		}},
		{"disconnected", func(life) {
			w.must(s.Issue(w.ctx, w.pending(ada).row))
			own := w.active(ada).row
			own.GrantType = oauth.GrantClientCredentials
			w.must(s.Issue(w.ctx, own))
			w.must(s.Issue(w.ctx, w.active(w.id()).row))
			w.must(s.Disconnect(w.ctx, ada, w.application.ID))
			w.must(s.Disconnect(w.ctx, ada, w.application.ID))
		}},
		{"code_replayed", func(l life) {
			if _, err := s.RedeemCode(w.ctx, l.redemption()); err == nil {
				w.Error("a code counts twice")
			}
		}},
		{"refresh_token_replayed", func(l life) {
			e, _, _ := w.rotation(l.refresh)
			e.Public = true
			_, err := s.RotateRefresh(w.ctx, e)
			w.must(err)
			w.clock.Add(time.Minute)
			if _, err := s.RotateRefresh(w.ctx, e); err == nil {
				w.Error("an old refresh token counts")
			}
		}},
	}
	for i, row := range rows {
		w.clock.Add(time.Second)
		l := w.living(s, ada)
		row.end(l)
		all := w.outbox(s)
		if len(all) != i+1 {
			w.Fatalf("%s: %d deliveries; want %d", row.reason, len(all), i+1)
		}
		data := w.told(all[0])
		if data["reason"] != row.reason || data["authorization_id"] != l.row.ID.String() || data["account_id"] != ada.String() || len(data) != 4 {
			w.Errorf("%s: told %v", row.reason, data)
		}
	}
}

// statement runs one behind the store's back.
func (w *world) statement(sql string) {
	w.Helper()
	if !w.onSQLite() {
		_, err := w.connect().Exec(w.ctx, sql)
		w.must(err)
		return
	}
	db, err := databasesql.Open("sqlite", filepath.Join(w.at.Folder, store.DatabaseFile))
	w.must(err)
	_, err = db.ExecContext(w.ctx, sql)
	w.must(errors.Join(err, db.Close()))
}

func endsWithItsDelivery(w *world) {
	s := w.hooked(oauth.EventAuthorizationRevoked)
	l := w.living(s, w.accounts[0].ID)
	revoke := oauth.Revocation{ID: l.row.ID, Reason: oauth.ReasonOperator}
	w.statement("alter table deliveries rename to hidden")
	if err := s.Revoke(w.ctx, revoke); err == nil {
		w.Error("revoked although its delivery could not be written")
	}
	if err := s.RevokeByOperator(w.ctx, l.row.ID); err == nil {
		w.Error("revoked by the operator although its delivery could not be written")
	}
	if err := s.Disconnect(w.ctx, l.row.AccountID, w.application.ID); err == nil {
		w.Error("disconnected although its delivery could not be written")
	}
	if a, err := s.Authorization(w.ctx, l.row.ID); err != nil || a.Status != oauth.StatusActive {
		w.Errorf("the authorization has status %d (%v)", a.Status, err)
	}
	w.statement("alter table hidden rename to deliveries")
	w.must(s.Revoke(w.ctx, revoke))
	if all := w.outbox(s); len(all) != 1 {
		w.Errorf("%d deliveries; want 1", len(all))
	}
}

func notTold(w *world) {
	s := w.hooked(oauth.EventSecretEnding)
	l := w.living(s, w.accounts[0].ID)
	w.must(s.Revoke(w.ctx, oauth.Revocation{ID: l.row.ID, Reason: oauth.ReasonOperator}))
	w.must(s.SetWebhook(w.ctx, w.application.ID, "https://app.example/hook", oauth.WebhookEvents(), ""))
	for _, by := range []oauth.Revoker{{ApplicationID: w.application.ID}, {ApplicationID: w.application.ID, Public: true}} {
		l := w.living(s, w.accounts[0].ID)
		by.Token = l.access
		w.must(s.Revoke(w.ctx, oauth.Revocation{ID: l.row.ID, Reason: oauth.ReasonRequested, By: by}))
	}
	if all := w.outbox(s); len(all) != 0 {
		w.Errorf("%d deliveries; want none", len(all))
	}
	if due, err := s.NextDelivery(w.ctx); err != nil || !due.IsZero() {
		w.Errorf("something is due at %v (%v)", due, err)
	}
}

func toldOfSuspensions(w *world) {
	s := w.hooked(oauth.WebhookEvents()...)
	id, owner := w.application.ID, w.accounts[0].ID
	steps := []struct {
		name   string
		do     func() error
		event  oauth.WebhookEvent
		reason any
	}{
		{"suspend", func() error { return s.SuspendApplication(w.ctx, id, "") }, oauth.EventApplicationSuspended, "administrator"},
		{"verify what is suspended", func() error { return s.VerifyApplication(w.ctx, id) }, "", nil},
		{"resume", func() error { return s.ResumeApplication(w.ctx, id) }, oauth.EventApplicationResumed, nil},
		{"unverify what works", func() error { return s.UnverifyApplication(w.ctx, id, "a note") }, "", nil},
		{"suspend once more", func() error { return s.SuspendApplication(w.ctx, id, "") }, oauth.EventApplicationSuspended, "administrator"},
		{"suspend again", func() error { return s.SuspendApplication(w.ctx, id, "") }, "", nil},
		{"disable its owner too", func() error { return s.DisableAccount(w.ctx, owner) }, "", nil},
		{"resume without its owner", func() error { return s.ResumeApplication(w.ctx, id) }, "", nil},
		{"enable its owner", func() error { return s.EnableAccount(w.ctx, owner) }, oauth.EventApplicationResumed, nil},
		{"disable its owner", func() error { return s.DisableAccount(w.ctx, owner) }, oauth.EventApplicationSuspended, "owner_disabled"},
		{"disable its owner again", func() error { return s.DisableAccount(w.ctx, owner) }, "", nil},
		{"enable its owner again", func() error { return s.EnableAccount(w.ctx, owner) }, oauth.EventApplicationResumed, nil},
	}
	for _, step := range steps {
		before := len(w.outbox(s))
		w.must(step.do())
		all := w.outbox(s)
		switch {
		case step.event == "" && len(all) != before:
			w.Errorf("%s: told %s", step.name, all[0].Body)
		case step.event == "":
		case len(all) != before+1 || all[0].Event != step.event || w.told(all[0])["reason"] != step.reason:
			w.Errorf("%s: %d more deliveries: %v", step.name, len(all)-before, all)
		}
		w.clock.Add(time.Second)
	}
}

func toldOfEndingSecret(w *world) {
	s, other := w.hooked(oauth.EventSecretEnding), w.open(false)
	w.must(s.RotateSecret(w.ctx, w.application.ID, time.Time{}, oauth.Hash{1}, w.clock.Now().Add(7*24*time.Hour)))
	look := func() (told int) {
		var sum atomic.Int64
		each(4, 8, func(i int) {
			n, err := []*store.Store{s, other}[i%2].TellEndingSecrets(w.ctx)
			if err != nil {
				w.Error(err)
			}
			sum.Add(int64(n))
		})
		return int(sum.Load())
	}
	if n := look(); n != 0 {
		w.Errorf("told %d times a week ahead", n)
	}
	w.clock.Add(6*24*time.Hour + time.Minute)
	if n := look(); n != 1 {
		w.Errorf("told %d times; want 1", n)
	}
	if all := w.outbox(s); len(all) != 1 || w.told(all[0])["ends_at"] == nil {
		w.Errorf("deliveries: %v", all)
	}
	w.must(s.RotateSecret(w.ctx, w.application.ID, time.Time{}, oauth.Hash{2}, w.clock.Now().Add(time.Hour)))
	if n := look(); n != 1 {
		w.Errorf("told %d times of the next; want 1", n)
	}
	w.must(s.RotateSecret(w.ctx, w.application.ID, time.Time{}, oauth.Hash{3}, w.clock.Now().Add(time.Hour)))
	w.clock.Add(time.Hour)
	if n := look(); n != 0 {
		w.Errorf("told %d times of one that has ended; want none", n)
	}
}

// tested puts a test event into the outbox.
func (w *world) tested(s *store.Store) oauth.ID {
	w.Helper()
	id, err := s.TestWebhook(w.ctx, w.application.ID)
	w.must(err)
	return id
}

const lease = time.Minute

func claimedOnce(w *world) {
	s, other := w.hooked(), w.open(false)
	const deliveries = 30
	for range deliveries {
		w.tested(s)
	}
	var mu sync.Mutex
	claimed := map[oauth.ID]int{}
	each(8, 8, func(i int) {
		for {
			d, hook, err := []*store.Store{s, other}[i%2].ClaimDelivery(w.ctx, nil, lease)
			if errors.Is(err, store.ErrNotFound) {
				return
			}
			if err != nil || hook.URL != "https://app.example/hook" || d.Attempts != 1 {
				w.Errorf("claimed %v for %v: %v", d, hook, err)
				return
			}
			mu.Lock()
			claimed[d.ID]++
			again := claimed[d.ID] > 1
			mu.Unlock()
			if again {
				w.Errorf("%s is claimed again", d.ID)
				return
			}
		}
	})
	// Those who met at a row may have gone away while others were left.
	for len(claimed) < deliveries && !w.Failed() {
		d, _, err := s.ClaimDelivery(w.ctx, nil, lease)
		w.must(err)
		claimed[d.ID]++
	}
	// Those that are done with are in nobody's way.
	for id := range claimed {
		w.must(s.FinishDelivery(w.ctx, oauth.Delivery{ID: id, Attempts: 1}))
	}
	if id := w.tested(s); !w.Failed() {
		d, _, err := s.ClaimDelivery(w.ctx, nil, lease)
		if w.must(err); d.ID != id {
			w.Errorf("claimed %s; want %s", d.ID, id)
		}
	}
}

func othersAreClaimed(w *world) {
	s := w.hooked()
	slow := w.application
	for range 5 {
		w.tested(s)
	}
	w.clock.Add(time.Second)
	w.populate(s, 1)
	w.must(s.SetWebhook(w.ctx, w.application.ID, "https://other.example/", nil, ""))
	want := w.tested(s)
	d, _, err := s.ClaimDelivery(w.ctx, []oauth.ID{slow.ID}, lease)
	if err != nil || d.ID != want {
		w.Errorf("claimed %v (%v); want %s", d, err, want)
	}
	if _, _, err := s.ClaimDelivery(w.ctx, []oauth.ID{slow.ID, w.application.ID}, lease); !errors.Is(err, store.ErrNotFound) {
		w.Errorf("claimed of a busy application: %v", err)
	}
}

// TestALeaseBeginsWhenTheTurnToWriteHasCome, or an attempt would outlive it where that takes long.
func TestALeaseBeginsWhenTheTurnToWriteHasCome(t *testing.T) {
	t.Parallel()
	w := newWorld(t, store.Options{Folder: t.TempDir()})
	var asked atomic.Int64
	w.at.Now = func() time.Time {
		asked.Add(1)
		return w.clock.Now()
	}
	s := w.hooked()
	id := w.tested(s)
	begun, release := make(chan struct{}), make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		err := s.EditApplication(w.ctx, w.application.ID, func(a oauth.Application) (oauth.Application, error) {
			close(begun)
			<-release
			return a, nil
		})
		if err != nil {
			w.Error(err)
		}
	})
	<-begun
	before := asked.Load()
	running.Go(func() {
		if _, _, err := s.ClaimDelivery(w.ctx, nil, lease); err != nil {
			w.Error(err)
		}
	})
	for asked.Load() == before {
		runtime.Gosched()
	}
	w.clock.Add(10 * time.Second)
	close(release)
	running.Wait()
	if d, err := s.Delivery(w.ctx, w.application.ID, id); err != nil || !d.DueAt.Equal(w.clock.Now().Add(lease)) {
		t.Errorf("the lease ends at %v (%v), it is %v", d.DueAt, err, w.clock.Now())
	}
}

func waitingCounted(w *world) {
	s := w.hooked(oauth.WebhookEvents()...)
	w.must(s.SuspendApplication(w.ctx, w.application.ID, ""))
	_, _, err := s.ClaimDelivery(w.ctx, nil, lease)
	w.must(err)
	for range 3 {
		w.tested(s)
	}
	count := func(application oauth.ID, limit, want int) {
		w.Helper()
		if n, err := s.WaitingTests(w.ctx, application, limit); err != nil || n != want {
			w.Errorf("%d tests wait (%v); want %d", n, err, want)
		}
	}
	count(w.application.ID, 20, 3)
	count(w.application.ID, 2, 2)
	count(w.id(), 20, 0)
	d, _, err := s.ClaimDelivery(w.ctx, nil, lease)
	w.must(err)
	d.DueAt, d.DeliveredAt = time.Time{}, w.clock.Now()
	w.must(s.FinishDelivery(w.ctx, d))
	count(w.application.ID, 20, 2)
}

func claimedAgain(w *world) {
	s := w.hooked()
	id := w.tested(s)
	late, _, err := s.ClaimDelivery(w.ctx, nil, lease)
	w.must(err)
	if _, _, err := s.ClaimDelivery(w.ctx, nil, lease); !errors.Is(err, store.ErrNotFound) {
		w.Errorf("claimed twice: %v", err)
	}
	w.clock.Add(lease)
	d, _, err := s.ClaimDelivery(w.ctx, nil, lease)
	if err != nil || d.ID != id || d.Attempts != 2 {
		w.Fatalf("claimed %v (%v)", d, err)
	}
	late.DueAt, late.Problem = time.Time{}, "late"
	w.must(s.FinishDelivery(w.ctx, late))
	w.must(s.ReleaseDelivery(w.ctx, late))
	w.must(s.ReleaseDelivery(w.ctx, d))
	if d, err = s.Delivery(w.ctx, w.application.ID, id); err != nil || d.Problem != "" || d.Attempts != 1 || !d.DueAt.Equal(w.clock.Now()) {
		w.Errorf("a late attempt counts: %+v (%v)", d, err)
	}
	// One that is asked for during an attempt is made, however that ends.
	d, _, err = s.ClaimDelivery(w.ctx, nil, lease)
	w.must(err)
	w.must(s.Redeliver(w.ctx, w.application.ID, id))
	d.DueAt, d.DeliveredAt, d.Status = time.Time{}, w.clock.Now(), 204
	w.must(s.FinishDelivery(w.ctx, d))
	d, _, err = s.ClaimDelivery(w.ctx, nil, lease)
	w.must(err)
	d.DueAt, d.DeliveredAt, d.Status, d.Problem = time.Time{}, w.clock.Now(), 204, "none"
	w.must(s.FinishDelivery(w.ctx, d))
	if got, err := s.Delivery(w.ctx, w.application.ID, id); err != nil || got != d {
		w.Errorf("written down is %+v (%v), want %+v", got, err, d)
	}
	if _, _, err := s.ClaimDelivery(w.ctx, nil, lease); !errors.Is(err, store.ErrNotFound) {
		w.Errorf("what was delivered is claimed: %v", err)
	}
	w.must(s.Redeliver(w.ctx, w.application.ID, id))
	d.DueAt, d.DeliveredAt, d.Status, d.Problem = w.clock.Now(), time.Time{}, 0, ""
	if got, err := s.Delivery(w.ctx, w.application.ID, id); err != nil || got != d {
		w.Errorf("what is sent again is %+v (%v), want %+v", got, err, d)
	}
	if d, _, err = s.ClaimDelivery(w.ctx, nil, lease); err != nil || d.ID != id {
		w.Errorf("claimed %v (%v)", d, err)
	}
	w.populate(s, 0)
	if err := s.Redeliver(w.ctx, w.application.ID, id); !errors.Is(err, store.ErrNotFound) {
		w.Errorf("another application's: %v", err)
	}
}

func webhookDeleted(w *world) {
	s := w.hooked()
	first, err := s.Webhook(w.ctx, w.application.ID)
	w.must(err)
	old := w.tested(s)
	// More than go at once.
	each(32, 120, func(int) {
		if _, err := s.TestWebhook(w.ctx, w.application.ID); err != nil {
			w.Error(err)
		}
	})
	w.clock.Add(time.Second)
	w.must(s.DeleteWebhook(w.ctx, w.application.ID))
	if all := w.outbox(s); len(all) != 0 {
		w.Errorf("%d deliveries are left", len(all))
	}
	if _, err := s.TestWebhook(w.ctx, w.application.ID); !errors.Is(err, store.ErrNotFound) {
		w.Errorf("a test without a webhook: %v", err)
	}
	for _, err := range []error{s.DeleteWebhook(w.ctx, w.application.ID), s.RotateWebhook(w.ctx, w.application.ID, first.Generation)} {
		if !errors.Is(err, store.ErrNotFound) {
			w.Errorf("without a webhook: %v", err)
		}
	}
	w.must(s.SetWebhook(w.ctx, w.application.ID, "https://app.example/new", nil, ""))
	anew, err := s.Webhook(w.ctx, w.application.ID)
	w.must(err)
	w.hasNothingOf(s, old)
	w.must(s.RotateWebhook(w.ctx, w.application.ID, anew.Generation))
	if err := s.RotateWebhook(w.ctx, w.application.ID, anew.Generation); !errors.Is(err, store.ErrNotFound) {
		w.Errorf("the same secret is replaced twice: %v", err)
	}
	second, err := s.Webhook(w.ctx, w.application.ID)
	w.must(err)
	if second.Generation-1 <= first.Generation || !second.RotatedAt.Equal(w.clock.Now()) {
		w.Errorf("generations %d and then %d", first.Generation, second.Generation)
	}
	w.must(s.DeleteApplication(w.ctx, w.application.ID))
	if all := w.outbox(s); len(all) != 0 {
		w.Errorf("%d deliveries outlive their application", len(all))
	}
	w.sweep(s)
	if n := w.count(`select (select count(*) from deliveries) + (select count(*) from ended_webhooks)`); n != 0 {
		w.Errorf("%d rows are left when it was swept", n)
	}
}

// hasNothingOf demands that the webhook of an application has no delivery of the one before.
func (w *world) hasNothingOf(s *store.Store, old oauth.ID) {
	w.Helper()
	if all := w.outbox(s); len(all) != 0 {
		w.Errorf("a new webhook has %d deliveries", len(all))
	}
	if n, err := s.WaitingTests(w.ctx, w.application.ID, 1); err != nil || n != 0 {
		w.Errorf("%d tests wait for it (%v)", n, err)
	}
	if _, err := s.Delivery(w.ctx, w.application.ID, old); !errors.Is(err, store.ErrNotFound) {
		w.Errorf("what another was sent can be read: %v", err)
	}
	if err := s.Redeliver(w.ctx, w.application.ID, old); !errors.Is(err, store.ErrNotFound) {
		w.Errorf("what another was sent can be sent again: %v", err)
	}
	w.clock.Add(time.Second)
	next := w.tested(s)
	if d, _, err := s.ClaimDelivery(w.ctx, nil, lease); err != nil || d.ID != next {
		w.Errorf("claimed %s (%v); want %s", d.ID, err, next)
	}
	if all := w.outbox(s); len(all) != 1 || all[0].ID != next {
		w.Errorf("its log has %v", all)
	}
}

func webhookStaysBehind(w *world) {
	s := w.hooked()
	w.tested(s)
	for _, heir := range w.accounts[1:] {
		w.must(s.AddMember(w.ctx, w.application.ID, heir, oauth.RoleHeir))
		w.clock.Add(time.Second)
		w.must(s.Inherit(w.ctx, w.application.ID, heir))
		if hook, err := s.Webhook(w.ctx, w.application.ID); !errors.Is(err, store.ErrNotFound) {
			w.Errorf("the webhook is %v (%v)", hook, err)
		}
		if all := w.outbox(s); len(all) != 0 {
			w.Errorf("%d deliveries are left", len(all))
		}
		written, err := s.Audit(w.ctx, store.AuditFilter{Kind: string(oauth.AuditWebhookDeleted)}, store.AuditCursor{}, 10)
		if err != nil || len(written.Events) != 1 {
			w.Errorf("its removal is written down %d times (%v)", len(written.Events), err)
		}
	}
}

func logIsSwept(w *world) {
	s := w.hooked()
	w.tested(s)
	w.clock.Add(29 * 24 * time.Hour)
	kept := w.tested(s)
	w.clock.Add(2 * 24 * time.Hour)
	w.sweep(s)
	if all := w.outbox(s); len(all) != 1 || all[0].ID != kept {
		w.Errorf("left: %v", all)
	}
}
