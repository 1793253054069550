package account

import (
	"crypto/rand"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

func TestAddressesThatAreRefused(t *testing.T) {
	for address, refused := range map[string]bool{
		"ada@example.com": false, " ada@example.com ": false, "zo\u00eb@example.com": false,
		"": true, "ada": true, "Ada <ada@example.com>": true, strings.Repeat("a", 244) + "@x.example": false, strings.Repeat("a", 245) + "@x.example": true,
		"ada\u202e@example.com": true, "ada\u200d@example.com": true, "ada\u034f@example.com": true, "ada@example.com\ufe0f": true,
	} {
		if _, err := cleanEmail(address); (err != nil) != refused {
			t.Errorf("%+q: %v", address, err)
		}
	}
}

func TestUsernamesThatAreRefused(t *testing.T) {
	for username, refused := range map[string]bool{
		"ab": false, "9z": false, "a_": false, "a-b.c": false, strings.Repeat("z", 32): false,
		"": true, "a": true, "_a": true, "-a": true, ".a": true, "aB": true, "a b": true, "zo\u00eb": true, strings.Repeat("z", 33): true,
	} {
		if wrong := checkUsername(username); (wrong != nil) != refused {
			t.Errorf("%q: %v", username, wrong)
		}
	}
}

func TestAUsernameIsMadeOfTheName(t *testing.T) {
	id, ok := oauth.ParseID("019a22da-0fb3-79a1-880d-c643f819ec82")
	if !ok {
		t.Fatal("it is no id")
	}
	for name, want := range map[string][3]string{
		"Ada Lovelace": {"adalovelace", "adalovelace-ec82", "adalovelace-f819ec82"},
		"Al":           {"al", "al-ec82", "al-f819ec82"},
		"\u00c6":       {"user-ec82", "user-ec82", "user-f819ec82"},
		strings.Repeat("Zoe ", 20): {
			strings.Repeat("zoe", 7) + "zo", strings.Repeat("zoe", 7) + "zo-ec82", strings.Repeat("zoe", 7) + "zo-f819ec82",
		},
	} {
		for attempt, want := range want {
			got := usernameFrom(oauth.Account{ID: id, Name: name}, attempt)
			if wrong := checkUsername(got); got != want || wrong != nil {
				t.Errorf("of %q, for the %d. time, it is %q, want %q: %v", name, attempt+1, got, want, wrong)
			}
		}
	}
}

func TestSigningUp(t *testing.T) {
	a, _ := newAccounts(t, rand.Reader)
	home := Browser{Address: netip.MustParseAddr("192.0.2.7")}
	signUp := func(r Registration) (Entry, error) { return a.SignUp(t.Context(), r, home) }
	ada := Registration{Email: "ada@example.com", Name: "Ada", Password: old, Administrator: true}
	if _, err := signUp(ada); !errors.Is(err, ErrSignUpClosed) {
		t.Errorf("where the operator creates the accounts it is %v", err)
	}
	a.config.SignUp = true
	if entry, err := signUp(ada); err != nil || entry.Account.Administrator {
		t.Errorf("who signs up is an administrator: %v, %v", entry.Account.Administrator, err)
	}
	var problem *Problem
	for range 19 {
		if _, err := signUp(Registration{}); !errors.As(err, &problem) || problem.RetryAfter > 0 {
			t.Fatalf("an empty form is answered %v", err)
		}
	}
	if _, err := signUp(Registration{}); !errors.As(err, &problem) || problem.RetryAfter != 3*time.Minute {
		t.Errorf("the twenty-first form from one network is answered %v", err)
	}
}

func TestAFormTellsAllThatIsWrongWithIt(t *testing.T) {
	a, _ := newAccounts(t, rand.Reader)
	a.config.SignUp = true
	home := Browser{Address: netip.MustParseAddr("192.0.2.7")}
	ada, err := a.Create(t.Context(), Registration{Email: "ada@example.com", Name: "Ada", Password: old})
	if err != nil {
		t.Fatal(err)
	}
	signUp := func(r Registration) error { _, err := a.SignUp(t.Context(), r, home); return err }
	changePassword := func(from, to string) error {
		_, err := a.ChangePassword(t.Context(), ada, from, to, oauth.ID{}, home.Address)
		return err
	}
	for _, form := range []struct {
		of     string
		err    error
		fields []string
	}{
		{"sign-up", signUp(Registration{Email: "bob", Name: " ", Password: "short"}), []string{"email", "name", "password"}},
		// Whether an address has an account is told to those alone who could have one.
		{"sign-up, of an address that is taken", signUp(Registration{Email: ada.Email, Name: " ", Password: "short"}), []string{"name", "password"}},
		{"sign-up, with nothing else wrong", signUp(Registration{Email: ada.Email, Name: "Bob", Password: old}), []string{"email"}},
		{"the profile", a.ChangeProfile(t.Context(), ada, Profile{Name: " ", Username: "No"}), []string{"name", "username"}},
		{"the password", changePassword("wrong", "short"), []string{"old_password", "password"}},
		{"the password, with the old one right", changePassword(old, "short"), []string{"password"}},
	} {
		var problem *Problem
		if !errors.As(form.err, &problem) {
			t.Errorf("%s: it is no problem: %v", form.of, form.err)
			continue
		}
		told := []string{problem.Field}
		for _, other := range problem.More {
			told = append(told, other.Field)
		}
		if !slices.Equal(told, form.fields) {
			t.Errorf("%s: it tells of %v, want %v", form.of, told, form.fields)
		}
	}
}
