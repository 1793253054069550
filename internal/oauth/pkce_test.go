package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/latchkey/latchkey/internal/oauth"
)

func TestChallengeIsS256Only(t *testing.T) {
	good := strings.Repeat("A", 43)
	for _, c := range []struct {
		challenge, method string
		required, want    bool
	}{
		{good, "S256", false, true}, {"", "", false, true}, {"", "", true, false}, {"", "S256", false, false},
		{good, "", false, false}, {good, "plain", false, false}, {good, "s256", false, false},
		{good[1:], "S256", false, false}, {good + "=", "S256", false, false}, {good[1:] + "B", "S256", false, false},
	} {
		if _, refusal := oauth.ParseChallenge(c.challenge, c.method, c.required); (refusal == nil) != c.want {
			t.Errorf("%+v: %v", c, refusal)
		}
	}
}

func TestVerifierOfRFC7636AppendixB(t *testing.T) {
	challenge, _ := oauth.ParseChallenge("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "S256", true)
	if refusal := challenge.Verify("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"); refusal != nil {
		t.Error(refusal)
	}
	for _, bad := range []string{"", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK", strings.Repeat("a", 42), strings.Repeat("a", 129), strings.Repeat("ä", 43)} {
		if refusal := challenge.Verify(bad); refusal == nil || refusal.Code != oauth.InvalidGrant {
			t.Errorf("verifier %q: %v", bad, refusal)
		}
	}
}

func TestAVerifierHas43To128UnreservedCharacters(t *testing.T) {
	for verifier, want := range map[string]bool{
		strings.Repeat("a", 42): false, strings.Repeat("a", 43): true, strings.Repeat("a", 128): true, strings.Repeat("a", 129): false,
		strings.Repeat("AZaz09-._~", 5): true, strings.Repeat("a", 43) + " ": false, strings.Repeat("a", 43) + "+": false, strings.Repeat("ä", 43): false,
	} {
		sum := sha256.Sum256([]byte(verifier))
		challenge, refusal := oauth.ParseChallenge(base64.RawURLEncoding.EncodeToString(sum[:]), "S256", true)
		if refusal != nil {
			t.Fatal(refusal)
		}
		if got := challenge.Verify(verifier) == nil; got != want {
			t.Errorf("verifier %q with its own challenge: %v; want %v", verifier, got, want)
		}
	}
}
