package store

import (
	"context"
	"errors"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

const deliveryColumns = `id, application_id, event, body, attempts, due_at, delivered_at, status, problem`

const selectDelivery = `select ` + deliveryColumns + ` from deliveries`

func scanDelivery(r row) (d oauth.Delivery, err error) {
	err = r.Scan(fixed(d.ID[:]), fixed(d.ApplicationID[:]), &d.Event, &d.Body, &d.Attempts, millis{&d.DueAt}, millis{&d.DeliveredAt}, &d.Status, &d.Problem)
	return d, notFound(err)
}

// whereWanted finds the webhook that chose an event; a test is wanted always.
const whereWanted = ` ' ' || events || ' webhook.test ' like '% ' || `

// ofWebhook is what of the deliveries of the application $1 is of the webhook that it has, not
// of one that was deleted.
const ofWebhook = ` webhook = (select created_at from webhooks where application_id = $1)`

// tellOne adds a delivery, in one statement whether there is a webhook or not.
const tellOne = `insert into deliveries (` + deliveryColumns + `, webhook)
	select $1, webhooks.application_id, $2, replace($3, '` + oauth.ClientIDMark + `', client_id), 0, $4, 0, 0, '', webhooks.created_at
	from webhooks join applications on applications.id = webhooks.application_id
	where webhooks.application_id = $5 and` + whereWanted + `$2 || ' %'`

// tell puts an occurrence into the outbox, in the transaction in which it happens, if the
// application has a webhook that wants it; told says whether.
func (t *transaction) tell(o oauth.Occurrence) (id oauth.ID, told bool, err error) {
	if id, err = oauth.NewID(t.random, t.now); err != nil {
		return id, false, err
	}
	body, err := o.Body()
	if err != nil {
		return id, false, err
	}
	n, err := t.exec(tellOne, id[:], string(o.Event), body, toMillis(t.now), o.ApplicationID[:])
	return id, n == 1, err
}

// tellEach is tell for occurrences of one event of one application: without a webhook
// that wants it, it is one statement.
func (t *transaction) tellEach(all []oauth.Occurrence) error {
	for _, o := range all {
		if _, told, err := t.tell(o); err != nil || !told {
			return err
		}
	}
	return nil
}

// tellOwned tells the applications of an account that is disabled or enabled. One that is
// suspended by itself stays that.
func (t *transaction) tellOwned(owner oauth.ID, disabled bool) error {
	o := oauth.Occurrence{Event: oauth.EventApplicationResumed, At: t.now}
	if disabled {
		o.Event, o.Reason = oauth.EventApplicationSuspended, oauth.SuspendedWithOwner
	}
	rows, err := t.query(`select applications.id from applications join webhooks on application_id = applications.id
		where owner_id = $1 and suspended_at = 0 order by applications.id`, owner[:])
	ids, err := collect(rows, err, scanID)
	for _, id := range ids {
		if err == nil {
			o.ApplicationID = id
			_, _, err = t.tell(o)
		}
	}
	return err
}

// tellSuspension tells an application that it was suspended or resumed, if it was not
// before: a disabled owner counts too.
func (t *transaction) tellSuspension(before oauth.Application, suspended bool) error {
	if before.Suspended() == suspended || before.OwnerDisabled {
		return nil
	}
	o := oauth.Occurrence{Event: oauth.EventApplicationResumed, At: t.now, ApplicationID: before.ID}
	if suspended {
		o.Event, o.Reason = oauth.EventApplicationSuspended, oauth.SuspendedByAdministrator
	}
	_, _, err := t.tell(o)
	return err
}

// endedWebhook names a webhook that was deleted.
type endedWebhook struct {
	application oauth.ID
	created     int64
}

// leaveDeliveries is done before the webhook of an application is deleted, if there is one:
// its deliveries may be too many for one transaction.
func (t *transaction) leaveDeliveries(application oauth.ID) error {
	_, err := t.exec(`insert into ended_webhooks (application_id, created_at)
		select application_id, created_at from webhooks where application_id = $1 on conflict do nothing`, application[:])
	return err
}

// dropDeliveries removes so many of what a webhook left behind.
func (t *transaction) dropDeliveries(of endedWebhook, limit int) (removed int64, err error) {
	return t.exec(`delete from deliveries where id in (select id from deliveries where application_id = $1 and webhook = $2
		order by id limit $3`+t.skipLocked()+`)`, of.application[:], of.created, limit)
}

// candidates is how many deliveries one claim chooses from: of those who claim together
// each finds one.
const candidates = 16

// dueDeliveries finds those that are due longest, of none of the busy applications. There
// may be many to look through, so it is no part of a write.
func (s *Store) dueDeliveries(ctx context.Context, now time.Time, busy []oauth.ID) ([]oauth.ID, error) {
	args, but := []any{toMillis(now), candidates}, ""
	if len(busy) > 0 {
		but = " and application_id not in " + listed(&args, busy)
	}
	rows, err := s.engine.db().QueryContext(ctx, `select id from deliveries where due_at > 0 and due_at <= $1`+but+` order by due_at limit $2`, args...)
	return collect(rows, err, scanID)
}

// listed adds ids to the arguments of a statement and returns their list in it. The last is
// repeated, so that there are few statements to prepare.
func listed(args *[]any, ids []oauth.ID) string {
	size := candidates
	for size < len(ids) {
		size *= 4
	}
	before := len(*args)
	for i := range size {
		id := ids[min(i, len(ids)-1)]
		*args = append(*args, id[:])
	}
	return places(before, size)
}

// ClaimDelivery takes the delivery that is due longest, of none of the busy applications,
// and counts an attempt; nobody else gets it until the lease ends. ErrNotFound: none is due.
func (s *Store) ClaimDelivery(ctx context.Context, busy []oauth.ID, lease time.Duration) (d oauth.Delivery, w oauth.Webhook, err error) {
	for left := int64(1); left > 0 && err == nil; {
		d, w, left, err = s.claimDelivery(ctx, busy, lease)
	}
	return d, w, err
}

// claimDelivery is ClaimDelivery, unless it met what a webhook left behind: then it removes
// some of that.
func (s *Store) claimDelivery(ctx context.Context, busy []oauth.ID, lease time.Duration) (d oauth.Delivery, w oauth.Webhook, left int64, err error) {
	now := s.Now()
	due, err := s.dueDeliveries(ctx, now, busy)
	if err == nil && len(due) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return d, w, 0, err
	}
	args := []any{toMillis(now)}
	among := listed(&args, due)
	err = s.write(ctx, func(tx *transaction) error {
		w, left = oauth.Webhook{}, 0
		var of endedWebhook
		found := tx.queryRow(`select `+deliveryColumns+`, webhook from deliveries where id in `+among+` and due_at > 0 and due_at <= $1 order by due_at limit 1`+tx.skipLocked(), args...)
		d, err = scanDelivery(rowFunc(func(dest ...any) error { return found.Scan(append(dest, &of.created)...) }))
		if err != nil {
			return tx.absent(err)
		}
		w, err = scanWebhook(tx.queryRow(selectWebhook+` and created_at = $2`, d.ApplicationID[:], of.created))
		if errors.Is(err, ErrNotFound) {
			of.application = d.ApplicationID
			left, err = tx.dropDeliveries(of, sweepBatch)
			return err
		}
		if err != nil {
			return err
		}
		d.Attempts++
		// The lease begins when the turn to write has come.
		_, err = tx.exec(`update deliveries set attempts = $1, due_at = $2 where id = $3`, d.Attempts, toMillis(tx.now.Add(lease)), d.ID[:])
		return err
	})
	if err == nil && w.ApplicationID.IsZero() && left == 0 {
		err = ErrNotFound
	}
	return d, w, left, err
}

