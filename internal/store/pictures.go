package store

import (
	"context"
	"errors"

	"github.com/latchkey/latchkey/internal/oauth"
)

// Picture reads a picture.
func (s *Store) Picture(ctx context.Context, id oauth.ID) (p oauth.Picture, err error) {
	err = s.engine.db().QueryRowContext(ctx, `select id, type, body, created_at from pictures where id = $1`, id[:]).
		Scan(fixed(p.ID[:]), &p.Type, &p.Body, millis{&p.CreatedAt})
	return p, notFound(err)
}

// PutPortrait gives an account a picture, or takes its picture away when p is nil. The
// one before it is deleted, if this server keeps it. ErrSignedOut: the actor's session has ended.
func (s *Store) PutPortrait(ctx context.Context, account oauth.ID, p *oauth.Picture) error {
	err := s.write(ctx, func(tx *transaction) error {
		a, err := scanAccountOnly(tx.queryRow(selectAccount+` where id = $1`+tx.lock, account[:]))
		if err != nil {
			return tx.absent(err)
		}
		if p == nil && a.AvatarURL == "" {
			return nil
		}
		before, _ := oauth.PictureOf(a.AvatarURL)
		if a.AvatarURL = ""; p != nil {
			a.AvatarURL = p.Path()
		}
		if err := tx.replacePicture(before, p); err != nil || tx.refusal != nil {
			return err
		}
		if err := tx.oneRow(`update accounts set avatar_url = $1 where id = $2`, a.AvatarURL, account[:]); err != nil {
			return err
		}
		detail := "picture replaced"
		if p == nil {
			detail = "picture removed"
		}
		return tx.audit(oauth.AuditProfileChanged, aboutAccount(a), detail)
	})
	return s.afterwards(err, change{kind: accountChanged, id: account})
}

// PutLogo gives an application a logo, or takes its logo away when p is nil. The one
// before it is deleted. ErrNotFound: the actor does not manage it, or no more. ErrSignedOut:
// the actor's session has ended.
func (s *Store) PutLogo(ctx context.Context, application oauth.ID, p *oauth.Picture) error {
	err := s.write(ctx, func(tx *transaction) error {
		a, err := tx.managed(application)
		if err != nil || tx.refusal != nil {
			return err
		}
		if p == nil && a.Logo == "" {
			return nil
		}
		old := a
		before, _ := oauth.ParseID(a.Logo)
		if a.Logo = ""; p != nil {
			a.Logo = p.ID.String()
		}
		if err := tx.replacePicture(before, p); err != nil || tx.refusal != nil {
			return err
		}
		a = a.Remarked(old)
		if err := tx.oneRow(`update applications set logo = $1, verified_at = $2 where id = $3`, a.Logo, toMillis(a.VerifiedAt), application[:]); err != nil {
			return err
		}
		return tx.audit(oauth.AuditLogoChanged, subjectOf(a), whatWasEdited(old, a))
	})
	return s.afterwards(err, change{kind: applicationChanged, id: application})
}

// replacePicture adds a picture, unless it is nil, and deletes the one before it, unless
// its id is zero. It refuses an actor who was signed out meanwhile: a picture may take half a
// minute to arrive.
func (t *transaction) replacePicture(before oauth.ID, p *oauth.Picture) error {
	if session := t.actor.SessionID; !session.IsZero() {
		_, err := scanSession(t.queryRow(selectSession+` where id = $1`+t.shareOf("sessions"), session[:]))
		if errors.Is(err, ErrNotFound) {
			return t.refuse(ErrSignedOut)
		}
		if err != nil {
			return err
		}
	}
	if !before.IsZero() {
		if _, err := t.exec(`delete from pictures where id = $1`, before[:]); err != nil {
			return err
		}
	}
	if p == nil {
		return nil
	}
	_, err := t.exec(`insert into pictures (id, type, body, created_at) values ($1, $2, $3, $4)`, p.ID[:], p.Type, p.Body, toMillis(p.CreatedAt))
	return err
}
