package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/latchkey/latchkey/internal/oauth"
)

// The settings of a platform that was set up in the browser, and the hash of the key
// with which one may be.
const (
	platformSetting = "platform"
	firstRunSetting = "first_run"
)

// Platform reads what the first administrator said; it is zero where nobody did.
func (s *Store) Platform(ctx context.Context) (p oauth.Platform, err error) {
	value, err := s.Setting(ctx, platformSetting)
	if errors.Is(err, ErrNotFound) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal([]byte(value), &p); err != nil {
		return p, fmt.Errorf("read how the platform was set up: %w", err)
	}
	return p, nil
}

const selectInhabited = `select exists (select 1 from accounts)`

// Inhabited reports whether there is an account.
func (s *Store) Inhabited(ctx context.Context) (inhabited bool, err error) {
	err = s.engine.db().QueryRowContext(ctx, selectInhabited).Scan(&inhabited)
	return inhabited, fault(err)
}

// Administered reports whether there is an administrator. People who sign up before one
// is there do not keep whoever runs the platform from setting it up.
func (s *Store) Administered(ctx context.Context) (administered bool, err error) {
	err = s.engine.db().QueryRowContext(ctx, `select exists (select 1 from accounts where administrator)`).Scan(&administered)
	return administered, fault(err)
}

// BeginFirstRun lets whoever has the key with this hash set the platform up, as long as
// there is no administrator. A key before it counts no more.
func (s *Store) BeginFirstRun(ctx context.Context, key oauth.Hash) error {
	return s.PutSetting(ctx, firstRunSetting, hex.EncodeToString(key[:]))
}

// FirstRun reports whether the key with this hash may set the platform up.
func (s *Store) FirstRun(ctx context.Context, key oauth.Hash) (bool, error) {
	value, err := s.Setting(ctx, firstRunSetting)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	var stored oauth.Hash
	if err != nil {
		return false, err
	}
	raw, err := hex.DecodeString(value)
	if err != nil || copy(stored[:], raw) != len(raw) {
		return false, fmt.Errorf("the setting %s holds no hash", firstRunSetting)
	}
	if !stored.Matches(key) {
		return false, nil
	}
	administered, err := s.Administered(ctx)
	return !administered, err
}

// FinishFirstRun adds the first administrator and keeps what it said of the platform,
// once: ErrNotFound where the key does not count, or there is an administrator already.
func (s *Store) FinishFirstRun(ctx context.Context, key oauth.Hash, p oauth.Platform, first oauth.Account, password string) error {
	encoded, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("write down how the platform was set up: %w", err)
	}
	return s.write(ctx, func(tx *transaction) error {
		if err := checkTaken(tx, first); err != nil || tx.refusal != nil {
			return err
		}
		err := tx.oneRow(`delete from settings where name = $1 and value = $2 and not exists (select 1 from accounts where administrator)`,
			firstRunSetting, hex.EncodeToString(key[:]))
		if err != nil || tx.refusal != nil {
			return err
		}
		if err := insertAccount(tx, first, password); err != nil {
			return err
		}
		if err := putSetting(tx, platformSetting, string(encoded)); err != nil {
			return err
		}
		if err := tx.audit(oauth.AuditAccountCreated, aboutAccount(first), "administrator, by the link of the first run"); err != nil {
			return err
		}
		var said []string
		if p.Name != "" {
			said = append(said, fmt.Sprintf("the name %q", p.Name))
		}
		if len(p.Permissions) > 0 {
			said = append(said, "the scopes: "+string(oauth.Catalogue{Permissions: p.Permissions}.All()))
		}
		if len(said) == 0 {
			return nil
		}
		return tx.audit(oauth.AuditSettingsChanged, oauth.AuditSubject{}, strings.Join(said, " and "))
	})
}