// FinishDelivery writes down how an attempt went, unless another one has begun since, or
// was asked for: then its lease is over.
func (s *Store) FinishDelivery(ctx context.Context, d oauth.Delivery) error {
	return s.write(ctx, func(tx *transaction) error {
		_, err := tx.exec(`update deliveries set due_at = $1, delivered_at = $2, status = $3, problem = $4 where id = $5 and attempts = $6 and due_at > $7`,
			toMillis(d.DueAt), toMillis(d.DeliveredAt), d.Status, d.Problem, d.ID[:], d.Attempts, toMillis(tx.now))
		return err
	})
}

// ReleaseDelivery undoes ClaimDelivery for an attempt that was not made.
func (s *Store) ReleaseDelivery(ctx context.Context, d oauth.Delivery) error {
	return s.write(ctx, func(tx *transaction) error {
		_, err := tx.exec(`update deliveries set due_at = $1, attempts = attempts - 1 where id = $2 and attempts = $3`, toMillis(tx.now), d.ID[:], d.Attempts)
		return err
	})
}

// Redeliver makes a delivery of an application due now, and forgets what became of it.
func (s *Store) Redeliver(ctx context.Context, application, id oauth.ID) error {
	return s.write(ctx, func(tx *transaction) error {
		a, err := tx.managed(application)
		if err != nil || tx.refusal != nil {
			return err
		}
		err = tx.oneRow(`update deliveries set due_at = $1, delivered_at = 0, status = 0, problem = '' where id = $2 and application_id = $3
			and exists (select 1 from webhooks where webhooks.application_id = deliveries.application_id and created_at = webhook)`, toMillis(tx.now), id[:], a.ID[:])
		if err != nil || tx.refusal != nil {
			return err
		}
		return tx.audit(oauth.AuditWebhookRedelivered, subjectOf(a), id.String())
	})
}

