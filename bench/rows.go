package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// rows are the prepared accounts, applications and authorizations. Everything about
// one is computed from its number, so that neither the fill nor the load has to
// remember any.
type rows struct {
	// born is when the first was made; the others follow in the order of their numbers.
	born time.Time
	// living authorizations of the code grant have the numbers from 0; pending ones,
	// whose codes wait, follow behind them.
	living, pending int
}

const (
	accounts     = 100_000
	applications = 100
	redirectURI  = "https://app.example.com/callback"
	verifier     = "dBjftJeZ4CVP-mBbQ2LeQw8nKUlz0w1cTJq9sVxYzAE"
	grantedScope = "profile library"
)

// digest is what is drawn at random for a number, by purpose.
func digest(purpose string, number int) [sha256.Size]byte {
	var b [64]byte
	n := copy(b[:], purpose)
	binary.BigEndian.PutUint64(b[n:], uint64(number))
	return sha256.Sum256(b[:n+8])
}

func (r rows) id(purpose string, number int, gap time.Duration) oauth.ID {
	drawn := digest(purpose, number)
	id, err := oauth.NewID(bytesReader(drawn[:]), r.born.Add(time.Duration(number)*gap))
	if err != nil {
		panic(err) // a digest is long enough
	}
	return id
}

type bytesReader []byte

func (b bytesReader) Read(p []byte) (int, error) { return copy(p, b), nil }

func (r rows) account(number int) oauth.ID     { return r.id("account", number, 0) }
func (r rows) application(number int) oauth.ID { return r.id("application", number, 0) }

// authorization ids grow with their numbers: a millisecond apart, as in a busy hour.
func (r rows) authorization(number int) oauth.ID {
	return r.id("authorization", number, time.Hour/time.Duration(max(1, r.living+r.pending)))
}

func (r rows) accountOf(number int) oauth.ID {
	drawn := digest("account of", number)
	return r.account(int(binary.BigEndian.Uint32(drawn[:])) % accounts)
}

// challenge is of the verifier (RFC 7636 §4.2).
func challenge() oauth.Challenge {
	sum := sha256.Sum256([]byte(verifier))
	return oauth.Challenge(base64.RawURLEncoding.EncodeToString(sum[:]))
}

func applicationOf(number int) int { return number % applications }

// token is a token of an authorization as it was prepared.
func (r rows) token(kind oauth.Kind, number int) oauth.Token {
	drawn := digest(string(kind), number)
	return oauth.Token{ID: r.authorization(number), Secret: oauth.Secret(drawn[:16])}
}

func (r rows) clientID(application int) string {
	drawn := digest("client_id", application)
	return oauth.Token{ID: r.application(application), Secret: oauth.Secret(drawn[:16])}.String()
}

func clientSecret(application int) string {
	drawn := digest("client_secret", application)
	return hex.EncodeToString(drawn[:])
}

// fill prepares everything through the store. told hears how far it is.
func (r rows) fill(ctx context.Context, s *store.Store, told func(done, all int)) error {
	if err := r.fillPeople(ctx, s); err != nil {
		return err
	}
	all := r.living + r.pending
	return together(all, func(number int) error {
		if number%50_000 == 0 {
			told(number, all)
		}
		return s.Issue(ctx, r.row(number))
	})
}

func (r rows) fillPeople(ctx context.Context, s *store.Store) error {
	err := together(accounts, func(number int) error {
		name := fmt.Sprintf("person%d", number)
		return s.CreateAccount(ctx, oauth.Account{
			ID: r.account(number), Email: name + "@example.com", Username: name, Name: "Person " + name, CreatedAt: r.born,
		}, "nobody signs in")
	})
	if err != nil {
		return fmt.Errorf("fill in the accounts: %w", err)
	}
	err = together(applications, func(number int) error {
		return s.RegisterApplication(ctx, oauth.Application{
			ID: r.application(number), ClientID: r.clientID(number), OwnerID: r.account(number),
			Name: fmt.Sprintf("Application %d", number), RedirectURIs: []string{redirectURI}, Scope: grantedScope,
			// The first one is the API that introspects.
			ResourceServer: number == 0, SecretHash: oauth.HashClientSecret(r.application(number), clientSecret(number)),
			SecretCreatedAt: r.born, CreatedAt: r.born,
		})
	})
	if err != nil {
		return fmt.Errorf("fill in the applications: %w", err)
	}
	return nil
}

// row is an authorization as an approval, and its redemption, would have left it.
func (r rows) row(number int) oauth.Authorization {
	now := time.Now().UTC().Truncate(time.Millisecond)
	a := oauth.Authorization{
		ID: r.authorization(number), ApplicationID: r.application(applicationOf(number)), AccountID: r.accountOf(number),
		GrantType: oauth.GrantAuthorizationCode, Status: oauth.StatusPending, Scope: grantedScope, CreatedAt: now,
		CodeHash: r.token(oauth.KindCode, number).Hash(oauth.KindCode), CodeExpiresAt: now.Add(12 * time.Hour),
		RedirectURI: redirectURI, RedirectURISent: true, Challenge: challenge(),
		SweepAfter: now.Add(30 * 24 * time.Hour).Truncate(7 * 24 * time.Hour),
	}
	if number < r.living {
		a.Status, a.Generation, a.RotatedAt = oauth.StatusActive, 1, now
		a.Access = oauth.AccessToken{
			Hash:  r.token(oauth.KindAccessToken, number).Hash(oauth.KindAccessToken),
			Scope: grantedScope, IssuedAt: now, ExpiresAt: now.Add(12 * time.Hour),
		}
		a.RefreshHash = r.token(oauth.KindRefreshToken, number).Hash(oauth.KindRefreshToken)
	}
	return a
}

// together calls f for every number below all, roughly in their order, as many at
// once as fill the store's batches.
func together(all int, f func(number int) error) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wait sync.WaitGroup
	for range 512 {
		wait.Go(func() {
			for failed.Load() == nil {
				number := int(next.Add(1)) - 1
				if number >= all {
					return
				}
				if err := f(number); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wait.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
