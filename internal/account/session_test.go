package account

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
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

func TestAPasswordThatWasReplacedMeanwhileIsTheWrongOne(t *testing.T) {
	s, err := store.Open(t.Context(), store.Options{Folder: t.TempDir(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	drawn := &interrupted{}
	a, err := New(s, drawn, time.Now, Config{SessionLifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	const old = "sparrow-kettle-nine"
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
	err = a.ChangePassword(t.Context(), ada, old, "three unrelated words", oauth.ID{}, netip.MustParseAddr("192.0.2.7"))
	var problem *Problem
	if !errors.As(err, &problem) || problem.Field != "old_password" {
		t.Errorf("it is %v, and no problem of the old password", err)
	}
}
