package oauth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
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
