package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

const selectWebhook = `select application_id, url, events, generation, rotated_at, created_at from webhooks where application_id = $1`

func scanWebhook(r row) (w oauth.Webhook, err error) {
	var events string
	err = r.Scan(fixed(w.ApplicationID[:]), &w.URL, &events, &w.Generation, millis{&w.RotatedAt}, millis{&w.CreatedAt})
	for _, e := range strings.Fields(events) {
		w.Events = append(w.Events, oauth.WebhookEvent(e))
	}
	return w, notFound(err)
}

// Webhook reads the webhook of an application; ErrNotFound where it has none.
func (s *Store) Webhook(ctx context.Context, application oauth.ID) (oauth.Webhook, error) {
	return scanWebhook(s.engine.db().QueryRowContext(ctx, selectWebhook, application[:]))
}

// SetWebhook makes or changes the webhook of an application. What waits goes to the new
// URL. The detail is for the audit log. ErrNotFound, here and below: the actor does not manage the
// application, or no more.
func (s *Store) SetWebhook(ctx context.Context, application oauth.ID, url string, events []oauth.WebhookEvent, detail string) error {
	names := make([]string, len(events))
	for i, e := range events {
		names[i] = string(e)
	}
	return s.write(ctx, func(tx *transaction) error {
		a, err := tx.managed(application)
		if err != nil || tx.refusal != nil {
			return err
		}
		is, err := scanWebhook(tx.queryRow(selectWebhook+tx.lock, a.ID[:]))
		if err == nil && is.URL == url && slices.Equal(is.Events, events) {
			return nil
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		_, err = tx.exec(`insert into webhooks (application_id, url, events, generation, rotated_at, created_at) values ($1, $2, $3, $4, 0, $5)
			on conflict (application_id) do update set url = excluded.url, events = excluded.events`,
			a.ID[:], url, strings.Join(names, " "), toMillis(tx.now), toMillis(tx.now))
		if err != nil {
			return err
		}
		return tx.audit(oauth.AuditWebhookChanged, subjectOf(a), detail)
	})
}

// RotateWebhook gives the webhook of an application the key after that of a generation.
// ErrNotFound: it has none of this generation any more.
func (s *Store) RotateWebhook(ctx context.Context, application oauth.ID, generation int64) error {
	return s.write(ctx, func(tx *transaction) error {
		a, err := tx.managed(application)
		if err != nil || tx.refusal != nil {
			return err
		}
		err = tx.oneRow(`update webhooks set generation = generation + 1, rotated_at = $1 where application_id = $2 and generation = $3`,
			toMillis(tx.now), a.ID[:], generation)
		if err != nil || tx.refusal != nil {
			return err
		}
		return tx.audit(oauth.AuditWebhookRotated, subjectOf(a), "")
	})
}

// DeleteWebhook removes the webhook of an application, what waits for it, and its log.
func (s *Store) DeleteWebhook(ctx context.Context, application oauth.ID) error {
	return s.write(ctx, func(tx *transaction) error {
		a, err := tx.managed(application)
		if err != nil || tx.refusal != nil {
			return err
		}
		had, err := tx.dropWebhook(a)
		if err == nil && !had {
			return tx.refuse(ErrNotFound)
		}
		return err
	})
}

// dropWebhook is DeleteWebhook, whether there is one or not; had says which.
func (t *transaction) dropWebhook(a oauth.Application) (had bool, err error) {
	if err := t.leaveDeliveries(a.ID); err != nil {
		return false, err
	}
	n, err := t.exec(`delete from webhooks where application_id = $1`, a.ID[:])
	if err != nil || n == 0 {
		return false, err
	}
	return true, t.audit(oauth.AuditWebhookDeleted, subjectOf(a), "")
}

// TestWebhook puts a test event into the outbox and returns its id; ErrNotFound where
// there is no webhook.
func (s *Store) TestWebhook(ctx context.Context, application oauth.ID) (oauth.ID, error) {
	var id oauth.ID
	err := s.write(ctx, func(tx *transaction) error {
		if _, err := tx.managed(application); err != nil || tx.refusal != nil {
			return err
		}
		var told bool
		var err error
		id, told, err = tx.tell(oauth.Occurrence{Event: oauth.EventTest, At: tx.now, ApplicationID: application})
		if err == nil && !told {
			return tx.refuse(ErrNotFound)
		}
		return err
	})
	return id, err
}

// secretNotice is how long before the end of a replaced secret its application is told.
const secretNotice = 24 * time.Hour

// TellEndingSecrets tells applications whose replaced secret ends soon, each once, however
// many processes try, and returns how many it told.
func (s *Store) TellEndingSecrets(ctx context.Context) (told int, err error) {
	now := s.Now()
	type ending struct {
		id oauth.ID
		at time.Time
	}
	rows, err := s.engine.db().QueryContext(ctx, `select applications.id, previous_secret_ends_at
		from webhooks join applications on applications.id = webhooks.application_id
		where previous_secret_ends_at > $1 and previous_secret_ends_at <= $2 and secret_ending_told <> previous_secret_ends_at`,
		toMillis(now), toMillis(now.Add(secretNotice)))
	due, err := collect(rows, err, func(r row) (e ending, err error) {
		err = r.Scan(fixed(e.id[:]), millis{&e.at})
		return e, err
	})
	for _, e := range due {
		if err == nil {
			var one bool
			if one, err = s.tellEndingSecret(ctx, e.id, e.at); one {
				told++
			}
		}
	}
	return told, err
}

func (s *Store) tellEndingSecret(ctx context.Context, id oauth.ID, at time.Time) (told bool, err error) {
	err = s.write(ctx, func(tx *transaction) error {
		told = false
		// Of those who come here together one changes the row.
		n, err := tx.exec(`update applications set secret_ending_told = $1
			where id = $2 and previous_secret_ends_at = $1 and secret_ending_told <> $1`, toMillis(at), id[:])
		if err != nil || n == 0 {
			return err
		}
		_, told, err = tx.tell(oauth.Occurrence{Event: oauth.EventSecretEnding, At: tx.now, ApplicationID: id, EndsAt: at})
		return err
	})
	return told && err == nil, err
}
