package oauth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
)

func TestMacIsHMACSHA256(t *testing.T) {
	for _, size := range []int{0, 1, 16, 31, 32, sha256.BlockSize} {
		key, last := make([]byte, size), make([]byte, sha256.Size)
		for range 10 {
			if _, err := rand.Read(key); err != nil {
				t.Fatal(err)
			}
			if _, err := rand.Read(last); err != nil {
				t.Fatal(err)
			}
			for _, label := range []string{"access_token\x00", "refresh_token\x00", "latchkey.refresh\x00", "longer than all of them, to see that nothing is cut"} {
				h := hmac.New(sha256.New, key)
				h.Write([]byte(label))
				h.Write(last)
				if got := mac(key, label, last); !hmac.Equal(got[:], h.Sum(nil)) {
					t.Errorf("the mac of %q under %d bytes is another", label, size)
				}
			}
		}
	}
}

// What is stored, and given out, has to be understood by every later version.
func TestHashesAndSuccessorsAreTheSameInEveryVersion(t *testing.T) {
	token := Token{ID: ID([]byte("an id of 16 byte")), Secret: Secret([]byte("a secret of 16 b"))}
	key, err := ParseKey(strings.Repeat("0123456789abcdef", 4))
	if err != nil {
		t.Fatal(err)
	}
	access, next := key.Successors(token)
	for what, c := range map[string]struct {
		got  any
		want string
	}{
		"a code":                       {token.Hash(KindCode), "028fc847ff28b0258274ea4ddd7372383a7c00340f4a7df94b00899981c6c6ab"},
		"an access token":              {token.Hash(KindAccessToken), "5a9954d664114b693977f1f10a28009569a0df1fb5786caef959ae1701853094"},
		"a refresh token":              {token.Hash(KindRefreshToken), "b976e6a4433e856c4f0b7b13015299a5a95c438c347abb017130496f9cb9f9dc"},
		"a session":                    {token.Hash(KindSession), "8b701dce7d671545cac77711ae8fcc893a7fc457cd48f9c117c3839b579dc8ad"},
		"a client secret":              {HashClientSecret(token.ID, "secret"), "c73b1ec96fad04c1834d9b134d53859f358b8aac3896042dd0088398ace7b676"},
		"the succeeding access token":  {access.Secret, "c5653d43bb0bbda649b020eccf79a148"},
		"the succeeding refresh token": {next.Secret, "7a5a8d34af74c10d6cbc1008e1d78496"},
		"the key's id":                 {key.ID(), "c052d9ef67d9b8a3"},
	} {
		if got := fmt.Sprintf("%x", c.got); got != c.want {
			t.Errorf("%s is %s; was %s", what, got, c.want)
		}
	}
}
