package page

import (
	"strings"
	"testing"
)

// TestAPageWithASecretIsNotLoadedAnew: another language would do that, and the secret be gone.
func TestAPageWithASecretIsNotLoadedAnew(t *testing.T) {
	for secret, offered := range map[string]bool{"": true, "once": false} {
		if html := rendered(t, Application{Secret: secret}); strings.Contains(html, `action="/language"`) != offered {
			t.Errorf("with the secret %q another language is offered: %v", secret, !offered)
		}
	}
}
