package account

import (
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
	"github.com/latchkey/latchkey/internal/throttle"
)

// interrupted is randomness, before which something happens once.
type interrupted struct{ meanwhile func() }

func (i *interrupted) Read(p []byte) (int, error) {
	if happens := i.meanwhile; happens != nil {
		i.meanwhile = nil
		happens()
	}
	return rand.Read(p)
}

// newAccounts are those of an empty store.
func newAccounts(t *testing.T, random io.Reader) (*Accounts, *store.Store) {
	t.Helper()
	at := time.Now()
	now := func() time.Time { return at }
	s, err := store.Open(t.Context(), store.Options{Folder: t.TempDir(), Now: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	a, err := New(s, random, now, Config{SessionLifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return a, s
}

const old = "sparrow-kettle-nine"

func TestAPasswordThatWasReplacedMeanwhileIsTheWrongOne(t *testing.T) {
	drawn := &interrupted{}
	a, s := newAccounts(t, drawn)
	ada, err := a.Create(t.Context(), Registration{Email: "ada@example.com", Name: "Ada", Password: old})
	if err != nil {
		t.Fatal(err)
	}
	// The salt is drawn when the old password has been recognised.
	drawn.meanwhile = func() {
		if err := s.SetPassword(t.Context(), ada.ID, "another"); err != nil {
			t.Error(err)
		}
	}
	_, err = a.ChangePassword(t.Context(), ada, old, "three unrelated words", oauth.ID{}, netip.MustParseAddr("192.0.2.7"))
	var problem *Problem
	if !errors.As(err, &problem) || problem.Field != "old_password" {
		t.Errorf("it is %v, and no problem of the old password", err)
	}
	bob, err := a.Create(t.Context(), Registration{Email: "bob@example.com", Name: "Bob", Password: old})
	if err != nil {
		t.Fatal(err)
	}
	// The session's id is drawn then.
	drawn.meanwhile = func() {
		if err := s.SetPassword(t.Context(), bob.ID, "another"); err != nil {
			t.Error(err)
		}
	}
	if _, err := a.SignIn(t.Context(), bob.Email, old, Browser{}); !errors.As(err, &problem) {
		t.Errorf("who signs in with it is answered %v", err)
	}
}

func TestAStrangerKeepsNobodyOut(t *testing.T) {
	a, _ := newAccounts(t, rand.Reader)
	ada, err := a.Create(t.Context(), Registration{Email: "ada@example.com", Name: "Ada", Password: old})
	if err != nil {
		t.Fatal(err)
	}
	stranger, home := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("192.0.2.7")
	signIn := func(email, password string, from netip.Addr) error {
		_, err := a.SignIn(t.Context(), email, password, Browser{Address: from})
		return err
	}
	tooMany := func(err error) bool {
		var problem *Problem
		return errors.As(err, &problem) && problem.RetryAfter > 0
	}
	for _, email := range []string{ada.Email, "nobody@example.com"} {
		for range 10 {
			if err := signIn(email, "wrong", stranger); err == nil || tooMany(err) {
				t.Fatalf("%s: a wrong password is answered %v", email, err)
			}
		}
		if err := signIn(strings.ToUpper(email), old, stranger); !tooMany(err) {
			t.Errorf("%s: after ten wrong passwords the stranger is answered %v", email, err)
		}
	}
	if err := signIn(ada.Email, old, home); err != nil {
		t.Errorf("she cannot sign in at home: %v", err)
	}
	// From many networks at once a stranger can, for some seconds.
	taken := byte(0)
	for taken < 100 && a.guesses.take(ada.Email, netip.AddrFrom4([4]byte{198, 51, 100, taken})) == nil {
		taken++
	}
	if taken != 90 {
		t.Errorf("beside the stranger's ten, %d wrong passwords are looked at", taken)
	}
	for range 20 {
		if err := signIn(ada.Email, old, home); !tooMany(err) {
			t.Errorf("after a hundred wrong passwords it is %v", err)
		}
	}
	if wait, ok := a.guesses.fromNetwork.Take(here(ada.Email, home), home); !ok {
		t.Errorf("what was not looked at is counted: it waits %v", wait)
	}
	// Who is signed in changes the password all the same.
	if _, err := a.ChangePassword(t.Context(), ada, old, "three unrelated words", oauth.ID{}, home); err != nil {
		t.Errorf("she cannot change the password: %v", err)
	}
	for range 10 {
		if _, err := a.ChangePassword(t.Context(), ada, old, "another password", oauth.ID{}, home); err == nil || tooMany(err) {
			t.Fatalf("the wrong old password is answered %v", err)
		}
	}
	if _, err := a.ChangePassword(t.Context(), ada, "three unrelated words", old, oauth.ID{}, stranger); !tooMany(err) {
		t.Errorf("after ten wrong ones it is %v", err)
	}
}

func TestANetworkIsCountedAsOne(t *testing.T) {
	a, _ := newAccounts(t, rand.Reader)
	one, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	if _, err := a.Create(t.Context(), Registration{Email: "ada@example.com", Name: "Ada", Password: old}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.SignIn(t.Context(), "ada@example.com", old, Browser{Address: one}); err != nil {
		t.Fatal(err)
	}
	// What was right is given back.
	for i := range 10 {
		if tooMany := a.guesses.take("ada@example.com", other); tooMany != nil {
			t.Errorf("guess %d is one too many", i+1)
		}
	}
	if a.guesses.take("ada@example.com", one) == nil {
		t.Error("another address of the network may guess on")
	}
	for i := range 29 {
		if _, ok := a.signInsByAddress.Take(throttle.Network(other), other); !ok {
			t.Errorf("sign-in %d is one too many", i+1)
		}
	}
	guess := func(from netip.Addr) error {
		_, err := a.SignIn(t.Context(), "nobody@example.com", old, Browser{Address: from})
		return err
	}
	var problem *Problem
	// Whether there is such an account or not, a password is compared.
	a.hasher.decoy = "broken"
	if err := guess(one); err == nil || errors.As(err, &problem) {
		t.Errorf("without a decoy it is %v", err)
	}
	if err := guess(other); !errors.As(err, &problem) || problem.RetryAfter != 10*time.Second {
		t.Errorf("after thirty sign-ins it is %v", err)
	}
}

func TestAPasswordThatLetsNobodyInIsCounted(t *testing.T) {
	a, s := newAccounts(t, rand.Reader)
	home := netip.MustParseAddr("192.0.2.7")
	for name, shut := range map[string]func(oauth.Account) error{
		"disabled": func(who oauth.Account) error { return s.DisableAccount(t.Context(), who.ID) },
		"busy": func(who oauth.Account) error {
			for a.takeEntry(who.ID, home) == nil {
			}
			return nil
		},
	} {
		who, err := a.Create(t.Context(), Registration{Email: name + "@example.com", Name: "Ada", Password: old})
		if err == nil {
			err = shut(who)
		}
		if err != nil {
			t.Fatal(err)
		}
		for range 9 {
			a.guesses.take(who.Email, home)
		}
		if _, err := a.SignIn(t.Context(), who.Email, old, Browser{Address: home}); err == nil {
			t.Fatalf("%s, and signed in", name)
		}
		if a.guesses.take(who.Email, home) == nil {
			t.Errorf("%s: after ten passwords there may be another", name)
		}
	}
}

func TestASessionLivesAsLongAsItIsUsed(t *testing.T) {
	a, _ := newAccounts(t, rand.Reader)
	at := a.now()
	a.now = func() time.Time { return at }
	home := Browser{Address: netip.MustParseAddr("192.0.2.7"), UserAgent: strings.Repeat("x", 1000)}
	if _, err := a.Create(t.Context(), Registration{Email: "ada@example.com", Name: "Ada", Password: old}); err != nil {
		t.Fatal(err)
	}
	entry, err := a.SignIn(t.Context(), "ada@example.com", old, home)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(entry.Session.UserAgent); n != maxUserAgent {
		t.Errorf("%d bytes are kept of what the browser calls itself", n)
	}
	another, err := oauth.NewToken(rand.Reader, entry.Session.ID)
	if err != nil {
		t.Fatal(err)
	}
	const lifetime = time.Hour
	for _, use := range []struct {
		of     string
		after  time.Duration
		cookie string
		lives  bool
	}{
		{"a cookie that was made up", time.Minute, another.String(), false},
		{"one that has not ended", lifetime - 2*time.Minute, entry.Cookie, true},
		{"one that was used since", lifetime - time.Millisecond, entry.Cookie, true},
		{"one that nobody used any more", lifetime, entry.Cookie, false},
	} {
		at = at.Add(use.after)
		if _, _, err := a.Session(t.Context(), use.cookie); (err == nil) != use.lives {
			t.Errorf("%s: %v", use.of, err)
		}
	}
}
