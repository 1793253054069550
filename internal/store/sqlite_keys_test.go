package store

import (
	"crypto/rand"
	"io/fs"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/latchkey/latchkey/internal/oauth"
)

// issued is a row of client_credentials with an id.
func issued(id oauth.ID, now time.Time) oauth.Authorization {
	a := oauth.Authorization{
		ID: id, GrantType: oauth.GrantClientCredentials, Status: oauth.StatusActive, Scope: "profile", CreatedAt: now, RotatedAt: now, Generation: 1,
		Access: oauth.AccessToken{Hash: oauth.Hash{1}, Scope: "profile", IssuedAt: now, ExpiresAt: now.Add(time.Hour)},
	}
	return a.Issued()
}

func TestIDsThatBeginAlikeAreToldApart(t *testing.T) {
	s := openForTest(t)
	now := s.Now()
	first := surplusID(t)
	ids := []oauth.ID{first}
	for i := range byte(keyPlaces) {
		id := first
		id[15] += i + 1
		ids = append(ids, id)
	}
	for i, id := range ids[:keyPlaces] {
		a := issued(id, now)
		if i%2 == 1 {
			a.GrantType, a.CodeHash = oauth.GrantAuthorizationCode, oauth.Hash{2}
			a = a.UntilIdle(1000 * time.Hour)
		}
		if err := s.Issue(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		if err := s.Issue(t.Context(), a); err == nil {
			t.Errorf("the row %d was added twice", i)
		}
	}
	if err := s.Issue(t.Context(), issued(ids[keyPlaces], now)); err == nil {
		t.Error("there was room for one more")
	}
	if err := s.Revoke(t.Context(), oauth.Revocation{ID: ids[1], Reason: oauth.ReasonRequested, By: oauth.Revoker{ApplicationID: oauth.ID{}, Token: oauth.Token{ID: ids[1]}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.RevokeByOperator(t.Context(), ids[2]); err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		a, err := s.Authorization(t.Context(), id)
		if i == keyPlaces {
			if err == nil {
				t.Error("a row that was not added is found")
			}
			continue
		}
		if err != nil || a.ID != id || (a.Status == oauth.StatusRevoked) != (i == 1 || i == 2) {
			t.Errorf("the row %d: %+v, %v", i, a, err)
		}
	}
}

// TestTheMigrationMakesKeysAsTheStoreDoes compares the two ways to make a key of an id,
// and that rows whose ids begin alike, and deliveries, survive the way up and down.
func TestTheMigrationMakesKeysAsTheStoreDoes(t *testing.T) {
	t.Parallel()
	s := openForTest(t)
	var ids []oauth.ID
	for range 300 {
		id := surplusID(t)
		if _, err := rand.Read(id[9:]); err != nil {
			t.Fatal(err)
		}
		other := id
		other[15]++
		ids = append(ids, id, other)
	}
	for _, id := range ids {
		if err := s.Issue(t.Context(), issued(id, s.Now())); err != nil {
			t.Fatal(err)
		}
	}
	hooked := newApplication(t, s, newAccount(t, s, "ada@x.example", "ada", "Ada", false), "App")
	must(t, s.SetWebhook(t.Context(), hooked.ID, "https://app.example/", nil, ""))
	told, err := s.TestWebhook(t.Context(), hooked.ID)
	must(t, err)
	db, err := connectSQLite(s.engine.(*sqlite).path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.DownTo(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if _, err := provider.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := map[int64]bool{}
	for _, id := range ids {
		var key int64
		if err := s.engine.db().QueryRowContext(t.Context(), `select key from authorizations where id = $1`, id[:]).Scan(&key); err != nil {
			t.Fatal(err)
		}
		if first := keyOf(id); key < first || key >= first+keyPlaces || seen[key] {
			t.Errorf("the key of %s is %d; want %d or shortly behind", id, key, first)
		}
		seen[key] = true
		if _, err := s.Authorization(t.Context(), id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := s.Delivery(t.Context(), hooked.ID, told); err != nil {
		t.Errorf("the delivery of a webhook: %v", err)
	}
}
