package main

import (
	"context"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"math/rand/v2"
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
	// Authorizations are numbered from 0: first the spare ones, which are living and
	// kept for chains of refreshes and for the revocations of the mix; then those that
	// are living and drawn from; then the pending ones, whose codes wait.
	spare, drawn, pending int
	// used is how many of the spare ones earlier loads have used.
	used int
	// batches are when they were made.
	batches []batch
}

// batch is authorizations that were made one after another, from a number to the
// beginning of the next batch.
type batch struct {
	first int
	began time.Time
}

const (
	accounts     = 100_000
	applications = 100
	redirectURI  = "https://app.example.com/callback"
	verifier     = "dBjftJeZ4CVP-mBbQ2LeQw8nKUlz0w1cTJq9sVxYzAE"
	grantedScope = "profile library"
	// refreshTokenIdle is what a server has by default.
	refreshTokenIdle = 180 * 24 * time.Hour
	// gap lies between two authorizations. It is shorter than what it takes to prepare
	// one, so that ids are not of the future.
	gap = 10 * time.Microsecond
)

func newRows(spare, drawn, pending int, now time.Time) rows {
	return rows{spare: spare, drawn: drawn, pending: pending, batches: []batch{{0, now}}}
}

// grown has more rows to draw from; there may be none pending. Those from number
// all of the old ones are to be prepared.
func (r rows) grown(drawn int, now time.Time) rows {
	if last := r.madeAt(r.all()); last.After(now) {
		now = last
	}
	r.batches = append(r.batches[:len(r.batches):len(r.batches)], batch{r.all(), now})
	r.drawn = drawn
	return r
}

// all is how many authorizations there are.
func (r rows) all() int { return r.spare + r.drawn + r.pending }

// living is how many of them are not pending.
func (r rows) living() int { return r.spare + r.drawn }

func (r rows) born() time.Time { return r.batches[0].began }

func (r rows) madeAt(number int) time.Time {
	b := r.batches[0]
	for _, next := range r.batches[1:] {
		if number >= next.first {
			b = next
		}
	}
	return b.began.Add(time.Duration(number-b.first) * gap)
}

// digest is what is drawn at random for a number, by purpose. Each request needs two, so they
// must cost next to nothing.
func digest(purpose string, number int) (drawn [32]byte) {
	var seed uint64
	for _, letter := range []byte(purpose) {
		seed = bits.RotateLeft64(seed, 8) ^ uint64(letter)
	}
	source := rand.NewPCG(seed, uint64(number))
	for i := 0; i < len(drawn); i += 8 {
		binary.BigEndian.PutUint64(drawn[i:], source.Uint64())
	}
	return drawn
}

func idOf(drawn [32]byte, at time.Time) oauth.ID {
	id, err := oauth.NewID(bytesReader(drawn[:]), at)
	if err != nil {
		panic(err) // a digest is long enough
	}
	return id
}

type bytesReader []byte

func (b bytesReader) Read(p []byte) (int, error) { return copy(p, b), nil }

func (r rows) account(number int) oauth.ID     { return idOf(digest("account", number), r.born()) }
func (r rows) application(number int) oauth.ID { return idOf(digest("application", number), r.born()) }

// authorization ids grow with their numbers.
func (r rows) authorization(number int) oauth.ID {
	at := r.madeAt(number)
	drawn := digest("authorization", number)
	// The first 12 bits are the fraction of the millisecond (RFC 9562 §6.2, method 3).
	binary.BigEndian.PutUint16(drawn[:], uint16(at.Nanosecond()%1e6*4096/1e6))
	return idOf(drawn, at)
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

// fill prepares the authorizations from a number on through the store. told hears
// how many there are.
func (r rows) fill(ctx context.Context, s *store.Store, from int, told func(done int)) error {
	all := r.all()
	step := max(50_000, all/20)
	err := together(from, all, func(number int) error {
		if number%step == 0 && number > from {
			told(number)
		}
		return s.Issue(ctx, r.row(number))
	})
	if err != nil {
		return fmt.Errorf("fill in the authorizations: %w", err)
	}
	return nil
}

// fillPeople prepares the accounts and their applications.
func (r rows) fillPeople(ctx context.Context, s *store.Store) error {
	err := together(0, accounts, func(number int) error {
		name := fmt.Sprintf("person%d", number)
		return s.CreateAccount(ctx, oauth.Account{
			ID: r.account(number), Email: name + "@example.com", Username: name, Name: "Person " + name, CreatedAt: r.born(),
		}, "nobody signs in")
	})
	if err != nil {
		return fmt.Errorf("fill in the accounts: %w", err)
	}
	err = together(0, applications, func(number int) error {
		return s.RegisterApplication(ctx, oauth.Application{
			ID: r.application(number), ClientID: r.clientID(number), OwnerID: r.account(number),
			Name: fmt.Sprintf("Application %d", number), RedirectURIs: []string{redirectURI}, Scope: grantedScope,
			// The first one is the API that introspects.
			ResourceServer: number == 0, SecretHash: oauth.HashClientSecret(r.application(number), clientSecret(number)),
			SecretCreatedAt: r.born(), CreatedAt: r.born(),
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
	}
	if number < r.living() {
		a.Status, a.Generation, a.RotatedAt = oauth.StatusActive, 1, now
		a.Access = oauth.AccessToken{
			Hash:  r.token(oauth.KindAccessToken, number).Hash(oauth.KindAccessToken),
			Scope: grantedScope, IssuedAt: now, ExpiresAt: now.Add(12 * time.Hour),
		}
		a.RefreshHash = r.token(oauth.KindRefreshToken, number).Hash(oauth.KindRefreshToken)
	}
	return a.UntilIdle(refreshTokenIdle)
}

// credentials is what client_credentials leave of an application, and nobody asks for again.
func (r rows) credentials(number int) oauth.Authorization {
	now := time.Now().UTC().Truncate(time.Millisecond)
	var drawn [32]byte
	_, _ = crand.Read(drawn[:]) // never fails
	a := oauth.Authorization{
		ID: idOf(drawn, now), ApplicationID: r.application(applicationOf(number)), AccountID: r.account(applicationOf(number)),
		GrantType: oauth.GrantClientCredentials, Status: oauth.StatusActive, Scope: grantedScope, CreatedAt: now,
		Generation: 1, RotatedAt: now,
		Access: oauth.AccessToken{Hash: digest("credentials", number), Scope: grantedScope, IssuedAt: now, ExpiresAt: now.Add(2 * time.Hour)},
	}
	return a.Issued()
}

// together calls f for every number from one to below another, roughly in their
// order, as many at once as fill the store's batches.
func together(from, to int, f func(number int) error) error {
	var next atomic.Int64
	next.Store(int64(from))
	var failed atomic.Pointer[error]
	var wait sync.WaitGroup
	for range 512 {
		wait.Go(func() {
			for failed.Load() == nil {
				number := int(next.Add(1)) - 1
				if number >= to {
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
