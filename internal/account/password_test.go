package account

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
)

func TestPasswordsThatAreRefused(t *testing.T) {
	for password, refused := range map[string]bool{
		"short": true, "seven77": true, "password": true, "Password1!": true, "P4ssw0rd": true, "qwertyuiop": true, "12345678": true,
		"87654321": true, "2345678x": true, "34567890x": true, "abcdefgh": true, "aaaaaaaa": true, "abababab": true, "123123123": true, "1q2w3e4r": true, "letmein2026": true,
		"ada@example.com": true, "Adalovelace1": true, "sunshine99": true, "latchkey123": true, strings.Repeat("ab1-", 64): false, strings.Repeat("ab1-", 64) + "x": true,
		"mariechen85": true, "MarieChen85": true, "mar1echen86!": true, "20261130": true, "271828182": false, "marie-chenille": false,
		"correct horse battery staple": false, "sparrow-kettle-nine": false, "Tr0ub4dor&3": false, "пароль-и-чайник": false, "q7#mVx2p": false,
		strings.Repeat("long enough ", 20): false,
	} {
		wrong := checkPassword(password, "ada@example.com", "Ada Lovelace", "adalovelace", "mariechen85@example.com", "20261130@example.com")
		if !wrong.IsZero() != refused {
			t.Errorf("%q: %q", password, wrong)
		}
	}
}

func TestAHashedPasswordIsRecognised(t *testing.T) {
	h, err := newHasher(rand.Reader, 2)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	stored, err := h.hash(ctx, "sparrow-kettle")
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.hash(ctx, "sparrow-kettle")
	if err != nil || again == stored {
		t.Errorf("two hashes of one password are the same: %v", err)
	}
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the stored form is %q", stored)
	}
	for password, want := range map[string]bool{"sparrow-kettle": true, "sparrow-Kettle": false, "": false} {
		if got, err := h.verify(ctx, password, stored); err != nil || got != want {
			t.Errorf("%q: %v, %v", password, got, err)
		}
	}
	for _, broken := range []string{"", "$argon2id$", strings.Replace(stored, "m=19456", "m=1", 1), stored[:40], stored[:43]} {
		if ok, err := h.verify(ctx, "sparrow-kettle", broken); ok || err == nil {
			t.Errorf("the stored form %q was accepted", broken)
		}
	}
}
