package account

import (
	"strings"
	"testing"
)

func TestAddressesThatAreRefused(t *testing.T) {
	for address, refused := range map[string]bool{
		"ada@example.com": false, " ada@example.com ": false, "zo\u00eb@example.com": false,
		"": true, "ada": true, "Ada <ada@example.com>": true, strings.Repeat("a", 250) + "@x.example": true,
		"ada\u202e@example.com": true, "ada\u200d@example.com": true, "ada\u034f@example.com": true, "ada@example.com\ufe0f": true,
	} {
		if _, err := cleanEmail(address); (err != nil) != refused {
			t.Errorf("%+q: %v", address, err)
		}
	}
}