// NextDelivery is when something is due, zero for nothing.
func (s *Store) NextDelivery(ctx context.Context) (due time.Time, err error) {
	err = s.engine.db().QueryRowContext(ctx, `select coalesce(min(due_at), 0) from deliveries where due_at > 0`).Scan(millis{&due})
	return due, fault(err)
}

// WaitingTests counts the test events of an application that wait to be sent, up to a limit.
func (s *Store) WaitingTests(ctx context.Context, application oauth.ID, limit int) (waiting int, err error) {
	// Fewer deliveries wait than an application may have in its log: coalesce keeps the
	// index of that from being used.
	err = s.engine.db().QueryRowContext(ctx, `select count(*) from (select 1 from deliveries
		where due_at > 0 and coalesce(application_id, $1) = $1 and event = $2 and`+ofWebhook+` limit $3) as waiting`,
		application[:], string(oauth.EventTest), limit).Scan(&waiting)
	return waiting, fault(err)
}

// Delivery reads one delivery of an application.
func (s *Store) Delivery(ctx context.Context, application, id oauth.ID) (oauth.Delivery, error) {
	return scanDelivery(s.engine.db().QueryRowContext(ctx, selectDelivery+` where application_id = $1 and`+ofWebhook+` and id = $2`, application[:], id[:]))
}

// Deliveries lists deliveries of an application, the newest first, those before one where
// that is not zero.
func (s *Store) Deliveries(ctx context.Context, application, before oauth.ID, limit int) ([]oauth.Delivery, error) {
	rows, err := s.engine.db().QueryContext(ctx, selectDelivery+` where application_id = $1 and`+ofWebhook+` and id < $2 order by id desc limit $3`,
		application[:], upTo(before), limit)
	return collect(rows, err, scanDelivery)
}

// deliveriesKept is how long the log of deliveries goes back.
const deliveriesKept = 30 * 24 * time.Hour

// sweepDeliveries removes one batch of the oldest.
func (t *transaction) sweepDeliveries(now time.Time) (removed int64, err error) {
	before := firstID(now.Add(-deliveriesKept))
	return t.exec(`delete from deliveries where id in (select id from deliveries where id < $1 order by id limit $2`+t.skipLocked()+`)`, before[:], sweepBatch)
}

// sweepEndedWebhooks removes one batch of what deleted webhooks left behind, and the names of
// those that have nothing left.
func (t *transaction) sweepEndedWebhooks() (removed int64, err error) {
	rows, err := t.query(`select application_id, created_at from ended_webhooks order by application_id, created_at limit $1`+t.skipLocked(), sweepBatch)
	ended, err := collect(rows, err, func(r row) (e endedWebhook, err error) {
		err = r.Scan(fixed(e.application[:]), &e.created)
		return e, err
	})
	if err != nil {
		return 0, err
	}
	for _, e := range ended {
		n, err := t.dropDeliveries(e, sweepBatch-int(removed))
		if err != nil {
			return 0, err
		}
		if removed += n; removed >= sweepBatch {
			return removed, nil
		}
		// What was skipped is there still.
		_, err = t.exec(`delete from ended_webhooks where application_id = $1 and created_at = $2
			and not exists (select 1 from deliveries where application_id = $1 and webhook = $2)`, e.application[:], e.created)
		if err != nil {
			return 0, err
		}
	}
	return removed, nil
}
