package store

import (
	"context"
	"strings"

	"github.com/latchkey/latchkey/internal/oauth"
)

const selectApplication = `select applications.id, client_id, owner_id, accounts.name, accounts.disabled_at <> 0,
	applications.name, site, privacy, terms, logo, redirect_uris, scope, optional_scope, public, resource_server,
	secret_hash, secret_created_at, secret_used_at,
	previous_secret_hash, previous_secret_created_at, previous_secret_ends_at, previous_secret_used_at,
	submitted_at, verified_at, suspended_at, suspended_reason, review_note, requested_scope, inherited_at, applications.created_at
	from applications join accounts on accounts.id = applications.owner_id`

func scanApplication(r row) (a oauth.Application, err error) {
	var uris string
	err = r.Scan(fixed(a.ID[:]), &a.ClientID, fixed(a.OwnerID[:]), &a.OwnerName, &a.OwnerDisabled,
		&a.Name, &a.Site, &a.Privacy, &a.Terms, &a.Logo, &uris, &a.Scope, &a.OptionalScope, &a.Public, &a.ResourceServer,
		fixed(a.SecretHash[:]), millis{&a.SecretCreatedAt}, millis{&a.SecretUsedAt},
		fixed(a.PreviousSecretHash[:]), millis{&a.PreviousSecretCreatedAt}, millis{&a.PreviousSecretEndsAt}, millis{&a.PreviousSecretUsedAt},
		millis{&a.SubmittedAt}, millis{&a.VerifiedAt}, millis{&a.SuspendedAt}, &a.SuspendedReason, &a.ReviewNote, &a.RequestedScope, millis{&a.InheritedAt}, millis{&a.CreatedAt})
	a.RedirectURIs = strings.Fields(uris)
	return a, notFound(err)
}

// RegisterApplication adds an application.
func (s *Store) RegisterApplication(ctx context.Context, a oauth.Application) error {
	return s.write(ctx, func(tx *transaction) error {
		_, err := tx.exec(`insert into applications (id, client_id, owner_id, name, site, privacy, terms, redirect_uris, scope, optional_scope,
				public, resource_server, secret_hash, secret_created_at, previous_secret_hash, previous_secret_ends_at, suspended_at, created_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 0, 0, $16)`,
			a.ID[:], a.ClientID, a.OwnerID[:], a.Name, a.Site, a.Privacy, a.Terms, strings.Join(a.RedirectURIs, " "), string(a.Scope), string(a.OptionalScope),
			a.Public, a.ResourceServer, blob(a.SecretHash[:]), toMillis(a.SecretCreatedAt), []byte{}, toMillis(a.CreatedAt))
		if err != nil {
			return err
		}
		may := string(a.Scope)
		if a.ResourceServer {
			may += ", resource server"
		}
		return tx.audit(oauth.AuditApplicationRegistered, subjectOf(a), may)
	})
}

// Application reads an application and what counts of its owner.
func (s *Store) Application(ctx context.Context, id oauth.ID) (oauth.Application, error) {
	return scanApplication(s.engine.db().QueryRowContext(ctx, selectApplication+` where applications.id = $1`, id[:]))
}

// RememberedApplication is Application, from memory where that can be trusted. Others read
// the same one, so it must not be changed.
func (s *Store) RememberedApplication(ctx context.Context, id oauth.ID) (*oauth.Application, error) {
	return remembered(s.memory, s.memory.applications, id, func() (*oauth.Application, error) {
		a, err := s.Application(ctx, id)
		return &a, err
	})
}

// Applications lists all applications, the oldest first.
func (s *Store) Applications(ctx context.Context) ([]oauth.Application, error) {
	rows, err := s.engine.db().QueryContext(ctx, selectApplication+` order by applications.id`)
	return collect(rows, err, scanApplication)
}

// CountApplications counts the applications of an owner.
func (s *Store) CountApplications(ctx context.Context, owner oauth.ID) (n int, err error) {
	err = s.engine.db().QueryRowContext(ctx, `select count(*) from applications where owner_id = $1`, owner[:]).Scan(&n)
	return n, fault(err)
}

// EditApplication lets edit decide on the application as it is now, and writes the
// name, links, logo, redirect URIs, scopes and the state of review that it returns. Its
// error is returned, and nothing is changed then. ErrNotFound: the actor does not manage it, or
// no more.
func (s *Store) EditApplication(ctx context.Context, id oauth.ID, edit func(oauth.Application) (oauth.Application, error)) error {
	err := s.write(ctx, func(tx *transaction) error {
		before, err := tx.managed(id)
		if err != nil || tx.refusal != nil {
			return err
		}
		a, err := edit(before)
		if err != nil {
			return tx.refuse(err)
		}
		err = tx.oneRow(`update applications set name = $1, site = $2, privacy = $3, terms = $4, logo = $5, redirect_uris = $6,
				scope = $7, optional_scope = $8, submitted_at = $9, verified_at = $10 where id = $11`,
			a.Name, a.Site, a.Privacy, a.Terms, a.Logo, strings.Join(a.RedirectURIs, " "),
			string(a.Scope), string(a.OptionalScope), toMillis(a.SubmittedAt), toMillis(a.VerifiedAt), id[:])
		if err != nil || tx.refusal != nil {
			return err
		}
		if edited := whatWasEdited(before, a); edited != "" {
			return tx.audit(oauth.AuditApplicationEdited, subjectOf(a), edited)
		}
		return nil
	})
	return s.afterwards(err, change{kind: applicationChanged, id: id})
}

// DeleteApplication removes an application. With it all its tokens die, and the consents
// to it end: none counts without its application. The sweeper removes them, the
// authorizations and what its webhook left behind, which may be too many for one transaction.
// ErrNotFound: the actor does not own it, or no more.
func (s *Store) DeleteApplication(ctx context.Context, id oauth.ID) error {
	err := s.write(ctx, func(tx *transaction) error {
		// No approval may come in between.
		a, err := tx.lockApplication(id)
		if err != nil || tx.refusal != nil {
			return err
		}
		if !tx.owns(a) {
			return tx.refuse(ErrNotFound)
		}
		if _, err := tx.exec(`insert into deleted_applications (application_id) values ($1)`, id[:]); err != nil {
			return err
		}
		if err := tx.leaveDeliveries(id); err != nil {
			return err
		}
		logo, _ := oauth.ParseID(a.Logo)
		if err := tx.replacePicture(logo, nil); err != nil {
			return err
		}
		if _, err := tx.exec(`delete from applications where id = $1`, id[:]); err != nil {
			return err
		}
		return tx.audit(oauth.AuditApplicationDeleted, subjectOf(a), "")
	})
	return s.afterwards(err, change{kind: applicationChanged, id: id})
}
